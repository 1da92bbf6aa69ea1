"""Turning measured numbers into weights of words."""

from __future__ import annotations

from .text import Words

__all__ = ["add", "ramp"]


def ramp(value: float, zero: float, one: float) -> float:
    """0 up to ``zero``, 1 from ``one`` on, a line between: small differences must not flip a word."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))


def add(words: Words, word: str, weight: float) -> None:
    """Add weight to a word, unless it is next to nothing."""
    if weight > 0.005:
        words[word] = words.get(word, 0.0) + weight
