"""Sends a body whose contents are read in a thread, a block ahead of what the connection takes: none is held whole."""

from __future__ import annotations

import asyncio
import math
import threading
from binascii import b2a_base64
from collections.abc import AsyncIterator, Iterator

from .._api.requests import BLOCK, SentReader, StreamedBody
from .deadline import Deadline, NotTaken

# Bytes passed to the connection at a time: other requests run between, and each is given a time of its own.
CHUNK = 256 * 1024
# Bytes a second, about half a megabit: a body may take its time at this rate beside ``total_timeout``, so that an
# upload over a slow line, of which parallel parts have a quarter each, is not cut.
LOWEST_RATE = 64_000


def seconds_to_send(size: int) -> float:
    """What a body of so many bytes takes over a slow line."""
    return size / LOWEST_RATE


class BodyReader:
    """Reads and encodes a body for one attempt.

    Attributes:
        size: bytes of the whole body, known when it is open.
    """

    def __init__(self, body: StreamedBody) -> None:
        self._body = body
        self._readers: list[SentReader] = []
        self._portions: Iterator[list[bytes | memoryview]] = iter(())
        self._first: list[bytes | memoryview] = []
        self._lock = threading.Lock()  # of the two below: a thread may be reading when the attempt ends
        self._is_reading = self._is_closed = False
        self.size = 0

    async def open(self) -> None:
        """Open the contents and read the first block: a small body is whole then, and checked.

        Raises:
            InvalidInputError: a content cannot be read, or has changed.
        """
        self._first = await asyncio.to_thread(self._read, is_first=True)

    async def chunks(self, deadline: Deadline, seconds: float, then: float) -> AsyncIterator[bytes | memoryview]:
        """The body. Once.

        Args:
            deadline: ends if the connection takes nothing for so many ``seconds``.
            then: seconds that the response may take to begin; inf = somebody else looks at that.

        Raises:
            InvalidInputError: as for :meth:`open`.
        """
        portion, left = self._first, self.size
        self._first = []
        ahead: asyncio.Future[list[bytes | memoryview]] | None = None
        try:
            while True:
                left -= sum(map(len, portion))
                ahead = asyncio.ensure_future(asyncio.to_thread(self._read)) if left else None
                for piece in portion:
                    for chunk in (piece,) if len(piece) <= CHUNK else _views(piece):
                        deadline.within(seconds + seconds_to_send(len(chunk)), NotTaken)
                        yield chunk
                del piece, chunk  # not held while the next is waited for
                portion = []
                if ahead is None:
                    deadline.within(then)
                    return
                deadline.within(math.inf)
                portion = await ahead
        finally:
            if ahead is not None and not ahead.done():
                ahead.cancel()

    def close(self) -> None:
        """End the attempt. A block that a thread is reading is the last one."""
        with self._lock:
            self._is_closed = True
            if not self._is_reading:
                self._close()

    # -- in a thread -------------------------------------------------------------------------------------------------

    def _read(self, *, is_first: bool = False) -> list[bytes | memoryview]:
        with self._lock:
            if self._is_closed:
                return []
            self._is_reading = True
        try:
            if is_first:
                self._open()
            return next(self._portions)
        finally:
            with self._lock:
                self._is_reading = False
                if self._is_closed:
                    self._close()

    def _open(self) -> None:
        pieces: list[bytes | SentReader] = []
        for piece in self._body.pieces:
            if isinstance(piece, bytes):
                pieces.append(piece)
                self.size += len(piece)
            else:
                reader = piece.open()
                self._readers.append(reader)
                pieces.append(reader)
                self.size += (reader.size + 2) // 3 * 4 if self._body.base64 else reader.size
        self._portions = self._portions_of(pieces)

    def _portions_of(self, pieces: list[bytes | SentReader]) -> Iterator[list[bytes | memoryview]]:
        """The body in lists of about a block."""
        portion: list[bytes | memoryview] = []
        size = 0
        for piece in pieces:
            if isinstance(piece, bytes):
                portion.append(piece)
                continue
            left = piece.size
            while left:
                if size >= BLOCK:
                    yield portion
                    portion, size = [], 0
                block = piece.read(min(BLOCK, left))
                left -= len(block)
                size += len(block)
                portion.append(b2a_base64(block, newline=False) if self._body.base64 else block)
        yield portion

    def _close(self) -> None:
        self._portions = iter(())
        for reader in self._readers:
            reader.close()


def _views(piece: bytes | memoryview) -> Iterator[memoryview]:
    view = memoryview(piece)
    return (view[start : start + CHUNK] for start in range(0, len(view), CHUNK))
