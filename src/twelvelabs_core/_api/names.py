"""Ids and addresses that a server's responses give, checked before use; and the file names that are sent to it."""

from __future__ import annotations

import ipaddress
import re
import secrets
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from .._errors import MalformedResponseError

# The API's ids are 24 hexadecimal digits or UUIDs. An id becomes a part of a path: "../indexes/X" must not.
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_URL = re.compile(r"https?://[!-~]{1,16000}", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
_ADDRESS = re.compile(r"[0-9.]+")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"/\\\u2028\u2029]+')
_TOKEN_BYTES = 12
_MAX_STEM = 80
_UNIQUE = re.compile(rf"-([0-9a-f]{{{2 * _TOKEN_BYTES}}})(?=\.|$)")
_UNIQUE_PART = re.compile(rf"-[0-9a-f]{{{2 * _TOKEN_BYTES}}}(?=(\.[A-Za-z0-9]{{1,10}})?$)")


def is_id(found: Any) -> bool:
    """Whether something can be an id: letters, digits, ``-`` and ``_``."""
    return isinstance(found, str) and bool(_ID.fullmatch(found))


def read_id(found: Any, what: str) -> str:
    """An id of a response: letters, digits, ``-`` and ``_``.

    Args:
        what: what it names, for the message: ``task``.

    Raises:
        MalformedResponseError: there is none, or it cannot be one.
    """
    if not isinstance(found, str) or not found:
        raise MalformedResponseError(f"The response has no {what} id.")
    if not _ID.fullmatch(found):
        raise MalformedResponseError(f"The response has a {what} id that cannot be one: {found[:60]!a}.")
    return found


def read_url(found: Any, base_url: str) -> str:
    """A web address of a response: https, or http if the API itself is reached by it.

    Raises:
        MalformedResponseError: it is not one that a request can be sent to.
    """
    try:
        if isinstance(found, str) and _URL.fullmatch(found):
            parts = urlsplit(found)
            secure = parts.scheme == "https" or base_url.lower().startswith("http://")
            if secure and parts.port != 0 and _is_host(parts.hostname or "") and "@" not in parts.netloc:
                return found
    except ValueError:  # of urlsplit: brackets, or a port that is no number
        pass
    raise MalformedResponseError("The response has an address that cannot be used for a part of an upload.")


def _is_host(host: str) -> bool:
    if ":" in host or _ADDRESS.fullmatch(host):
        ipaddress.ip_address(host)
        return True
    return bool(_HOST.fullmatch(host)) and not any(label.startswith("xn--") for label in host.lower().split("."))


def unique_name(filename: str, suffix: str) -> str:
    """A file name that no other file has, by which what was created with it is found again in the API's lists.

    Args:
        filename: the file's own name, a part of which is kept for whoever reads the lists.
        suffix: with its dot, of the format of what is sent.
    """
    stem = PurePath(safe_name(filename)).stem[:_MAX_STEM].strip(" .") or "file"
    return f"{stem}-{secrets.token_hex(_TOKEN_BYTES)}{suffix}"


def own_name(listed: Any) -> str | None:
    """A file name of the API's lists, without the part that :func:`unique_name` added; None if it is none."""
    return _UNIQUE_PART.sub("", listed) if isinstance(listed, str) and listed else None


def is_name(listed: Any, name: str) -> bool:
    """Whether a file name in a list is one that :func:`unique_name` gave: its unique part decides, as a service may
    change or cut the rest.
    """
    unique = _UNIQUE.findall(name)  # the last: a file's own name may look like one, and may hold dots
    return isinstance(listed, str) and bool(unique) and unique[-1] in listed.lower()


def safe_name(filename: str) -> str:
    """A file name without what a form's header cannot carry: quotes, line ends, control characters, broken Unicode."""
    return _UNSAFE.sub("_", filename.encode("utf-8", "ignore").decode()) or "file"
