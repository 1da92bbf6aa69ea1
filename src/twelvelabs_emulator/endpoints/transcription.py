"""``/assets/{id}/transcription``: what is said in an asset, by the setting ``asset_transcript``."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..protocol.bodies import json_response
from ..protocol.errors import invalid, not_found
from ..protocol.formats import json_seconds
from ..store.state import state_of

_SEGMENTATIONS = {
    "words": re.compile(r"\S+"),
    "sentences": re.compile(r"\S(?:.*?[.!?](?=\s)|.*)", re.DOTALL),
    "utterances": re.compile(r"\S.*", re.DOTALL),
}


async def retrieve_transcription(request: Request) -> Response:
    """``GET …/transcription``: 404 if the asset has none."""
    state = state_of(request)
    settings = state.settings
    asset = state.assets.existing(request.path_params["asset_id"], settings)
    given = [name for value in request.query_params.getlist("include") for name in value.split(",")] or ["words"]
    for name in given:
        if name not in _SEGMENTATIONS:
            raise invalid("include", f"It must be one of: {', '.join(_SEGMENTATIONS)}.")
    text = settings.asset_transcript
    duration = None if asset.probe is None else asset.probe.duration
    if text is None or duration is None:
        raise not_found(f"A transcription of the asset {asset.id}", 404)
    body: dict[str, Any] = {"status": asset.status(settings)}
    asset.polls += 1
    if body["status"] == "failed":
        body["error"] = {"message": asset.error}
    elif body["status"] == "ready":
        body |= {name: _entries(text.strip(), name, duration) for name in given}
    return json_response(body)


def _entries(text: str, name: str, duration: float) -> list[dict[str, Any]]:
    """Return the parts of a text with their times, as if it were read evenly from the first second to the last."""
    entries = []
    for found in _SEGMENTATIONS[name].finditer(text):
        start, end = (duration * at / len(text) for at in found.span())
        entry: dict[str, Any] = {"start": json_seconds(start), "end": json_seconds(end), "value": found.group()}
        entries.append(entry | {"speaker": "speaker_0"} if name == "utterances" else entry)
    return entries
