"""A file that is streamed when it is sent: exactly the bytes it had when it was opened, digested as they go."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import BinaryIO, cast

from .._errors import InvalidInputError


def changed_error(label: str) -> InvalidInputError:
    """The error of a file that another program changes while it is embedded."""
    return InvalidInputError("has changed while it was being embedded. Embed it again.", item=label)


class StreamedFile:
    """A file on disk as a part of a form. Each attempt to send it opens it anew.

    Attributes:
        size: bytes to send; a file that has fewer by now is an error, and of more only so many are read.
        digest: BLAKE2b, 20 bytes, of what the last attempt sent; None until all of it was read.
    """

    def __init__(self, path: Path, size: int, label: str) -> None:
        self.path, self.size, self.label = path, size, label
        self.digest: bytes | None = None

    def open(self) -> BinaryIO:
        """A new reader.

        Raises:
            InvalidInputError: the file cannot be opened; when it is read, it has become shorter.
        """
        self.digest = None
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=self.label) from error
        return cast(BinaryIO, _Reader(self, file))


class _Reader(io.RawIOBase):
    """Reads from the beginning to the end; ``seek`` knows these two places only, which is what httpx uses."""

    def __init__(self, owner: StreamedFile, file: BinaryIO) -> None:
        super().__init__()
        self._owner, self._file = owner, file
        self._rewind()

    def _rewind(self) -> None:
        self._position = 0
        self._hash = hashlib.blake2b(digest_size=20)
        self._file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        left = self._owner.size - self._position
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted == 0:
            return b""
        try:
            block = self._file.read(wanted)
        except OSError as error:
            raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=self._owner.label) from error
        if not block:
            raise changed_error(self._owner.label)
        self._position += len(block)
        self._hash.update(block)
        if self._position == self._owner.size:
            self._owner.digest = self._hash.digest()
        return block

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if (offset, whence) == (0, io.SEEK_END):
            return self._owner.size
        if (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("a file that is being sent is read from its beginning")
        self._rewind()
        return 0

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._file.close()
        super().close()
