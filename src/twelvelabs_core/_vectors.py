"""Arithmetic of vectors. Sums are exact (``math.fsum``), so that no result depends on an order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ._errors import InvalidInputError


def weighted_sum(vectors: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """The sum of vectors of one length, each times its weight."""
    return [math.fsum(w * x for w, x in zip(weights, column, strict=True)) for column in zip(*vectors, strict=True)]


def normalize(vector: Sequence[float]) -> list[float]:
    """A vector scaled to unit length, as stores with a dot product need it: then it is the cosine.

    The API does not document whether its vectors have unit length.

    Raises:
        InvalidInputError: all its numbers are zero, so that it has no direction; or one is not finite.
    """
    length = math.hypot(*vector)
    if not 0 < length < math.inf:
        raise InvalidInputError(f"a vector of length {length:g} cannot be scaled to unit length.")
    return [x / length for x in vector]
