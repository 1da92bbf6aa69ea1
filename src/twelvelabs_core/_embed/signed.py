"""Errors about signed URLs: without the signature, and with what to do when it has expired."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from .._errors import InvalidInputError, TwelveLabsError
from .._media.file import MediaFile
from .._places import bare_url, unsigned_url

_UNREACHABLE = re.compile(
    r"\b(fetch\w*|download\w*|access\w*|reach\w*|unreachable|inaccessible|retriev\w*|expired|forbidden|403|url)\b",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)


def hide_signatures(error: TwelveLabsError, files: Iterable[MediaFile]) -> TwelveLabsError:
    """The error of an item, without the signatures of its URLs, which a server may repeat.

    If the server refused the item because it could not fetch it, the message says that the signature may have expired.

    Args:
        error: changed in place.
        files: the item's.
    """
    signed = [file.url for file in files if file.url is not None and unsigned_url(file.url) != file.url]
    if not signed:
        return error
    message = error.message
    for url in signed:
        message = message.replace(quote(url, safe=""), bare_url(url)).replace(quote(url), bare_url(url))
    places = {bare_url(url).lower() for url in signed}

    def bare(found: re.Match[str]) -> str:
        place = bare_url(found[0])  # the query may be cut, or escaped in some way
        return place if place.lower() in places else found[0]

    message = _URL.sub(bare, message)
    if isinstance(error, InvalidInputError) and error.status in (None, 400, 422) and _UNREACHABLE.search(message):
        message = (
            f"{message.rstrip()} Its URL is signed, and the signature may have expired: sign it again, for longer than "
            "the service takes to fetch it. The same object with a new signature has the same cache key and ids."
        )
    error.message = message
    error.args = (message, *error.args[1:])
    return error
