"""A film as words: what its pictures and its sound measure, and whether anything moves."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from ...protocol.models import Model
from ...protocol.settings import Settings
from ..words.text import Words, merged
from ..words.weights import add, ramp
from .audio import Sound, check_duration, decoded
from .cancellation import check_halt
from .checks import check_size, refused
from .image import color_histogram, words_of_pixels
from .source import Source

__all__ = ["Film", "check_picture", "open_video", "shots", "words_of_film"]

_SIDE = 64
_LOOKS_PER_SEC = 4
_LOOKS_PER_CLIP = 6
_MOST_STEPS = 200
_LONG_SEC = 120


@dataclass(frozen=True)
class Film:
    """A film looked at four times a second: times in seconds, pictures of 64 x 64 pixels, and its sound."""

    duration: float
    times: list[float]
    pictures: list[npt.NDArray[np.uint8]]
    sound: Sound | None

    def between(self, start: float, end: float) -> range:
        """Return which pictures are seen in a span, at least one."""
        first, last = bisect_left(self.times, start), bisect_left(self.times, end)
        if first == last:  # Between two of them: take the one that is still to be seen.
            first = max(0, first - 1)
        return range(first, max(last, first + 1))

    def picture(self, number: int) -> npt.NDArray[np.float64]:
        """Return a picture as numbers from 0 to 1."""
        return self.pictures[number] / 255

    @cached_property
    def cuts(self) -> list[bool]:
        """Tell for each picture whether its colours are quite other than those of the one before."""
        colors = []
        for picture in self.pictures:
            check_halt()
            # By colours, not pixels: what moves through the picture keeps its colours.
            colors.append(color_histogram(picture[::4, ::4] / 255))
        return [False, *(bool(np.abs(before - after).sum() / 2 > 0.4) for before, after in pairwise(colors))]


def open_video(source: Source, model: Model, settings: Settings) -> Film:
    """Decode a film; raise the API's 400 or 413 for one it does not take."""
    if source.given_as == "base64_string" or model.limits_every_source:
        check_size(source, model.media_megabytes, model, settings, code="video_filesize_too_large")
    broken = refused(source, "The video could not be read.", code="video_file_broken")
    # A playlist would send the decoder off to other files and hosts.
    if not source.size or source.head(64).lstrip()[:7] == b"#EXTM3U":
        raise broken
    try:
        with source.opened() as stream, av.open(stream, options={"protocol_whitelist": "none"}) as container:
            still = container.format.name.endswith("_pipe") or container.format.name in ("tty", "image2")
            if still or not container.streams.video:
                raise broken
            if container.duration is not None:
                check_duration(source, container.duration / av.time_base, model, settings, "video")
            track = container.streams.video[0]
            check_picture(source, track.codec_context.width, track.codec_context.height)
            times, pictures, end = _looks(container, (container.duration or 0) / av.time_base)
        sound = None
        with source.opened() as stream, av.open(stream, options={"protocol_whitelist": "none"}) as container:
            duration = max(end, (container.duration or 0) / av.time_base)
            if container.streams.audio:
                sound = decoded(container)
    except (av.error.FFmpegError, ValueError):
        raise broken from None
    if not pictures:
        raise broken
    check_duration(source, duration, model, settings, "video")
    return Film(duration, times, pictures, sound if sound is not None and len(sound.samples) else None)


def check_picture(source: Source, width: int, height: int) -> None:
    """Raise the API's 400 for a film of a size or shape in pixels that it does not take."""
    long, short = max(width, height), min(width, height)
    size = f"The video has {width}x{height} pixels."
    if short < 360:
        raise refused(source, f"{size} The least is 360x360.", code="video_resolution_too_low")
    if long > 5184 or short > 2160:
        raise refused(source, f"{size} The most is 5184x2160.", code="video_resolution_too_high")
    if long / short > 2.4:
        raise refused(
            source,
            f"{size} The aspect ratio must be between 1:1 and 2.4:1 (or 1:2.4).",
            code="video_resolution_invalid_aspect_ratio",
        )


def _looks(container: Any, duration: float) -> tuple[list[float], list[npt.NDArray[np.uint8]], float]:
    """Decode pictures, keep a few of every second; also return when the last one ends."""
    track = container.streams.video[0]
    track.thread_type = "AUTO"
    pace = float(track.average_rate or 25)
    gap = 1 / _LOOKS_PER_SEC
    if duration > _LONG_SEC:
        track.codec_context.skip_frame = _skipped(container, track, duration)
        gap = 1 / 4 if duration <= 600 else 1 / 2 if duration <= 3600 else 1
    times: list[float] = []
    pictures: list[npt.NDArray[np.uint8]] = []
    first: float | None = None
    end = 0.0
    for packet in container.demux(track):
        check_halt()
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        for frame in frames:
            at = frame.time if frame.time is not None else end
            first = at if first is None else first
            end = at - first + 1 / pace
            if not times or at - first >= times[-1] + gap - 1e-6:
                times.append(at - first)
                small = frame.reformat(_SIDE, _SIDE, "rgb24", interpolation="AREA")
                pictures.append(small.to_ndarray())
    return times, pictures, end


def _skipped(container: Any, track: Any, duration: float) -> str:
    """Choose which pictures of a long film are not decoded: all but key pictures, if those are dense enough."""
    keys = sum(packet.is_keyframe for packet in container.demux(track) if packet.size)
    container.seek(0)
    spacing = duration / max(1, keys)
    return "NONKEY" if spacing <= (1.0 if duration <= 600 else 10.0) else "NONREF"


def words_of_film(film: Film, start: float, end: float) -> Words:
    """Measure what is to be seen from one time to another: the mean of some pictures, and motion."""
    seen = film.between(start, end)
    chosen = np.unique(np.linspace(seen[0], seen[-1], num=_LOOKS_PER_CLIP).astype(int))
    words = merged(words_of_pixels(film.picture(n)) for n in chosen)
    words["film"] = 0.35
    steps = list(pairwise(seen))
    if len(steps) > _MOST_STEPS:
        steps = [steps[n] for n in np.linspace(0, len(steps) - 1, num=_MOST_STEPS).astype(int)]
    changes = [
        float(np.abs(film.picture(after) - film.picture(before)).mean())
        for before, after in steps
        if not film.cuts[after]
    ]
    moving = ramp(float(np.mean(changes)), 0.01, 0.04) if changes else 0.0
    add(words, "moving", 0.4 * moving)
    add(words, "still", 0.4 * (1 - moving))
    return words


def shots(film: Film, start: float, end: float, shortest: float) -> list[tuple[float, float]]:
    """Cut a span where the colours change at once; no shot is shorter than ``shortest`` seconds."""
    edges = [start]
    for time, cut in zip(film.times, film.cuts, strict=True):
        if cut and edges[-1] + shortest <= time <= end - shortest:
            edges.append(time)
    return list(pairwise([*edges, end]))
