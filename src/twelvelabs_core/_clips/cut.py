"""A moment of a video as a file of its own: packets are copied, nothing is decoded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .._errors import InvalidInputError
from .container import OpenedMedia, import_av, opened, reading
from .moment import MomentSource, ranged
from .times import container_for, range_within


@dataclass(frozen=True)
class Clip:
    """A part of a video as a file.

    Attributes:
        data: the file's bytes.
        start_sec, end_sec: what it holds of the original, in seconds: from the key frame at or before the moment on.
        mime: ``video/mp4``; ``video/webm`` or ``video/quicktime`` for codecs that MP4 does not hold.
    """

    data: bytes = field(repr=False)
    start_sec: float
    end_sec: float
    mime: str = "video/mp4"


def clip(media: MomentSource, start_sec: float | None = None, end_sec: float | None = None) -> Clip:
    """Cut a moment out of a video without encoding it again: as fast as it is read, in its full quality.

    .. code-block:: python

        cut = clip("beach.mp4", 72, 78)
        Path("moment.mp4").write_bytes(cut.data)

    A copied video can begin at a key frame only, so that it usually begins some seconds before the moment;
    ``Clip.start_sec`` says where. The result is in memory. Needs PyAV (``twelvelabs-embeddings[media]``). Blocks: in a
    coroutine call it by ``asyncio.to_thread``.

    Args:
        media, start_sec, end_sec: as for :func:`frames`; a video.

    Raises:
        InvalidInputError: as for :func:`frames`; or neither MP4, WebM nor QuickTime holds the file's codecs.
    """
    source, start, end = ranged(media, start_sec, end_sec)
    if source.kind in ("image", "document"):
        raise InvalidInputError(f"{source!r} is no video; there is nothing to cut.")
    with opened(source) as file:
        found = clip_of(file, start, end)
    if found is None:
        raise InvalidInputError("has no video; its audio is given by audio_wav().", item=file.label)
    return found


def clip_of(file: OpenedMedia, start: float | None, end: float | None) -> Clip | None:
    """:func:`clip` of an open file; None if it has no video."""
    if file.video is None:
        return None
    begin, stop = range_within(start, end, file.duration_sec, file.label, least=0.001)
    streams = [file.video, *([file.audio] if file.audio is not None else [])]
    codecs = [_codec_of(stream) for stream in streams]
    held = container_for(codecs)
    if held is None:
        raise InvalidInputError(
            f"neither MP4, WebM nor QuickTime holds {' and '.join(codecs)} as they are; use frames() and audio_wav().",
            item=file.label,
        )
    name, mime = held
    out = io.BytesIO()
    copied: _Copied | None = None
    with (
        reading(file.label, "cannot be cut without encoding it again", "Use frames() and audio_wav()"),
        import_av().open(out, "w", format=name) as target,
    ):
        written = {stream.index: _like(target, stream) for stream in streams}
        for packet in _packets(file, streams, begin, stop):
            copied = copied or _Copied(file.second_of(packet.pts, packet.stream))
            copied.until(file.second_of(packet.pts + (packet.duration or 0), packet.stream))
            _shift(packet, copied.start + file.offset_sec)
            packet.stream = written[packet.stream.index]
            target.mux(packet)
        if copied is None:
            raise InvalidInputError(f"has no video between {begin:g} and {stop:g} s.", item=file.label)
    return Clip(out.getvalue(), round(max(0.0, copied.start), 3), round(copied.end, 3), mime)


class _Copied:
    """What has been copied, in seconds of the original."""

    def __init__(self, start: float) -> None:
        self.start = self.end = start

    def until(self, second: float) -> None:
        self.end = max(self.end, second)


def _packets(file: OpenedMedia, streams: list[Any], begin: float, stop: float) -> Iterator[Any]:
    """The packets of a range, from the key frame before it on; its first is that key frame."""
    file.seek_key_frame(begin)
    open_streams = {stream.index for stream in streams}
    first: float | None = None
    for packet in file.container.demux(streams):
        if packet.pts is None or packet.dts is None:
            continue  # the end of a stream
        second = file.second_of(packet.pts, packet.stream)
        if packet.stream.index == file.video.index:
            if first is None and packet.is_keyframe:
                first = second
            if file.second_of(packet.dts, packet.stream) >= stop:
                open_streams.discard(packet.stream.index)
        elif second >= stop:
            open_streams.discard(packet.stream.index)
        if not open_streams:
            return
        # Frames before the key frame that come after it need the frames before it, which are not copied.
        if first is not None and first <= second and packet.stream.index in open_streams:
            yield packet


def _codec_of(stream: Any) -> str:
    codec = stream.codec_context.codec
    return str(getattr(codec, "canonical_name", codec.name))  # PyAV 13 and newer; the name may be that of a decoder


def _like(target: Any, stream: Any) -> Any:
    if hasattr(target, "add_stream_from_template"):  # PyAV 14 and newer
        return target.add_stream_from_template(stream)
    return target.add_stream(template=stream)


def _shift(packet: Any, seconds: float) -> None:
    """Let a packet's time begin at the clip's."""
    ticks = round(seconds / float(packet.time_base))
    packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
