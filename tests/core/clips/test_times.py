"""When frames are taken, how large they are, what a clip is written as: pure functions."""

from __future__ import annotations

import struct

import pytest

from tests.support import media
from twelvelabs_core import InvalidInputError
from twelvelabs_core._clips import times


def test_frames_are_taken_in_the_middles_of_equal_parts() -> None:
    assert times.frame_times(72, 78, 4) == [72.75, 74.25, 75.75, 77.25]
    assert times.frame_times(5, 5, 2) == [5, 5]


def test_candidates_lie_in_the_part_of_their_frame() -> None:
    assert times.candidate_times(0, 4, 2, "even") == [[1], [3]]
    first, second = times.candidate_times(0, 4, 2, "sharpest")
    assert len(first) == len(second) == times.CANDIDATES
    assert 0 < min(first) < max(first) < 2 < min(second) < max(second) < 4


@pytest.mark.parametrize(
    ("start", "end", "duration", "found"),
    [
        (None, None, 24.0, (0, 24)),
        (6, 12, 24.0, (6, 12)),
        (20, 30, 24.0, (20, 24)),  # past the end
        (6, 12, None, (6, 12)),  # of unknown length
        (0, 0, 24.0, (0, 0)),
    ],
)
def test_a_range_is_kept_inside_the_file(
    start: float | None, end: float | None, duration: float | None, found: tuple[float, float]
) -> None:
    assert times.range_within(start, end, duration, "a.mp4") == found


@pytest.mark.parametrize(
    ("start", "end", "duration", "least", "message"),
    [
        (30, 36, 24.0, 0, "a.mp4: is 00:00:24 long, and the moment begins at 00:00:30. .*embed it again"),
        (24, 30, 24.0, 0, "begins at 00:00:24"),
        (9, 3, 24.0, 0, "end_sec=3 is before start_sec=9"),
        (3, 3, 24.0, 0.001, "has no length"),
        (3, None, None, 0, "how long it is; give end_sec="),
    ],
)
def test_a_range_that_cannot_be_is_refused(
    start: float, end: float | None, duration: float | None, least: float, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        times.range_within(start, end, duration, "a.mp4", least=least)


@pytest.mark.parametrize(
    ("position", "wanted", "seeks"), [(None, 0, True), (5, 6, False), (5, 5, False), (5, 4.9, True), (5, 60, True)]
)
def test_it_decodes_on_where_that_is_cheaper_than_to_seek(position: float | None, wanted: float, seeks: bool) -> None:
    assert times.needs_seek(position, wanted) is seeks


def test_it_seeks_further_back_until_there_is_a_key_frame() -> None:
    assert times.seek_targets(100) == [100, 98, 90, 40, 0]
    assert times.seek_targets(1) == [1, 0]


def test_the_best_of_some_frames() -> None:
    assert times.best_lit([2, 250, 100, 180]) == 2
    assert times.sharpest([1, 9, 9, 3]) == 1


@pytest.mark.parametrize(
    ("size", "longest", "aspect", "found"),
    [
        ((1920, 1080), 768, 1, (768, 432)),
        ((1080, 1920), 768, 1, (432, 768)),
        ((320, 240), 768, 1, (320, 240)),  # not enlarged
        ((720, 576), 2000, 64 / 45, (1024, 576)),  # a DVD, shown wide
        ((720, 480), 2000, 8 / 9, (720, 540)),
        ((4000, 1), 16, 1, (16, 1)),
    ],
)
def test_a_frame_is_fitted(size: tuple[int, int], longest: int, aspect: float, found: tuple[int, int]) -> None:
    assert times.fitted(*size, longest, aspect) == found


@pytest.mark.parametrize(
    ("matrix", "operation"),
    [
        (None, None),
        (b"short", None),
        (struct.pack("=9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), None),
        (struct.pack("=9i", *media.CLOCKWISE), "ROTATE_270"),
        (struct.pack("=9i", *media.COUNTERCLOCKWISE), "ROTATE_90"),
        (struct.pack("=9i", *media.UPSIDE_DOWN), "ROTATE_180"),
        (struct.pack("=9i", -1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), "FLIP_LEFT_RIGHT"),
    ],
)
def test_how_a_frame_is_turned(matrix: bytes | None, operation: str | None) -> None:
    assert times.upright_by(matrix) == operation


@pytest.mark.parametrize(
    ("codecs", "found"),
    [
        (["h264", "aac"], "mp4"),
        (["vp9", "opus"], "mp4"),
        (["vp8", "vorbis"], "webm"),
        (["h264", "pcm_s16le"], "mov"),
        (["theora", "vorbis"], None),
        (["264"], None),
    ],
)
def test_the_format_of_a_clip(codecs: list[str], found: str | None) -> None:
    container = times.container_for(codecs)
    assert (container and container[0]) == found


@pytest.mark.parametrize("value", ["3", -1, True, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match="start_sec="):
        times.checked_seconds(value, "start_sec")


@pytest.mark.parametrize("value", [0, -1, 1.5, "4", True])
def test_a_number_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match="n="):
        times.checked_count(value, "n")
