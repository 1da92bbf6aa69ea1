"""Clips: copied, and what they hold."""

from __future__ import annotations

import io

import av
import pytest

from tests.support import media
from twelvelabs_core import Audio, Image, InvalidInputError, Video, audio_wav, clip, frames

from .test_audio import hertz
from .test_frames import color

VIDEO = media.mp4((("red", 4, 440), ("blue", 4, 880), ("lime", 4, 0)))


def test_a_clip_holds_its_range_from_the_key_frame_on() -> None:
    cut = clip(Video(VIDEO), 5, 7)
    assert 3.9 < cut.start_sec <= 5
    assert 7 <= cut.end_sec < 7.5
    assert cut.mime == "video/mp4"
    assert b"ftyp" in cut.data[:12]
    assert {color(frame) for frame in frames(Video(cut.data))} == {"blue"}
    assert hertz(audio_wav(Video(cut.data))) == pytest.approx(880, abs=3)


def test_its_audio_and_video_stay_together() -> None:
    """The tone changes where the colour does, at 4 s."""
    cut = clip(Video(VIDEO), 2, 6)
    change = 4 - cut.start_sec
    assert color(frames(Video(cut.data), change - 0.4, change - 0.3, n=1)[0]) == "red"
    assert color(frames(Video(cut.data), change + 0.3, change + 0.4, n=1)[0]) == "blue"
    assert hertz(audio_wav(Video(cut.data), change - 0.6, change - 0.1)) == pytest.approx(440, abs=3)
    assert hertz(audio_wav(Video(cut.data), change + 0.1, change + 0.6)) == pytest.approx(880, abs=3)


def test_nothing_is_encoded_again() -> None:
    cut = clip(Video(VIDEO), 0, 12)
    with av.open(io.BytesIO(VIDEO)) as before, av.open(io.BytesIO(cut.data)) as after:
        kept = [bytes(packet) for packet in before.demux(before.streams.video[0]) if packet.size]
        assert [bytes(packet) for packet in after.demux(after.streams.video[0]) if packet.size] == kept


def test_it_stays_turned() -> None:
    turned = media.turned(VIDEO)
    assert [(frame.width, frame.height) for frame in frames(Video(clip(Video(turned), 5, 7).data), n=1)] == [(360, 480)]


def test_a_format_without_an_index() -> None:
    cut = clip(Video(media.stream("mpegts", "mpeg2video")), 5.5, 7)
    assert 3 < cut.start_sec <= 5.5  # it seeks two seconds further back
    assert cut.end_sec >= 7


def test_another_format_where_mp4_does_not_hold_the_codec() -> None:
    cut = clip(Video(media.stream("webm", "libvpx", 2)), 1, 2)
    assert cut.mime == "video/webm"
    assert cut.data[:4] == b"\x1a\x45\xdf\xa3"
    with pytest.raises(InvalidInputError, match=r"neither MP4, WebM nor QuickTime holds ffv1 .*use frames\(\)"):
        clip(Video(media.stream("matroska", "ffv1", 1)))


def test_what_cannot_be_cut() -> None:
    with pytest.raises(InvalidInputError, match="has no video"):
        clip(Audio(media.wav()), 0, 1)
    with pytest.raises(InvalidInputError, match="is no video"):
        clip(Image(media.png()))
    with pytest.raises(InvalidInputError, match="no length"):
        clip(Video(VIDEO), 3, 3)
    with pytest.raises(InvalidInputError, match="the moment begins at 00:00:12"):
        clip(Video(VIDEO), 12.1, 14)
