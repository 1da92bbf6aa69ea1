"""Fetching media from URLs. Only URLs of this machine, unless the settings allow others."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..protocol.settings import Settings


def read_url(url: str, settings: Settings) -> bytes:
    """Return the content of a URL, up to ``max_transfer_megabytes``. Raises ``OSError`` or ``ValueError``."""
    known = settings.url_files.get(url)
    if known is not None:
        return known if isinstance(known, bytes) else known.read_bytes()
    limit = settings.max_transfer_megabytes * settings.megabyte
    with _open(url, settings) as response:
        content: bytes = response.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"more than {settings.max_transfer_megabytes} MB")
    return content


def save_url(url: str, target: Path, limit: int, settings: Settings) -> Path:
    """Copy the content of a URL to a file, in pieces. Raises ``OSError`` or ``ValueError``."""
    known = settings.url_files.get(url)
    if isinstance(known, bytes):
        target.write_bytes(known)
        return target
    if known is not None:
        return Path(shutil.copyfile(known, target))
    size = 0
    with _open(url, settings) as response, target.open("wb") as file:
        while piece := response.read(1 << 20):
            size += len(piece)
            if size > limit:
                raise OSError(f"more than {limit} bytes")
            file.write(piece)
    return target


@contextlib.contextmanager
def _open(url: str, settings: Settings) -> Iterator[Any]:
    _check_address(url, settings)
    # No proxy: an address of this machine means this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _CheckedRedirects(settings))
    try:
        response = opener.open(url, timeout=30)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"HTTP status {error.code}") from None
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from None
    except http.client.HTTPException as error:  # An address that cannot be asked for, or an answer that is no HTTP.
        raise OSError(repr(error)) from None
    with response:
        try:
            yield response
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from None


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


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to addresses that may be fetched."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_address(newurl, self._settings)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
