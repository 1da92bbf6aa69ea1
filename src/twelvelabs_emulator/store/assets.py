"""Assets: files that are uploaded once and used by their identifier."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..features.media.source import Probe, Source
from ..features.media.technical import technical_metadata
from ..protocol.errors import ApiError, invalid, not_found
from ..protocol.formats import json_seconds, new_id, rfc3339
from ..protocol.settings import Settings
from .failures import FailureScript
from .readiness import is_ready

_UNREADABLE = "The file is corrupted or of a type that is not supported."


@dataclass
class Asset:
    """One uploaded file. ``path`` is ``None`` until all of it has arrived; ``error`` is why the asset fails."""

    method: str
    filename: str
    created: float
    user_metadata: dict[str, Any] | None = None
    mime: str = "application/octet-stream"
    path: Path | None = None
    probe: Probe | None = None
    error: str | None = None
    arrived: float = math.inf
    polls: int = 0
    technical: dict[str, Any] | None = None
    id: str = field(default_factory=new_id)

    def complete(self, path: Path | None, probe: Probe | None, at: float, error: str | None = None) -> None:
        """Set the file, or the error if there is none."""
        self.path, self.probe, self.arrived = path, probe, at
        self.error = error or (None if probe is not None else _UNREADABLE)
        if probe is not None:
            self.mime = probe.mime

    def status(self, settings: Settings) -> str:
        """Return "processing", "ready" or "failed"."""
        ready = is_ready(
            settings.now(),
            self.arrived,
            self.polls,
            needed=settings.asset_polls,
            least=settings.asset_ready_sec,
            unasked=settings.asset_unasked_sec,
        )
        if not ready:
            return "processing"
        return "ready" if self.error is None else "failed"

    def as_json(self, settings: Settings, *, new: bool = False) -> dict[str, Any]:
        """Return the asset as the API does; a ``new`` one is processing. Slow at first: call it in a thread.

        ``source`` is absent: the API sets it for files that a data connector has imported, and here is none.
        """
        status = "processing" if new else self.status(settings)
        body: dict[str, Any] = {
            "_id": self.id,
            "method": self.method,
            "status": status,
            "filename": self.filename,
            "file_type": self.mime,
            "created_at": rfc3339(self.created),
        }
        if self.user_metadata is not None:
            body["user_metadata"] = self.user_metadata
        if status == "failed":
            body["error"] = {"message": self.error}
        elif status == "ready" and self.path is not None and self.probe is not None:
            body["size"] = self.path.stat().st_size
            if self.probe.duration is not None:
                body["duration"] = json_seconds(self.probe.duration)
            if self.technical is None:
                self.technical = technical_metadata(self.path, self.probe, body["size"])
            body["technical_metadata"] = self.technical
        return body


class Assets:
    """All assets of one emulator, the newest last."""

    def __init__(self) -> None:
        self._by_id: dict[str, Asset] = {}
        self.failures = FailureScript()

    def add(self, asset: Asset) -> None:
        """Add a new asset."""
        self._by_id[asset.id] = asset

    def get(self, asset_id: str, settings: Settings) -> Asset:
        """Return an asset. Raises the API's 403 (or 404, by settings) if it does not exist."""
        if asset_id in self._by_id:
            return self._by_id[asset_id]
        if settings.unknown_asset_status == 404:
            raise ApiError(404, "resource_not_exist", f"The asset {asset_id} does not exist.", shape="flat")
        raise _not_allowed(asset_id)

    def find(self, asset_id: str) -> Asset | None:
        """Return an asset, or ``None`` if it does not exist."""
        return self._by_id.get(asset_id)

    def existing(self, asset_id: str, settings: Settings) -> Asset:
        """Return an asset. Raises the API's 404 if it does not exist, as what belongs to an asset does."""
        if asset_id not in self._by_id:
            raise not_found(f"The asset {asset_id}", settings.not_found_status)
        return self._by_id[asset_id]

    def remove(self, asset_id: str) -> None:
        """Delete an asset and its file."""
        path = self._by_id.pop(asset_id).path
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()

    def newest_first(self, ids: Sequence[str], kinds: Sequence[str], name_part: str) -> list[Asset]:
        """Return the assets that pass every filter; an empty filter passes all."""
        return [
            asset
            for asset in reversed(self._by_id.values())
            if (not ids or asset.id in ids)
            and (not kinds or (asset.probe is not None and asset.probe.kind in kinds))
            and name_part.casefold() in asset.filename.casefold()
        ]

    def source(self, asset_id: str, parameter: str, settings: Settings) -> Source:
        """Return an asset's file. Raises the API's 403 if it does not exist, 400 if it is not ready."""
        asset = self._by_id.get(asset_id)
        if asset is None:
            raise _not_allowed(asset_id)
        status = asset.status(settings)
        if settings.unready_asset == "accept" and asset.error is None:
            status = "ready"
        if status != "ready" or asset.path is None:
            raise invalid(parameter, f"The asset {asset_id} is not ready; its status is {status}.")
        return Source(asset.path, parameter, "asset_id", filename=asset.filename)


def _not_allowed(asset_id: str) -> ApiError:
    why = f"The caller is not authorized to read entity {asset_id}."
    return ApiError(403, "read_not_allowed", why, shape="flat")
