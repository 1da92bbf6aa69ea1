"""Make the images, videos, audio and texts that the demo searches.

    python examples/sample_media.py [folder]        # examples/media by default

Everything is computed, always the same, and small; existing files are not changed.
"""

from __future__ import annotations

import os
import sys
import wave
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

__all__ = ["SAMPLES", "VIDEOS", "Scene", "make", "scene_of"]

FOLDER = Path(__file__).parent / "media"
SIZE = (480, 320)
RATE = 16_000
SECONDS = 4.0

Samples = npt.NDArray[np.float64]
Color = tuple[int, int, int]

BLACK, WHITE = (15, 15, 18), (250, 250, 248)
RED, BLUE, YELLOW = (205, 25, 30), (25, 90, 215), (255, 221, 20)
GREEN, DARK_GREEN, BROWN = (30, 150, 50), (10, 100, 25), (110, 68, 32)
TURQUOISE, PALE = (64, 215, 205), (120, 232, 222)


# --- images ---------------------------------------------------------------------------------------------


def _gradient(*stops: tuple[float, Color]) -> Image.Image:
    """Colours from top (0) to bottom (1), blended between the stops."""
    width, height = SIZE
    places = np.linspace(0, 1, height)
    where = [place for place, _ in stops]
    column = np.stack([np.interp(places, where, [color[i] for _, color in stops]) for i in range(3)], axis=-1)
    return Image.fromarray(np.repeat(column[:, None, :], width, axis=1).round().astype(np.uint8))


def _disc(image: Image.Image, x: float, y: float, radius: float, color: Color) -> None:
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)


def _stripes(first: Color, second: Color, *, upright: bool, count: int) -> Image.Image:
    image = Image.new("RGB", SIZE, first)
    draw = ImageDraw.Draw(image)
    width, height = SIZE
    step = (width if upright else height) / count
    for number in range(1, count, 2):
        start, end = round(number * step), round((number + 1) * step) - 1
        draw.rectangle((start, 0, end, height) if upright else (0, start, width, end), fill=second)
    return image


def _checks(first: Color, second: Color, rows: int) -> Image.Image:
    """Checks that fill the image: a board in the middle would be half background."""
    image = Image.new("RGB", SIZE, first)
    draw = ImageDraw.Draw(image)
    side = SIZE[1] // rows
    for row in range(rows):
        for column in range(row % 2, SIZE[0] // side, 2):
            draw.rectangle((column * side, row * side, (column + 1) * side - 1, (row + 1) * side - 1), fill=second)
    return image


def _sunset() -> Image.Image:
    image = _gradient(
        (0, (85, 25, 140)), (0.3, (150, 30, 160)), (0.5, (255, 120, 10)), (0.74, (255, 165, 0)), (1, (255, 190, 20))
    )
    _disc(image, 250, 232, 36, (255, 225, 60))
    ImageDraw.Draw(image).rectangle((0, 238, *SIZE), fill=(75, 20, 120))
    for number, (x, width) in enumerate([(250, 70), (248, 52), (253, 40), (250, 24)]):
        y = 246 + 16 * number
        ImageDraw.Draw(image).rectangle((x - width, y, x + width, y + 4), fill=(255, 150, 20))
    return image


def _dawn() -> Image.Image:
    image = _gradient((0, (255, 130, 190)), (0.35, (255, 150, 130)), (0.6, (255, 150, 10)), (1, (255, 205, 40)))
    _disc(image, 130, 262, 30, (255, 235, 90))
    ImageDraw.Draw(image).polygon(
        [(0, 320), (0, 270), (180, 292), (330, 262), (480, 290), (480, 320)], fill=(70, 20, 110)
    )
    return image


def _night_sky() -> Image.Image:
    image = _gradient((0, (8, 8, 16)), (1, (18, 20, 42)))
    draw = ImageDraw.Draw(image)
    for x, y in np.random.default_rng(3).integers((0, 0), (SIZE[0], 260), size=(60, 2)).tolist():
        draw.ellipse((x, y, x + 2, y + 2), fill=WHITE)
    _disc(image, 372, 82, 34, (245, 243, 230))
    _disc(image, 388, 74, 32, (11, 12, 23))
    return image


def _forest() -> Image.Image:
    image = _gradient((0, (60, 175, 80)), (1, GREEN))
    draw = ImageDraw.Draw(image)
    for number, x in enumerate((60, 140, 215, 300, 375, 440)):
        top = 40 + 23 * (number % 3)
        draw.rectangle((x - 8, 190, x + 8, 280), fill=BROWN)
        draw.polygon([(x, top), (x - 46, 215), (x + 46, 215)], fill=DARK_GREEN if number % 2 else (15, 120, 35))
    draw.rectangle((0, 276, *SIZE), fill=DARK_GREEN)
    return image


def _lemon() -> Image.Image:
    image = Image.new("RGB", SIZE, (255, 240, 150))
    draw = ImageDraw.Draw(image)
    draw.ellipse((110, 60, 370, 260), fill=YELLOW)
    draw.polygon([(352, 118), (400, 160), (352, 202)], fill=YELLOW)
    draw.ellipse((165, 95, 235, 130), fill=(255, 245, 150))
    return image


IMAGES: dict[str, Callable[[], Image.Image]] = {
    "sunset.png": _sunset,
    "dawn.png": _dawn,
    "night-sky.png": _night_sky,
    "forest.png": _forest,
    "lemon.png": _lemon,
    "sea-waves.png": lambda: _stripes(BLUE, WHITE, upright=False, count=9),
    "deck-chair.png": lambda: _stripes(BLUE, WHITE, upright=True, count=11),
    "zebra.png": lambda: _stripes(BLACK, WHITE, upright=True, count=13),
    "chessboard.png": lambda: _checks(BLACK, WHITE, 8),
    "picnic-cloth.png": lambda: _checks(RED, WHITE, 8),
}


# --- audio -----------------------------------------------------------------------------------------------

Audio = Callable[[Samples], Samples]
"""Times in seconds -> samples from -1 to 1."""


def _tone(time: Samples, *parts: tuple[float, float]) -> Samples:
    """Sine waves, each with its frequency in hertz and its share of the loudness."""
    total: Samples = sum((share * np.sin(2 * np.pi * hertz * time) for hertz, share in parts), np.zeros_like(time))
    return total / sum(share for _, share in parts)


def _noise(time: Samples, seed: int) -> Samples:
    return np.random.default_rng(seed).uniform(-1, 1, len(time))


def _pulses(time: Samples, per_second: float, decay: float) -> Samples:
    """Beats that fade: 1 at each beat, then falling exponentially, at the rate ``decay``."""
    return np.exp(-decay * ((time * per_second) % 1.0) / per_second)


def _swell(time: Samples, per_second: float) -> Samples:
    return 0.08 + 0.92 * np.sin(np.pi * per_second * time) ** 2


AUDIO: dict[str, Audio] = {
    "low-hum.wav": lambda t: 0.45 * _tone(t, (110, 1), (220, 0.25)),
    "double-bass.wav": lambda t: 0.6 * _tone(t, (104, 1), (208, 0.3), (312, 0.1)) * _pulses(t, 0.5, 2),
    "high-whistle.wav": lambda t: 0.35 * _tone(t, (2000, 1)),
    "tea-kettle.wav": lambda t: 0.45 * _tone(t, (2100, 1), (1900, 0.1)) * _swell(t, 1.5) + 0.01 * _noise(t, 5),
    "drum-beat.wav": lambda t: 0.95 * np.tanh(4 * _tone(t, (80, 1), (160, 0.2)) * _pulses(t, 2, 8)),
    "bird-chirps.wav": lambda t: 0.6 * _tone(t, (3100, 1), (3300, 0.4)) * _pulses(t, 3, 12),
    "waterfall.wav": lambda t: 0.35 * _noise(t, 1),
    "surf.wav": lambda t: 0.4 * _noise(t, 2) * _swell(t, 0.5),
}


def _played(audio: Audio, seconds: float) -> npt.NDArray[np.int16]:
    """Samples of 16 bits, without a click at either end."""
    time: Samples = np.arange(round(RATE * seconds)) / RATE
    fade = np.minimum(1, np.minimum(time, seconds - time) / 0.02)
    return (np.clip(audio(time) * fade, -1, 1) * 32767).astype("<i2")


def _write_audio(path: Path, audio: Audio) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(_played(audio, SECONDS).tobytes())


# --- videos ------------------------------------------------------------------------------------------------

VIDEO_SIZE = (480, 360)  # the API takes no fewer than 360 pixels a side
VIDEO_RATE = 12
SCENE_SECONDS = 6.0


@dataclass(frozen=True)
class Scene:
    """Six seconds of a video.

    Attributes:
        still: the image.
        moves: pixels a second by which it moves to the right and down; what leaves on one side enters on the other.
        audio: the audio.
    """

    still: Callable[[], Image.Image]
    moves: tuple[int, int]
    audio: Audio


def _pool() -> Image.Image:
    image = _gradient((0, TURQUOISE), (1, (70, 222, 212)))
    for x, y in np.random.default_rng(8).integers((20, 10), (460, 310), size=(14, 2)).tolist():
        ImageDraw.Draw(image).arc((x - 34, y - 12, x + 34, y + 12), 200, 340, fill=PALE, width=3)
    return image


VIDEOS: dict[str, tuple[Scene, ...]] = {
    "day-at-the-sea.mp4": (
        Scene(_dawn, (0, 0), AUDIO["bird-chirps.wav"]),
        Scene(IMAGES["sea-waves.png"], (0, 24), AUDIO["surf.wav"]),
        Scene(_sunset, (0, 0), AUDIO["low-hum.wav"]),
        Scene(_night_sky, (-8, 0), lambda t: np.zeros_like(t)),
    ),
    "picnic.mp4": (
        Scene(IMAGES["picnic-cloth.png"], (0, 0), AUDIO["drum-beat.wav"]),
        Scene(_lemon, (80, 0), AUDIO["high-whistle.wav"]),
        Scene(_forest, (-30, 0), AUDIO["waterfall.wav"]),
    ),
    "across-the-street.mp4": (
        Scene(IMAGES["zebra.png"], (-60, 0), lambda t: 0.5 * _tone(t, (440, 1)) * _pulses(t, 2, 10)),
        Scene(lambda: Image.new("RGB", SIZE, BROWN), (0, 0), lambda t: 0.4 * _tone(t, (392, 1), (494, 0.5))),
        Scene(_pool, (0, 6), lambda t: 0.04 * _tone(t, (523, 1), (659, 0.6))),
    ),
}


def scene_of(video: str, number: int) -> tuple[float, float]:
    """When a scene of a video (0 = the first) begins and ends, in seconds."""
    assert number < len(VIDEOS[video])
    return number * SCENE_SECONDS, (number + 1) * SCENE_SECONDS


def _codecs() -> tuple[str, str, dict[str, str]]:
    """H.264 and AAC, which every browser and player knows; a PyAV built without H.264 has VP9 and Opus."""
    if "libx264" in av.codecs_available:
        # Presets that look ahead gave other bytes from run to run.
        return "libx264", "aac", {"preset": "ultrafast", "crf": "23"}
    return "libvpx-vp9", "libopus", {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0"}


def _write_video(path: Path, scenes: tuple[Scene, ...]) -> None:
    video_codec, audio_codec, options = _codecs()
    # With the index first, a player can start and seek before it has the whole file.
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        video: Any = container.add_stream(video_codec, rate=VIDEO_RATE, options=options)
        video.width, video.height = VIDEO_SIZE
        video.pix_fmt = "yuv420p"
        video.gop_size = VIDEO_RATE  # a keyframe every second
        video.codec_context.thread_count = 1  # with more, the bytes would depend on the machine
        track: Any = container.add_stream(audio_codec, rate=RATE)
        track.layout = "mono"
        number = 0
        for scene in scenes:
            still = np.asarray(scene.still().resize(VIDEO_SIZE))
            for step in range(round(SCENE_SECONDS * VIDEO_RATE)):
                right, down = (round(pixels * step / VIDEO_RATE) for pixels in scene.moves)
                frame = av.VideoFrame.from_ndarray(np.roll(still, (down, right), axis=(0, 1)), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, VIDEO_RATE)
                number += 1
                container.mux(video.encode(frame))
        container.mux(video.encode(None))
        _mux_audio(container, track, np.concatenate([_played(scene.audio, SCENE_SECONDS) for scene in scenes]))


def _mux_audio(container: Any, track: Any, samples: npt.NDArray[np.int16]) -> None:
    # The resampler splits the one long frame into frames of the size that the encoder needs.
    resampler = av.AudioResampler(
        track.format.name, "mono", track.codec_context.sample_rate, track.codec_context.frame_size or 1024
    )
    whole = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    whole.sample_rate, whole.pts = RATE, 0
    for frame in [*resampler.resample(whole), *resampler.resample(None)]:
        container.mux(track.encode(frame))
    container.mux(track.encode(None))


# --- texts ------------------------------------------------------------------------------------------------

TEXTS: dict[str, str] = {
    "evening.txt": "The sun goes down. An orange and purple sky, and a last yellow light on the water.",
    "night.txt": "A dark night over the village: a black sky, a thin moon and a few white stars.",
    "woods.txt": "A walk in the green woods, green leaves above and brown trunks to both sides.",
    "beach.txt": "Blue waves with white crests roll to the beach, one stripe of foam after another.",
    "game.txt": "Two players bend over the chessboard, its black and white checks worn by years of play.",
    "picnic.txt": "They spread the checked cloth, red and white, on the grass and cut the bread.",
    "engine-room.txt": "Down in the engine room there is a low, steady hum, day and night.",
    "referee.txt": "The referee gives a high whistle and the match begins.",
}


# --- all of them ------------------------------------------------------------------------------------------

SAMPLES = (*IMAGES, *VIDEOS, *AUDIO, *TEXTS)


def make(folder: Path = FOLDER) -> list[Path]:
    """Write the samples that are missing, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [folder / name for name in SAMPLES if not (folder / name).exists()]
    for path in missing:
        # Written under another name first: an interrupted run must not leave part of a file as if it were complete, nor
        # two runs at once disturb each other.
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        if path.name in IMAGES:
            IMAGES[path.name]().save(part, format="PNG")
        elif path.name in AUDIO:
            _write_audio(part, AUDIO[path.name])
        elif path.name in VIDEOS:
            _write_video(part, VIDEOS[path.name])
        else:
            part.write_text(TEXTS[path.name] + "\n", encoding="utf-8")
        part.replace(path)
    return missing


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    print(f"{len(make(target))} of {len(SAMPLES)} sample files written to {target}")
