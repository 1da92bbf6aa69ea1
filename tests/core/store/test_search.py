"""What a search fetches, and the one list that its hits become."""

from __future__ import annotations

import math
from typing import Any

import pytest

from twelvelabs_core import Audio, InvalidInputError
from twelvelabs_core._store.order import are_distances, normalize_scores
from twelvelabs_core._store.search import (
    MEDIA_OPTIONS,
    OPTIONS,
    OptionFilter,
    Search,
    checked_queries,
    option_filter,
    options_for,
)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"k": 0}, "1 or more"),
        ({"k": "3"}, "1 or more"),
        ({"fetch_k": 0}, "1 or more"),
        ({"merge_gap": -1}, "0 or more seconds"),
        ({"pad": math.nan}, "0 or more seconds"),
        ({"score_cutoff": "high"}, "must be a number"),
        ({"fuse": "sum"}, "'rrf', weights by option"),
        ({"fuse": {}}, "weights"),
        ({"fuse": {"visual": 0}}, "weights"),
        ({"fuse": {"visual": -1, "audio": 1}}, "weights"),
        ({"fuse": {"visual": "high"}}, "weights"),
        ({"fuse": {"vision": 1}}, "'vision'; the options are visual, audio"),
        ({"fusion": "sum"}, "'rank' or 'score'"),
        ({"fuse": "rrf", "fusion": "score"}, "give weights"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        Search(**settings)


def test_every_row_is_of_one_option_and_other_is_two() -> None:
    for option in (*MEDIA_OPTIONS, "text", None, "audio,visual"):
        metadata = {} if option is None else {"embedding_option": option}
        chosen = [name for name in OPTIONS if option_filter(name).matches(metadata)]
        media = option if option in MEDIA_OPTIONS else "text"
        assert chosen == [media, "other"] if media in ("fused", "text") else [media]


def test_one_search_without_fusion() -> None:
    (step,) = Search(k=3).plan().steps
    assert (step.query, step.option, step.count) == ("", None, 3)


def test_a_search_for_each_option() -> None:
    plan = Search(k=3, fuse="rrf").plan(options=options_for(Audio("bell.wav")))
    assert [(step.option and step.option.name, step.count) for step in plan.steps] == [
        ("audio", 20),
        ("fused", 20),
        ("text", 20),
    ]
    assert plan.weights == {"audio": 1.0, "fused": 1.0, "text": 1.0}
    weighted = Search(k=9, fuse={"visual": 2, "audio": 0}).plan()
    assert [(step.option, step.count) for step in weighted.steps] == [(OptionFilter("visual"), 36)]


def test_one_search_of_a_store_that_does_not_filter() -> None:
    plan = Search(fuse="rrf", fetch_k=7).plan(filters="none")
    assert [(step.option, step.count) for step in plan.steps] == [(None, 35)]
    assert len(plan.parts) == 5
    assert len(Search().plan({"visual": "a", "audio": "b"}, filters="none").steps) == 2


def test_a_store_that_filters_by_equal_values() -> None:
    plan = Search(fuse={"text": 1, "other": 1, "audio": 1}, fetch_k=2).plan(filters="equal")
    assert [(step.option and step.option.name, step.count) for step in plan.steps] == [
        ("text", 2),
        (None, 10),
        ("fused", 2),
        ("audio", 2),
    ]


def test_an_option_with_a_query_needs_a_weight() -> None:
    queries = {"visual": "a", "audio": "b"}
    assert Search().plan(queries).weights == {"visual": 1.0, "audio": 1.0}
    assert Search(fuse={"visual": 1, "audio": 2}).plan(queries).weights == {"visual": 1.0, "audio": 2.0}
    with pytest.raises(InvalidInputError, match="no weight for 'audio'"):
        Search(fuse={"visual": 1}).plan(queries)
    with pytest.raises(InvalidInputError, match="options= names the option 'vision'"):
        Search(fuse="rrf").plan(options=("vision",))


@pytest.mark.parametrize("odd", [None, {}, [], "visual", {"vision": "a"}, {"visual": 3}, {"visual": ["a"]}])
def test_queries_by_option_are_checked(odd: Any) -> None:
    with pytest.raises(InvalidInputError):
        checked_queries(odd)


Hit = tuple[str, str]


def found(search: Search, *lists: list[tuple[Hit, float]], filters: Any = "any") -> list[tuple[set[str], float]]:
    plan = search.plan(options=("visual", "audio"), filters=filters)
    results = search.results(plan, lists, lambda hit: {"content_digest": hit[0], "embedding_option": hit[1]})
    return [({option for _, option in result.hits}, round(result.score, 6)) for result in results]


VISUAL = [(("a", "visual"), 0.9), (("b", "visual"), 0.8), (("c", "visual"), math.nan)]
AUDIO = [(("b", "audio"), 0.4), (("a", "audio"), 0.1)]


def test_a_segment_is_one_result_whatever_it_was_found_in() -> None:
    both = {"visual", "audio"}
    ranks = found(Search(fuse="rrf"), VISUAL, AUDIO)
    assert ranks == [(both, round(1 / 61 + 1 / 62, 6))] * 2
    assert found(Search(fuse="rrf"), [*VISUAL, *AUDIO], filters="none") == ranks
    weights = {"visual": 1.0, "audio": 3.0}
    assert found(Search(fuse=weights, fusion="score"), VISUAL, AUDIO) == [(both, 0.5), (both, 0.3)]
    assert found(Search(fuse="rrf", score_cutoff=0.4), VISUAL, AUDIO)[1] == ({"visual"}, round(1 / 61, 6))
    assert found(Search(k=1), VISUAL) == [({"visual"}, 0.9)]


def test_scores_and_ranks_of_each_option() -> None:
    search = Search(fuse="rrf", k=1)
    plan = search.plan(options=("visual", "audio"))
    (best,) = search.results(plan, [VISUAL, AUDIO], lambda hit: {"content_digest": hit[0], "embedding_option": hit[1]})
    assert best.as_metadata() == {
        "score": best.score,
        "visual_score": 0.9,
        "visual_rank": 1,
        "audio_score": 0.1,
        "audio_rank": 2,
    }


def test_settings_that_need_scores() -> None:
    Search(fuse={"visual": 1}).check_scored(False, "Shelf")
    for search in (Search(score_cutoff=0.0), Search(fuse={"visual": 1}, fusion="score")):
        search.check_scored(True, "Shelf")
        with pytest.raises(InvalidInputError, match="Shelf returns no scores"):
            search.check_scored(False, "Shelf")


@pytest.mark.parametrize(
    ("scores", "distances"),
    [([0.1, 0.2, 0.2], True), ([0.3, 0.1], False), ([0.1, 0.9, 0.4], False), ([0.2, 0.2], False), ([], False)],
)
def test_scores_that_rise_are_distances(scores: list[float], distances: bool) -> None:
    assert are_distances(scores) is distances
    assert are_distances([math.nan, *scores]) is distances


def test_scores_of_any_kind_become_similarities() -> None:
    assert normalize_scores([("a", 0.0), ("b", 1.0)]) == [("a", 1.0), ("b", 0.5)]
    assert normalize_scores([("a", 0.9), ("b", 0.1)]) == [("a", 0.9), ("b", 0.1)]
    assert normalize_scores([("a", 0.1), ("b", 0.9)], best_first=False) == [("a", 0.1), ("b", 0.9)]
    assert normalize_scores([("a", None), ("b", None)]) == [("a", 1.0), ("b", 0.5)]
