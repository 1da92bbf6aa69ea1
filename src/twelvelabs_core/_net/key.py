"""The API key on its way out and back: written into headers, and taken out of all that comes back.

Tracebacks, logs and error trackers show messages, causes and the ``repr`` of local variables. So the plain key is in no
local variable outside this module, and whatever a server or a library says passes :meth:`Key.mask` on arrival.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from pydantic import SecretStr

MASK = "***"
SHORTEST = 8  # a shorter key is a stand-in, and would be found inside words
_LONG_NUMBERS = 1000  # bytes of a list without a quote: numbers, in which no key can be
_FIRST_OF_NUMBER = frozenset(bytes([char]) for char in b"-0123456789")
_CREDENTIALS = re.compile(rb"(?<=//)[^/?#\s]+@")  # user and password of a proxy, in what a library says about it


class Headers(dict[str, str]):
    """Headers whose ``repr`` does not show their values."""

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"


class Key:
    """An API key that shows itself in headers only."""

    __slots__ = ("_pattern", "_secret", "_unescaped")

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret
        self._pattern, self._unescaped = _searches(secret)

    def headers(self, others: Mapping[str, str]) -> Headers:
        """The header that identifies the account, and others."""
        return Headers({"x-api-key": self._secret.get_secret_value(), **others})

    def mask(self, text: str) -> str:
        """``text`` without the key and without the user and password of an address."""
        return self.mask_bytes(text.encode("utf-8", "replace")).decode("utf-8", "replace")

    def mask_bytes(self, text: bytes) -> bytes:
        """:meth:`mask` of bytes."""
        return _CREDENTIALS.sub(b"***@", self._without_key(text))

    def mask_answer(self, body: bytes) -> bytes:
        """:meth:`mask` of the JSON of a successful response; the same object if it does not contain the key.

        Long lists of numbers are left out of the search: searching a vector would take as long as parsing it.
        """
        if self._pattern is None:
            return body
        around = _around_numbers(body)
        if (
            b"\\" not in around and b"%" not in around
        ):  # nothing is escaped: a short search finds what the long one does
            lower = around.lower()
            return self._without_key(body) if any(form in lower for form in self._unescaped) else body
        return self._without_key(body) if self._pattern.search(around) else body

    def _without_key(self, text: bytes) -> bytes:
        return text if self._pattern is None else self._pattern.sub(MASK.encode(), text)


def _searches(secret: SecretStr) -> tuple[re.Pattern[bytes] | None, frozenset[bytes]]:
    """A pattern that finds the key as it is, in other case, percent-encoded, JSON-escaped, and inside base64; and those
    forms, in lower case, that have no escapes.
    """
    key = secret.get_secret_value().encode()
    if len(key) < SHORTEST:
        return None, frozenset()
    packed = [_in_base64(key, offset) for offset in range(3)]
    forms = [b"".join(map(_any_writing, key)), *(b"".join(_of_base64(char) for char in form) for form in packed)]
    unescaped = {key, *packed, *(form.translate(bytes.maketrans(b"+/", b"-_")) for form in packed)}
    return re.compile(b"|".join(forms), re.IGNORECASE), frozenset(form.lower() for form in unescaped)


def _any_writing(char: int) -> bytes:
    """A character as itself, after backslashes, as ``%74`` or as ``\\u0074``."""
    return rb"(?:\\*" + re.escape(bytes([char])) + rb"|(?:%%|\\+u00)%02x)" % char


def _in_base64(key: bytes, offset: int) -> bytes:
    """The characters that the key always has in base64 if it begins at byte ``offset`` of a group of three."""
    start, end = (offset * 8 + 5) // 6, (offset + len(key)) * 8 // 6
    return base64.b64encode(bytes(offset) + key)[start:end]


def _of_base64(char: int) -> bytes:
    """A character of base64 in either alphabet; JSON may escape the slash."""
    return {43: rb"[+-]", 47: rb"(?:\\*/|_)"}.get(char, bytes([char]))


def _is_numbers(body: bytes, begin: int, end: int) -> bool:
    """Whether what stands between two brackets is a list of numbers, and not of texts, or a part of a text."""
    first = body[begin + 1 : begin + 20].lstrip()[:1]
    return begin >= 0 and first in _FIRST_OF_NUMBER and body.find(b'"', begin, end) < 0


def _around_numbers(body: bytes) -> bytes:
    """The body without its long lists of numbers."""
    kept: list[bytes] = []
    position = 0
    while (end := body.find(b"]", position + _LONG_NUMBERS)) >= 0:
        begin = body.rfind(b"[", position, end)
        if end - begin < _LONG_NUMBERS or not _is_numbers(body, begin, end):
            begin = end
        kept.append(body[position:begin])
        position = end
    return body if not kept else b"".join([*kept, body[position:]])
