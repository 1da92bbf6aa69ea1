"""Hits put together into time ranges, and rankings into one."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsRetriever, merge_segments
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


# -- ranges stand for their best segment -------------------------------------------------------------------------------


def segment(start: float, option: str = "visual", source: str = "video.mp4") -> Document:
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source} {start} {option}"))
    document = hit(start, option=option, source=source, space="marengo3.0/512")
    text = f"{document.page_content} [twelvelabs:marengo3.0/512/{name}/0f1e2d3c]"
    return Document(text, id=name, metadata=document.metadata)


def test_a_range_has_the_reference_of_its_best_segment_and_an_id_of_its_own() -> None:
    hits = [(segment(0), 0.2), (segment(5, "audio"), 0.9), (segment(10), 0.4), (segment(90), 0.1)]
    one, two = merge_segments(hits)
    best = hits[1][0]
    assert best.id is not None
    reference = f"[twelvelabs:marengo3.0/512/{best.id}/0f1e2d3c]"
    assert one.page_content == f"video.mp4 00:00:00-00:00:15 audio,visual {reference}"
    assert one.metadata.items() >= {"best_start_sec": 5.0, "best_end_sec": 10.0, "best_id": best.id}.items()
    ids = {one.id, two.id, *(document.id for document, _ in hits)}
    assert len(ids) == 6, "also a range of one segment: in a store it must not replace it"
    assert [d.id for d in merge_segments(hits[::-1])] == [one.id, two.id]
    assert not {d.id for d in merge_segments(hits, pad=1)} & ids
    (again,) = merge_segments([one, two], gap=100)
    assert again.page_content.endswith(reference)
    assert again.metadata["best_id"] == best.id


@pytest.mark.parametrize("form", ["{} A caption.", "A caption.\n{}", "<doc>{}</doc>"])
def test_a_range_finds_the_reference_beside_other_words(form: str) -> None:
    plain = segment(0)
    captioned = Document(form.format(plain.page_content), id=plain.id, metadata=plain.metadata)
    (found,) = merge_segments([captioned])
    assert found.page_content == f"video.mp4 00:00:00-00:00:05 visual [twelvelabs:marengo3.0/512/{plain.id}/0f1e2d3c]"


def test_a_range_of_documents_without_references_has_none() -> None:
    (found,) = merge_segments([hit(0), hit(5)])
    assert found.page_content == "video.mp4 00:00:00-00:00:10 visual"
    assert "best_id" not in found.metadata
    assert found.id == merge_segments([(hit(5), 1.0), (hit(0), 1.0)])[0].id


def test_copies_are_ranges_of_their_own() -> None:
    found = merge_segments([hit(at, source=f"{at}/f.mp4", content_digest="x") for at in (0, 5)])
    assert [d.metadata["source"] for d in found] == ["0/f.mp4", "5/f.mp4"]


@given(st.randoms(use_true_random=False), st.sampled_from([None, 0.0, 3.0]), st.booleans())
def test_the_order_in_which_a_store_returns_equal_hits_makes_no_difference(
    random: Any, gap: float | None, fuse: bool
) -> None:
    hits = [
        (segment(start, option, source), 0.5)
        for source in ("b.mp4", "a.mp4")
        for start in (5, 0, 60)
        for option in ("visual", "audio")
    ]
    hits.append((Document("loose", id="1"), 0.5))

    def found(hits: list[Any]) -> list[Document]:
        retriever = TwelveLabsRetriever(vectorstore=Given(hits), embeddings=MODEL, k=7, merge_gap=gap)
        retriever.fuse = "rrf" if fuse else None
        return retriever.by_vector([0.0] * 512)

    assert found(random.sample(hits, len(hits))) == found(hits)
    assert found([*hits, (segment(99), math.nan)]) == found(hits), "a hit without a score is left out"


class Given(VectorStore):
    """Answers every search with the same hits."""

    def __init__(self, hits: list[Any]) -> None:
        self.hits = hits

    def similarity_search_with_score_by_vector(self, vector: Any, k: int = 4, **_: Any) -> Any:
        return self.hits

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        raise NotImplementedError

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> Given:
        raise NotImplementedError


MODEL = TwelveLabsEmbeddings(api_key="tlk_5ecret")
