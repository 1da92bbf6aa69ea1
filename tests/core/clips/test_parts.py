"""One hit as the parts of a message."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from tests.support import media
from twelvelabs_core import InvalidInputError, Video, frames
from twelvelabs_core.adapter import MomentPart, MomentParts

VIDEO = media.mp4((("red", 4, 440), ("blue", 4, 880), ("lime", 4, 0)))


@pytest.fixture
def hit(tmp_path: Path) -> dict[str, Any]:
    """The metadata of a segment of a video."""
    (tmp_path / "beach.mp4").write_bytes(VIDEO)
    about = {"source": str(tmp_path / "beach.mp4"), "file_name": "beach.mp4", "media_type": "video"}
    return {**about, "start_sec": 4.0, "end_sec": 8.0, "duration_sec": 12.0, "embedding_option": "visual"}


def kinds(parts: list[MomentPart]) -> list[str]:
    return [part.kind for part in parts]


def test_a_segment_of_a_video(hit: dict[str, Any]) -> None:
    text, *rest = MomentParts(frames=2, clip=True).of(hit, "beach.mp4 00:00:04-00:00:08 visual")
    assert text == MomentPart(
        "text",
        "beach.mp4 00:00:04-00:00:08 visual (frames at 00:00:05, 00:00:07; audio 00:00:04-00:00:08; "
        "clip 00:00:04-00:00:08)",
    )
    assert kinds(rest) == ["image", "image", "audio", "video"]
    assert [part.mime for part in rest] == ["image/jpeg", "image/jpeg", "audio/wav", "video/mp4"]
    assert len(rest[2].data) == 44 + 4 * 32_000
    assert len(frames(Video(rest[3].data), n=1)) == 1


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, ["text", *["image"] * 4, "audio"]),
        ({"frames": 0}, ["text", "audio"]),
        ({"audio": False}, ["text", *["image"] * 4]),
        ({"frames": 0, "audio": False}, ["text"]),
        ({"frames": 0, "audio": False, "clip": True}, ["text", "video"]),
    ],
)
def test_what_is_asked_for(hit: dict[str, Any], settings: dict[str, Any], found: list[str]) -> None:
    assert kinds(MomentParts(**settings).of(hit, "beach.mp4")) == found


def test_a_long_range_has_frames_alone_and_says_so(hit: dict[str, Any]) -> None:
    whole = {**hit, "start_sec": 0.0, "end_sec": 12.0, "embedding_scope": "asset"}
    text, *rest = MomentParts(max_sec=10, clip=True).of(whole, "beach.mp4 whole")
    assert text.text.endswith("; audio and clip left out: longer than 00:00:10)")
    assert kinds(rest) == ["image"] * 4


def test_a_video_without_audio_and_an_audio_file(hit: dict[str, Any], tmp_path: Path) -> None:
    silent = media.mp4((("red", 8, 0),), audio=False)
    assert kinds(MomentParts(media=silent).of(hit, "a")) == ["text", *["image"] * 4]
    (tmp_path / "hum.wav").write_bytes(media.wav(440, 8))
    audio = {**hit, "source": str(tmp_path / "hum.wav"), "media_type": "audio"}
    assert kinds(MomentParts(clip=True).of(audio, "hum.wav")) == ["text", "audio"]


def test_an_image_is_itself_sized(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(media.png("red", (900, 600)))
    hit = {"source": str(tmp_path / "a.png"), "media_type": "image"}
    text, image = MomentParts(longest=300).of(hit, "a.png")
    assert text == MomentPart("text", "a.png")
    assert PIL.Image.open(io.BytesIO(image.data)).size == (300, 200)


@pytest.mark.parametrize("metadata", [{}, {"media_type": "document", "source": "a.pdf"}, {"media_type": "text"}])
def test_of_a_text_its_text(metadata: dict[str, Any]) -> None:
    assert MomentParts().of(metadata, "A red bike.") == [MomentPart("text", "A red bike.")]


def test_the_file_may_be_elsewhere(hit: dict[str, Any], tmp_path: Path) -> None:
    moved = tmp_path / "moved.mp4"
    Path(hit["source"]).rename(moved)
    with pytest.raises(InvalidInputError, match=r"beach\.mp4'?: no such file.* If it has moved, .* media=path"):
        MomentParts().of(hit, "beach.mp4")
    asked = []

    def find(source: str) -> Path:
        asked.append(source)
        return moved

    for place in (moved, str(moved), Video(moved), VIDEO, find):
        assert kinds(MomentParts(media=place, frames=1, audio=False).of(hit, "beach.mp4")) == ["text", "image"]
    assert asked == [hit["source"]]


def test_an_address_is_fetched_if_the_caller_says_so(hit: dict[str, Any]) -> None:
    url = "https://example.com/beach.mp4"
    with pytest.raises(InvalidInputError, match=r"https://example.com/beach.mp4: .*media=lambda source: source"):
        MomentParts().of({**hit, "source": url}, "beach.mp4")
    assert MomentParts(media=lambda source: VIDEO, frames=1, audio=False).of({**hit, "source": url}, "beach.mp4")


def test_the_content_of_an_asset_is_elsewhere(hit: dict[str, Any]) -> None:
    for kind in ("video", "image"):
        with pytest.raises(InvalidInputError, match="is an asset, whose content the API does not return; pass media="):
            MomentParts().of({**hit, "source": "asset://6750f0c2a1b2c3d4e5f60718", "media_type": kind}, "beach.mp4")


def test_media_that_was_embedded_from_bytes_has_no_source(hit: dict[str, Any]) -> None:
    del hit["source"]
    with pytest.raises(InvalidInputError, match=r"names no file .*Pass media="):
        MomentParts().of(hit, "video")
    assert MomentParts(media=VIDEO).of(hit, "video")


def test_a_moment_past_the_end_is_refused(hit: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="the moment begins at 00:00:20"):
        MomentParts().of({**hit, "start_sec": 20, "end_sec": 24}, "beach.mp4")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frame": 4}, r"frame= is no setting of moment_blocks\(\); there are media, frames"),
        ({"frames": -1}, "frames="),
        ({"longest": 0}, "longest="),
        ({"choose": "best"}, "choose="),
        ({"max_sec": -1}, "max_sec="),
        ({"max_sec": None}, "max_sec="),
        ({"audio": "no"}, "audio='no' must be True or False"),
    ],
)
def test_wrong_settings(settings: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        MomentParts.checked(settings)
