"""The API key on its way out and back: written into headers, and taken out of all that comes back.

Tracebacks, logs and error trackers show messages, causes and the ``repr`` of local variables. So the plain key is in no
local variable outside this module, and whatever a server or a library says passes :meth:`Key.mask` on arrival.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from .._api.large_json import number_lists

MASK = b"***"
SHORTEST = 8  # a shorter key is a stand-in, and would be found inside words
_ESCAPED = re.compile(rb"(?:%|\\{1,7}u00)([0-9a-f]{2})")
_CREDENTIALS = re.compile(rb"(?<=//)[^/?#\s]+@")  # user and password of a proxy, in what a library says about it


class Headers(dict[str, str]):
    """Headers whose ``repr`` does not show their values."""

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"


class Key:
    """An API key that shows itself in headers only."""

    __slots__ = ("_clean", "_forms", "_pattern", "_secret")

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret
        self._forms, self._pattern = _searches(secret)
        self._clean = b""  # the last answer without the key, without its numbers

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
        """The JSON of a successful response without the key; the same object if it does not contain it.

        Long lists of numbers are left out of the search: searching a vector would take as long as parsing it. What
        remains is often the same as in the answer before.
        """
        words = _around_numbers(body)
        if words == self._clean:
            return body
        if self._is_in(words):
            return self._without_key(body)
        self._clean = words
        return body

    def _without_key(self, text: bytes) -> bytes:
        if not self._is_in(text):
            return text
        masked = self._pattern.sub(MASK, text)
        return MASK if self._is_in(masked) else masked  # written in a way of its own: nothing is shown then

    def _is_in(self, text: bytes) -> bool:
        """Whether the key is in a text in any writing: as it is, in other case, escaped, in base64."""
        if not self._forms:
            return False
        text = text.lower()
        plain = text.replace(b"\\", b"")
        if any(form in plain for form in self._forms):
            return True
        if b"%" not in text and b"u00" not in text:
            return False
        decoded = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text).lower().replace(b"\\", b"")
        return any(form in decoded for form in self._forms)


def _searches(secret: SecretStr) -> tuple[Sequence[bytes], re.Pattern[bytes]]:
    """The forms of the key in lower case and without backslashes, of which :meth:`Key._is_in` looks for one; and a
    slower pattern that finds where it begins and ends.
    """
    key = secret.get_secret_value().encode()
    packed = [_in_base64(key, offset) for offset in range(3)]
    writings = [b"".join(map(_any_writing, key)), *(b"".join(map(_of_base64, form)) for form in packed)]
    pattern = re.compile(b"|".join(writings), re.IGNORECASE)
    if len(key) < SHORTEST:
        return (), pattern
    forms = {key, *packed, *(form.translate(bytes.maketrans(b"+/", b"-_")) for form in packed)}
    return [form.lower().replace(b"\\", b"") for form in forms], pattern


def _any_writing(char: int) -> bytes:
    """A character as itself, after backslashes, as ``%74`` or as ``\\u0074``."""
    return rb"(?:\\{0,7}" + re.escape(bytes([char])) + rb"|(?:%%|\\{1,7}u00)%02x)" % char


def _in_base64(key: bytes, offset: int) -> bytes:
    """The characters that the key always has in base64 if it begins at byte ``offset`` of a group of three."""
    start, end = (offset * 8 + 5) // 6, (offset + len(key)) * 8 // 6
    return base64.b64encode(bytes(offset) + key)[start:end]


def _of_base64(char: int) -> bytes:
    """A character of base64 in either alphabet; JSON may escape the slash."""
    return {43: rb"[+-]", 47: rb"(?:\\{0,7}/|_)"}.get(char, bytes([char]))


def _around_numbers(body: bytes) -> bytes:
    """The body without its long lists of numbers."""
    kept: list[bytes] = []
    position = 0
    for begin, end in number_lists(body):
        kept.append(body[position:begin])
        position = end
    return body if not kept else b"".join([*kept, body[position:]])
