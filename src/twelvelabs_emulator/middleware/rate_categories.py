"""Which rate-limit categories a request counts as. Invalid requests are left to the endpoint to refuse."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from ..protocol.bodies import read_json
from ..protocol.errors import ApiError
from ..protocol.forms import read_form
from ..store.state import state_of

# A request that cannot be parsed counts as the cheapest category.
_UNREADABLE = frozenset({"text"})
# No category for documents is published; their text is what is embedded.
_KINDS = {"text": "text", "image": "image", "audio": "audio", "video": "video", "document": "text"}


async def of_form(request: Request) -> frozenset[str]:
    """Return those of ``POST /embed``: one for each kind of part."""
    try:
        form = await read_form(request, state_of(request).settings)
    except ApiError:
        return _UNREADABLE
    kinds = {name.partition("_")[0] for name in form if name == "text" or name.endswith(("_url", "_file"))}
    return frozenset(_KINDS[kind] for kind in kinds if kind in _KINDS) or _UNREADABLE


async def of_json(request: Request) -> frozenset[str]:
    """Return those of ``POST /embed-v2`` and its tasks: by ``input_type``, or by the parts of a ``multi_input``."""
    try:
        body = await read_json(request, state_of(request).settings)
    except ApiError:
        return _UNREADABLE
    if not isinstance(body, dict):
        return _UNREADABLE
    input_type = body.get("input_type")
    if input_type == "text_image":
        return frozenset({"text", "image"})
    if input_type != "multi_input":
        return frozenset({_KINDS.get(input_type, "text")}) if isinstance(input_type, str) else _UNREADABLE
    return _of_multi_input(body.get("multi_input")) or _UNREADABLE


def _of_multi_input(given: Any) -> frozenset[str]:
    if not isinstance(given, dict):
        return frozenset()
    found = {"text"} if given.get("input_text") else set()
    sources = given.get("media_sources")
    for source in sources if isinstance(sources, list) else ():
        kind = source.get("media_type") if isinstance(source, dict) else None
        if isinstance(kind, str) and kind in _KINDS:
            found.add(_KINDS[kind])
    return frozenset(found)


async def of_video_form(request: Request) -> frozenset[str]:
    """Return that of ``POST /embed/tasks``, which accepts only video."""
    return frozenset({"video"})


async def of_upload(request: Request) -> frozenset[str]:
    """Return that of ``POST /assets``."""
    return frozenset({"upload"})
