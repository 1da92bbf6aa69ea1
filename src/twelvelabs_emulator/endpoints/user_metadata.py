"""``/assets/{id}/user-metadata``: replace, update, delete."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..protocol.bodies import read_json
from ..protocol.errors import missing
from ..store.assets import Asset
from ..store.state import state_of
from .assets import check_user_metadata

# Values that neither set a key nor delete it.
_IGNORED: tuple[Any, ...] = ("", [])


async def replace_metadata(request: Request) -> Response:
    """``PUT``: the given keys alone remain."""
    asset = _asset(request)
    given = await _given(request)
    return _kept(asset, _checked(given))


async def update_metadata(request: Request) -> Response:
    """``PATCH``: the given keys are set, those that are null are deleted."""
    asset = _asset(request)
    given = await _given(request)
    changed = (asset.user_metadata or {}) | _checked(given)
    return _kept(asset, {name: value for name, value in changed.items() if given.get(name, value) is not None})


async def delete_metadata(request: Request) -> Response:
    """``DELETE``: no key remains."""
    return _kept(_asset(request), {})


def _asset(request: Request) -> Asset:
    state = state_of(request)
    return state.assets.existing(request.path_params["asset_id"], state.settings)


async def _given(request: Request) -> dict[str, Any]:
    body = await read_json(request, state_of(request).settings)
    given = body.get("user_metadata") if isinstance(body, dict) else None
    if given is None:
        raise missing("user_metadata")
    if isinstance(given, dict):
        check_user_metadata({name: value for name, value in given.items() if value is not None})
        return given
    return check_user_metadata(given)


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None and value not in _IGNORED}


def _kept(asset: Asset, metadata: dict[str, Any]) -> Response:
    asset.user_metadata = metadata or None
    return Response(None, 204)
