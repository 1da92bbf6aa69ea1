"""Contents that are read when they are sent: exactly the bytes a file had when it was opened, digested as they go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from .._errors import InvalidInputError


def changed_error(label: str) -> InvalidInputError:
    """The error of a file that another program changes while it is embedded."""
    return InvalidInputError("has changed while it was being embedded. Embed it again.", item=label)


class HeldContent:
    """A content in memory; nothing is copied of it but the blocks that are sent.

    Attributes:
        size: bytes to send.
        memory: nothing, beside those blocks: the content is the caller's.
    """

    memory = 0

    def __init__(self, content: bytes | memoryview) -> None:
        self._content = memoryview(content)
        self.size = len(self._content)

    def open(self) -> _HeldReader:
        """A new reader."""
        return _HeldReader(self._content)


class MadeContent:
    """A content that is made when it is sent: an image in another format.

    Args:
        make: makes it; blocking.
        size: bytes it has at most, until it is made; then those it has.
        memory: bytes that making and holding it takes.
    """

    def __init__(self, make: Callable[[], bytes], *, size: int, memory: int) -> None:
        self._make = make
        self.size, self.memory = size, memory

    def open(self) -> _HeldReader:
        """A new reader. Raises what making the content raises."""
        content = self._make()
        self.size = len(content)
        return _HeldReader(memoryview(content))


class StreamedFile:
    """A file on disk, or a range of it. Each attempt to send it opens it anew.

    Args:
        label: the caller's name for it, for errors.
        start: the first byte to send.
        confirm: called with the digest when all was read, before the last of it is sent. What it raises is raised
            by the reader, so that a content that is not the right one never arrives whole.
        digested: whether what is sent is digested; else ``confirm`` gets None.

    Attributes:
        size: bytes to send; a file that has fewer by now is an error, and of more only so many are read.
        memory: nothing, beside the blocks that are read.
        digest: BLAKE2b, 20 bytes, of what the last attempt sent; None until all of it was read, or if it is not
            digested.
    """

    memory = 0

    def __init__(
        self,
        path: Path,
        size: int,
        label: str,
        *,
        start: int = 0,
        confirm: Callable[[bytes | None], None] | None = None,
        digested: bool = True,
    ) -> None:
        self.path, self.size, self.label, self.start = path, size, label, start
        self.confirm, self.digested = confirm, digested
        self.digest: bytes | None = None

    def open(self) -> _FileReader:
        """A new reader.

        Raises:
            InvalidInputError: the file cannot be opened; when it is read, it has become shorter.
        """
        self.digest = None
        try:
            file = self.path.open("rb", buffering=0)
        except OSError as error:
            raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=self.label) from error
        return _FileReader(self, file)


class _HeldReader:
    def __init__(self, content: memoryview) -> None:
        self._content, self._position = content, 0
        self.size = len(content)

    def read(self, size: int, /) -> memoryview:
        block = self._content[self._position : self._position + size]
        self._position += size
        return block

    def close(self) -> None:
        self._content = memoryview(b"")


class _FileReader:
    def __init__(self, owner: StreamedFile, file: BinaryIO) -> None:
        self._owner, self._file = owner, file
        self.size = self._left = owner.size
        self._hash = hashlib.blake2b(digest_size=20) if owner.digested else None
        try:
            file.seek(owner.start)
        except OSError as error:
            file.close()
            raise self._error(error) from error

    def read(self, size: int, /) -> bytes:
        block = self._read(size)
        while len(block) < size:
            more = self._read(size - len(block))
            if not more:
                raise changed_error(self._owner.label)
            block += more
        self._left -= size
        if self._hash is not None:
            self._hash.update(block)
        if self._left == 0:
            if self._hash is not None:
                self._owner.digest = self._hash.digest()
            if self._owner.confirm is not None:
                self._owner.confirm(self._owner.digest)
        return block

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> InvalidInputError:
        return InvalidInputError(f"cannot be read: {error.strerror or error}.", item=self._owner.label)

    def close(self) -> None:
        self._file.close()
