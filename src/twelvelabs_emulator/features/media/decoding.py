"""Decoding audio and video with PyAV.

Everything runs with one native thread and is closed before a function returns. If the process forked while an
object with native threads exists, the child would wait forever for threads that it does not have.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from ..cancellation import check_cancelled
from .source import Source

SAMPLE_RATE = 16_000
#: Width and height of decoded frames, in pixels.
FRAME_SIDE = 64
_FRAMES_PER_SEC = 4
_LONG_SEC = 120
# Older versions of PyAV scale in the calling thread and do not know the argument.
_ONE_THREAD = {"threads": 1} if "threads" in (VideoReformatter.reformat.__doc__ or "") else {}

Frame = npt.NDArray[np.uint8]


class DecodingError(Exception):
    """The media could not be read."""


@dataclass(frozen=True)
class Audio:
    """Mono samples of 16 bits, `SAMPLE_RATE` per second: two hours are 230 MB."""

    samples: npt.NDArray[np.int16]

    @classmethod
    def silence(cls, seconds: float) -> Audio:
        """Return silence of this duration."""
        return cls(np.zeros(round(seconds * SAMPLE_RATE), dtype=np.int16))

    @property
    def duration(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / SAMPLE_RATE

    def between(self, start: float, end: float) -> npt.NDArray[np.float64]:
        """Return the samples between two times as numbers from -1 to 1; of a long span, 120 seconds spread over it."""
        samples = self.samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        if len(samples) > _LONG_SEC * SAMPLE_RATE:
            starts = np.linspace(0, len(samples) - SAMPLE_RATE, num=_LONG_SEC).astype(int)
            samples = np.concatenate([samples[at : at + SAMPLE_RATE] for at in starts])
        return samples / 32768


@dataclass(frozen=True)
class Video:
    """Frames of 64 x 64 pixels (RGB, uint8), at most four per second, their times in seconds, and the audio."""

    duration: float
    times: list[float]
    frames: list[Frame]
    audio: Audio | None

    def between(self, start: float, end: float) -> slice:
        """Return which frames are shown in a span, at least one."""
        first, last = bisect_left(self.times, start), bisect_left(self.times, end)
        if first == last:  # Between two frames: the earlier one is still shown.
            first = max(0, first - 1)
        return slice(first, max(last, first + 1))


@contextlib.contextmanager
def open_container(source: Source) -> Iterator[Any]:
    """Open audio or video. Raises `DecodingError` for what PyAV cannot read, also inside the ``with`` block."""
    if source.head(64).lstrip()[:7] == b"#EXTM3U":  # A playlist would send the decoder to other files and hosts.
        raise DecodingError
    try:
        with source.open() as stream, av.open(stream, options={"protocol_whitelist": "none"}) as container:
            for track in (*container.streams.audio, *container.streams.video):
                if track.codec_context is None:  # There is no decoder, as for SVG.
                    raise DecodingError
                track.codec_context.thread_count = 1
            yield container
    except (av.error.FFmpegError, ValueError):
        raise DecodingError from None


def seconds_of(container: Any) -> float | None:
    """Return the duration that the file states."""
    return None if container.duration is None else container.duration / av.time_base


def is_still(container: Any) -> bool:
    """Return whether the file is an image, which PyAV opens as a video of one frame."""
    name = container.format.name
    return bool(name.endswith("_pipe") or name in ("tty", "image2"))


def decode_audio(container: Any) -> Audio:
    """Decode the first audio track. Corrupt packets are skipped, as players do."""
    resampler = _Resampler()
    chunks: list[npt.NDArray[np.int16]] = []
    for packet in container.demux(container.streams.audio[0]):
        check_cancelled()
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        for frame in frames:
            chunks += resampler.push(frame)
    chunks += resampler.push(None)
    return Audio(np.concatenate(chunks) if chunks else np.zeros(0, dtype=np.int16))


class _Resampler:
    """Converts frames to mono samples. `av.AudioResampler` does the same, but with native threads."""

    def __init__(self) -> None:
        self._graph: Any = None
        self._format: tuple[str, str, int] | None = None

    def push(self, frame: Any) -> list[npt.NDArray[np.int16]]:
        """Return what is ready after a frame; ``None`` flushes."""
        if frame is not None:
            form = (frame.format.name, frame.layout.name, frame.sample_rate)
            if self._format is None:
                self._format = form
                self._graph = self._configured(frame)
            elif form != self._format:
                raise DecodingError
        if self._graph is None:
            return []
        self._graph.push(frame)
        chunks = []
        with contextlib.suppress(BlockingIOError, EOFError):
            while True:
                chunks.append(self._graph.pull().to_ndarray()[0].copy())
        return chunks

    @staticmethod
    def _configured(frame: Any) -> Any:
        graph = av.filter.Graph()
        with contextlib.suppress(AttributeError):  # Not in older versions of PyAV.
            graph.threads = 1
        source = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=frame.time_base,
        )
        mono = graph.add("aformat", sample_rates=str(SAMPLE_RATE), sample_fmts="s16", channel_layouts="mono")
        sink = graph.add("abuffersink")
        source.link_to(mono)
        mono.link_to(sink)
        graph.configure()
        return graph


def decode_frames(container: Any) -> tuple[list[float], list[Frame], float]:
    """Decode the video track; return times, frames, and when the last frame ends.

    Four frames per second are kept up to ten minutes, two up to an hour, one beyond.
    """
    track = container.streams.video[0]
    duration = seconds_of(container) or 0.0
    frame_sec = 1 / float(track.average_rate or 25)
    gap = 1 / _FRAMES_PER_SEC
    if duration > _LONG_SEC:
        track.codec_context.skip_frame = _skipped_frames(container, track, duration)
        gap = 1 / 4 if duration <= 600 else 1 / 2 if duration <= 3600 else 1
    reformatter = VideoReformatter()
    times: list[float] = []
    frames: list[Frame] = []
    first: float | None = None
    end = 0.0
    for packet in container.demux(track):
        check_cancelled()
        try:
            decoded = packet.decode()
        except av.error.InvalidDataError:
            continue
        for frame in decoded:
            at = frame.time if frame.time is not None else end
            first = at if first is None else first
            end = at - first + frame_sec
            if not times or at - first >= times[-1] + gap - 1e-6:
                times.append(at - first)
                small = reformatter.reformat(
                    frame, FRAME_SIDE, FRAME_SIDE, "rgb24", interpolation="AREA", **_ONE_THREAD
                )
                frames.append(small.to_ndarray().copy())
    return times, frames, end


def _skipped_frames(container: Any, track: Any, duration: float) -> str:
    """Choose which frames of a long video are not decoded: all but keyframes, if those are frequent enough."""
    keyframes = sum(packet.is_keyframe for packet in container.demux(track) if packet.size)
    container.seek(0)
    spacing = duration / max(1, keyframes)
    return "NONKEY" if spacing <= (1.0 if duration <= 600 else 10.0) else "NONREF"
