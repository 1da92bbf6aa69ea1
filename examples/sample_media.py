"""Draw the pictures, play the sounds and write the texts that the demo searches.

    python examples/sample_media.py [folder]        # examples/media by default

Everything is computed, always the same, and small; a file that is there already is left alone.
"""

from __future__ import annotations

import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

__all__ = ["SAMPLES", "make"]

FOLDER = Path(__file__).parent / "media"
SIZE = (480, 320)
RATE = 16_000
SECONDS = 4.0

Samples = npt.NDArray[np.float64]
Color = tuple[int, int, int]

BLACK, WHITE = (15, 15, 18), (250, 250, 248)
RED, BLUE, YELLOW = (205, 25, 30), (25, 90, 215), (255, 221, 20)
GREEN, DARK_GREEN, BROWN = (30, 150, 50), (10, 100, 25), (110, 68, 32)


# --- pictures ---------------------------------------------------------------------------------------------


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
    """A square board in the middle would be half background: the checks fill the picture."""
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


PICTURES: dict[str, Callable[[], Image.Image]] = {
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


# --- sounds -----------------------------------------------------------------------------------------------

_TIME: Samples = np.arange(round(RATE * SECONDS)) / RATE


def _tone(*parts: tuple[float, float]) -> Samples:
    """Sine waves, each with its frequency in hertz and its share of the loudness."""
    total: Samples = sum((share * np.sin(2 * np.pi * hertz * _TIME) for hertz, share in parts), np.zeros_like(_TIME))
    return total / sum(share for _, share in parts)


def _noise(seed: int) -> Samples:
    return np.random.default_rng(seed).uniform(-1, 1, len(_TIME))


def _pulses(per_second: float, decay: float) -> Samples:
    """Strokes that fade: 1 at each stroke, falling off ``decay`` times a second."""
    return np.exp(-decay * ((_TIME * per_second) % 1.0) / per_second)


def _swell(per_second: float) -> Samples:
    return 0.08 + 0.92 * np.sin(np.pi * per_second * _TIME) ** 2


SOUNDS: dict[str, Callable[[], Samples]] = {
    "low-hum.wav": lambda: 0.45 * _tone((110, 1), (220, 0.25)),
    "double-bass.wav": lambda: 0.6 * _tone((104, 1), (208, 0.3), (312, 0.1)) * _pulses(0.5, 2),
    "high-whistle.wav": lambda: 0.35 * _tone((2000, 1)),
    "tea-kettle.wav": lambda: 0.45 * _tone((2100, 1), (1900, 0.1)) * _swell(1.5) + 0.01 * _noise(5),
    "drum-beat.wav": lambda: 0.95 * np.tanh(4 * _tone((80, 1), (160, 0.2)) * _pulses(2, 8)),
    "bird-chirps.wav": lambda: 0.6 * _tone((3100, 1), (3300, 0.4)) * _pulses(3, 12),
    "waterfall.wav": lambda: 0.35 * _noise(1),
    "surf.wav": lambda: 0.4 * _noise(2) * _swell(0.5),
}


def _write_sound(path: Path, samples: Samples) -> None:
    fade = np.minimum(1, np.minimum(_TIME, SECONDS - _TIME) / 0.02)  # no click at either end
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples * fade, -1, 1) * 32767).astype("<i2").tobytes())


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

SAMPLES = (*PICTURES, *SOUNDS, *TEXTS)


def make(folder: Path = FOLDER) -> list[Path]:
    """Write what is missing of the samples and return the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [folder / name for name in SAMPLES if not (folder / name).exists()]
    for path in missing:
        # Under another name first: a run that is stopped halfway must not leave half a file that counts as made.
        half = path.with_name(f".{path.name}.part")
        if path.name in PICTURES:
            PICTURES[path.name]().save(half, format="PNG")
        elif path.name in SOUNDS:
            _write_sound(half, SOUNDS[path.name]())
        else:
            half.write_text(TEXTS[path.name] + "\n", encoding="utf-8")
        half.replace(path)
    return missing


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    print(f"{len(make(target))} of {len(SAMPLES)} sample files written to {target}")
