"""Where the bytes of media come from: a URL, base64, or an asset."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .checks import Fields
from .errors import ApiError, invalid, missing
from .settings import Settings

__all__ = ["Source", "from_fields", "from_url"]


@dataclass(frozen=True)
class Source:
    """Media as it came: its bytes, how it was given, and the name of the parameter that gave it."""

    content: bytes
    parameter: str
    given_as: str
    url: str | None = None
    filename: str | None = None

    def metadata(self) -> dict[str, Any]:
        """Return the part of an answer's metadata that says what the input was."""
        found: dict[str, Any] = {}
        if self.url is not None:
            found["input_url"] = self.url
        if self.filename is not None:
            found["input_filename"] = self.filename
        return found


_WAYS = ("url", "base64_string", "asset_id")


async def from_fields(fields: Fields, settings: Settings) -> Source:
    """Read a media source: exactly one of ``url``, ``base64_string`` and ``asset_id``.

    The other keys are the caller's. Raises the API's 400 or 403.
    """
    given = [way for way in _WAYS if fields.has(way)]
    if not given:
        raise missing(fields.path("url|base64_string|asset_id"))
    if len(given) > 1:
        raise invalid(fields.path(given[1]), f"Provide exactly one of {', '.join(_WAYS)}.")
    (way,) = given
    value = fields.string(way, required=True)
    assert value is not None  # required
    if way == "url":
        return await from_url(value, fields.path(way), settings)
    if way == "base64_string":
        return Source(await asyncio.to_thread(_decoded, value, fields.path(way)), fields.path(way), way)
    raise ApiError(403, "read_not_allowed", f"The caller is not authorized to read entity {value}.", shape="flat")


def _decoded(value: str, parameter: str) -> bytes:
    if value[:5].casefold() == "data:":
        raise invalid(parameter, "Send the base64 data alone, without a `data:` prefix.")
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(parameter, "It is not valid base64.") from None
    if not content:
        raise invalid(parameter, "It must not be empty.")
    return content


async def from_url(url: str, parameter: str, settings: Settings) -> Source:
    """Read what a URL points to. Raises the API's 400 if that is not to be had."""
    try:
        content = await asyncio.to_thread(_read, url, settings)
    except (OSError, ValueError) as error:
        why = f"The media at the URL could not be accessed ({error}). Provide a direct link to a raw media file."
        raise invalid(parameter, why) from None
    if not content:
        raise invalid(parameter, "The file at the URL is empty.")
    return Source(content, parameter, "url", url=url)


def _read(url: str, settings: Settings) -> bytes:
    if url in settings.url_files:
        held = settings.url_files[url]
        return held if isinstance(held, bytes) else Path(held).read_bytes()
    _check_address(url, settings)
    limit = settings.max_transfer_megabytes * settings.megabyte
    # No proxy: an address of this machine means this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Redirects(settings))
    try:
        with opener.open(url, timeout=30) as answer:
            content: bytes = answer.read(limit + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"HTTP status {error.code}") from None
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from None
    if len(content) > limit:
        raise OSError(f"more than {settings.max_transfer_megabytes} MB")
    return content


def _check_address(url: str, settings: Settings) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OSError("not an http or https URL")
    if settings.fetch_urls == "none":
        raise OSError("the emulator fetches no URLs")
    if settings.fetch_urls == "loopback" and not _is_loopback(parts.hostname):
        raise OSError("the emulator only fetches URLs of this machine")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow a redirect only to where a URL may point in the first place."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_address(newurl, self._settings)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
