"""Where the bytes of media come from: a URL, base64, or an asset."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import io
import ipaddress
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

from ...protocol.errors import invalid, missing
from ...protocol.fields import Fields
from ...protocol.settings import Settings

__all__ = ["AssetSources", "Reader", "Source", "fetch"]


@dataclass(frozen=True)
class Source:
    """Media as it came: its bytes or the file they are in, how it was given, and the parameter that gave it."""

    held: bytes | Path
    parameter: str
    given_as: str
    url: str | None = None
    filename: str | None = None

    @property
    def content(self) -> bytes:
        """The whole of it, in memory."""
        return self.held if isinstance(self.held, bytes) else self.held.read_bytes()

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.held) if isinstance(self.held, bytes) else self.held.stat().st_size

    def head(self, count: int) -> bytes:
        """Return the first bytes."""
        with self.opened() as stream:
            return stream.read(count)

    def opened(self) -> BinaryIO:
        """Return a stream to read it from, which the caller closes."""
        return io.BytesIO(self.held) if isinstance(self.held, bytes) else self.held.open("rb")

    def metadata(self) -> dict[str, Any]:
        """Return the part of an answer's metadata that says what the input was."""
        found: dict[str, Any] = {}
        if self.url is not None:
            found["input_url"] = self.url
        if self.filename is not None:
            found["input_filename"] = self.filename
        return found


_WAYS = ("url", "base64_string", "asset_id")


class AssetSources(Protocol):
    """Where uploaded files are found by their identifier."""

    def source(self, asset_id: str, parameter: str, settings: Settings) -> Source:
        """Return a file that is ready; raise the API's 400 or 403 if it is not, or not there."""


@dataclass(frozen=True)
class Reader:
    """Reads the media of one request. With ``new_file`` what comes from a URL is kept on disk, not in memory."""

    settings: Settings
    assets: AssetSources
    new_file: Callable[[], Path] | None = None

    async def from_fields(self, fields: Fields) -> Source:
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
            return await self.from_url(value, fields.path(way))
        if way == "base64_string":
            return Source(await asyncio.to_thread(_decoded, value, fields.path(way)), fields.path(way), way)
        return self.assets.source(value, fields.path(way), self.settings)

    async def from_url(self, url: str, parameter: str) -> Source:
        """Read what a URL points to. Raises the API's 400 if that is not to be had."""
        try:
            held = await asyncio.to_thread(self._read, url)
        except (OSError, ValueError) as error:
            why = f"The media at the URL could not be accessed ({error}). Provide a direct link to a raw media file."
            raise invalid(parameter, why) from None
        source = Source(held, parameter, "url", url=url)
        if not source.size:
            raise invalid(parameter, "The file at the URL is empty.")
        return source

    def _read(self, url: str) -> bytes | Path:
        if self.new_file is not None:
            return fetch(url, self.new_file(), _MOST_ON_DISK, self.settings)
        limit = self.settings.max_transfer_megabytes * self.settings.megabyte
        held = self.settings.url_files.get(url)
        if held is not None:
            return held if isinstance(held, bytes) else Path(held).read_bytes()
        with _opened(url, self.settings) as answer:
            content: bytes = answer.read(limit + 1)
        if len(content) > limit:
            raise OSError(f"more than {self.settings.max_transfer_megabytes} MB")
        return content


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


# The largest file the API takes anywhere.
_MOST_ON_DISK = 10_000_000_000


def fetch(url: str, target: Path, limit: int, settings: Settings) -> Path:
    """Copy what a URL points to into a file, piece by piece. Raises ``OSError`` or ``ValueError``."""
    held = settings.url_files.get(url)
    if held is not None:
        if isinstance(held, bytes):
            target.write_bytes(held)
        else:
            shutil.copyfile(held, target)
        return target
    size = 0
    with _opened(url, settings) as answer, target.open("wb") as file:
        while piece := answer.read(1 << 20):
            size += len(piece)
            if size > limit:
                raise OSError(f"more than {limit} bytes")
            file.write(piece)
    return target


@contextlib.contextmanager
def _opened(url: str, settings: Settings) -> Iterator[Any]:
    _check_address(url, settings)
    # No proxy: an address of this machine means this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Redirects(settings))
    try:
        answer = opener.open(url, timeout=30)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"HTTP status {error.code}") from None
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from None
    with answer:
        yield answer


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
