"""Weighted words as vectors.

Every word is hashed, together with the model's name, into a direction that looks random; a description is the
weighted sum. No model is involved, and nothing of TwelveLabs': two inputs are near each other only if they share
words.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.models import Model
from ..protocol.settings import Settings
from .words.text import WORDING, text_words
from .words.weights import Words

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Embedding:
    """One vector, and what it is the vector of: a span in seconds, or a ``place`` in a document."""

    vector: Vector
    option: str | None
    scope: str
    start: float | None = None
    end: float | None = None
    place: Mapping[str, int | str | None] = field(default_factory=dict)


def embed_words(words: Words, model: Model) -> Vector:
    """Return the unit vector of weighted words, shape ``(model.dimension,)``."""
    total = np.zeros(model.dimension)
    for word, weight in words.items():
        total += weight * _direction(model.name, word, model.dimension)
    return _unit(total)


@functools.lru_cache(maxsize=2_000)
def embed_text(text: str, model: Model) -> Vector:
    """Return the unit vector of a text, shape ``(model.dimension,)``."""
    return embed_words(text_words(text), model)


def fuse(vectors: Iterable[Vector]) -> Vector:
    """Return one unit vector for several inputs that are embedded together."""
    return _unit(np.sum(list(vectors), axis=0))


def response_vector(vector: Vector, settings: Settings, dimension: int | None = None) -> list[float]:
    """Return a vector as responses have it: its first ``dimension`` numbers, of the length that the settings define."""
    if dimension is not None and dimension < len(vector):
        vector = vector[:dimension]
        if settings.normalize_prefix:
            vector = _unit(vector)
    if not settings.unit_length:
        # Lengths differ from vector to vector, to expose clients that forget to normalize.
        vector = vector * (8 + 40 * abs(float(vector[0])))
    return _rounded(vector)


def uncertainty(vector: Vector, dimension: int | None = None) -> list[float]:
    """Return one positive number for each number of the vector. They mean nothing, but are reproducible."""
    return _rounded((0.01 + 0.05 * np.abs(np.roll(vector, 1)))[:dimension])


def _rounded(numbers: Vector) -> list[float]:
    rounded: Any = np.round(numbers, 8).tolist()
    return list(rounded)


def _hashed_direction(model_name: str, word: str, dimension: int) -> npt.NDArray[np.float32]:
    # A hash, not a random generator: the same in every process and with every version of numpy.
    digest = hashlib.shake_128(f"{model_name}\0{word}".encode()).digest(2 * dimension)
    numbers = np.frombuffer(digest, dtype="<u2").astype(np.float64) - 32767.5
    return _unit(numbers).astype(np.float32)


_cached_direction = functools.lru_cache(maxsize=20_000)(_hashed_direction)


def _direction(model_name: str, word: str, dimension: int) -> npt.NDArray[np.float32]:
    # A text's exact wording is seldom repeated; caching it would evict words that are.
    direction = _hashed_direction if word.startswith(WORDING) else _cached_direction
    return direction(model_name, word, dimension)


def _unit(numbers: Vector) -> Vector:
    length = float(np.sqrt(numbers @ numbers))
    # Opposite directions could cancel each other out, but a vector must be finite.
    return numbers / length if length > 1e-12 else np.full_like(numbers, len(numbers) ** -0.5)
