"""Multipart uploads: a session, addresses for its parts, and what has come in so far."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..protocol.clock import new_id, rfc3339
from ..protocol.errors import ApiError, invalid, not_found
from ..protocol.settings import Settings
from .assets import Asset

__all__ = ["Chunk", "Upload", "Uploads"]


@dataclass
class Chunk:
    """One part. ``etag`` is there once it has come in, ``reported`` once the client has said so."""

    index: int
    size: int
    path: Path | None = None
    arrived_size: int = 0
    etag: str | None = None
    reported: float | None = None


@dataclass
class Upload:
    """One session. ``tokens`` are the addresses that have not been used: chunk index and end of validity."""

    asset: Asset
    kind: str
    total_size: int
    chunk_size: int
    created: float
    ends: float
    chunks: list[Chunk]
    updated: float
    tokens: dict[str, tuple[int, float]] = field(default_factory=dict)
    id: str = field(default_factory=new_id)

    def status(self, at: float) -> str:
        """Return "active", "completed" or "expired"."""
        if all(chunk.reported is not None for chunk in self.chunks):
            return "completed"
        return "active" if at < self.ends else "expired"

    def chunk(self, index: int) -> Chunk:
        """Return a part by its number, which counts from 1. Raises the API's 400."""
        if not 1 <= index <= len(self.chunks):
            raise invalid("chunk_index", f"The upload has the chunks 1 to {len(self.chunks)}; there is no {index}.")
        return self.chunks[index - 1]

    def addresses(self, first: int, count: int, origin: str, at: float, settings: Settings) -> list[dict[str, Any]]:
        """Make new addresses for so many parts, as far as there are any."""
        made = []
        ends = min(at + settings.upload_url_sec, self.ends)
        for chunk in self.chunks[first - 1 : first - 1 + count]:
            token = secrets.token_urlsafe(24)
            self.tokens[token] = (chunk.index, ends)
            made.append(
                {
                    "chunk_index": chunk.index,
                    "url": f"{origin}/upload-part/{self.id}/{chunk.index}?signature={token}",
                    "expires_at": rfc3339(ends),
                }
            )
        return made

    def check_address(self, token: str, index: int, at: float) -> None:
        """Raise the storage's 403 for an address that is used, run out or made up."""
        chunk_index, ends = self.tokens.get(token, (0, 0.0))
        if chunk_index != index:
            raise ApiError(403, "AccessDenied", "The address has been used, or was never given out.", shape="flat")
        if at >= ends:
            raise ApiError(403, "AccessDenied", "Request has expired", shape="flat")

    def assemble(self, target: Path) -> None:
        """Join the parts into one file and delete them."""
        with target.open("wb") as whole:
            for chunk in self.chunks:
                assert chunk.path is not None  # reported, so there
                with chunk.path.open("rb") as part:
                    shutil.copyfileobj(part, whole, 1 << 20)
                chunk.path.unlink()
                chunk.path = None


class Uploads:
    """All sessions of one emulator, the newest last."""

    def __init__(self) -> None:
        self._held: dict[str, Upload] = {}

    def clear(self) -> None:
        """Forget all of them."""
        self._held.clear()

    def add(self, upload: Upload) -> None:
        """Take in a new one."""
        self._held[upload.id] = upload

    def get(self, upload_id: str, settings: Settings) -> Upload:
        """Return one; raise the API's 404."""
        if upload_id not in self._held:
            raise not_found(settings, f"The upload {upload_id}")
        return self._held[upload_id]

    def incomplete(self, at: float) -> list[Upload]:
        """Return those that are not completed, the newest first."""
        return [upload for upload in reversed(self._held.values()) if upload.status(at) != "completed"]
