"""A file at a URL, read in ranges: a moment of a long video needs its index and the bytes around the moment.

Not by FFmpeg's own HTTP: it shows the whole address, signature and all, in its errors, and its releases differ in
whether certificates are checked. Not by httpx either, which logs the whole address.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar, cast
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from .._errors import InvalidInputError

T = TypeVar("T")

BLOCK_BYTES = 1 << 20
_BLOCKS_KEPT = 8
_TIMEOUT_SEC = 30.0
LARGEST_DOWNLOAD = 2_000_000_000
"""Bytes taken of a file whose server sends no ranges."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@contextlib.contextmanager
def open_url(url: str, label: str) -> Iterator[BinaryIO]:
    """A file at an ``http://`` or ``https://`` address, for reading and seeking.

    It is read in blocks of 1 MB, of which 8 are kept. Where the server sends no ranges, the whole is copied to a
    temporary file first. Redirects are followed, to HTTP alone; certificates are checked.

    Raises:
        InvalidInputError: it cannot be fetched. The message names the address without its signature.
    """
    server = _Server(url, label)
    response = server.get(0)
    if response.status == 206:
        with response:
            total, first = server.block(response, 0)
        yield cast(BinaryIO, io.BufferedReader(_Ranges(server, total, first), 64 * 1024))
        return
    with response, tempfile.TemporaryFile() as copy:
        server.copy(response, copy)
        copy.seek(0)
        yield cast(BinaryIO, copy)


class _Server:
    """One address, and errors that do not show its signature."""

    def __init__(self, url: str, label: str) -> None:
        self._label = label
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        self._url = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
        self._authorization = "Basic " + base64.b64encode(unquote(user).encode()).decode() if at else None
        self._opener = _opener()

    def get(self, start: int) -> Any:
        """Ask for one block."""
        request = Request(self._url, headers={"Range": f"bytes={start}-{start + BLOCK_BYTES - 1}"})
        if self._authorization:
            request.add_unredirected_header("Authorization", self._authorization)
        return self._tried(lambda: self._opener.open(request, timeout=_TIMEOUT_SEC))

    def block(self, response: Any, start: int) -> tuple[int, bytes]:
        """The file's length in bytes, and the block that a response holds."""
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        content = self._tried(lambda: response.read(BLOCK_BYTES + 1))
        whole = found is not None and int(found[1]) == start and len(content) == int(found[2]) - start + 1
        if response.status != 206 or found is None or not whole:
            raise self.error("its server sent another range of bytes than it was asked for")
        return int(found[3]), content

    def copy(self, response: Any, target: Any) -> None:
        """Write the whole of a response into a file."""
        left = LARGEST_DOWNLOAD
        while content := self._tried(lambda: response.read(BLOCK_BYTES)):
            left -= len(content)
            if left < 0:
                raise self.error("its server sends no ranges, and it is larger than 2 GB")
            target.write(content)

    def _tried(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except HTTPError as error:
            error.close()
            found = self.error(f"its server answered {error.code}", error.code)
        except Exception as error:  # URLError, TimeoutError, HTTPException, ValueError of a broken address
            reason = getattr(error, "reason", None) or error
            found = self.error(getattr(reason, "strerror", None) or type(reason).__name__)
        raise found  # outside of except: the error that it would carry along holds the address

    def error(self, reason: str, status: int | None = None) -> InvalidInputError:
        """An error that names the file."""
        signature = " A signed address may have expired; sign it again." if status in (401, 403) else ""
        return InvalidInputError(
            f"cannot be fetched: {reason}.{signature} Pass media= with an address that can be read from here, or with "
            "a path.",
            item=self._label,
        )


class _Ranges(io.RawIOBase):
    """The whole file, of which blocks are fetched as they are read."""

    def __init__(self, server: _Server, total: int, first: bytes) -> None:
        self._server, self._total, self._at = server, total, 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict({0: first})

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._total}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._total:
            return 0
        number, skipped = divmod(self._at, BLOCK_BYTES)
        content = self._block(number)[skipped : skipped + len(buffer)]
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            start = number * BLOCK_BYTES
            with self._server.get(start) as response:
                total, content = self._server.block(response, start)
            if total != self._total:
                raise self._server.error("it changed while it was read")
            self._blocks[number] = content
            if len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]


def _opener() -> OpenerDirector:
    """HTTP and HTTPS alone: a redirect to a file or to FTP has no handler."""
    import httpx

    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(context=httpx.create_ssl_context()),
        HTTPDefaultErrorHandler(),
        HTTPRedirectHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
