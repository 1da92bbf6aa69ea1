"""Texts, images, audio and video as words."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from twelvelabs_emulator.features.words.audio import audio_words, loudness, pitch, speech_words
from twelvelabs_emulator.features.words.image import color_histogram, image_words
from twelvelabs_emulator.features.words.text import text_words
from twelvelabs_emulator.features.words.video import scene_cuts, video_words
from twelvelabs_emulator.features.words.weights import Words, add_weight, mean_words, ramp


def tone(hz: float, seconds: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(16_000 * seconds)) / 16_000)


def strongest(words: Words, *among: str) -> str:
    return max(among, key=lambda word: words.get(word, 0.0))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("photos", "image"),
        ("a picture", "image"),
        ("the SOUND", "audio"),
        ("films", "video"),
        ("crimson", "red"),
        ("berries", "berry"),
        ("bus", "bus"),
    ],
)
def test_synonyms_and_plurals(text: str, word: str) -> None:
    assert word in text_words(text)


def test_kinds_of_media_weigh_little() -> None:
    words = text_words("a red image")
    assert words["red"] == 1 and words["image"] < 0.5 and "a" not in words


@pytest.mark.parametrize("text", ["the", "…", "🎉", "   "])
def test_a_text_without_words_has_some(text: str) -> None:
    assert any(word.startswith("~raw:") for word in text_words(text))


def test_weights() -> None:
    assert (ramp(1, 2, 4), ramp(3, 2, 4), ramp(5, 2, 4), ramp(3, 4, 2)) == (0, 0.5, 1, 0.5)
    words: Words = {}
    add_weight(words, "a", 0.001)
    add_weight(words, "b", 0.2)
    assert words == {"b": 0.2}
    assert mean_words([{"a": 1.0}, {"b": 1.0}]) == {"a": 0.5, "b": 0.5}
    assert mean_words([]) == {}


def test_images() -> None:
    words = image_words(Image.new("RGB", (100, 80), "red"))
    assert strongest(words, "red", "blue", "green") == "red"
    assert strongest(words, "plain", "stripe", "checked", "busy") == "plain"
    clear = Image.new("RGBA", (100, 80), (0, 0, 0, 0))
    assert strongest(image_words(clear), "white", "black") == "white"


def test_histograms_are_shares() -> None:
    histogram = color_histogram(np.random.default_rng(0).random((16, 16, 3)))
    assert histogram.shape == (13,) and histogram.sum() == pytest.approx(1)


def test_audio() -> None:
    low, high = tone(110, 2), tone(1760, 2)
    assert strongest(audio_words(low), "low", "middle", "high") == "low"
    assert strongest(audio_words(high), "low", "middle", "high") == "high"
    assert audio_words(np.zeros(16_000))["silent"] == 1
    assert audio_words(np.zeros(0))["silent"] == 1
    assert speech_words(low)["speech"] == 1


def test_loudness_and_pitch() -> None:
    assert loudness(np.zeros(100)) == -120
    assert loudness(np.ones(100)) == pytest.approx(0, abs=1e-6)
    assert pitch(tone(440, 1)) == pytest.approx(69, abs=0.5)


def test_video() -> None:
    red, blue = (np.full((64, 64, 3), color, dtype=np.uint8) for color in ((255, 0, 0), (0, 0, 255)))
    frames = [red, red, blue, blue]
    cuts = scene_cuts(frames)
    assert cuts == [False, False, True, False]
    words = video_words(frames, cuts)
    assert strongest(words, "still", "moving") == "still", "a cut is not motion"
    assert words["red"] == pytest.approx(words["blue"], abs=0.01)
    assert strongest(video_words([red, red // 2, red], [False] * 3), "still", "moving") == "moving"
    assert scene_cuts([red]) == [False]
