"""Hits put together into time ranges, and rankings into one."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document

from langchain_twelvelabs import merge_segments
from langchain_twelvelabs.fusion import fuse_documents
from twelvelabs_core import InvalidInputError

STARTS = (34.6, 39.1, 46.3, 50.4, 54.4, 59.0)


def hit(
    start: float | None, length: float = 5.0, source: str = "video.mp4", option: str = "visual", **more: Any
) -> Document:
    time = {} if start is None else {"start_sec": start, "end_sec": start + length, "embedding_scope": "clip"}
    metadata = {"source": source, "file_name": source, "content_digest": source, "embedding_option": option}
    return Document(f"{source} {start} {option}", metadata={**metadata, **time, **more})


def test_six_hits_of_one_scene_are_one_range() -> None:
    (scene,) = merge_segments([hit(start) for start in STARTS])
    assert (scene.metadata["start_sec"], scene.metadata["end_sec"], scene.metadata["hits"]) == (34.6, 64.0, 6)
    assert scene.metadata["fragment"] == "#t=34.6,64"
    assert scene.page_content == "video.mp4 00:00:34.6-00:01:04 visual"
    assert "score" not in scene.metadata


def test_sources_are_never_joined() -> None:
    found = merge_segments([hit(0), hit(5, source="other.mp4"), hit(5), hit(0, source="other.mp4")])
    assert [(d.metadata["source"], d.metadata["hits"]) for d in found] == [("video.mp4", 2), ("other.mp4", 2)]


@pytest.mark.parametrize(("higher", "best"), [(True, 0.9), (False, 0.1)])
def test_best_first_by_similarity_or_distance(higher: bool, best: float) -> None:
    pairs = [(hit(0), 0.5), (hit(5), 0.1), (hit(60), 0.4), (hit(5.5), 0.9), (hit(None, option="visual"), 0.45)]
    found = merge_segments(pairs, higher_is_better=higher)
    assert found[0].metadata["score"] == best
    assert found[0].metadata["hits"] == 3
    rest = [d.metadata.get("start_sec") for d in found[1:]]
    assert rest == ([None, 60] if higher else [60, None])  # what has no time keeps its place


def test_gap_and_pad() -> None:
    hits = [hit(0, duration_sec=30.0), hit(9, duration_sec=30.0), hit(24, duration_sec=30.0)]
    assert len(merge_segments(hits)) == 3
    found = merge_segments(hits, gap=4, pad=2)
    assert [(d.metadata["start_sec"], d.metadata["end_sec"]) for d in found] == [(0, 16), (22, 30)]
    with pytest.raises(InvalidInputError, match="gap and pad"):
        merge_segments(hits, gap=-1)


def test_options_hit_together_are_named() -> None:
    (both,) = merge_segments([hit(0), hit(0, option="audio")])
    assert both.metadata["embedding_option"] == "audio,visual"
    assert both.page_content.endswith(" audio,visual")


def test_nothing_and_a_mixture() -> None:
    assert merge_segments([]) == []
    with pytest.raises(TypeError, match="all documents or all pairs"):
        merge_segments([hit(0), (hit(1), 0.5)])


def test_the_originals_stay_as_they_are() -> None:
    original = hit(0)
    merge_segments([original, hit(5)], pad=3)
    assert (original.metadata["start_sec"], original.metadata["end_sec"]) == (0, 5)


# -- rankings ---------------------------------------------------------------------------------------------------------


def test_reciprocal_ranks() -> None:
    visual = [(hit(0), 0.9), (hit(5), 0.5)]
    audio = [(hit(5, option="audio"), 0.4), (hit(10, option="audio"), 0.3)]
    found = fuse_documents({"visual": visual, "audio": audio}, {})
    assert [(d.metadata["start_sec"], d.metadata["embedding_option"]) for d, _ in found] == [
        (5, "audio,visual"),
        (0, "visual"),
        (10, "audio"),
    ]
    assert [score for _, score in found] == pytest.approx([1 / 61 + 1 / 62, 1 / 61, 1 / 62])


def test_weights_and_ties() -> None:
    visual, audio = [(hit(0), 0.2)], [(hit(5, option="audio"), 0.4)]
    equal = fuse_documents({"visual": visual, "audio": audio}, {})
    assert equal[0][0].metadata["start_sec"] == 5, "of equal scores the more similar one is first"
    weighted = fuse_documents({"visual": visual, "audio": audio}, {"visual": 1.0, "audio": 0.5})
    assert [d.metadata["start_sec"] for d, _ in weighted] == [0, 5]
    assert weighted[1][1] == pytest.approx(0.5 / 61)


def test_a_segment_counts_once_in_a_ranking() -> None:
    found = fuse_documents({"visual": [(hit(0), 0.9), (hit(0), 0.9), (hit(5), 0.1)]}, {})
    assert [score for _, score in found] == pytest.approx([1 / 61, 1 / 63])
