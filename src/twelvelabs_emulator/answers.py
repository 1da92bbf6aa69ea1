"""The pieces that ``/embed-v2`` answers are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .wire import number

__all__ = ["entry"]


def entry(
    numbers: Sequence[float],
    option: str | None = None,
    scope: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> dict[str, Any]:
    """Return one item of an answer's ``data``; what does not apply is null."""
    return {
        "embedding": numbers,
        "embedding_option": option,
        "embedding_scope": scope,
        "start_sec": None if start is None else number(start),
        "end_sec": None if end is None else number(end),
    }
