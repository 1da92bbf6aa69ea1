"""Scenarios by name, what each of them reports, and the processes they use."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

__all__ = ["ROOT", "SCENARIOS", "Run", "Scenario", "Server", "processes", "python_environment", "scenario", "serving"]


@dataclass
class Run:
    """One run of a scenario: what it was given, and what came out.

    Attributes:
        scale: share of the full number of items, cases and rounds.
        folder: an empty folder of its own.
        result: file that is kept up to date, so that a run that is killed has told what it found.
        tried: what was tried and how often, for the table.
        outcome: figures, for the table.
        failures: what was promised and not kept; empty = passed.
    """

    seed: int
    scale: float
    folder: Path
    result: Path | None = None
    tried: str = ""
    outcome: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def count(self, full: int, least: int = 1) -> int:
        """``full`` at this run's scale."""
        return max(least, round(full * self.scale))

    def check(self, kept: bool, failure: str) -> bool:
        """Note a failure, once, unless the promise was kept."""
        if not kept and failure not in self.failures:
            self.failures.append(failure)
            self.save()
        return kept

    def add(self, **figures: float) -> None:
        """Add to figures of the outcome."""
        for name, figure in figures.items():
            self.outcome[name] = self.outcome.get(name, 0) + figure
        self.save()

    def save(self) -> None:
        """Write down what there is."""
        if self.result is not None:
            told = {"tried": self.tried, "outcome": self.outcome, "failures": self.failures}
            unfinished = self.result.with_suffix(".new")
            unfinished.write_text(json.dumps(told))
            unfinished.replace(self.result)


@dataclass(frozen=True)
class Scenario:
    """A scenario of the suite.

    Attributes:
        limit_sec: after so many seconds at full scale it counts as hung, and is killed. At least 300 at any scale.
    """

    name: str
    do: Callable[[Run], None]
    limit_sec: float

    @property
    def summary(self) -> str:
        return (self.do.__doc__ or "").strip().splitlines()[0]


SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str, *, limit_sec: float = 600.0) -> Callable[[Callable[[Run], None]], Callable[[Run], None]]:
    """Register a function as a scenario; the first line of its docstring says what is tried."""

    def register(do: Callable[[Run], None]) -> Callable[[Run], None]:
        assert name not in SCENARIOS, name
        SCENARIOS[name] = Scenario(name, do, limit_sec)
        return do

    return register


class Server:
    """The misbehaving server, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=python_environment(),
        )
        self._lock = threading.Lock()
        self.port: int = self._read()["port"]
        self.base_url = f"http://127.0.0.1:{self.port}/v1.3"

    def account(self) -> dict[str, Any]:
        """A key of its own: what a client has learned about an account lasts as long as the process."""
        return {"api_key": f"tlk_{uuid.uuid4().hex}", "base_url": self.base_url}

    def rules(self, **rules: Any) -> None:
        """Set :class:`~.server.Rules`; counts start anew."""
        self._ask({"set": rules})

    def counts(self) -> dict[str, Any]:
        return self._ask({})

    def away(self, seconds: float) -> None:
        """Refuse connections for so long, and end those there are."""
        self._ask({"away": seconds})

    def last(self, identities: Sequence[str]) -> list[tuple[str | None, int]]:
        """What was done with each item's last request, and how many there were."""
        found: list[tuple[str | None, int]] = self._ask({"last": list(identities)})["last"]
        return found

    def paid(self, identity: str) -> int:
        """How often one item was embedded, or dropped without a word."""
        found: int = self._ask({"paid": identity})["paid"]
        return found

    def performed_each(self) -> Mapping[str, int]:
        """How often each item was embedded."""
        found: Mapping[str, int] = self._ask({"performed_each": True})["performed_each"]
        return found

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server has ended"
        found: dict[str, Any] = json.loads(line)
        return found


@contextlib.contextmanager
def serving(**rules: Any) -> Iterator[Server]:
    """A server for the length of a ``with`` block."""
    server = Server()
    try:
        server.rules(**rules)
        yield server
    finally:
        server.close()


def python_environment(**more: str) -> dict[str, str]:
    """The environment of a Python process that imports this tree."""
    paths = (str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more}


def processes(*, group: int | None = None, session: int | None = None) -> dict[int, float]:
    """The processes of a group or session, with the processor seconds that each and its ended children have used."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if (group, session) in ((int(fields[2]), None), (None, int(fields[3]))):
                found[int(path.parent.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return found


def within(seconds: float, until: Callable[[], bool], every: float = 0.01) -> bool:
    """Wait for a condition, at most so long."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
