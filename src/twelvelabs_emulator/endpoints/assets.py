"""``/assets``: upload in one request, retrieve, list, delete."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ..features.media.probe import probe
from ..features.media.source import Probe, Source
from ..protocol.bodies import json_response, parse_json
from ..protocol.errors import ApiError, invalid, missing
from ..protocol.forms import Form, FormFile, store_form
from ..protocol.settings import Settings
from ..store.assets import Asset
from ..store.downloads import save_url
from ..store.state import State, state_of
from .shared.paging import page_of, query_flag, query_strings

_FIELDS = ("method", "file", "url", "filename", "enable_hls", "enable_thumbnail", "user_metadata")
_KINDS = ("image", "video", "audio", "document")
# Most megabytes by kind: sent in one request, and fetched from a URL.
_DIRECT_MEGABYTES = {"image": 32, "audio": 200, "video": 200, "document": 200}
_URL_MEGABYTES = {"image": 32, "audio": 4_000, "video": 4_000, "document": 512}
_DOCUMENTS = {".pdf": "application/pdf", ".txt": "text/plain", ".md": "text/markdown"}


async def create_asset(request: Request) -> Response:
    """``POST /assets``: 201, and the asset is processing."""
    state = state_of(request)
    form = await store_form(request, state.settings, state.files.new)
    kept = None
    try:
        asset = await _create(form, state)
        kept = asset.path
    finally:
        form.delete_files(but=kept)
    state.assets.add(asset)
    return json_response(asset.as_json(state.settings, new=True), 201)


async def _create(form: Form, state: State) -> Asset:
    settings = state.settings
    form.refuse_unknown(_FIELDS, settings)
    method = form.string("method")
    if method is None:
        raise missing("method")
    if method not in ("direct", "url"):
        raise invalid("method", "It must be one of: direct, url.")
    for name in ("enable_hls", "enable_thumbnail"):
        if (form.string(name) or "false").lower() not in ("true", "false"):
            raise invalid(name, "It must be true or false.")
    filename = form.string("filename")
    if filename is not None:
        check_filename(filename)
    metadata = form.string("user_metadata")
    user_metadata = None if metadata is None else check_user_metadata(metadata)
    path: Path | None
    error = None
    if method == "direct":
        file = form.file("file")
        if file is None:
            raise missing("file")
        filename = filename or file.filename or "file"
        path, found = await _check_file(file, filename, settings)
    else:
        url = form.string("url")
        if not url:
            raise missing("url")
        at = _path_of(url)
        if at.suffix.lower() == ".m3u8":
            raise invalid("url", "The emulator does not read HLS playlists.")
        filename = filename or at.name or "file"
        path, found, error = await _fetch(url, state.files.new(), filename, settings)
    asset = Asset(method, filename, settings.now(), user_metadata)
    asset.complete(path, found, asset.created, state.assets.failures.next(settings.asset_failures) or error)
    return asset


async def _check_file(file: FormFile, filename: str, settings: Settings) -> tuple[Path, Probe | None]:
    """Probe an uploaded file. Raises the API's 400 if it is empty, too large, or does not match its extension."""
    if not file.size:
        raise invalid("file", "The file is empty.")
    assert isinstance(file.content, Path)  # Forms of this endpoint are stored.
    found = await asyncio.to_thread(probe, Source(file.content, "file", "file"), filename)
    most = _DIRECT_MEGABYTES[found.kind] if found is not None else max(_DIRECT_MEGABYTES.values())
    if file.size > most * settings.megabyte:
        why = f"The file must not be larger than {most} MB."
        raise invalid("file", why, code="video_filesize_too_large")
    suffix = PurePosixPath(filename).suffix.lower()
    if suffix in _DOCUMENTS and (found is None or found.mime != _DOCUMENTS[suffix]):
        raise invalid("file", f"Its content does not match the extension {suffix}.")
    if found is not None and found.mime == "application/pdf" and suffix != ".pdf":
        raise invalid("filename", "A PDF needs the extension .pdf.")
    return file.content, found


def _path_of(url: str) -> PurePosixPath:
    try:
        return PurePosixPath(unquote(urlsplit(url).path))
    except ValueError as error:
        raise invalid("url", f"It is not a URL ({error}).") from None


async def _fetch(
    url: str, target: Path, filename: str, settings: Settings
) -> tuple[Path | None, Probe | None, str | None]:
    """Fetch and probe a file; the third value is why the asset fails."""
    try:
        limit = max(_URL_MEGABYTES.values()) * settings.megabyte
        path = await asyncio.to_thread(save_url, url, target, limit, settings)
    except (OSError, ValueError) as error:
        return None, None, f"The file at the URL could not be accessed ({error})."
    found = await asyncio.to_thread(probe, Source(path, "url", "url"), filename)
    if found is not None and path.stat().st_size > _URL_MEGABYTES[found.kind] * settings.megabyte:
        return path, found, f"The file is larger than {_URL_MEGABYTES[found.kind]} MB."
    return path, found, None


def check_filename(filename: str) -> None:
    """Raise the API's 400 for a filename that is empty or too long."""
    if not 1 <= len(filename) <= 255:
        raise invalid("filename", "It must have 1 to 255 characters.")


def check_user_metadata(value: Any) -> dict[str, Any]:
    """Return metadata as an object of plain values; a string is parsed as JSON. Raises the API's 400."""
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise invalid("user_metadata", "It must be a JSON object.")
    for item in value.values():
        strings = isinstance(item, list) and all(isinstance(element, str) for element in item)
        number = isinstance(item, (int, float)) and math.isfinite(item)
        if not strings and not number and not isinstance(item, str):
            raise invalid("user_metadata", "Its values must be strings, numbers, booleans or lists of strings.")
    return value


def guess_mime(filename: str, kind: str) -> str:
    """Return the MIME type to report until the file has arrived."""
    return _DOCUMENTS.get(PurePosixPath(filename).suffix.lower(), f"{kind}/*")


async def retrieve_asset(request: Request) -> Response:
    """``GET /assets/{id}``: the asset; counts as a poll for the setting ``asset_polls``."""
    state = state_of(request)
    asset = state.assets.get(request.path_params["asset_id"], state.settings)
    return json_response(await asyncio.to_thread(_polled, asset, state.settings))


def _polled(asset: Asset, settings: Settings) -> dict[str, Any]:
    """Return an asset as JSON, which counts as a poll."""
    body = asset.as_json(settings)
    asset.polls += 1
    return body


async def list_assets(request: Request) -> Response:
    """``GET /assets``: newest first; a poll of each asset on the page."""
    state = state_of(request)
    assets = state.assets.newest_first(
        query_strings(request, "asset_ids"),
        query_strings(request, "asset_types", _KINDS),
        request.query_params.get("filename", ""),
    )
    return json_response(
        await asyncio.to_thread(page_of, assets, request, lambda asset: _polled(asset, state.settings))
    )


async def delete_asset(request: Request) -> Response:
    """``DELETE /assets/{id}``: 204, or 409 if it is in use."""
    state = state_of(request)
    asset = state.assets.get(request.path_params["asset_id"], state.settings)
    force = query_flag(request, "force")
    if state.settings.assets_in_use and not force:
        raise ApiError(409, "asset_in_use", f"The asset {asset.id} is in use. Set `force` to delete it anyway.")
    state.assets.remove(asset.id)
    return Response(None, 204)
