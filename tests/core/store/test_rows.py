"""Rows of a store: ids, text, metadata, and the check of spaces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from twelvelabs_core import (
    Audio,
    Document,
    Image,
    InvalidInputError,
    Media,
    Segment,
    SegmentOptions,
    Sentences,
    TimedText,
    Video,
    check_space,
    clock,
    rows_of,
)
from twelvelabs_core.adapter import joined_options, segment_key

CLIP = Segment([0.5, 0.25], start_sec=72, end_sec=78.5, option="visual", scope="clip")
PLACE = {"space": "marengo3.0/512", "content_digest": "ab" * 20}


def rows(media: Media, *segments: Segment, **more: Any) -> Any:
    return rows_of(media, segments, **{**PLACE, **more})


def test_a_clip() -> None:
    (row,) = rows(Video("videos/beach.mp4"), CLIP, duration_sec=120)
    assert row.text == "beach.mp4 00:01:12-00:01:18.5 visual"
    assert row.vector == [0.5, 0.25]
    assert row.metadata == {
        "source": "videos/beach.mp4",
        "file_name": "beach.mp4",
        "media_type": "video",
        "start_sec": 72.0,
        "end_sec": 78.5,
        "duration_sec": 120.0,
        "embedding_option": "visual",
        "embedding_scope": "clip",
        **PLACE,
    }
    assert [type(row.metadata[key]) for key in ("start_sec", "end_sec", "duration_sec")] == [float] * 3


@pytest.mark.parametrize(
    ("media", "segment", "text"),
    [
        (Image("red.png"), Segment([1.0], option="visual", scope="asset"), "red.png whole visual"),
        (Document("a.pdf"), Segment([1.0], option="visual", scope="page", page=3), "a.pdf page 3 visual"),
        (
            Document("a.pdf"),
            Segment([1.0], option="visual", scope="page", page=3, quadrant="top_left"),
            "a.pdf page 3 top_left visual",
        ),
        (Document(b"x", filename="a.md"), Segment([1.0], option="text", chunk=2), "a.md part 2 text"),
        (Video(b"x"), CLIP, "1 bytes 00:01:12-00:01:18.5 visual"),
        (Video("https://example.com/v/beach.mp4?sign=1"), CLIP, "beach.mp4 00:01:12-00:01:18.5 visual"),
        (Video(Path("beach.mp4")), Segment([1.0]), "beach.mp4"),
    ],
)
def test_texts(media: Media, segment: Segment, text: str) -> None:
    (row,) = rows(media, segment)
    assert row.text == text


def test_the_source_is_a_path_a_url_or_a_description() -> None:
    def source(media: Media, **more: Any) -> Any:
        return rows(media, CLIP, **more)[0].metadata["source"]

    assert source(Video("https://example.com/a.mp4?sign=1")) == "https://example.com/a.mp4?sign=1"
    assert source(Video(Path("a") / "b.mp4")) == str(Path("a") / "b.mp4")
    assert source(Video(b"1234")) == "4 bytes"
    assert source(Video("data:video/mp4;base64,AAAA", filename="a.mp4")) == "a.mp4"
    assert source(Video("a.mp4"), source="s3://bucket/a.mp4") == "s3://bucket/a.mp4"


def test_the_length_is_the_last_end_by_default() -> None:
    later = replace(CLIP, start_sec=90, end_sec=96)
    assert {row.metadata["duration_sec"] for row in rows(Video("a.mp4"), CLIP, later)} == {96.0}
    assert "duration_sec" not in rows(Image("a.png"), Segment([1.0]))[0].metadata


def test_ids_are_the_same_every_time_and_differ_with_what_they_stand_for() -> None:
    (row,) = rows(Video("a.mp4"), CLIP)
    # What is in users' stores must be found again by later versions.
    assert row.id == "016fd018-b399-50e7-a914-40b91a217345"
    assert rows(Video("moved/b.mp4"), CLIP)[0].id == row.id
    assert rows(Video("a.mp4"), replace(CLIP, start_sec=72.0))[0].id == row.id
    others = [
        *rows(Video("a.mp4"), replace(CLIP, option="audio"), replace(CLIP, scope="asset"), replace(CLIP, end_sec=79)),
        *rows(Video("a.mp4"), replace(CLIP, page=1), replace(CLIP, quadrant="top_left"), replace(CLIP, chunk=1)),
        *rows(Video("a.mp4"), CLIP, content_digest="cd" * 20),
        *rows(Video("a.mp4"), CLIP, space="marengo3.5/512"),
    ]
    assert len({row.id, *(other.id for other in others)}) == 1 + len(others)


def test_options_are_part_of_an_id_only_where_they_change_the_vector() -> None:
    def id_of(segment: Segment, options: SegmentOptions | None) -> Any:
        return rows(Document("a.md"), segment, options=options)[0].id

    chunk, fused = Segment([1.0], option="text", chunk=0), replace(CLIP, option="fused")
    five, one = SegmentOptions(Sentences(5)), SegmentOptions(Sentences(1))
    assert len({id_of(chunk, None), id_of(chunk, five), id_of(chunk, one)}) == 3
    assert len({id_of(CLIP, None), id_of(CLIP, five), id_of(CLIP, one)}) == 1
    note = SegmentOptions(time_based_metadata=[TimedText(0, 1, "goal")])
    assert id_of(fused, SegmentOptions()) != id_of(fused, note)
    assert id_of(CLIP, SegmentOptions()) == id_of(CLIP, note)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00:00"), (72, "00:01:12"), (3599.96, "01:00:00"), (36_061.25, "10:01:01.2"), (0.1, "00:00:00.1")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


# -- metadata of rows ------------------------------------------------------------------------------------------------


def test_one_segment_has_one_key_whatever_the_option() -> None:
    visual, audio, later = rows(
        Video("a.mp4"), CLIP, replace(CLIP, option="audio"), replace(CLIP, start_sec=78, end_sec=84)
    )
    assert segment_key(visual.metadata) == segment_key(audio.metadata)
    assert segment_key(visual.metadata) != segment_key(later.metadata)
    assert segment_key({"source": "a.mp4", "start_sec": 1.0}) is None


def test_options_joined() -> None:
    found = [{"embedding_option": "visual"}, {"embedding_option": "audio"}, {"embedding_option": "visual"}, {}]
    assert joined_options(found) == "audio,visual"
    assert joined_options([{}]) == ""


def test_one_space() -> None:
    old, new, none = {"space": "marengo3.0/512"}, {"space": "marengo3.5/512"}, {"title": "beans"}
    check_space([old, none, old], "marengo3.0/512")
    check_space([none, old, old], None)
    check_space([], None)
    with pytest.raises(InvalidInputError, match=r"vectors of marengo3\.0/512, the embeddings are marengo3\.5/512"):
        check_space([none, old], "marengo3.5/512")
    with pytest.raises(InvalidInputError, match=r"vectors of marengo3\.5/512, the embeddings are marengo3\.0/512"):
        check_space([old, new], None)


def test_two_unlabelled_vectors_of_one_time_span_have_ids_of_their_own() -> None:
    """Audio of marengo3.0 on v1. The first keeps the id that a single one would have."""
    first, second = Segment([1.0], 0, 6, scope="clip"), Segment([2.0], 0, 6, scope="clip")
    one, two = rows(Audio("a.mp3"), first, second)
    assert one.id != two.id
    assert rows(Audio("a.mp3"), first)[0].id == one.id
    assert [row.id for row in rows(Audio("a.mp3"), first, second)] == [one.id, two.id]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("videos/what?.mp4", "what?.mp4"),
        ("https://h.example/v/a.mp4?signature=1#t=2", "a.mp4"),
        ("https://h.example/v/a.mp4#t=2", "a.mp4"),
    ],
)
def test_the_file_name_of_a_path_or_url(source: str, name: str) -> None:
    (row,) = rows(Video(source), CLIP)
    assert row.metadata["file_name"] == name
