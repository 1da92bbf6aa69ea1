"""Several vectors as one: by option, by scene, all, and by a function."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvelabs_core import Embedding, InvalidInputError, Segment, UnexpectedError, normalize, pool

X, Y = [1.0, 0.0], [0.0, 1.0]
DIAGONAL = [math.sqrt(0.5), math.sqrt(0.5)]


def clip(vector: list[float], start: float, end: float, option: str = "visual", scope: str = "clip") -> Segment:
    return Segment(vector, start, end, option, scope)


def test_by_option_a_video_has_one_vector_for_each() -> None:
    found = pool([clip(X, 0, 6), clip(X, 0, 6, "audio"), clip(Y, 6, 12), clip(Y, 6, 12, "audio")])
    assert [(s.option, s.start_sec, s.end_sec, s.scope) for s in found] == [
        ("visual", 0, 12, None),
        ("audio", 0, 12, None),
    ]
    assert found[0].vector == pytest.approx(DIAGONAL)


def test_a_segment_counts_by_its_seconds() -> None:
    (found,) = pool([clip(X, 0, 9), clip(Y, 9, 12)], normalize=False)
    assert found.vector == pytest.approx([0.75, 0.25])
    (scaled,) = pool([clip(X, 0, 9), clip(Y, 9, 12)])
    assert scaled.vector == pytest.approx(normalize([3, 1]))


def test_without_times_each_counts_equally() -> None:
    (found,) = pool([Segment(X, option="visual"), clip(Y, 0, 100)], normalize=False)
    assert found.vector == pytest.approx([0.5, 0.5])
    assert (found.start_sec, found.end_sec) == (None, None)


def test_lengths_count_only_where_nothing_is_normalized() -> None:
    given = [Segment([10.0, 0.0]), Segment([0.0, 1.0])]
    assert pool(given, by="all")[0].vector == pytest.approx(DIAGONAL)
    assert pool(given, by="all", normalize=False)[0].vector == pytest.approx([5.0, 0.5])


def test_a_whole_file_beside_its_clips_is_left_out() -> None:
    whole, other = clip(Y, 0, 12, scope="asset"), clip(Y, 0, 12, "audio", scope="asset")
    visual, audio = pool([clip(X, 0, 12), whole, other])
    assert visual.vector == X
    assert audio.vector == Y  # there are no clips of its option


def test_by_midpoint_each_scene_has_a_vector_for_each_option() -> None:
    scenes = [(10.0, 20.0), (0.0, 10.0), (20.0, 30.0)]
    given = [
        clip(X, 0, 6),
        clip(Y, 0, 6, "audio"),
        clip(X, 6, 13),  # the middle is at 9.5
        clip(Y, 8, 12),  # at 10, where a range begins
        clip(X, 40, 50),
        Segment(Y, option="visual"),
    ]
    found = pool(given, by="midpoint", ranges=scenes)
    assert [(s.start_sec, s.end_sec, s.option, s.vector) for s in found] == [
        (10, 20, "visual", Y),
        (0, 10, "visual", X),
        (0, 10, "audio", Y),
    ]


def test_by_a_function_and_none_leaves_out() -> None:
    given = [clip(X, 0, 6), clip(Y, 0, 6, "audio"), clip(X, 60, 66), clip(X, 200, 206)]
    found = pool(given, by=lambda s: None if s.start_sec == 200 else (s.start_sec or 0) // 60)
    assert [(s.start_sec, s.end_sec, s.option) for s in found] == [(0, 6, "audio,visual"), (60, 66, "visual")]
    assert found[0].vector == pytest.approx(DIAGONAL)


def test_liked_items_are_one_vector() -> None:
    (taste,) = pool([Embedding(X, "marengo3.0/2"), Embedding(Y, "marengo3.0/2")], by="all")
    assert taste.vector == pytest.approx(DIAGONAL)
    assert pool([]) == []


@pytest.mark.parametrize(
    ("given", "arguments", "message"),
    [
        ([clip(X, 0, 6)], {"by": "scene"}, "by='scene' is not 'option'"),
        ([clip(X, 0, 6)], {"by": "midpoint"}, "belong together"),
        ([clip(X, 0, 6)], {"ranges": [(0, 1)]}, "belong together"),
        ([clip(X, 0, 6)], {"by": "midpoint", "ranges": [(0, 1), (5, 5)]}, r"ranges\[1\].* not a start and a later end"),
        ([clip(X, 0, 6)], {"by": "midpoint", "ranges": [3]}, r"ranges\[0\]"),
        ([clip(X, 0, 6), clip([1.0], 0, 6)], {}, "1 and 2 numbers"),
        ([Embedding(X, "marengo3.0/2"), Embedding(X, "marengo3.5/2")], {"by": "all"}, "marengo3.0/2 and marengo3.5/2"),
        ([Segment(X), Segment([-1.0, 0.0])], {"by": "all"}, "cancel out"),
        ([Segment([0.0, 0.0])], {}, "unit length"),
        (["visual"], {}, r"vectors\[0\].*expected a Segment or Embedding"),
        ("visual", {}, "Expected a list"),
        (clip(X, 0, 6), {}, "Expected a list"),
    ],
)
def test_what_cannot_be_pooled_is_refused(given: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        pool(given, **arguments)


@pytest.mark.parametrize("by", [lambda s: s.colour, lambda s: []])
def test_a_function_that_fails_names_the_segment(by: Any) -> None:
    with pytest.raises(UnexpectedError, match=r"vectors\[0\]"):
        pool([clip(X, 0, 6)], by=by)


NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 50)), min_size=1, max_size=8), st.randoms())
def test_the_mean_does_not_depend_on_the_order(found: list[tuple[float, float, int]], random: Any) -> None:
    given = [clip([x, y, 1e4], start, start + 1) for x, y, start in found]  # never zero
    shuffled = random.sample(given, len(given))
    assert pool(given)[0].vector == pool(shuffled)[0].vector
    assert math.hypot(*pool(given)[0].vector) == pytest.approx(1)


@pytest.mark.parametrize("vector", [[0.0, 0.0], [math.inf, 1.0], [math.nan, 1.0], []])
def test_a_vector_without_direction_is_not_normalized(vector: list[float]) -> None:
    with pytest.raises(InvalidInputError, match="unit length"):
        normalize(vector)
