"""Counting and cutting texts, with whatever token counter the settings hold."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Literal

__all__ = ["cut"]


def cut(text: str, limit: int, count: Callable[[str], int], side: Literal["end", "start"] = "end") -> str:
    """Return the longest run of whole words that has at most ``limit`` tokens.

    ``side`` is where words are taken away. A single word that is too long is cut by letters.
    """
    if count(text) <= limit:
        return text
    words = text.split()
    kept = _kept(words, limit, count, side, " ")
    if kept or not words:
        return kept
    return _kept(list(words[0] if side == "end" else words[-1]), limit, count, side, "")


def _kept(parts: list[str], limit: int, count: Callable[[str], int], side: str, glue: str) -> str:
    def piece(length: int) -> str:
        return glue.join(parts[:length] if side == "end" else parts[len(parts) - length :])

    # Tokens grow with every part, so the first length that is too long can be found by halving.
    too_long = bisect.bisect_right(range(len(parts) + 1), limit, key=lambda length: count(piece(length)))
    return piece(max(0, too_long - 1))
