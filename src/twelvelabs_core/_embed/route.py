"""How a file is sent and whether a request or a task embeds it, by kind, size and length. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._errors import InvalidInputError
from .._media.file import MediaFile
from .._models import ApiVersion, Model
from .._options import SegmentOptions, is_whole_file

# Largest file for POST /assets; larger ones are uploaded in parts. Documents have no upload in parts (API page).
DIRECT_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Route:
    """How one file is embedded.

    Attributes:
        upload: ``inline`` = inside the request; ``direct`` = as an asset, in one request; ``multipart`` = as an asset,
            in parts.
        task: by a task; else by one request.
        or_task: by a request, then by a task if the request is refused as too long; for files of unknown length.
    """

    upload: Literal["inline", "direct", "multipart"]
    task: bool
    or_task: bool = False

    def as_task(self, file: MediaFile, *, by_name: bool) -> Route:
        """This way, but by a task.

        Args:
            by_name: the task is to be found again if its creation is not answered. For that a file of this machine is
                uploaded first, even a small one: an asset has a name, the content of a request has none.
        """
        upload = "direct" if by_name and self.upload == "inline" and file.is_here else self.upload
        return Route(upload, task=True)


def needs_parts(size: int | None) -> bool:
    """Whether a file of so many bytes is uploaded in parts; None = not known before it is sent."""
    return size is not None and size > DIRECT_BYTES


def route(model: Model, api_version: ApiVersion, file: MediaFile, options: SegmentOptions) -> Route:
    """Decide how one file is embedded."""
    kind = file.kind
    if api_version == "v1":
        return Route("inline", task=kind == "video")  # a form streams the file itself
    request, task = model.media.get(kind), model.task_media.get(kind)
    upload: Literal["inline", "direct", "multipart"] = "inline"
    size = file.size if file.asset is None else file.asset.size
    is_large = size is not None and request is not None and size > request.max_inline_bytes
    if is_large and file.size is not None:  # an asset is there already
        upload = "multipart" if needs_parts(file.size) else "direct"
    if task is None:
        return Route(upload, task=False)
    if kind == "image":
        return Route(upload, task=options.embedding_uncertainty)
    if model.request_form == "multi_input":
        # A synchronous request of marengo3.5 takes no options, and returns a fused vector for a video. A request takes
        # 30 s at most, a task any length and returns a visual vector: a task for all, so that their vectors compare.
        whole = is_whole_file(options, model, kind, is_text=file.is_text)
        if kind == "video" or not whole or file.has_range or (kind == "document" and is_large):
            return Route(upload, task=True)
    longest = request.max_sec if request is not None else None
    # The whole file's length, even for a part of it: which of the two the server measures is not documented.
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
    """Where to cut a file that is too long: parts of equal length that overlap, so that no event is cut in two.

    Args:
        duration_sec: length of the file, in seconds.
        longest_sec: longest part, in seconds; a task takes 4 hours.
        overlap_sec: seconds that consecutive parts share.

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
