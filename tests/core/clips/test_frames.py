"""Frames of videos, and images: which, how large, which way up."""

from __future__ import annotations

import io
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import PIL.Image
import pytest

from tests.support import media
from twelvelabs_core import (
    Audio,
    Document,
    Frame,
    Image,
    InvalidInputError,
    Video,
    frames,
    merge_moments,
)
from twelvelabs_core._clips import container
from twelvelabs_core._media.file import MediaFile

VIDEO = media.mp4((("red", 4, 440), ("blue", 4, 880), ("lime", 4, 0)))


def opened(frame: Frame) -> PIL.Image.Image:
    found = PIL.Image.open(io.BytesIO(frame.data))
    assert found.size == (frame.width, frame.height)
    return found.convert("RGB")


def color(frame: Frame, at: tuple[float, float] = (0.5, 0.5)) -> str:
    pixel: Any = opened(frame).getpixel((round(at[0] * (frame.width - 1)), round(at[1] * (frame.height - 1))))
    return ("red", "lime", "blue")[max(range(3), key=lambda channel: pixel[channel])]


def test_frames_show_what_is_shown_at_their_time() -> None:
    found = frames(Video(VIDEO), 3, 9, n=4)
    assert [(frame.at_sec, color(frame)) for frame in found] == [
        (3.75, "red"),
        (5.25, "blue"),
        (6.75, "blue"),
        (8.25, "lime"),
    ]
    assert {(frame.mime, opened(frame).size) for frame in found} == {("image/jpeg", (480, 360))}


def test_a_path_and_the_range_of_the_media(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(VIDEO)
    assert [color(frame) for frame in frames(path, n=3)] == ["red", "blue", "lime"]
    assert [color(frame) for frame in frames(Video(path, start_sec=4, end_sec=8), n=3)] == ["blue"] * 3


def test_a_moment_has_its_file_and_range(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(VIDEO)
    metadata = {"source": str(tmp_path / "a.mp4"), "media_type": "video", "start_sec": 8.5, "end_sec": 12}
    [moment] = merge_moments([("hit", metadata, 0.9)])
    assert [color(frame) for frame in frames(moment, n=2)] == ["lime", "lime"]
    assert [color(frame) for frame in frames(moment, 0, 2, n=1)] == ["red"]


def test_it_is_sized_and_not_enlarged() -> None:
    assert opened(frames(Video(VIDEO), n=1, longest=100)[0]).size == (100, 75)


def test_a_range_with_fewer_frames_gives_fewer() -> None:
    assert len(frames(Video(VIDEO), 2, 2.25, n=16)) <= 3  # 8 frames a second
    assert len(frames(Video(VIDEO), 2, 2)) == 1


def test_the_end_of_the_range_may_be_past_that_of_the_file() -> None:
    assert [frame.at_sec for frame in frames(Video(VIDEO), 10, 100, n=2)] == [10.5, 11.5]
    with pytest.raises(InvalidInputError, match=r"is 00:00:12 long, and the moment begins at 00:00:13"):
        frames(Video(VIDEO), 13, 15)


def split() -> bytes:
    """A video with red on its left and blue on its right."""
    import av

    out = io.BytesIO()
    from_image: Any = av.VideoFrame.from_image
    with av.open(out, "w", format="mp4") as target:
        stream: Any = target.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 480, 360, "yuv420p"
        for number in range(8):
            frame = from_image(media.image("red", (480, 360), pattern="split", second="blue"))
            frame.pts, frame.time_base = number, Fraction(1, 8)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize(
    ("matrix", "size", "red", "blue"),
    [
        (media.CLOCKWISE, (360, 480), (0.5, 0.1), (0.5, 0.9)),
        (media.COUNTERCLOCKWISE, (360, 480), (0.5, 0.9), (0.5, 0.1)),
        (media.UPSIDE_DOWN, (480, 360), (0.9, 0.5), (0.1, 0.5)),
    ],
)
def test_a_turned_video_is_shown_upright(
    matrix: tuple[int, ...], size: tuple[int, int], red: tuple[float, float], blue: tuple[float, float]
) -> None:
    [frame] = frames(Video(media.turned(split(), matrix)), n=1)
    assert opened(frame).size == size
    assert (color(frame, red), color(frame, blue)) == ("red", "blue")


def test_pixels_that_are_not_square() -> None:
    [frame] = frames(Video(media.stream("matroska", "mpeg4", 1, aspect=Fraction(4, 3))), n=1)
    assert (frame.width, frame.height) == (213, 120)


@pytest.mark.parametrize("container_format", ["mpegts", "matroska", "avi", "mp4"])
def test_a_format_without_an_index(container_format: str) -> None:
    """MPEG-TS begins at 1.4 s and seeks to about where it should."""
    found = frames(Video(media.stream(container_format, "mpeg2video")), 3, 7)
    assert [frame.at_sec for frame in found] == pytest.approx([3.5, 4.5, 5.5, 6.5], abs=0.1)
    shades = [opened(frame).getpixel((80, 60)) for frame in found]
    assert [shade[0] for shade in shades] == pytest.approx([88, 113, 138, 163], abs=6)  # type: ignore[index]


def brightness(frame: Frame) -> int:
    pixel: Any = opened(frame).convert("L").getpixel((80, 60))
    return int(pixel)


def test_the_best_lit_frame() -> None:
    found = frames(Video(media.stream("mp4", "mpeg4", 8)), n=1, choose="best-lit")
    assert 100 <= brightness(found[0]) <= 150  # it runs from black to 200
    assert brightness(frames(Video(media.stream("mp4", "mpeg4", 2)), n=1, choose="best-lit")[0]) > 40  # of 0 to 50


def test_the_sharpest_frame() -> None:
    """A plain scene, then one with a bar that crosses it."""
    plain = frames(Video(VIDEO), n=1, choose="sharpest")
    assert len(plain) == 1
    mixed = media.mp4((("gray", 5, 0),), moving=True)
    [frame] = frames(Video(mixed), n=1, choose="sharpest")
    lightest: Any = opened(frame).convert("L").getextrema()[1]
    assert lightest > 230  # the white bar is in it


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        Counting.count += len(found)
        return found


def test_a_long_video_is_not_read_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    content = media.mp4((("red", 60, 440), ("blue", 4, 440)), size=(160, 120), fps=4, moving=True)

    def counting(file: MediaFile) -> BinaryIO:
        return Counting(file.data or b"")

    monkeypatch.setattr(container, "content_of", counting)
    Counting.count = 0
    assert [color(frame, (0.02, 0.5)) for frame in frames(Video(content), 61, 62, n=2)]
    assert 0 < Counting.count < len(content) / 3


# -- what cannot be read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [VIDEO[: len(VIDEO) // 2], b"no video at all" * 50], ids=["cut", "text"])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "torn.mp4"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"torn\.mp4'?: cannot be read as video: .*damaged"):
        frames(path)


def test_a_video_that_ends_before_it_says() -> None:
    """The index stands first, as it does for streaming, and the rest is missing."""
    whole = media.stream("matroska", "mpeg4", 8)
    with pytest.raises(InvalidInputError, match=r"no frame at .* the rest is missing|cannot be read"):
        frames(Video(whole[: len(whole) // 2]), 6, 8)


@pytest.mark.parametrize(
    "text",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{}'\n"],
    ids=["hls", "concat"],
)
def test_a_file_that_names_other_files_is_not_followed(text: str, tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(VIDEO)
    path = tmp_path / "list.mp4"
    path.write_text(text.format(tmp_path / "secret.mp4"))
    with pytest.raises(InvalidInputError, match="cannot be read as video"):
        frames(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Audio(media.wav()), "has no video; its audio"),
        (Document(media.pdf()), "is a document"),
        ("no-such.mp4", "no such file"),
        ("s3://bucket/a.mp4", "no such file|cannot|not"),
        ("https://youtube.com/watch.mp4", "direct link"),
    ],
)
def test_what_has_no_frames(given: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        frames(given)


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"n": 2.5}, {"longest": 1}, {"choose": "random"}, {"start_sec": -1}, {"end_sec": "9"}]
)
def test_wrong_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=f"{next(iter(wrong))}="):
        frames(Video(VIDEO), **wrong)


def test_pyav_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InvalidInputError, match=r"need PyAV: pip install 'twelvelabs-embeddings\[media\]'"):
        frames(Video(VIDEO))


def test_pillow_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    for given in (Image(media.png()), Video(VIDEO)):
        with pytest.raises(InvalidInputError, match="need Pillow"):
            frames(given)


def test_a_frame_of_any_size_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "LARGEST_FRAME", 100_000)
    with pytest.raises(InvalidInputError, match="cannot be read as video"):
        frames(Video(VIDEO), n=1)  # 480 x 360


def test_an_address_out_of_a_store_is_not_fetched() -> None:
    metadata = {"source": "http://10.0.0.1/a.mp4", "media_type": "video", "start_sec": 0, "end_sec": 6}
    [moment] = merge_moments([("hit", metadata, 0.9)])
    with pytest.raises(InvalidInputError, match=r"http://10\.0\.0\.1/a\.mp4: .* not fetched unless you say so"):
        frames(moment)


# -- images ------------------------------------------------------------------------------------------------------------


def test_an_image_that_fits_is_passed_on_as_it_is() -> None:
    for content, mime in ((media.jpeg(), "image/jpeg"), (media.png(), "image/png")):
        [frame] = frames(Image(content))
        assert (frame.data, frame.mime, frame.at_sec) == (content, mime, None)


@pytest.mark.parametrize("made", [media.jpeg, media.png, media.webp, media.gif])
def test_an_image_is_sized(made: Any) -> None:
    [frame] = frames(Image(made("blue", (2000, 1000))), longest=400)
    assert (opened(frame).size, frame.mime, color(frame)) == ((400, 200), "image/jpeg", "blue")


def test_a_turned_image_is_upright() -> None:
    drawn = media.image("red", (200, 100), pattern="split", second="blue")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    out = io.BytesIO()
    drawn.save(out, "JPEG", exif=exif)
    [frame] = frames(Image(out.getvalue()))
    assert (frame.width, frame.height) == (100, 200)
    assert (color(frame, (0.5, 0.1)), color(frame, (0.5, 0.9))) == ("red", "blue")


def test_a_transparent_image_lies_on_white() -> None:
    [frame] = frames(Image(PIL.Image.new("RGBA", (64, 64), (255, 0, 0, 0))))
    assert opened(frame).getpixel((32, 32)) == (255, 255, 255)


def test_a_damaged_image_is_named() -> None:
    with pytest.raises(InvalidInputError, match="bytes: cannot be read as image"):
        frames(Image(media.png("red", (900, 900))[:200]))
