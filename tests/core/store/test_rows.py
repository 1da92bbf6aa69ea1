"""Rows of a store: ids, text, metadata, and the check of spaces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    UnexpectedError,
    Video,
    check_space,
    clock,
    rows_of,
)
from twelvelabs_core._store.metadata import RESERVED
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

    assert source(Video("https://example.com/a.mp4?page=1")) == "https://example.com/a.mp4?page=1"
    assert source(Video("https://me:pw@example.com/a.mp4?sv=1&page=1&sig=2")) == "https://example.com/a.mp4?page=1"
    assert source(Video("a.mp4"), metadata={"source": Path("b.mp4")}) == "b.mp4"
    assert source(Video("a.mp4"), source="https://h.example/b.mp4?sv=1&sig=2") == "https://h.example/b.mp4"
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
    assert ids(Video("/videos/a.mp4")) == ["c33fdc35-7eb7-584d-8c49-25a61fdef0c2"]
    assert ids(Video("a.mp4"), id_from="content") == ["016fd018-b399-50e7-a914-40b91a217345"]
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


def ids(media: Media, *segments: Segment, **more: Any) -> list[str]:
    return [row.id for row in rows(media, *(segments or (CLIP,)), **more)]


def test_copies_have_rows_of_their_own_and_a_path_is_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    one = ids(Video("a.mp4"))
    for written in ("./a.mp4", Path("a.mp4"), str(tmp_path / "a.mp4"), (tmp_path / "a.mp4").as_uri()):
        assert ids(Video(written)) == one, written
    others = [Video("b.mp4"), Video("copy/a.mp4"), Video(b"x"), Video(b"x", filename="a.mp4"), Video("s3://b/a.mp4")]
    assert len({*one, *(id for other in others for id in ids(other))}) == 1 + len(others)
    assert ids(Video(b"x", filename="a.mp4")) == ids(Video("data:video/mp4;base64,eA==", filename="a.mp4"))
    assert ids(Video(b"x")) == ids(Video("a.mp4"), id_from="content"), "without a name, the content alone"
    assert ids(Video("a.mp4"), source="b") == ids(Video(b"x"), metadata={"source": "b"})
    signed = "https://h.example/a.mp4?Expires={0}&Signature={0}"
    assert ids(Video(signed.format(1))) == ids(Video(signed.format(2))) == ids(Video("https://h.example/a.mp4"))


def test_a_place_that_is_not_utf_8_has_an_id() -> None:
    assert ids(Video("a\udcff.mp4")) != ids(Video("a\udcfe.mp4"))


def test_two_parts_of_one_file_have_rows_of_their_own() -> None:
    whole = Segment([1.0], option="visual", scope="asset")
    parts = [Video("a.mp4"), Video("a.mp4", end_sec=9), Video("a.mp4", start_sec=9), Video("a.mp4", start_sec=9.5)]
    assert len({id for part in parts for id in ids(part, whole)}) == len(parts)
    assert ids(Video("a.mp4", start_sec=9), whole) == ids(Video("a.mp4", start_sec=9.0), whole)


def test_a_name_of_the_caller() -> None:
    def by_id(media: Media, metadata: Any, **more: Any) -> list[str]:
        return ids(media, metadata=metadata, id_from=lambda known: known["video_id"], **more)

    seven = by_id(Video("a.mp4"), {"video_id": "7"})
    assert by_id(Video("moved/b.mp4"), {"video_id": "7", "title": "x"}) == seven
    assert by_id(Video("a.mp4"), {"video_id": "8"}) != seven
    assert by_id(Video("a.mp4"), {"video_id": "7"}, content_digest="cd" * 20) != seven, "another content"
    given: list[Any] = []

    def name(known: Any) -> str:
        given.append(dict(known))
        return "7"

    rows(Video("v/a.mp4"), CLIP, metadata={"title": "x"}, id_from=name)
    assert given == [{"source": "v/a.mp4", "file_name": "a.mp4", "media_type": "video", "title": "x"}]


@pytest.mark.parametrize("wrong", ["", None, 7])
def test_a_name_is_a_text(wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="id_from returned"):
        ids(Video("a.mp4"), id_from=lambda _: wrong)
    with pytest.raises(UnexpectedError, match="id_from raised KeyError: 'video_id'") as failed:
        ids(Video("a.mp4"), id_from=lambda known: known["video_id"])
    assert isinstance(failed.value.__cause__, KeyError)
    for unknown in ("name", None, 7, ["source"]):
        with pytest.raises(InvalidInputError, match=r"id_from=.* must be 'source', 'content', or a function"):
            ids(Video("a.mp4"), id_from=unknown)


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_are_not_taken_for_another_part_of_an_id(one: str, two: str) -> None:
    def named(name: str, **more: Any) -> list[str]:
        return ids(Video("a.mp4"), id_from=lambda _: name, **more)

    assert (named(one) == named(two)) == (one == two)
    assert named(f"{one}|{two}") != named(one, content_digest=f"{two}|{PLACE['content_digest']}")


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


def test_copies_are_two_segments_and_so_are_two_contents_at_one_place() -> None:
    def key(path: str, **more: Any) -> Any:
        return segment_key(rows(Video(path), CLIP, **more)[0].metadata)

    assert key("a.mp4") == key("./a.mp4")
    assert len({key("a.mp4"), key("copy/a.mp4"), key("a.mp4", content_digest="cd" * 20)}) == 3


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_key_of_rows_is_refused_in_the_metadata_of_a_caller(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"the key '{name}'.*Rename it, for example to 'my_{name}'"):
        rows(Video("a.mp4"), CLIP, metadata={"title": "x", name: "kitchen"})


def test_metadata_of_the_caller() -> None:
    given = {"title": "x", "source": "camera 1", "file_name": "one.mp4", "tags": None}
    (row,) = rows(Video("a.mp4"), CLIP, metadata=given)
    assert row.text == "one.mp4 00:01:12-00:01:18.5 visual"
    assert row.metadata == {**rows(Video("a.mp4"), CLIP)[0].metadata, **given}
    for wrong in ({"source": 7}, {"file_name": b"a"}):
        with pytest.raises(InvalidInputError, match="expected a str"):
            rows(Video("a.mp4"), CLIP, metadata=wrong)


def test_every_key_of_a_row_is_reserved_or_the_callers_to_give() -> None:
    page = replace(CLIP, page=1, quadrant="top_left", chunk=1)
    (row,) = rows(Video("a.mp4"), page)
    assert set(row.metadata) == RESERVED | {"source", "file_name"}


def test_one_space() -> None:
    old, new, none = {"space": "marengo3.0/512"}, {"space": "marengo3.5/512"}, {"title": "beans"}
    check_space([old, none, old], "marengo3.0/512")
    check_space([none, old, old], None)
    check_space([], None)
    with pytest.raises(InvalidInputError, match=r"vectors of marengo3\.0/512, the embeddings are marengo3\.5/512"):
        check_space([none, old], "marengo3.5/512")
    with pytest.raises(InvalidInputError, match=r"vectors of marengo3\.5/512, the embeddings are marengo3\.0/512"):
        check_space([old, new], None)


@pytest.mark.parametrize("foreign", ["kitchen", "kitchen/diner", "a b/512", "", 512, 0, ["marengo3.0/512"], None])
def test_a_space_of_something_else_is_no_vector_space(foreign: Any) -> None:
    check_space([{"space": foreign}, {"space": "marengo3.0/512"}, {"space": foreign}], "marengo3.0/512")
    check_space([{"space": foreign}, {"space": "marengo3.0/512"}], None)


@pytest.mark.parametrize(
    "row",
    [
        {"space": "my model", "content_digest": "ab"},
        {"space": "my model", "embedding_option": "text"},
        {"space": "mine/64"},
        {"space": "marengo3.0/512/v1-audio"},
        rows(Video("a.mp4"), CLIP, space="mine")[0].metadata,
    ],
)
def test_the_space_of_a_row_is_always_compared(row: Any) -> None:
    for space in ("marengo3.0/512", None):
        with pytest.raises(InvalidInputError, match="do not compare"):
            check_space([{"space": "marengo3.0/512"}, row], space)


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
