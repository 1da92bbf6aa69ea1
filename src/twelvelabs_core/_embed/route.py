"""How a file reaches the server, and whether a request or a task embeds it: one rule by kind, size and length. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._errors import InvalidInputError
from .._media.file import MediaFile
from .._models import ApiVersion, Model
from .._options import SegmentOptions, is_whole_file

# POST /assets takes so much at once; larger files are uploaded in parts. Documents have no upload in parts (API page).
DIRECT_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Route:
    """A decision.

    Attributes:
        upload: ``inline`` = inside the request; ``direct`` = as an asset, in one request; ``multipart`` = as an asset,
            in parts.
        task: a task makes the vectors and is waited for; else the response to one request has them.
        or_task: the length is unknown: if the request is refused for it, a task follows.
    """

    upload: Literal["inline", "direct", "multipart"]
    task: bool
    or_task: bool = False


def route(model: Model, api_version: ApiVersion, file: MediaFile, options: SegmentOptions) -> Route:
    """The way for one file."""
    kind = file.kind
    if api_version == "v1":
        return Route("inline", task=kind == "video")  # a form streams the file itself
    request, task = model.media.get(kind), model.task_media.get(kind)
    upload: Literal["inline", "direct", "multipart"] = "inline"
    if file.size is not None and request is not None and file.size > request.max_inline_bytes:
        upload = "direct" if file.size <= DIRECT_BYTES else "multipart"
    if task is None:
        return Route(upload, task=False)
    if kind == "image":
        return Route(upload, task=options.embedding_uncertainty)
    if model.request_form == "multi_input":
        # A synchronous request of marengo3.5 takes no options. Of a video it gives a vector fused of what is seen and
        # heard, which is another kind than the visual one, the only one to be had of videos over 30 s.
        whole = is_whole_file(options, model, kind, is_text=file.is_text)
        if kind == "video" or not whole or file.has_range or (kind == "document" and upload != "inline"):
            return Route(upload, task=True)
    longest = request.max_sec if request is not None else None
    # Of the whole file, also where a part is to be embedded: which of the two the server measures is not documented.
    seconds = file.measured.duration_sec
    if seconds is None or longest is None:
        return Route(upload, task=False, or_task=longest is not None)
    return Route(upload, task=seconds > longest)


@dataclass(frozen=True, slots=True)
class Part:
    """A time range of an over-long file, in seconds. Add ``start_sec`` to the times of its segments."""

    start_sec: float
    end_sec: float


def plan_parts(duration_sec: float, *, longest_sec: float = 14_400.0, overlap_sec: float = 10.0) -> list[Part]:
    """Where to cut a file that is too long: parts of equal length that overlap, so that nothing at a cut is lost.

    Args:
        duration_sec: length of the file.
        longest_sec: of a part; a task takes 4 hours.
        overlap_sec: shared by neighbours.

    Raises:
        InvalidInputError: the length is not above 0, or parts are not longer than their overlap.
    """
    if duration_sec <= 0 or overlap_sec < 0 or longest_sec <= overlap_sec:
        raise InvalidInputError("plan_parts needs a length above 0 and parts longer than their overlap.")
    if duration_sec <= longest_sec:
        return [Part(0.0, duration_sec)]
    count = -(-(duration_sec - overlap_sec) // (longest_sec - overlap_sec))
    step = (duration_sec - overlap_sec) / count
    return [
        Part(round(i * step, 3), round(min(duration_sec, i * step + step + overlap_sec), 3)) for i in range(int(count))
    ]
