"""Limits of files: exactly at each limit and just over it, with the remedy."""

from __future__ import annotations

import pytest

from twelvelabs_core import Audio, Document, Image, InvalidInputError, Media, MediaLimit, Video
from twelvelabs_core._media.checks import check_bytes, check_duration, check_frame, format_duration, format_error

LIMIT = MediaLimit(frozenset(), 1_000_000, min_side=100, max_side=200, min_sec=4, max_sec=60)
NO_LIMIT = MediaLimit(frozenset(), 1_000_000)


# -- size ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 0, 1_000_000])
def test_a_file_up_to_the_inline_limit_is_accepted(size: int | None) -> None:
    check_bytes("x", "video", size, LIMIT)


def test_a_larger_file_is_refused_with_both_sizes() -> None:
    with pytest.raises(InvalidInputError, match=r"is 1\.1 MB; the API takes 1 MB of video here\. Make it sm") as caught:
        check_bytes("x", "video", 1_060_000, LIMIT)
    assert caught.value.item == "x"
    with pytest.raises(InvalidInputError):
        check_bytes("x", "video", 1_000_001, LIMIT)


def test_a_limit_for_uploads_replaces_the_inline_limit() -> None:
    limit = MediaLimit(frozenset(), 1, max_bytes=2_000_000)
    check_bytes("x", "video", 2_000_000, limit)
    with pytest.raises(InvalidInputError, match="takes 2 MB of video"):
        check_bytes("x", "video", 2_000_001, limit)


# -- frame ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(100, 200), (200, 100), (100, 100), (None, None), (0, 50), (50, None)])
def test_a_frame_within_the_limits_or_unknown_is_accepted(size: tuple[int | None, int | None]) -> None:
    check_frame("x", *size, LIMIT)


@pytest.mark.parametrize("size", [(99, 150), (150, 99)])
def test_a_small_frame_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(
        InvalidInputError, match=f"is {size[0]}x{size[1]} pixels.*100x100 or more. Enlarge it"
    ) as caught:
        check_frame("x", *size, LIMIT)
    assert caught.value.item == "x"


@pytest.mark.parametrize("size", [(201, 150), (150, 201)])
def test_a_large_frame_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInputError, match=r"sides of up to 200\. Make it smaller") as caught:
        check_frame("x", *size, LIMIT)
    assert caught.value.item == "x"


def test_a_frame_without_limits_is_accepted() -> None:
    check_frame("x", 1, 100_000, NO_LIMIT)


# -- duration ------------------------------------------------------------------------------------------------------


def check(media: Media, seconds: float | None, limit: MediaLimit = LIMIT) -> None:
    check_duration("x", media, seconds, limit, "one request")


@pytest.mark.parametrize("kind", [Audio, Video])
@pytest.mark.parametrize("seconds", [None, 4, 3.95, 60, 60.05])
def test_a_duration_within_the_limits_or_their_tolerance_is_accepted(
    kind: type[Audio] | type[Video], seconds: float | None
) -> None:
    check(kind("a"), seconds)


@pytest.mark.parametrize("kind", [Audio, Video])
def test_a_long_file_is_refused(kind: type[Audio] | type[Video]) -> None:
    with pytest.raises(InvalidInputError, match=r"is 60\.2 s long; one request takes 60 s.*plan_parts") as caught:
        check(kind("a"), 60.2)
    assert caught.value.item == "x"


def test_a_short_file_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"is 3\.8 s long; one request needs 4 s or more"):
        check(Video("a"), 3.8)


def test_files_without_limits_and_kinds_without_duration_are_accepted() -> None:
    check(Video("a"), 1e6, NO_LIMIT)
    check(Video("a"), 0.1, NO_LIMIT)
    check(Image("a"), 1e6)
    check(Document("a"), 1e6)


@pytest.mark.parametrize(("start", "end"), [(29.9, None), (None, 30), (None, 30.05), (0, 1), (10, 30)])
def test_a_range_inside_the_file_is_accepted(start: float | None, end: float | None) -> None:
    check(Audio("a", start_sec=start, end_sec=end), 30)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (30, None, "nothing is left after start_sec=30"),
        (31.5, None, "nothing is left after start_sec=31.5"),
        (None, 30.2, "end_sec=30.2 is after its end"),
        (1, 31, "end_sec=31 is after its end"),
    ],
)
def test_a_range_outside_the_file_is_refused(start: float | None, end: float | None, message: str) -> None:
    with pytest.raises(InvalidInputError, match=f"is 30 s long; {message}"):
        check(Video("a", start_sec=start, end_sec=end), 30)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (4, "4 s"),
        (4.56, "4.56 s"),
        (89.9, "89.9 s"),
        (90, "2 min"),
        (720, "12 min"),
        (89 * 60, "89 min"),
        (90 * 60, "1 h 30 min"),
        (3900, "65 min"),
        (14_400, "4 h 00 min"),
        (14_700, "4 h 05 min"),
    ],
)
def test_format_duration(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


# -- format --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "found", "formats", "message"),
    [
        ("audio", None, {"wav", "mp3"}, "is not a readable audio file; the API takes MP3, WAV here."),
        ("audio", "ogg", {"wav"}, "is OGG; the API takes WAV here. Convert it first."),
        ("video", None, set(), "is not a readable video file; the API takes any video file that FFmpeg reads here."),
        ("image", "mp4", {"png"}, "is MP4; the API takes PNG here. Use Video(...) for it."),
        ("video", "png", set(), "is PNG; the API takes any video file that FFmpeg reads here. Use Image(...) for it."),
        ("video", "mp3", set(), "is MP3; the API takes any video file that FFmpeg reads here. Use Audio(...) for it."),
        ("image", "pdf", {"png"}, "is PDF; the API takes PNG here."),
    ],
)
def test_format_error_names_the_formats_and_the_fitting_type(
    kind: str, found: str | None, formats: set[str], message: str
) -> None:
    error = format_error("x", kind, found, MediaLimit(frozenset(formats), 1))  # type: ignore[arg-type]
    assert (error.message, error.item) == (message, "x")
