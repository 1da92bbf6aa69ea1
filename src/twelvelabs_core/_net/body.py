"""Reads the body of a response, decompressed, up to a largest size. Nothing larger is ever held."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

from .._api.large_json import LARGE_ANSWER
from .._errors import MalformedResponseError

TOO_LARGE = "response_too_large"
MAX_PIECE = 256 * 1024  # bytes decompressed at a time: a kilobyte of gzip can hold a megabyte
# More of an error response, or of a proxy's page, is not read: only its status and its message matter.
MAX_ERROR_BODY = 256 * 1024


async def read_body(chunks: AsyncIterator[bytes], status: int, encoding: str, limit: int) -> bytes:
    """The whole body of a 2xx, decompressed; of any other status the first ``MAX_ERROR_BODY`` bytes.

    Args:
        chunks: as received, compressed.
        encoding: the content encoding; empty = none.
        limit: most bytes, before and after decompression.

    Raises:
        MalformedResponseError: the body is larger (code ``response_too_large``, which is not retried: the next answer
            would be as large and may be charged), or is encoded in a way that was not asked for.
        zlib.error, EOFError: the compressed data are damaged or not complete.
    """
    success = 200 <= status < 300
    if not success:
        limit = MAX_ERROR_BODY
    expand = None if encoding in ("", "identity") else Decompressor.of(encoding) if success else _lenient(encoding)
    pieces: list[bytes] = []
    received = size = 0
    async for chunk in chunks:
        received += len(chunk)
        for piece in (chunk,) if expand is None else expand(chunk):
            size += len(piece)
            pieces.append(piece)
            if size > limit:
                break
        if max(size, received) > limit:
            if success:
                raise MalformedResponseError(
                    f"The response is larger than {limit / 1e6:.0f} MB, far more than was asked for.", code=TOO_LARGE
                )
            break
    if isinstance(expand, Decompressor) and not expand.finished:
        raise EOFError("the compressed body is not complete")
    if success and size > LARGE_ANSWER:
        return await asyncio.to_thread(b"".join, pieces)  # of a megabyte or more, without the interpreter's lock
    return pieces[0] if len(pieces) == 1 and size <= limit else b"".join(pieces)[:limit]


class Decompressor:
    """Decompresses a body in pieces of at most ``MAX_PIECE`` bytes. What follows the compressed data is ignored."""

    def __init__(self, encoding: str) -> None:
        self._is_deflate = encoding == "deflate"
        self._state = None if self._is_deflate else zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @classmethod
    def of(cls, encoding: str) -> Decompressor:
        """The decompressor for a content encoding.

        Raises:
            MalformedResponseError: an encoding that requests do not accept.
        """
        name = encoding.strip().lower()
        if name not in ("gzip", "x-gzip", "deflate"):
            raise MalformedResponseError(f"The response is encoded as {encoding[:40]!r}, which was not asked for.")
        return cls(name)

    @property
    def finished(self) -> bool:
        """Whether the compressed data have ended as they should. An empty body has."""
        return self._state is None or self._state.eof

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        """The decompressed pieces of a chunk."""
        if self._state is None:
            if not chunk:
                return
            # "deflate" should be the zlib format (RFC 9110); some servers send it without the header of that format.
            self._state = zlib.decompressobj(wbits=zlib.MAX_WBITS if chunk[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        while chunk and not self._state.eof:
            piece = self._state.decompress(chunk, MAX_PIECE)
            if piece:
                yield piece
            chunk = self._state.unconsumed_tail


def _lenient(encoding: str) -> Callable[[bytes], Iterator[bytes]]:
    """A decompressor of an error response, whose status counts also where its body cannot be read."""

    def expand(chunk: bytes) -> Iterator[bytes]:
        try:
            yield from decompressor(chunk)
        except zlib.error:
            return

    try:
        decompressor = Decompressor.of(encoding)
    except MalformedResponseError:
        return lambda _: iter(())
    return expand
