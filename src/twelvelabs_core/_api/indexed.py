"""Vectors of a video that the service has indexed, which were made then (official SDK 1.3.6:
``indexes.indexed_assets.retrieve`` and, older, ``indexes.videos.retrieve``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from .._errors import InvalidInputError
from .._results import Segment
from . import responses
from .errors import one_line
from .requests import Request

# The newer first. Both give the same object for a video.
FORMS = ("indexed-assets", "videos")


def retrieve(form: str, index_id: str, video_id: str, options: Iterable[str]) -> Request:
    """Ask for an indexed video with its vectors, which come only for the options that are named.

    Args:
        form: one of :data:`FORMS`.
    """
    query = urlencode([("embedding_option", option) for option in options])
    return Request(f"indexes/{index_id}/{form}/{video_id}?{query}", method="GET")


def read_model(response: dict[str, Any]) -> str | None:
    """The name of the model that the vectors are of; None if the response names none.

    Raises:
        InvalidInputError: there are no vectors.
    """
    found = response.get("embedding")
    if not isinstance(found, dict) or not found.get("video_embedding"):
        status = one_line(response.get("status") or "ready", 40)
        why = "is a Marengo model enabled for the index?" if status == "ready" else f"its status is {status}."
        raise InvalidInputError(f"has no vectors of these options: {why}")
    name = found.get("model_name")
    return one_line(name, 100) if isinstance(name, str) and name else None


def read_segments(response: dict[str, Any], dimensions: int) -> list[Segment]:
    """The vectors of a response that has some, sorted by time.

    Raises:
        MalformedResponseError: one is not of ``dimensions`` finite numbers.
    """
    return responses.with_scope(responses.v1_segments(response["embedding"], "video", dimensions))
