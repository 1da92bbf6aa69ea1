"""``/assets``: upload in one request, look at, list, delete."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..protocol.bodies import StoredFile, answer, read_upload, state_of
from ..protocol.clock import now
from ..protocol.errors import ApiError, invalid, missing, unknown_field
from ..store.assets import Asset, check_user_metadata, from_file, from_url, name_in_url
from .paging import page_of, query_choices, query_flag

__all__ = ["create_asset", "delete_asset", "list_assets", "retrieve_asset"]

_FIELDS = ("method", "file", "url", "filename", "enable_hls", "enable_thumbnail", "user_metadata")
_KINDS = ("image", "video", "audio", "document")

Form = dict[str, list[str | StoredFile]]


async def create_asset(request: Request) -> Response:
    """``POST /assets``: 201, and the asset is processing."""
    state = state_of(request)
    settings = state.settings
    form = await read_upload(request, state.files.new)
    kept = None
    try:
        if settings.unknown_fields == "refuse":
            for name in form:
                if name not in _FIELDS:
                    raise unknown_field(name)
        method = _string(form, "method")
        if method is None:
            raise missing("method")
        if method not in ("direct", "url"):
            raise invalid("method", "It must be one of: direct, url.")
        for name in ("enable_hls", "enable_thumbnail"):
            if (_string(form, name) or "false").lower() not in ("true", "false"):
                raise invalid(name, "It must be true or false.")
        filename = _string(form, "filename")
        if filename is not None and not 1 <= len(filename) <= 255:
            raise invalid("filename", "It must have 1 to 255 characters.")
        metadata = _string(form, "user_metadata")
        user_metadata = None if metadata is None else check_user_metadata(metadata)
        error = ""
        if method == "direct":
            file = form.get("file", [None])[-1]
            if not isinstance(file, StoredFile):
                raise missing("file")
            filename = filename or file.filename or "file"
            held, probe = await from_file(file, filename, settings)
            kept = held
        else:
            url = _string(form, "url")
            if not url:
                raise missing("url")
            filename = filename or name_in_url(url)
            kept, probe, error = await from_url(url, state.files.new(), filename, settings)
    finally:
        for values in form.values():
            for value in values:
                if isinstance(value, StoredFile) and value.path != kept:
                    value.path.unlink(missing_ok=True)
    asset = Asset(method, filename, now(settings), user_metadata)
    asset.settle(kept, probe, asset.created, state.assets.failures.next(settings.asset_failures) or error)
    state.assets.add(asset)
    return answer(asset.as_json(settings, new=True), 201)


def _string(form: Form, name: str) -> str | None:
    value = form.get(name, [None])[-1]
    if isinstance(value, StoredFile):
        raise invalid(name, "It must be a form field, not a file.")
    return value


async def retrieve_asset(request: Request) -> Response:
    """``GET /assets/{id}``: the asset, and a step nearer to being ready."""
    state = state_of(request)
    asset = state.assets.get(request.path_params["asset_id"], state.settings)
    body = asset.as_json(state.settings)
    asset.polls += 1
    return answer(body)


async def list_assets(request: Request) -> Response:
    """``GET /assets``: newest first."""
    state = state_of(request)
    found = state.assets.newest_first(
        query_choices(request, "asset_ids"),
        query_choices(request, "asset_types", _KINDS),
        request.query_params.get("filename", ""),
    )
    return answer(page_of(found, request, lambda asset: asset.as_json(state.settings)))


async def delete_asset(request: Request) -> Response:
    """``DELETE /assets/{id}``: 204, or 409 when it is in use."""
    state = state_of(request)
    asset = state.assets.get(request.path_params["asset_id"], state.settings)
    if state.settings.assets_in_use and not query_flag(request, "force"):
        raise ApiError(409, "asset_in_use", f"The asset {asset.id} is in use. Set `force` to delete it anyway.")
    state.assets.remove(asset.id)
    return Response(None, 204)
