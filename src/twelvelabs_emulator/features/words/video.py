"""Video as words: the words of some frames, and motion. Frames are RGB, uint8, 64 x 64 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..cancellation import check_cancelled
from .image import color_histogram, pixel_words
from .weights import KIND_WEIGHT, Words, add_weight, mean_words, ramp

_DESCRIBED_FRAMES = 6
_MAX_STEPS = 200

Frame = npt.NDArray[np.uint8]


def scene_cuts(frames: Sequence[Frame]) -> list[bool]:
    """Return for each frame whether its colours differ strongly from those of the frame before."""
    histograms = []
    for frame in frames:
        check_cancelled()
        # By colours, not pixels: what moves through the frame keeps its colours.
        histograms.append(color_histogram(frame[::4, ::4] / 255))
    return [False, *(bool(np.abs(before - after).sum() / 2 > 0.4) for before, after in pairwise(histograms))]


def video_words(frames: Sequence[Frame], cuts: Sequence[bool]) -> Words:
    """Describe consecutive frames: the mean of up to six of them, and motion, for which cuts do not count."""
    described = np.unique(np.linspace(0, len(frames) - 1, num=_DESCRIBED_FRAMES).astype(int))
    words = mean_words(pixel_words(frames[number] / 255) for number in described)
    words["video"] = KIND_WEIGHT
    steps = list(range(1, len(frames)))
    if len(steps) > _MAX_STEPS:
        steps = [steps[number] for number in np.linspace(0, len(steps) - 1, num=_MAX_STEPS).astype(int)]
    changes = [
        float(np.abs(frames[number] / 255 - frames[number - 1] / 255).mean()) for number in steps if not cuts[number]
    ]
    moving = ramp(float(np.mean(changes)), 0.01, 0.04) if changes else 0.0
    add_weight(words, "moving", 0.4 * moving)
    add_weight(words, "still", 0.4 * (1 - moving))
    return words
