"""JSON with thousands of vectors, parsed in pieces, so that no other thread waits long for the interpreter's lock.

A parser holds the lock until it is done: 20 MB take a tenth of a second, in which the loop stands still whatever thread
parses. So the long lists of numbers, which are nearly all of such an answer, are left as they are until each is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from .requests import new_mark

#: Bytes from which an answer is read in a thread.
LARGE_ANSWER = 256 * 1024
_LONG_NUMBERS = 1000  # bytes of a list
_FIRST_OF_NUMBER = frozenset(bytes([char]) for char in b"-0123456789")


def number_lists(body: bytes) -> Iterator[tuple[int, int]]:
    """Where a body has long lists of numbers: the places of their brackets. Such a place may lie within a text too."""
    position = 0
    while (end := body.find(b"]", position + _LONG_NUMBERS)) >= 0:
        begin = body.rfind(b"[", position, end)
        if end - begin >= _LONG_NUMBERS and _is_numbers(body, begin, end):
            yield begin, end
        position = end


def _is_numbers(body: bytes, begin: int, end: int) -> bool:
    """Whether what stands between two brackets is a list of numbers, and not of texts, or a part of a text."""
    first = body[begin + 1 : begin + 20].lstrip()[:1]
    return begin >= 0 and first in _FIRST_OF_NUMBER and body.find(b'"', begin, end) < 0


class Numbers:
    """A list of numbers that is not parsed yet.

    Attributes:
        json: the list.
    """

    __slots__ = ("json",)

    def __init__(self, json: bytes) -> None:
        self.json = json


def parse_in_pieces(body: bytes) -> Any:
    """What ``from_json`` makes of a body, but with :class:`Numbers` for its long lists of numbers. For a thread.

    Raises:
        ValueError: it is not JSON. Of what is within its numbers, who reads them is told.
    """
    mark = new_mark()
    numbers: list[Numbers] = []
    others: list[bytes] = []
    position = 0
    for begin, end in number_lists(body):
        others += [body[position:begin], b'"%s%d"' % (mark.encode(), len(numbers))]
        numbers.append(Numbers(body[begin : end + 1]))
        position = end + 1
    others.append(body[position:])
    try:
        # Numbers within a text would be marked in it, and the quotes of a mark would end it: what follows is no JSON.
        return _filled(from_json(b"".join(others)), mark, numbers)
    except ValueError:
        return from_json(body)


def _filled(found: Any, mark: str, numbers: list[Numbers]) -> Any:
    """A value with the numbers in place of their marks."""
    if isinstance(found, dict):
        for key, value in found.items():
            if not (value is None or isinstance(value, (bool, int, float))):
                found[key] = _filled(value, mark, numbers)
    elif isinstance(found, list):
        found[:] = [_filled(value, mark, numbers) for value in found]
    elif isinstance(found, str) and found.startswith(mark):
        return numbers[int(found[len(mark) :])]
    return found
