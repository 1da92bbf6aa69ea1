"""Images as words: colours, brightness and pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from .weights import KIND_WEIGHT, Words, add_weight, ramp

Pixels = npt.NDArray[np.float64]

# Several examples of each name: "green" is not one colour.
_EXAMPLES: dict[str, Sequence[tuple[int, int, int]]] = {
    "red": [(255, 0, 0), (178, 20, 20), (220, 40, 40)],
    "orange": [(255, 140, 0), (255, 165, 0)],
    "yellow": [(255, 255, 0), (255, 215, 0)],
    "green": [(0, 128, 0), (0, 255, 0), (40, 170, 60), (0, 90, 0)],
    "cyan": [(0, 255, 255), (0, 150, 150), (64, 224, 208)],
    "blue": [(0, 0, 255), (0, 0, 139), (30, 100, 220), (100, 160, 250)],
    "purple": [(128, 0, 128), (90, 30, 150), (148, 0, 211)],
    "magenta": [(255, 0, 255)],
    "pink": [(255, 192, 203), (255, 105, 180)],
    "brown": [(139, 69, 19), (101, 67, 33), (165, 110, 60)],
    "black": [(0, 0, 0), (25, 25, 25)],
    "grey": [(128, 128, 128), (90, 90, 90), (190, 190, 190)],
    "white": [(255, 255, 255), (240, 240, 240)],
}
_NAMES = list(_EXAMPLES)
_SIDE = 64
_CELLS = 4


def image_words(image: Image.Image) -> Words:
    """Describe an image."""
    return pixel_words(pixels_of(image)) | {"image": KIND_WEIGHT}


def pixels_of(image: Image.Image) -> Pixels:
    """Return an image as RGB values from 0 to 1, shape ``(64, 64, 3)``; transparent parts become white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    # Shrinking averages JPEG artefacts away, so that both formats give nearly the same words.
    small = image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255


def pixel_words(pixels: Pixels) -> Words:
    """Describe ``(64, 64, 3)`` pixels: colours by area, brightness, pattern, and which colour is where."""
    lab = _lab(pixels)
    shares = _color_shares(lab)
    words: Words = {}
    for name, share in zip(_NAMES, shares.mean(axis=(0, 1)), strict=True):
        if share > 0.02:
            words[name] = float(share) ** 0.5
    light = float(lab[..., 0].mean())
    add_weight(words, "bright", 0.3 * ramp(light, 70, 95))
    add_weight(words, "dark", 0.3 * ramp(light, 25, 10))
    for word, weight in _pattern(lab[..., 0]).items():
        add_weight(words, word, weight)
    step = _SIDE // _CELLS
    for row in range(_CELLS):
        for column in range(_CELLS):
            cell = shares[row * step : (row + 1) * step, column * step : (column + 1) * step].mean(axis=(0, 1))
            for name, share in zip(_NAMES, cell, strict=True):
                add_weight(words, f"~at{row}{column}:{name}", 0.07 * float(share))
    return words


def color_histogram(pixels: Pixels) -> npt.NDArray[np.float64]:
    """Return the share of each named colour, shape ``(13,)``, sum 1."""
    histogram: npt.NDArray[np.float64] = _color_shares(_lab(pixels)).mean(axis=(0, 1))
    return histogram


def _lab(pixels: Pixels) -> Pixels:
    """Convert RGB to CIELAB, in which distance is close to perceived difference."""
    linear = np.where(pixels > 0.04045, ((pixels + 0.055) / 1.055) ** 2.4, pixels / 12.92)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _prototypes() -> tuple[Pixels, npt.NDArray[np.int64]]:
    colors = [color for examples in _EXAMPLES.values() for color in examples]
    firsts = np.cumsum([0, *(len(examples) for examples in _EXAMPLES.values())])[:-1]
    return _lab(np.array(colors, dtype=np.float64) / 255), firsts


_POINTS, _FIRSTS = _prototypes()


def _color_shares(lab: Pixels) -> Pixels:
    """Return how much each pixel belongs to each named colour, shape ``(…, 13)``, sum 1."""
    # Squared distances, up to a constant for each pixel: much cheaper than taking differences.
    squares = (_POINTS**2).sum(axis=-1) - 2 * (lab @ _POINTS.T)
    near = np.exp(-(squares - squares.min(axis=-1, keepdims=True)) / (2 * 10.0**2))
    named = np.maximum.reduceat(near, _FIRSTS, axis=-1)
    shares: Pixels = named / named.sum(axis=-1, keepdims=True)
    return shares


def _pattern(light: Pixels) -> Words:
    """Describe the pattern (plain, striped, checked, busy) by where the edges are. ``light`` is CIELAB's L."""
    across = np.abs(np.diff(light, axis=1))  # differences from left to right: vertical edges
    down = np.abs(np.diff(light, axis=0))
    strength = float(across.mean() + down.mean())
    some = ramp(strength, 0.5, 3.0)
    words: Words = {"plain": 0.4 * (1 - some)}
    vertical_edges, horizontal_edges = float(across.mean()), float(down.mean())
    one_way = abs(vertical_edges - horizontal_edges) / max(vertical_edges + horizontal_edges, 1e-9)
    tidy = max(_tidiness(across.mean(axis=0)), _tidiness(down.mean(axis=1)))
    stripes = some * tidy * ramp(one_way, 0.5, 0.9)
    # A single edge separates two areas; stripes have several.
    lines = across.mean(axis=0) if vertical_edges > horizontal_edges else down.mean(axis=1)
    stripes *= ramp(float((lines > 0.3 * lines.max()).sum()), 2, 4) if lines.max() > 0 else 0.0
    words["stripe"] = 0.8 * stripes
    words["vertical" if vertical_edges > horizontal_edges else "horizontal"] = 0.5 * stripes
    words["checked"] = 0.8 * some * tidy * ramp(one_way, 0.5, 0.1) * ramp(strength, 3, 6)
    words["busy"] = 0.5 * some * (1 - tidy)
    return words


def _tidiness(profile: npt.NDArray[np.float64]) -> float:
    """Return 1 if all edges are on a few lines, 0 if they are everywhere."""
    total = float(profile.sum())
    if total < 1e-9:
        return 0.0
    best = float(np.sort(profile)[-len(profile) // 3 :].sum())
    return ramp(best / total, 0.6, 0.9)
