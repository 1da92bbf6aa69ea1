"""Which spans of audio and video become clips, and texts that become chunks."""

from __future__ import annotations

import numpy as np
import pytest

from twelvelabs_emulator import Settings
from twelvelabs_emulator.features.document_parts import chunks
from twelvelabs_emulator.features.media.decoding import SAMPLE_RATE, Audio, Video
from twelvelabs_emulator.features.requests import Note, TimeRequest
from twelvelabs_emulator.features.segments import audio_clips, embed_video, fixed_clips, shots
from twelvelabs_emulator.features.truncation import fit_text, truncate
from twelvelabs_emulator.features.vectors import embed_text, fuse, response_vector, uncertainty
from twelvelabs_emulator.protocol.errors import ApiError
from twelvelabs_emulator.protocol.models import MODELS
from twelvelabs_emulator.protocol.settings import count_words

M35 = MODELS["marengo3.5"]


@pytest.mark.parametrize(
    ("arguments", "clips"),
    [
        ((0, 12, 6), [(0, 6), (6, 12)]),
        ((0, 12.05, 6), [(0, 6), (6, 12.05)]),
        ((1, 14, 6), [(1, 7), (7, 13), (13, 14)]),
        ((0, 13, 6, 2), [(0, 6), (6, 12)]),
        ((0, 1, 6, 2), [(0, 1)]),
    ],
)
def test_fixed_clips(arguments: tuple[float, ...], clips: list[tuple[float, float]]) -> None:
    assert fixed_clips(*arguments) == clips


def test_shots() -> None:
    times = [0, 1, 2, 3, 4, 5]
    cuts = [False, True, False, True, True, False]
    assert shots(times, cuts, 0, 6, 2) == [(0, 3), (3, 6)]
    assert shots(times, cuts, 0, 6, 1) == [(0, 1), (1, 3), (3, 4), (4, 6)]


def test_audio_clips() -> None:
    hz = np.repeat([220.0, 880.0], [4 * SAMPLE_RATE, 3 * SAMPLE_RATE])
    samples = 0.5 * np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE)
    audio = Audio((samples * 32767).astype(np.int16))
    assert audio_clips(audio, 0, 7, 2) == [(0, 4), (4, 7)]


def test_notes_overlap_spans() -> None:
    assert Note(1, 2, "a").overlaps(0, 6) and Note(6, 8, "a").overlaps(6, 12)
    assert not Note(0, 6, "a").overlaps(6, 12) and not Note(12, 13, "a").overlaps(6, 12)
    assert Note(6, 6, "a").overlaps(6, 12) and not Note(6, 6, "a").overlaps(0, 6)


def test_spans() -> None:
    assert TimeRequest(("audio",), start=1).span(10) == (1, 10)
    assert TimeRequest(("audio",), end=10.05).span(10) == (0, 10)
    for request in (TimeRequest(("audio",), start=10), TimeRequest(("audio",), end=11)):
        with pytest.raises(ApiError):
            request.span(10)


def test_frames_of_a_span() -> None:
    video = Video(2.0, [0.0, 0.5, 1.0, 1.5], [np.zeros((64, 64, 3), np.uint8)] * 4, None)
    assert video.between(0, 1) == slice(0, 2)
    assert video.between(0.6, 0.7) == slice(1, 2), "the frame before is still shown"


def test_video_without_audio() -> None:
    video = Video(2.0, [0.0, 1.0], [np.zeros((64, 64, 3), np.uint8)] * 2, None)
    request = TimeRequest(("visual", "audio"), scopes=("asset",))
    options = [item.option for item in embed_video(video, request, (0, 2), M35, Settings())]
    assert options == ["visual"]
    silent = embed_video(video, request, (0, 2), M35, Settings(soundless_video="embed"))
    assert [item.option for item in silent] == ["visual", "audio"]


def test_chunks() -> None:
    text = "One. Two! Three? Four. Five."
    assert chunks(text, 2, 0) == ["One. Two!", "Three? Four.", "Five."]
    assert chunks(text, 2, 1) == ["One. Two!", "Two! Three?", "Three? Four.", "Four. Five."]
    assert chunks(text, 9, 3) == [text]


def test_truncate() -> None:
    assert truncate("a b c", 2, count_words) == "a b"
    assert truncate("a b c", 2, count_words, "start") == "b c"
    assert truncate("abc", 2, len) == "ab", "one long word is truncated by characters"
    assert truncate("a b", 5, count_words) == "a b"


def test_fit_text() -> None:
    long = "word " * 2001
    fitted = fit_text(long, "text", M35, Settings(), "end")
    assert (fitted.tokens, fitted.truncated) == (2000, True)
    assert not fit_text("a", "text", M35, Settings(), "refuse").truncated
    with pytest.raises(ApiError, match="2000; it is 2001"):
        fit_text(long, "text", M35, Settings(), "refuse")
    with pytest.raises(ApiError, match="empty"):
        fit_text(" ", "text", M35, Settings(), "end")
    assert fit_text(" ", "text", M35, Settings(blank_text="embed"), "end").text == " "


def test_vectors() -> None:
    vector = embed_text("a red image", M35)
    assert vector.shape == (512,) and np.linalg.norm(vector) == pytest.approx(1)
    assert np.linalg.norm(fuse([vector, embed_text("a tone", M35)])) == pytest.approx(1)
    assert np.isfinite(fuse([vector, -vector])).all()
    short = response_vector(vector, Settings(), 128)
    assert len(short) == 128 and np.linalg.norm(short) == pytest.approx(1, abs=1e-6)
    assert response_vector(vector, Settings(normalize_prefix=False), 128) == response_vector(vector, Settings())[:128]
    assert len(uncertainty(vector, 128)) == 128 and min(uncertainty(vector)) > 0
