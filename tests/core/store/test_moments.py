"""Hits merged into time ranges."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvelabs_core import InvalidInputError, Moment, merge_moments
from twelvelabs_core.adapter import merge_hits


def hit(start: float, end: float, score: float | None = 0.5, name: str = "a.mp4", **more: Any) -> Any:
    metadata = {"source": f"videos/{name}", "file_name": name, "start_sec": start, "end_sec": end, **more}
    return (f"{name} {start:g}", metadata, score)


def spans(found: Any) -> list[tuple[Any, ...]]:
    return [(m.start_sec, m.end_sec, m.hits) if isinstance(m, Moment) else m for m in found]


def test_neighbours_are_merged() -> None:
    (moment,) = merge_moments([hit(5, 9, 0.3), hit(0, 5, 0.9), hit(11, 14, 0.1)])
    assert (moment.start_sec, moment.end_sec, moment.score) == (0, 14, 0.9)
    assert moment.hits == ("a.mp4 0", "a.mp4 5", "a.mp4 11")
    assert moment.metadata["start_sec"] == 0
    assert moment.source == "videos/a.mp4"
    assert str(moment) == "videos/a.mp4, 00:00:00-00:00:14"


@pytest.mark.parametrize(("gap", "count"), [(3.0, 1), (2.9, 2), (0.0, 2)])
def test_the_gap_is_the_longest_time_between(gap: float, count: int) -> None:
    assert len(merge_moments([hit(0, 5), hit(8, 9)], gap=gap)) == count


def test_a_hit_inside_another_does_not_end_the_range() -> None:
    (moment,) = merge_moments([hit(0, 20), hit(2, 4), hit(21, 25)])
    assert (moment.start_sec, moment.end_sec) == (0, 25)


def test_files_are_never_merged() -> None:
    def count(one: Any, two: Any) -> int:
        first = ("1", {"start_sec": 0, "end_sec": 5, **one}, 1.0)
        return len(merge_moments([first, ("2", {"start_sec": 5, "end_sec": 9, **two}, 1.0)]))

    here, there = {"source": "a.mp4"}, {"source": "b.mp4"}
    assert count(here, there) == 2
    assert count({**here, "content_digest": "x"}, {**there, "content_digest": "x"}) == 2, "two copies"
    assert count({**here, "content_digest": "x"}, {**here, "content_digest": "y"}) == 2, "two contents at one place"
    assert count({}, {}) == count({"source": None}, {"source": None}) == count({"source": ""}, {}) == 2, "unknown"
    assert count(here, here) == count({"content_digest": "x"}, {"content_digest": "x"}) == 1
    assert count(here, {"source": "./a.mp4"}) == 1, "one place, written in two ways"


@pytest.mark.parametrize(
    "times",
    [
        {"start_sec": 5, "end_sec": 3},
        {"start_sec": math.nan, "end_sec": 3},
        {"start_sec": 0, "end_sec": math.inf},
        {"start_sec": -1, "end_sec": 3},
        {"start_sec": "soon", "end_sec": 3},
        {"start_sec": [0], "end_sec": 3},
        {"start_sec": False, "end_sec": True},
        {"start_sec": 10**400, "end_sec": 10**401},
        {"start_sec": 1},
    ],
)
def test_what_is_no_time_range_is_none(times: Any) -> None:
    odd = ("odd", {"source": "videos/a.mp4", **times}, 0.4)
    assert spans(merge_moments([hit(0, 5), odd])) == [(0, 5, ("a.mp4 0",))]
    assert spans(merge_hits([odd, hit(0, 5)])) == [(0, 5, ("a.mp4 0",)), "odd"]


def test_numbers_may_be_text_and_a_wrong_length_is_ignored() -> None:
    text = ("text", {"source": "videos/a.mp4", "start_sec": "0", "end_sec": "5.5"}, 0.4)
    found = merge_moments([hit(5, 9, duration_sec="6"), text], pad=9)
    assert [(m.start_sec, m.end_sec) for m in found] == [(0, 6)]
    for length in ("long", -1, 0, math.nan, 3, None, True, [7]):
        (moment,) = merge_moments([hit(4, 5, duration_sec=length)], pad=1)
        assert (moment.start_sec, moment.end_sec) == (3, 6), length


@pytest.mark.parametrize("score", [math.nan, "high", [0.5]])
def test_a_score_is_a_number(score: Any) -> None:
    for merge in (merge_moments, merge_hits):
        with pytest.raises(InvalidInputError, match="a score must be a number"):
            merge([hit(0, 5), hit(7, 9, score)])


@pytest.mark.parametrize(("higher", "order"), [(True, [0.9, 0.2]), (False, [0.2, 0.9])])
def test_best_first(higher: bool, order: list[float]) -> None:
    found = merge_moments([hit(0, 5, 0.2), hit(60, 65, 0.9)], higher_is_better=higher)
    assert [m.score for m in found] == order
    (both,) = merge_moments([hit(0, 5, 0.2), hit(5, 9, 0.9)], higher_is_better=higher)
    assert both.score == order[0]


def test_padding_ends_at_the_file_and_halfway_to_the_next_range() -> None:
    hits = [hit(1, 5, duration_sec=30.0), hit(9, 14, duration_sec=30.0), hit(24, 29, duration_sec=30.0)]
    assert [(m.start_sec, m.end_sec) for m in merge_moments(hits, pad=4)] == [(0, 7), (7, 18), (20, 30)]
    assert [(m.start_sec, m.end_sec) for m in merge_moments(hits[:1], pad=0.5)] == [(0.5, 5.5)]
    (unknown,) = merge_moments([hit(1, 5)], pad=4)
    assert (unknown.start_sec, unknown.end_sec) == (0, 9)


def test_what_has_no_time_range_is_left_out() -> None:
    whole = ("w", {"source": "a", "start_sec": 0, "end_sec": 60, "embedding_scope": "asset"}, 0.9)
    assert merge_moments([whole, ("t", {}, 0.9), ("s", {"start_sec": 3}, 0.9)]) == []


@pytest.mark.parametrize("wrong", [{"gap": -0.1}, {"pad": -0.1}])
def test_negative_seconds_are_refused(wrong: Any) -> None:
    for merge in (merge_moments, merge_hits):
        with pytest.raises(InvalidInputError, match="gap and pad"):
            merge([hit(0, 5)], **wrong)


def test_text_and_metadata_of_a_range() -> None:
    visual, audio = hit(34.6, 40, 0.9, embedding_option="visual"), hit(40, 64, 0.1, embedding_option="audio")
    (moment,) = merge_moments([visual, audio])
    assert moment.fragment == "#t=34.6,64"
    assert moment.text == "a.mp4 00:00:34.6-00:01:04 audio,visual"
    assert moment.as_metadata() == {
        **visual[1],
        "start_sec": 34.6,
        "end_sec": 64.0,
        "best_start_sec": 34.6,
        "best_end_sec": 40.0,
        "hits": 2,
        "fragment": "#t=34.6,64",
        "embedding_option": "audio,visual",
    }
    assert moment.best == "a.mp4 34.6"
    (again,) = merge_moments([("range", moment.as_metadata(), 0.9)], pad=1)
    assert (again.as_metadata()["best_start_sec"], again.as_metadata()["best_end_sec"]) == (34.6, 40)
    (plain,) = merge_moments([("x", {"source": "a", "start_sec": 0, "end_sec": 6}, 1.0)])
    assert plain.text == "a 00:00:00-00:00:06"
    (nameless,) = merge_moments([("x", {"source": None, "start_sec": 0, "end_sec": 6}, 1.0)])
    assert (nameless.source, nameless.text) == ("", "00:00:00-00:00:06")
    assert "embedding_option" not in plain.as_metadata()


# -- with the hits that have no time range -----------------------------------------------------------------------------


def test_ranges_and_other_hits_by_score() -> None:
    image = ("image", {"source": "b.png"}, 0.6)
    hits = [hit(0, 5, 0.5), image, hit(5, 9, 0.7), hit(60, 65, 0.1)]
    assert spans(merge_hits(hits)) == [(0, 9, ("a.mp4 0", "a.mp4 5")), "image", (60, 65, ("a.mp4 60",))]
    assert spans(merge_hits(hits, higher_is_better=False)) == [
        (60, 65, ("a.mp4 60",)),
        (0, 9, ("a.mp4 0", "a.mp4 5")),
        "image",
    ]


def test_equal_scores_are_ordered_by_source_time_and_id() -> None:
    hits = [hit(60, 65), ("text", {}, 0.5), hit(0, 5, name="b.mp4"), hit(0, 5), ("image", {}, 0.5)]
    for higher in (True, False):
        assert spans(merge_hits(hits, higher_is_better=higher)) == [
            "image",
            "text",
            (0, 5, ("a.mp4 0",)),
            (60, 65, ("a.mp4 60",)),
            (0, 5, ("b.mp4 0",)),
        ]


def test_ranked_hits_keep_their_order() -> None:
    hits = [hit(60, 65), ("text", {}, 0.5), hit(0, 5), hit(66, 69)]
    assert spans(merge_hits(hits, ranked=True)) == [(60, 69, ("a.mp4 60", "a.mp4 66")), "text", (0, 5, ("a.mp4 0",))]
    assert spans(merge_hits(hits[::-1], ranked=True)) == [
        *((60, 69, ("a.mp4 60", "a.mp4 66")), (0, 5, ("a.mp4 0",)), "text"),
    ]


# Few values, so that much is equal.
_metadata = st.fixed_dictionaries(
    {},
    optional={
        "source": st.sampled_from(["a.mp4", "./a.mp4", "b.mp4", ""]),
        "content_digest": st.sampled_from(["x", "y"]),
        "start_sec": st.sampled_from([0, 4, "4", 9.0]),
        "end_sec": st.sampled_from([4, 9, 3.5]),
        "embedding_option": st.sampled_from(["visual", "audio"]),
        "page": st.sampled_from([1, 10, None]),
        "duration_sec": st.just(9),
    },
)
_hits = st.lists(st.tuples(_metadata, st.sampled_from([0.0, 0.25, 0.5])), max_size=9).map(
    lambda found: [(f"hit {i}", metadata, score) for i, (metadata, score) in enumerate(found)]
)


@given(_hits, st.randoms(use_true_random=False), st.sampled_from([0, 1, 5]), st.booleans())
def test_the_order_of_the_hits_makes_no_difference(hits: Any, random: Any, pad: float, higher: bool) -> None:
    shuffled = random.sample(hits, len(hits))
    for merge in (merge_moments, merge_hits):
        found = merge(hits, pad=pad, higher_is_better=higher)
        assert found == merge(shuffled, pad=pad, higher_is_better=higher)
    together = [h for one in found for h in (one.hits if isinstance(one, Moment) else [one])]
    assert sorted(together) == sorted(name for name, *_ in hits), "each hit is in one place"


def test_without_scores_the_order_counts() -> None:
    hits = [hit(60, 65, None), ("image", {}, None), hit(0, 5, None), hit(5, 9, 0.9)]
    expected = [(60, 65, ("a.mp4 60",)), "image", (0, 9, ("a.mp4 0", "a.mp4 5"))]
    assert spans(merge_hits(hits)) == spans(merge_hits(hits, higher_is_better=False)) == expected
    assert merge_hits([]) == []
