"""Duration and frame size of files: with PyAV, and without it for WAV."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support import media
from twelvelabs_core._media.probe import Probe, probe


@pytest.fixture
def no_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)


@pytest.mark.parametrize("from_path", [False, True])
def test_a_video_has_duration_and_frame(from_path: bool, tmp_path: Path) -> None:
    content = media.mp4([("red", 3, 220)], size=(480, 368))
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    found = probe(path if from_path else content, is_wav=False)
    assert (found.width, found.height, found.has_video) == (480, 368, True)
    assert found.duration_sec == pytest.approx(3, abs=0.2)


def test_audio_has_a_duration_and_no_frame() -> None:
    assert probe(media.wav(440, 2), is_wav=True) == Probe(2.0)
    assert probe(media.flac(440, 2), is_wav=False) == Probe(2.0)


@pytest.mark.parametrize("content", [b"plain words", b"RIFF\x00\x00\x00\x00WAVEfmt "])
def test_an_unreadable_file_is_unknown(content: bytes) -> None:
    assert probe(content, is_wav=True) == Probe()


def test_a_missing_file_is_unknown(tmp_path: Path) -> None:
    assert probe(tmp_path / "none.wav", is_wav=True) == Probe()


@pytest.mark.usefixtures("no_pyav")
@pytest.mark.parametrize("from_path", [False, True])
def test_without_pyav_a_wav_has_a_duration(from_path: bool, tmp_path: Path) -> None:
    content = media.wav(440, 1.5)
    (tmp_path / "a.wav").write_bytes(content)
    assert probe(tmp_path / "a.wav" if from_path else content, is_wav=True) == Probe(1.5)


@pytest.mark.usefixtures("no_pyav")
def test_without_pyav_other_files_are_unknown() -> None:
    assert probe(media.flac(), is_wav=False) == Probe()
    assert probe(media.wav(), is_wav=False) == Probe()
    assert probe(b"RIFF\x00\x00\x00\x00WAVEfmt ", is_wav=True) == Probe()
