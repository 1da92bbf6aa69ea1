"""Assets: files that are uploaded once and referred to by their identifier."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from ..features.media.probe import Probe, probed
from ..features.media.source import Source, fetch
from ..protocol.bodies import StoredFile, number
from ..protocol.clock import Script, new_id, now, rfc3339
from ..protocol.errors import ApiError, invalid
from ..protocol.settings import Settings

__all__ = ["Asset", "Assets", "check_user_metadata", "from_file", "from_url", "guessed_mime"]

#: Most megabytes by kind: from this machine in one request, and from a URL.
_DIRECT = {"image": 32, "audio": 200, "video": 200, "document": 200}
_BY_URL = {"image": 32, "audio": 4_000, "video": 4_000, "document": 512}
_DOCUMENTS = {".pdf": "application/pdf", ".txt": "text/plain", ".md": "text/markdown"}
_UNREADABLE = "The file is corrupted or of a type that is not supported."


@dataclass
class Asset:
    """One uploaded file. ``held`` is ``None`` until all of it has arrived; ``error`` is why it will fail."""

    method: str
    filename: str
    created: float
    user_metadata: dict[str, Any] | None = None
    held: Path | None = None
    probe: Probe | None = None
    error: str | None = None
    arrived: float = math.inf
    polls: int = 0
    mime: str = "application/octet-stream"
    id: str = field(default_factory=new_id)

    def settle(self, held: Path | None, probe: Probe | None, at: float, error: str | None = None) -> None:
        """Take in the file, or the reason why there is none."""
        self.held, self.probe, self.arrived = held, probe, at
        self.error = error or (None if probe is not None else _UNREADABLE)
        if probe is not None:
            self.mime = probe.mime

    def status(self, settings: Settings) -> str:
        """Return "processing", "ready" or "failed"."""
        if self.polls < settings.asset_polls or now(settings) < self.arrived + settings.asset_ready_sec:
            return "processing"
        return "ready" if self.error is None else "failed"

    def as_json(self, settings: Settings, *, new: bool = False) -> dict[str, Any]:
        """Return what the API says of it; a ``new`` one has its details still to come."""
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
        elif status == "ready" and self.held is not None and self.probe is not None:
            body["size"] = self.held.stat().st_size
            if self.probe.duration is not None:
                body["duration"] = number(self.probe.duration)
            body["technical_metadata"] = _technical(self.probe, body["size"])
        return body


def _technical(probe: Probe, size: int) -> dict[str, Any]:
    found: dict[str, Any] = {"file_size_bytes": size, "file_mime_type": probe.mime}
    if probe.duration is not None:
        found[f"{probe.kind}_duration_seconds"] = number(probe.duration)
    if probe.width is not None:
        found |= {f"{probe.kind}_width": probe.width, f"{probe.kind}_height": probe.height}
    return found


class Assets:
    """All assets of one emulator, the newest last."""

    def __init__(self) -> None:
        self._held: dict[str, Asset] = {}
        self.failures = Script()

    def clear(self) -> None:
        """Forget all of them."""
        self._held.clear()
        self.failures.reset()

    def add(self, asset: Asset) -> None:
        """Take in a new one."""
        self._held[asset.id] = asset

    def get(self, asset_id: str, settings: Settings) -> Asset:
        """Return one; raise the API's 403 (or 404, by settings) for one that is not there."""
        if asset_id in self._held:
            return self._held[asset_id]
        if settings.unknown_asset_status == 404:
            raise ApiError(404, "resource_not_exist", f"The asset {asset_id} does not exist.", shape="flat")
        raise _not_allowed(asset_id)

    def remove(self, asset_id: str) -> None:
        """Delete one and its file."""
        held = self._held.pop(asset_id).held
        if held is not None:
            with contextlib.suppress(OSError):
                held.unlink()

    def newest_first(self, ids: Sequence[str], kinds: Sequence[str], name_part: str) -> list[Asset]:
        """Return those that fit every filter; an empty filter fits all."""
        return [
            asset
            for asset in reversed(self._held.values())
            if (not ids or asset.id in ids)
            and (not kinds or (asset.probe is not None and asset.probe.kind in kinds))
            and name_part.casefold() in asset.filename.casefold()
        ]

    def source(self, asset_id: str, parameter: str, settings: Settings) -> Source:
        """Return an asset's file; raise the API's 403 for one that is not there, 400 for one not ready."""
        asset = self._held.get(asset_id)
        if asset is None:
            raise _not_allowed(asset_id)
        status = asset.status(settings)
        if status != "ready" or asset.held is None:
            raise invalid(parameter, f"The asset {asset_id} is not ready; its status is {status}.")
        return Source(asset.held, parameter, "asset_id", filename=asset.filename)


def _not_allowed(asset_id: str) -> ApiError:
    why = f"The caller is not authorized to read entity {asset_id}."
    return ApiError(403, "read_not_allowed", why, shape="flat")


def guessed_mime(filename: str, kind: str) -> str:
    """Return a MIME type to show until the file itself tells."""
    return _DOCUMENTS.get(PurePosixPath(filename).suffix.lower(), f"{kind}/*")


async def from_file(file: StoredFile, filename: str, settings: Settings) -> tuple[Path, Probe | None]:
    """Look at an uploaded file; raise the API's 400 for one that is empty, too large or not what its name says."""
    if not file.size:
        raise invalid("file", "The file is empty.")
    probe = await asyncio.to_thread(probed, Source(file.path, "file", "file"), filename)
    most = _DIRECT[probe.kind] if probe is not None else max(_DIRECT.values())
    if file.size > most * settings.megabyte:
        why = f"The file must not be larger than {most} MB."
        raise invalid("file", why, code="video_filesize_too_large")
    suffix = PurePosixPath(filename).suffix.lower()
    if suffix in _DOCUMENTS and (probe is None or probe.mime != _DOCUMENTS[suffix]):
        raise invalid("file", f"Its content is not what the extension {suffix} says.")
    if probe is not None and probe.mime == "application/pdf" and suffix != ".pdf":
        raise invalid("filename", "A PDF needs the extension .pdf.")
    return file.path, probe


async def from_url(url: str, target: Path, filename: str, settings: Settings) -> tuple[Path | None, Probe | None, str]:
    """Fetch a file; the third value is why that failed, or empty."""
    if PurePosixPath(urlsplit(url).path).suffix.lower() == ".m3u8":
        raise invalid("url", "The emulator does not read HLS playlists.")
    try:
        held = await asyncio.to_thread(fetch, url, target, max(_BY_URL.values()) * settings.megabyte, settings)
    except (OSError, ValueError) as error:
        return None, None, f"The file at the URL could not be accessed ({error})."
    probe = await asyncio.to_thread(probed, Source(held, "url", "url"), filename)
    if probe is not None and held.stat().st_size > _BY_URL[probe.kind] * settings.megabyte:
        return held, probe, f"The file is larger than {_BY_URL[probe.kind]} MB."
    return held, probe, ""


def name_in_url(url: str) -> str:
    """Return the file name at the end of a URL."""
    return PurePosixPath(unquote(urlsplit(url).path)).name or "file"


def check_user_metadata(value: Any) -> dict[str, Any]:
    """Return metadata as an object of plain values. A string is read as JSON. Raises the API's 400."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise invalid("user_metadata", "It must be a JSON object.")
    for item in value.values():
        words = isinstance(item, list) and all(isinstance(word, str) for word in item)
        if not words and not isinstance(item, (str, int, float, bool)):
            raise invalid("user_metadata", "Its values must be strings, numbers, booleans or lists of strings.")
    return value
