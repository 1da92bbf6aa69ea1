"""One media input: its bytes, in memory or on disk, and what kind of file it is."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

Kind = Literal["image", "audio", "video", "document"]


@dataclass(frozen=True)
class Source:
    """One media input.

    Args:
        content: its bytes, or the file they are in.
        parameter: the field of the request that gave it, for error messages.
        given_as: "url", "base64_string", "asset_id" or "file".
        url: where it was fetched from.
        filename: the name that the client gave.
    """

    content: bytes | Path
    parameter: str
    given_as: str
    url: str | None = None
    filename: str | None = None

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @property
    def is_pdf(self) -> bool:
        """Whether it begins as a PDF does."""
        return b"%PDF-" in self.head(1024)

    def read(self) -> bytes:
        """Return all bytes."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()

    def head(self, count: int) -> bytes:
        """Return the first bytes."""
        with self.open() as stream:
            return stream.read(count)

    def open(self) -> BinaryIO:
        """Return a binary stream, which the caller closes."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb")

    def metadata(self) -> dict[str, Any]:
        """Return the URL and filename as the metadata of responses has them."""
        values = {"input_url": self.url, "input_filename": self.filename}
        return {name: value for name, value in values.items() if value is not None}

    @contextlib.contextmanager
    def deleted_after_use(self) -> Iterator[None]:
        """Delete the file afterwards, unless it belongs to an asset."""
        try:
            yield
        finally:
            if isinstance(self.content, Path) and self.given_as != "asset_id":
                self.content.unlink(missing_ok=True)


@dataclass(frozen=True)
class Probe:
    """What a file is. ``duration`` in seconds, for audio and video; ``width`` and ``height`` in pixels."""

    kind: Kind
    mime: str
    duration: float | None = None
    width: int | None = None
    height: int | None = None
