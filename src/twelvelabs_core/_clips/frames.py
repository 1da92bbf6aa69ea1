"""Frames of a video as JPEG, upright and sized for a language model; an image as it is, sized."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._errors import InvalidInputError
from .._media.file import MediaFile, locate
from .._net.forks import uncut
from .container import OpenedMedia, content_of, import_av, needs_media_extra, opened, reading
from .moment import MomentSource, ranged
from .times import (
    CHOICES,
    Choice,
    best_lit,
    candidate_times,
    checked_count,
    fitted,
    needs_seek,
    one_of,
    range_within,
    sharpest,
    upright_by,
)

_JPEG_QUALITY = 85
_SCORED_SIDE = 256  # pixels: enough to tell a sharp frame from a blurred one, and the same for all sizes
_AS_THEY_ARE = {"JPEG": "image/jpeg", "PNG": "image/png"}
# Frames of less than a thousandth of a second are none.
_SAME_SEC = 0.001


@dataclass(frozen=True)
class Frame:
    """One frame of a video, or an image.

    Attributes:
        data: the file's bytes.
        at_sec: when it is shown, in seconds from the file's beginning; None for an image.
        width, height: in pixels.
        mime: ``image/jpeg``, or ``image/png`` for an image that was passed on as it is.
    """

    data: bytes = field(repr=False)
    at_sec: float | None
    width: int
    height: int
    mime: str = "image/jpeg"


def frames(
    media: MomentSource,
    start_sec: float | None = None,
    end_sec: float | None = None,
    *,
    n: int = 4,
    longest: int = 768,
    choose: Choice = "even",
) -> list[Frame]:
    """Frames of a moment as JPEG, for a language model.

    .. code-block:: python

        frames("beach.mp4", 72, 78)                 # at 72.75, 74.25, 75.75 and 77.25 s
        frames(moment, n=8, choose="sharpest")      # of merge_moments(...)

    A long video costs no more than a short one: it is read from the key frame before each frame, not from its
    beginning. Needs PyAV and Pillow (``twelvelabs-embeddings[media]``). Blocks: in a coroutine call it by
    ``asyncio.to_thread``.

    Args:
        media: a path, a URL that may be signed, ``Video(...)`` (bytes too), a :class:`Moment`; or ``Image(...)``, which
            is returned as the one frame.
        start_sec, end_sec: the range in seconds; by default that of ``media``, or the whole file. An end after the
            file's is the file's.
        n: how many. Fewer are returned if the range has fewer.
        longest: longest side in pixels; smaller frames are not enlarged.
        choose: ``even``, the middles of ``n`` equal parts; ``sharpest`` or ``best-lit``, of each part the best of five
            frames: the one with most edges, or with a mean brightness nearest to middle gray.

    Returns:
        In order of time, upright as the file says (phones record sideways), in square pixels.

    Raises:
        InvalidInputError: an argument is out of its range; the file cannot be opened, fetched or decoded, has no video,
            or ends before the range begins. ``item`` names the file.
    """
    checked_count(n, "n")
    checked_count(longest, "longest", least=16)
    one_of(choose, "choose", CHOICES)
    source, start, end = ranged(media, start_sec, end_sec)
    if source.kind == "image":
        return [image_frame(locate(source), longest)]
    if source.kind == "document":
        raise InvalidInputError("is a document; it has no frames.", item=locate(source).label)
    _pillow()
    with opened(source) as file:
        found = frames_of(file, start, end, n=n, longest=longest, choose=choose)
    if not found:
        raise InvalidInputError("has no video; its audio is given by audio_wav().", item=file.label)
    return found


def frames_of(
    file: OpenedMedia, start: float | None, end: float | None, *, n: int, longest: int, choose: Choice
) -> list[Frame]:
    """:func:`frames` of an open file; none if it has no video."""
    if file.video is None:
        return []
    begin, stop = range_within(start, end, file.duration_sec, file.label)
    player = _Player(file)
    found: list[Frame] = []
    for times in candidate_times(begin, stop, n, choose):
        shown = [player.at(time) for time in times]
        second, image = shown[_best([image for _, image in shown], choose)] if len(shown) > 1 else shown[0]
        if not found or second - (found[-1].at_sec or 0.0) > _SAME_SEC:
            found.append(_frame(image, second, file, longest))
    return found


def _best(candidates: Sequence[Any], choose: Choice) -> int:
    from PIL import ImageFilter, ImageStat

    small = [_image_of(frame, *fitted(frame.width, frame.height, _SCORED_SIDE)).convert("L") for frame in candidates]
    if choose == "best-lit":
        return best_lit([ImageStat.Stat(image).mean[0] for image in small])
    # Without its border, on which the filter finds nothing.
    edges = (image.filter(ImageFilter.FIND_EDGES).crop((1, 1, image.width - 1, image.height - 1)) for image in small)
    return sharpest([ImageStat.Stat(image).var[0] for image in edges])


def _frame(frame: Any, second: float, file: OpenedMedia, longest: int) -> Frame:
    aspect = float(file.video.codec_context.sample_aspect_ratio or 0) or 1.0
    image = _image_of(frame, *fitted(frame.width, frame.height, longest, aspect))
    operation = upright_by(_display_matrix(frame))
    if operation is not None:
        image = image.transpose(getattr(_pillow().Transpose, operation))
    return Frame(_jpeg(image), round(max(0.0, second), 3), *image.size)


def _image_of(frame: Any, width: int, height: int) -> Any:
    return frame.reformat(width=width, height=height, format="rgb24").to_image()


def _display_matrix(frame: Any) -> bytes | None:
    found = frame.side_data.get(import_av().sidedata.sidedata.Type.DISPLAYMATRIX)
    return None if found is None else bytes(found)


def _jpeg(image: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()


class _Player:
    """Shows the frame at a time: the last one that begins at or before it. Holds two decoded frames."""

    def __init__(self, file: OpenedMedia) -> None:
        self._file = file
        self._stream = file.video
        self._stream.thread_type = "AUTO"
        self._decoded: Iterator[tuple[float, Any]] = iter(())
        self._shown: tuple[float, Any] | None = None
        self._next: tuple[float, Any] | None = None
        self._ends = 0.0

    def at(self, second: float) -> tuple[float, Any]:
        """The frame at a second, and when it begins."""
        if needs_seek(self._shown[0] if self._shown else None, second):
            self._file.seek_key_frame(second)
            self._decoded, self._shown = self._decode(), None
            self._next = next(self._decoded, None)
        while self._next is not None and (self._shown is None or self._next[0] <= second):
            self._shown, self._next = self._next, next(self._decoded, None)
        if self._shown is None or (self._next is None and self._ends < second - 1.0):
            raise InvalidInputError(
                f"has no frame at {second:.1f} s: its video ends at {self._ends:.1f} s, or the rest is missing.",
                item=self._file.label,
            )
        return self._shown

    def _decode(self) -> Iterator[tuple[float, Any]]:
        for packet in self._file.container.demux(self._stream):
            if packet.pts is not None:
                last = self._file.second_of(packet.pts + (packet.duration or 0), self._stream)
                self._ends = max(self._ends, last)
            for frame in packet.decode():
                if frame.pts is not None:
                    yield self._file.second_of(frame.pts, self._stream), frame


# -- images ------------------------------------------------------------------------------------------------------------


def image_frame(file: MediaFile, longest: int) -> Frame:
    """An image upright, with no side over ``longest``: as it is if it is a JPEG or PNG that needs no change, else as
    JPEG, on white where it is transparent.

    Raises:
        InvalidInputError: it cannot be decoded.
    """
    pil = _pillow()
    from PIL import ImageOps

    with reading(file.label, "cannot be read as image"):
        if file.image is not None:
            image, data = file.image, b""
        else:
            with content_of(file) as source:
                data = source.read()
            image = pil.open(io.BytesIO(data))
        kept = _AS_THEY_ARE.get(image.format or "")
        if data and kept and max(image.size) <= longest and image.getexif().get(0x0112, 1) == 1:
            image.load()  # a damaged one is found here, not by the language model's service
            return Frame(data, None, image.width, image.height, kept)
        image.draft("RGB", (longest, longest))  # a large JPEG is decoded at a coarser scale
        image = ImageOps.exif_transpose(image)
        image.thumbnail((longest, longest))
        if image.has_transparency_data:
            over = image.convert("RGBA")
            image = pil.new("RGBA", over.size, "white")
            image.alpha_composite(over)
        image = image.convert("RGB")
        return Frame(_jpeg(image), None, *image.size)


def _pillow() -> Any:
    try:
        with uncut():
            import PIL.Image
    except ImportError as error:
        raise needs_media_extra("Pillow") from error
    return PIL.Image
