"""What a case hands back: samples, and figures held against their bars. Plain values, kept as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

__all__ = ["Bar", "Case", "Row", "interleaved", "ratios"]

T = TypeVar("T")


@dataclass
class Row:
    """One thing's samples, a sample a round."""

    name: str
    unit: str
    samples: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)


@dataclass
class Bar:
    """A figure and what it must be.

    Attributes:
        what: for example ``embed_documents / aiohttp + orjson``.
        samples: a figure a round; the median counts.
        bound: what the median must be at least, or at most.
    """

    what: str
    samples: list[float]
    bound: float
    at_least: bool
    unit: str = "×"

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def met(self) -> bool:
        return self.median >= self.bound if self.at_least else self.median <= self.bound

    @property
    def missing(self) -> float:
        """How far short it falls, as a share of the bar (of 1 where the bar is 0)."""
        short = self.bound - self.median if self.at_least else self.median - self.bound
        return max(0.0, short / (abs(self.bound) or 1.0))


@dataclass
class Case:
    """Attributes:
    name: as ``--only`` takes it.
    how: what was done, in a sentence or two.
    where: Python, CPUs, load, date; filled in by the runner.
    """

    name: str
    title: str
    how: str
    rows: list[Row] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    where: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Case:
        rows = [Row(**row) for row in found.pop("rows")]
        bars = [Bar(**bar) for bar in found.pop("bars")]
        return cls(rows=rows, bars=bars, **found)

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)


def interleaved(names: Sequence[str], rounds: int, measure: Callable[[str], float], unit: str) -> list[Row]:
    """Measure everything once a round, starting each round with another, so that a busy minute of the machine hits all
    alike.
    """
    rows = [Row(name, unit, []) for name in names]
    for turn in range(rounds):
        start = turn % len(rows)
        for row in rows[start:] + rows[:start]:
            row.samples.append(measure(row.name))
            print(f"    {row.name}: {row.samples[-1]:.4g} {unit}", flush=True)
    return rows


def ratios(above: Row, below: Row) -> list[float]:
    """Within each round."""
    return [a / b for a, b in zip(above.samples, below.samples, strict=True)]
