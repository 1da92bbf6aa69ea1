"""Rankings fused by rank."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvelabs_core import InvalidInputError, fuse_ranks, fuse_scores


def same(hit: str) -> str:
    return hit.partition("/")[0]


def test_reciprocal_ranks_add_up() -> None:
    visual = [("a/visual", 0.9), ("b/visual", 0.5)]
    audio = [("b/audio", 0.4), ("c/audio", 0.3)]
    found = fuse_ranks({"visual": visual, "audio": audio}, key=same)
    assert [result.hits for result in found] == [("b/audio", "b/visual"), ("a/visual",), ("c/audio",)]
    assert [result.score for result in found] == pytest.approx([1 / 61 + 1 / 62, 1 / 61, 1 / 62])


def test_weights_and_the_constant() -> None:
    rankings = {"visual": [("a", 0.2)], "audio": [("b", 0.4)], "text": [("c", 0.1)]}
    assert [result.hits for result in fuse_ranks(rankings)] == [("b",), ("a",), ("c",)]  # equal: by their own score
    weighted = fuse_ranks(rankings, {"visual": 2.0, "audio": 0.5}, constant=9)
    assert [result.hits for result in weighted] == [("a",), ("c",), ("b",)]
    assert [result.score for result in weighted] == pytest.approx([0.2, 0.1, 0.05])


def test_weighted_scores() -> None:
    visual = [("a/visual", 0.9), ("b/visual", 0.5)]
    audio = [("b/audio", 0.4), ("c/audio", 0.3), ("c/again", 0.2)]
    found = fuse_scores({"visual": visual, "audio": audio}, {"audio": 3.0}, key=same)
    assert [result.hits for result in found] == [("b/audio", "b/visual"), ("a/visual",), ("c/audio",)]
    assert [result.score for result in found] == pytest.approx([(0.5 + 3 * 0.4) / 4, 0.9 / 4, 3 * 0.3 / 4])
    assert [dict(result.ranks) for result in found] == [{"visual": 2, "audio": 1}, {"visual": 1}, {"audio": 2}]
    equal = fuse_scores({"visual": visual, "audio": audio}, key=same)
    assert [result.hits[0] for result in equal] == ["a/visual", "b/visual", "c/audio"], "then the higher score of one"
    assert fuse_scores({}) == []
    assert fuse_scores({"visual": visual}, {"visual": 0.0})[0].score == 0.0
    assert len({found[0], fuse_scores({"visual": visual, "audio": audio}, {"audio": 3.0}, key=same)[0]}) == 1


def test_a_result_counts_once_in_a_ranking_and_its_place_stays_taken() -> None:
    found = fuse_ranks({"visual": [("a/1", 0.9), ("a/2", 0.9), ("b", 0.1)]}, key=same)
    assert [result.hits for result in found] == [("a/1",), ("b",)]
    assert [result.score for result in found] == pytest.approx([1 / 61, 1 / 63])


def test_without_a_key_nothing_is_the_same() -> None:
    found = fuse_ranks({"visual": [("a", 0.9), ("a", 0.8)], "audio": [("a", 0.7)]})
    assert [result.score for result in found] == pytest.approx([1 / 61, 1 / 61, 1 / 62])


def test_nothing() -> None:
    assert fuse_ranks({}) == []
    assert fuse_ranks({"visual": []}) == []


@given(st.lists(st.lists(st.integers(0, 9), unique=True), max_size=4))
def test_every_hit_is_found_once_best_first(rankings: list[list[int]]) -> None:
    named = {str(i): [(hit, 0.0) for hit in hits] for i, hits in enumerate(rankings)}
    found = fuse_ranks(named, key=lambda hit: hit)
    assert sorted(result.hits[0] for result in found) == sorted({hit for hits in rankings for hit in hits})
    scores = [result.score for result in found]
    assert scores == sorted(scores, reverse=True)
    assert sum(len(result.hits) for result in found) == sum(map(len, rankings))


def test_equal_scores_are_ordered_by_id() -> None:
    for hits in (["b", "a"], ["a", "b"]):
        assert [r.hits for r in fuse_ranks({"": [(hit, 0.5) for hit in hits]})] == [("a",), ("b",)]
    by_length = fuse_ranks({"": [("aa", 0.5), ("b", 0.5)]}, order=len)
    assert [r.hits for r in by_length] == [("b",), ("aa",)]
    two = [SimpleNamespace(id=name) for name in "ba"]
    assert [r.hits[0].id for r in fuse_ranks({"": [(hit, 0.5) for hit in two]})] == ["a", "b"]


_ranking = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0.1, 0.5])), max_size=6).map(
    lambda found: [(f"{name}/{i}", score) for i, (name, score) in enumerate(found)]
)


@given(st.dictionaries(st.sampled_from(["visual", "audio", "text"]), _ranking), st.randoms(use_true_random=False))
def test_the_order_of_hits_and_rankings_makes_no_difference(rankings: Any, random: Any) -> None:
    names = random.sample(list(rankings), len(rankings))
    shuffled = {name: random.sample(rankings[name], len(rankings[name])) for name in names}
    for key in (same, None):
        assert fuse_ranks(rankings, key=key) == fuse_ranks(shuffled, key=key)


@pytest.mark.parametrize("score", [math.nan, "high", None])
def test_a_score_is_a_number(score: Any) -> None:
    with pytest.raises(InvalidInputError, match="a score must be a number"):
        fuse_ranks({"": [("a", score)]})
