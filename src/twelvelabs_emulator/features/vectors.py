"""Weighted words as vectors: honest toys.

Every word is hashed, together with the model's name, into a direction that looks random; a bag of words is
the weighted sum. Nothing is learned and nothing here is TwelveLabs': two things are near each other when
they share words, and for no other reason.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.models import Model
from ..protocol.settings import Settings
from .words.text import WORDING, Words, of_text

__all__ = ["Vector", "finished", "fused", "text_vector", "uncertainty", "vector"]

Vector = npt.NDArray[np.float64]


def _hashed(model_name: str, word: str, dimension: int) -> npt.NDArray[np.float32]:
    # A hash, not a random generator: the same in every process and with every version of numpy.
    digest = hashlib.shake_128(f"{model_name}\0{word}".encode()).digest(2 * dimension)
    numbers = np.frombuffer(digest, dtype="<u2").astype(np.float64) - 32767.5
    return _unit(numbers).astype(np.float32)


_remembered = functools.lru_cache(maxsize=20_000)(_hashed)


def _direction(model_name: str, word: str, dimension: int) -> npt.NDArray[np.float32]:
    # A wording is seldom met twice; remembering it would push out words that are.
    known = _hashed if word.startswith(WORDING) else _remembered
    return known(model_name, word, dimension)


def _unit(numbers: Vector) -> Vector:
    length = float(np.sqrt(numbers @ numbers))
    # Two directions can cancel each other out only in theory, but a vector must have finite numbers.
    return numbers / length if length > 1e-12 else np.full_like(numbers, len(numbers) ** -0.5)


def vector(words: Words, model: Model) -> Vector:
    """Return the unit vector of a bag of words, shape ``(model.dimension,)``."""
    total = np.zeros(model.dimension)
    for word, weight in words.items():
        total += weight * _direction(model.name, word, model.dimension)
    return _unit(total)


@functools.lru_cache(maxsize=2_000)
def _text_vector(text: str, model: Model) -> Vector:
    return vector(of_text(text), model)


def text_vector(text: str, model: Model) -> Vector:
    """Return the unit vector of a text."""
    return _text_vector(text, model)


def fused(vectors: Iterable[Vector]) -> Vector:
    """Return one unit vector for several things that are embedded together."""
    return _unit(np.sum(list(vectors), axis=0))


def finished(numbers: Vector, settings: Settings, dimension: int | None = None) -> list[float]:
    """Return what goes on the wire: the first ``dimension`` numbers, as long as the settings say."""
    if dimension is not None and dimension < len(numbers):
        numbers = numbers[:dimension]
        if settings.normalize_prefix:
            numbers = _unit(numbers)
    if not settings.unit_length:
        # Lengths differ from vector to vector, so that a client that forgets to normalise is found out.
        numbers = numbers * (8 + 40 * abs(float(numbers[0])))
    rounded: Any = np.round(numbers, 8).tolist()
    return list(rounded)


def uncertainty(numbers: Vector, settings: Settings, dimension: int | None = None) -> list[float]:
    """Return one positive number for each number of the vector. They mean nothing, but are always the same."""
    spread = 0.01 + 0.05 * np.abs(np.roll(numbers, 1))
    rounded: Any = np.round(spread[:dimension], 8).tolist()
    return list(rounded)
