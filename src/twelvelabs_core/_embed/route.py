"""How a file reaches the server and whether the answer is waited for: one rule, by kind, size and length. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._errors import InvalidInputError
from .._models import Kind, MediaLimit, Model

__all__ = ["DIRECT_BYTES", "Part", "Route", "limit_for", "plan_parts", "route"]

# POST /assets takes so much at once; larger files go up in parts. Documents have no upload in parts (API page).
DIRECT_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Route:
    """A decision.

    Attributes:
        upload: ``inline`` = in the request; ``direct`` = as an asset, in one request; ``multipart`` = as an asset, in
            parts.
        task: the answer is made by a task that is waited for.
        sure: the length is known; otherwise a refusal for length by the synchronous request leads to the task.
    """

    upload: Literal["inline", "direct", "multipart"]
    task: bool
    sure: bool = True


def route(
    model: Model, kind: Kind, *, size: int | None, seconds: float | None, segments: bool, part: bool = False
) -> Route:
    """The way for one file.

    Args:
        size: bytes; None for a URL, which the server fetches.
        seconds: length of the part to embed; None = unknown.
        segments: vectors of segments are wanted, not one of the whole.
        part: only a stretch of time is to be embedded.
    """
    sync, task = model.media.get(kind), model.task_media.get(kind)
    upload: Literal["inline", "direct", "multipart"] = "inline"
    if size is not None and sync is not None and size > sync.max_inline_bytes:
        upload = "direct" if size <= DIRECT_BYTES else "multipart"
    if task is None or kind == "image":
        return Route(upload, task=False)
    if (segments or part) and model.request_form == "multi_input":
        return Route(upload, task=True)  # a synchronous request of marengo3.5 gives one vector, of the whole file
    longest = sync.max_sec if sync is not None else None
    if seconds is not None:
        return Route(upload, task=longest is not None and seconds > longest)
    return Route(upload, task=False, sure=longest is None)


def limit_for(model: Model, kind: Kind, *, may_task: bool) -> MediaLimit | None:
    """What a file must keep to: a task's limits where one may be used, else a synchronous request's."""
    limit = model.task_media.get(kind) if may_task and kind != "image" else None
    return limit or model.media.get(kind)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an over-long file. Add ``start_sec`` to the times of what is found in it."""

    start_sec: float
    end_sec: float


def plan_parts(duration_sec: float, *, longest_sec: float = 14_400.0, overlap_sec: float = 10.0) -> list[Part]:
    """Where to cut a file that is too long: parts of equal length that overlap, so that nothing on a cut is lost.

    Args:
        duration_sec: length of the file.
        longest_sec: of a part; a task takes 4 hours.
        overlap_sec: shared by neighbours.

    Raises:
        InvalidInputError: the overlap leaves nothing.
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
