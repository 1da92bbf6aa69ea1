"""Damaged files of any kind: frames, audio, a clip, or one of this package's errors."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import media
from tests.support.fuzz import Mutator, ours_alone
from tests.support.odd_items import PNG, WAV
from twelvelabs_core import Audio, Image, Media, Video, audio_wav, clip, frames

FILES: list[Media] = [
    Video(media.mp4((("red", 2, 440),), size=(64, 64), fps=4)),
    Video(media.stream("mpegts", "mpeg2video", 1)),
    Video(media.stream("matroska", "mpeg4", 1)),
    Audio(media.mp3(440, 1)),
    Audio(WAV),
    Image(PNG),
]


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from(FILES), st.sampled_from([(None, None), (0.5, 1.5), (1, 1e9)]))
@pytest.mark.filterwarnings("ignore::Warning")  # of Pillow, about images that it repairs
def test_damaged_files(seed: int, file: Media, part: tuple[float | None, float | None]) -> None:
    assert isinstance(file.source, bytes)
    damaged = type(file)(Mutator(seed).damaged(file.source))
    with ours_alone():
        assert all(frame.data for frame in frames(damaged, *part, n=2))
    with ours_alone():
        assert audio_wav(damaged, *part)
    with ours_alone():
        assert clip(damaged, *part).data
