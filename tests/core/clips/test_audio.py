"""The audio of a moment: its length, pitch and format."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
import pytest

from tests.support import media
from twelvelabs_core import Audio, Image, InvalidInputError, Video, audio_wav
from twelvelabs_core._clips import audio

VIDEO = media.mp4((("red", 4, 440), ("blue", 4, 880), ("lime", 4, 0)))


def samples(content: bytes) -> tuple[int, int, np.ndarray]:
    with wave.open(io.BytesIO(content)) as file:
        assert file.getsampwidth() == 2
        return file.getframerate(), file.getnchannels(), np.frombuffer(file.readframes(file.getnframes()), "<i2")


def hertz(content: bytes) -> float:
    rate, channels, found = samples(content)
    spectrum = np.abs(np.fft.rfft(found[::channels]))
    return float(np.argmax(spectrum) * rate / len(found[::channels]))


@pytest.mark.parametrize(("start", "pitch"), [(1, 440), (5, 880)])
def test_it_is_that_of_the_range(start: float, pitch: float) -> None:
    found = audio_wav(Video(VIDEO), start, start + 2)
    rate, channels, content = samples(found)
    assert (rate, channels, len(content)) == (16_000, 1, 32_000)
    assert hertz(found) == pytest.approx(pitch, abs=2)


def test_it_begins_at_the_sample() -> None:
    """Silence from 8 s on: a tone of half a second before it."""
    _, _, content = samples(audio_wav(Video(VIDEO), 7.5, 8.5))
    loud = np.abs(content) > 4000
    assert np.flatnonzero(loud)[-1] / 16_000 == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("made", [media.wav, media.mp3, media.flac, media.ogg])
def test_an_audio_file(made: Any) -> None:
    found = audio_wav(Audio(made(880, 3)), 1, 2, rate=None)
    rate, _, content = samples(found)
    assert rate in (44_100, 48_000)
    assert len(content) == rate
    assert hertz(found) == pytest.approx(880, abs=2)


def test_two_channels() -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.stack([media.tone(440, 1)[:16_000], np.zeros(16_000, np.int16)], axis=-1).tobytes())
    _, channels, both = samples(audio_wav(Audio(buffer.getvalue()), mono=False))
    assert channels == 2
    assert np.abs(both[::2]).max() > 10_000 > 10 > np.abs(both[1::2]).max()
    assert samples(audio_wav(Audio(buffer.getvalue())))[1] == 1


def test_the_end_of_the_range_may_be_past_that_of_the_file() -> None:
    assert len(samples(audio_wav(Audio(media.wav(440, 2)), 1.5, 60))[2]) == 8_000
    assert len(samples(audio_wav(Audio(media.wav(440, 2))))[2]) == 32_000
    with pytest.raises(InvalidInputError, match="the moment begins at"):
        audio_wav(Audio(media.wav(440, 2)), 3, 4)


def test_a_file_without_audio() -> None:
    with pytest.raises(InvalidInputError, match="has no audio in this range"):
        audio_wav(Video(media.mp4(audio=False)))
    with pytest.raises(InvalidInputError, match="has no audio"):
        audio_wav(Image(media.png()))


@pytest.mark.parametrize(("wrong", "message"), [({"rate": 10}, "rate="), ({"start_sec": 1, "end_sec": 1}, "no length")])
def test_wrong_arguments(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        audio_wav(Audio(media.wav()), **wrong)


def test_a_range_that_no_wav_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "LARGEST_WAV", 40_000)
    with pytest.raises(InvalidInputError, match=r"does not hold 00:00:02; give an end_sec="):
        audio_wav(Audio(media.wav(440, 2)))
    assert audio_wav(Audio(media.wav(440, 2)), 0, 1)


def test_a_damaged_file_is_named() -> None:
    with pytest.raises(InvalidInputError, match="200 bytes: cannot be read as audio"):
        audio_wav(Audio(media.flac()[:200]))
