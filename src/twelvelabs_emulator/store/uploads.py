"""Multipart uploads: a session, the URLs of its chunks, and what has arrived."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..protocol.errors import ApiError, invalid, not_found
from ..protocol.formats import new_id, rfc3339
from ..protocol.settings import Settings
from .assets import Asset


@dataclass
class Chunk:
    """One part. ``etag`` is set when it has arrived, ``reported`` when the client has reported it."""

    index: int
    size: int
    path: Path | None = None
    arrived_size: int = 0
    etag: str | None = None
    reported: float | None = None


@dataclass
class Upload:
    """One session. ``tokens`` are those of the unused URLs, with chunk index and expiry."""

    asset: Asset
    kind: str
    total_size: int
    chunk_size: int
    created: float
    expires: float
    chunks: list[Chunk]
    updated: float
    tokens: dict[str, tuple[int, float]] = field(default_factory=dict)
    id: str = field(default_factory=new_id)

    def status(self, at: float) -> str:
        """Return "active", "completed" or "expired"."""
        if all(chunk.reported is not None for chunk in self.chunks):
            return "completed"
        return "active" if at < self.expires else "expired"

    def chunk(self, index: int) -> Chunk:
        """Return a chunk by its index, from 1. Raises the API's 400."""
        if not 1 <= index <= len(self.chunks):
            raise invalid("chunk_index", f"The upload has the chunks 1 to {len(self.chunks)}; there is no {index}.")
        return self.chunks[index - 1]

    def new_urls(self, first: int, count: int, origin: str, at: float, settings: Settings) -> list[dict[str, Any]]:
        """Return new URLs for up to ``count`` chunks, as the API does."""
        urls = []
        expires = min(at + settings.upload_url_sec, self.expires)
        for chunk in self.chunks[first - 1 : first - 1 + count]:
            token = secrets.token_urlsafe(24)
            self.tokens[token] = (chunk.index, expires)
            urls.append(
                {
                    "chunk_index": chunk.index,
                    "url": f"{origin}/upload-part/{self.id}/{chunk.index}?signature={token}",
                    "expires_at": rfc3339(expires),
                }
            )
        return urls

    def check_url(self, token: str, index: str, at: float) -> None:
        """Raise the storage's 403 for a URL that is used, expired or invented."""
        chunk_index, expires = self.tokens.get(token, (0, 0.0))
        if str(chunk_index) != index:
            raise ApiError(403, "AccessDenied", "The URL has been used, or was never issued.", shape="flat")
        if at >= expires:
            raise ApiError(403, "AccessDenied", "Request has expired", shape="flat")

    def assemble(self, target: Path) -> None:
        """Join the chunks into one file and delete them."""
        with target.open("wb") as whole:
            for chunk in self.chunks:
                assert chunk.path is not None  # reported, so it has arrived
                with chunk.path.open("rb") as part:
                    shutil.copyfileobj(part, whole, 1 << 20)
                chunk.path.unlink()
                chunk.path = None


class Uploads:
    """All sessions of one emulator, the newest last."""

    def __init__(self) -> None:
        self._by_id: dict[str, Upload] = {}

    def add(self, upload: Upload) -> None:
        """Add a new session."""
        self._by_id[upload.id] = upload

    def get(self, upload_id: str, settings: Settings) -> Upload:
        """Return a session. Raises the API's 404."""
        if upload_id not in self._by_id:
            raise not_found(f"The upload {upload_id}", settings.not_found_status)
        return self._by_id[upload_id]

    def incomplete(self, at: float) -> list[Upload]:
        """Return the sessions that are not completed, the newest first."""
        return [upload for upload in reversed(self._by_id.values()) if upload.status(at) != "completed"]
