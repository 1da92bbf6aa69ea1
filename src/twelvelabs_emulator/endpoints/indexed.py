"""``/indexes/{index}/indexed-assets/{id}`` and ``/videos/{id}``: vectors of a video that was indexed.

There are no indexes here: every asset that is a video counts as indexed, in every index, by marengo3.0.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..features.requests import TimeRequest
from ..protocol.bodies import json_response
from ..protocol.errors import not_found
from ..protocol.formats import rfc3339
from ..protocol.models import MODELS
from ..store.state import state_of
from .shared.paging import query_strings
from .shared.timed_media import embed_timed_media
from .tasks_v1 import video_segment

_MODEL = MODELS["marengo3.0"]
_OPTIONS = ("visual", "audio", "transcription")


async def retrieve_video(request: Request) -> Response:
    """``GET``: the video, and the vectors of the options that are asked for."""
    state = state_of(request)
    settings = state.settings
    video_id = request.path_params["video_id"]
    asset = state.assets.find(video_id)
    if asset is None or asset.probe is None or asset.probe.kind != "video":
        raise not_found(f"The video {video_id}", settings.not_found_status)
    options = tuple(query_strings(request, "embedding_option", _OPTIONS))
    body: dict[str, Any] = {"_id": asset.id, "status": asset.status(settings), "created_at": rfc3339(asset.created)}
    if options and body["status"] == "ready":
        source = state.assets.source(asset.id, "video_id", settings)
        found, _, _ = await asyncio.to_thread(
            embed_timed_media,
            source,
            "video",
            TimeRequest(options=options, scopes=("clip",)),
            _MODEL.for_tasks(settings.task_least_sec),
            settings,
            count_minutes=False,
        )
        segments = [video_segment(one, _MODEL, settings) for one in found]
        body["embedding"] = {"model_name": _MODEL.name, "video_embedding": {"segments": segments}}
    return json_response(body)
