"""The true vector of every item, as the server sends it and the scenarios check it. Imports nothing of the client.

All numbers are fractions that a 32-bit float holds exactly, so that a vector that was cached compares equal too.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache

__all__ = ["DIMENSIONS", "identity_of_media", "identity_of_text", "judge", "truth", "written"]

DIMENSIONS = 512
_HEAD = 8
_TAILS = 256


def identity_of_text(text: str, model: str = "marengo3.0") -> str:
    """The name of a text and its model, in counts and comparisons."""
    return f"{model}|text|{text}"


def identity_of_media(kind: str, content: bytes, model: str = "marengo3.0") -> str:
    """The name of a file by its content."""
    return f"{model}|{kind}|{hashlib.blake2b(content, digest_size=16).hexdigest()}"


@lru_cache(1)
def _tails() -> list[tuple[list[float], str]]:
    numbers = random.Random(20)
    found = []
    for _ in range(_TAILS):
        tail = [(numbers.randrange(2048) - 1024) / 4096 for _ in range(DIMENSIONS - _HEAD)]
        found.append((tail, ",".join(map(repr, tail))))
    return found


def _head(identity: str) -> tuple[list[float], int]:
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=2 * _HEAD).digest()
    head = [(int.from_bytes(digest[i : i + 2], "big") - 32768) / 65536 for i in range(0, 2 * _HEAD, 2)]
    return head, digest[0]


def truth(identity: str) -> list[float]:
    """The vector that the server has for this item, and for no other."""
    head, tail = _head(identity)
    return head + _tails()[tail][0]


def written(identity: str) -> str:
    """:func:`truth` as the inside of a JSON list."""
    head, tail = _head(identity)
    return ",".join(map(repr, head)) + "," + _tails()[tail][1]


def judge(identities: Sequence[str], vectors: Sequence[Sequence[float] | None]) -> Mapping[str, int]:
    """How many vectors are right, missing, another item's, or nobody's."""
    owners = {tuple(truth(identity)[:_HEAD]): identity for identity in identities}
    found = {"right": 0, "missing": 0, "misplaced": 0, "wrong": 0}
    for identity, vector in zip(identities, vectors, strict=True):
        if vector is None:
            found["missing"] += 1
        elif list(vector) == truth(identity):
            found["right"] += 1
        else:
            found["misplaced" if tuple(vector[:_HEAD]) in owners else "wrong"] += 1
    return found
