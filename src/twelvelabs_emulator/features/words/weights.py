"""Weighted words, and the arithmetic on them.

A word that starts with ``~`` cannot come from a text: it distinguishes media that have the same description.
"""

from __future__ import annotations

from collections.abc import Iterable

Words = dict[str, float]

#: Weight of the words for kinds of media: low, so that "a red image" is above all red.
KIND_WEIGHT = 0.35


def ramp(value: float, zero: float, one: float) -> float:
    """Return 0 up to ``zero``, 1 from ``one`` on, and linear between: small differences must not flip a word."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))


def add_weight(words: Words, word: str, weight: float) -> None:
    """Add weight to a word, unless it is negligible."""
    if weight > 0.005:
        words[word] = words.get(word, 0.0) + weight


def mean_words(descriptions: Iterable[Words]) -> Words:
    """Return the mean of several descriptions."""
    total: Words = {}
    count = 0
    for words in descriptions:
        count += 1
        for word, weight in words.items():
            total[word] = total.get(word, 0.0) + weight
    return {word: weight / count for word, weight in total.items()}
