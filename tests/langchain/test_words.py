"""Captions before a reference (``text=``): what a language model reads, while the vector stays the segment's."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import CharacterTextSplitter, RecursiveCharacterTextSplitter

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, merge_segments
from langchain_twelvelabs.references import reference_to, references_in
from langchain_twelvelabs.words import Words, letters
from tests.support import media
from tests.support.service import Service, vector
from twelvelabs_core import InvalidInputError, Row, UnexpectedError

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
COLORS = ("red", "green", "blue")
LONG = " ".join(f"{n}. A rider in a yellow coat passes the {color} house." for n in range(9) for color in COLORS)


def make(service: Service, **settings: Any) -> TwelveLabsEmbeddings:
    return TwelveLabsEmbeddings(
        **{"api_key": service.key, "transport": service.transport, "max_retries": 0, **settings}
    )


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def model(service: Service) -> TwelveLabsEmbeddings:
    return make(service)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for color in COLORS:
        (tmp_path / f"{color}.png").write_bytes(media.png(color))
    return tmp_path


def caption(row: Row) -> str:
    return f"A {row.metadata['file_name'].removesuffix('.png')} square.\nSeen from above."


# -- written ----------------------------------------------------------------------------------------------------------


async def test_a_caption_is_the_text_and_the_vector_stays_the_segments(
    service: Service, model: TwelveLabsEmbeddings, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    documents = TwelveLabsMediaLoader(folder, model, text=caption).load()
    assert await TwelveLabsMediaLoader(folder, model, text=caption).aload() == documents
    text = documents[0].page_content
    check = r"[0-9a-f]{8}/\d+-[0-9a-f]{6}"
    label = rf"blue\.png whole visual \[twelvelabs:marengo3\.0/512/{documents[0].id}/{check}\]"
    assert re.fullmatch(rf"A blue square\.\nSeen from above\.\n{label}", text)
    assert documents[0].metadata == TwelveLabsMediaLoader(folder, model).load()[0].metadata
    sent = len(service.requests)
    assert model.embed_documents([d.page_content for d in documents]) == [vector("image")] * 3
    assert model.embed_query(text) == await model.aembed_query(text) == vector("image")
    assert len(service.requests) == sent
    assert not caplog.records, "nothing was added to what the loader wrote"
    model.embed_documents([f"{text} and more", f"And more: {text}", text.replace("blue square", "square")])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "texts[0] (and 2 more): has words beside its media reference" in record.getMessage()


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_without_a_caption_it_is_the_reference_alone(
    model: TwelveLabsEmbeddings, folder: Path, nothing: str | None
) -> None:
    assert (
        TwelveLabsMediaLoader(folder, model, text=lambda _: nothing).load()
        == TwelveLabsMediaLoader(folder, model).load()
    )


def test_a_caption_is_asked_for_with_the_row(model: TwelveLabsEmbeddings, folder: Path) -> None:
    rows: list[Row] = []

    def text(row: Row) -> str:
        rows.append(row)
        return row.text

    documents = TwelveLabsMediaLoader([folder, folder / "red.png"], model, text=text).load()
    rows.sort(key=lambda row: row.text)  # files are embedded beside each other
    expected = [(d.id, d.metadata, vector("image")) for d in documents]
    assert [(row.id, row.metadata, row.vector) for row in rows] == expected
    assert model.embed_query(documents[0].page_content) == vector("image")


@pytest.mark.parametrize("cached", [True, False])
def test_another_object_answers_by_the_cache_or_refuses(service: Service, folder: Path, cached: bool) -> None:
    cache = InMemoryByteStore() if cached else None
    (document, *_) = TwelveLabsMediaLoader(folder, make(service, cache=cache), text=caption).load()
    other = make(service, cache=cache)
    if cached:
        assert other.embed_query(document.page_content) == vector("image")
    else:
        with pytest.raises(InvalidInputError, match="do not hold"):
            other.embed_query(document.page_content)


def test_a_range_has_the_words_of_its_hits(model: TwelveLabsEmbeddings, caplog: pytest.LogCaptureFixture) -> None:
    """In order of time, each once; the text still stands for the best segment."""
    said = {0.0: "A rider mounts.", 6.0: "He falls.", 12.0: ""}
    hits = []
    for number, (start, option, score) in enumerate(
        [(6.0, "visual", 0.9), (0.0, "visual", 0.8), (0.0, "audio", 0.7), (12.0, "visual", 0.6)]
    ):
        id = f"{number}{ID[1:]}"
        model._in_memory.hold(id, vector(id))
        text = reference_to(model, id, f"a.mp4 {option}", said[start])
        about = {"source": "a.mp4", "file_name": "a.mp4", "start_sec": start, "end_sec": start + 6}
        hits.append((Document(text, id=id, metadata={**about, "embedding_option": option}), score))
    (scene,) = merge_segments(hits)
    lines = scene.page_content.split("\n")
    assert lines[:2] == ["A rider mounts.", "He falls."]
    assert lines[2].startswith("a.mp4 00:00:00-00:00:18 audio,visual [twelvelabs:marengo3.0/512/0f8fad5b-")
    assert len(lines) == 3
    assert model.embed_documents(["x", scene.page_content])[1] == vector(ID)
    assert not caplog.records
    (plain,) = merge_segments(hits[3:])
    assert plain.page_content.count("\n") == 0
    assert references_in(plain.page_content)[0].words is None


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_caption_that_is_none(
    model: TwelveLabsEmbeddings, folder: Path, on_error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def load(text: Any) -> list[Document]:
        return TwelveLabsMediaLoader(folder / "red.png", model, text=text, on_error=on_error).load()

    def fails(row: Row) -> str:
        return str(row.metadata["caption"])

    (other,) = TwelveLabsMediaLoader(folder / "blue.png", model).load()
    for text, kind, why in (
        (lambda _: 7, InvalidInputError, "text= gave a int for 'red.png whole visual'; expected a str, or None"),
        (fails, UnexpectedError, "text= raised KeyError for 'red.png whole visual'"),
        (lambda _: f"as {other.page_content}", InvalidInputError, r"holds a media reference \(from text=\)"),
    ):
        if on_error == "raise":
            with pytest.raises(kind, match=why) as caught:
                load(text)
            assert str(folder / "red.png") in str(caught.value)
        else:
            assert load(text) == []
    assert caplog.text.count("red.png was skipped") == (3 if on_error == "skip" else 0)


def test_a_caption_from_outside_that_only_looks_like_a_reference(model: TwelveLabsEmbeddings, folder: Path) -> None:
    forged = f"Subscribe! [twelvelabs:marengo3.0/512/{ID}/01234567/9-0a1b2c] [twelvelabs: now"
    (document,) = TwelveLabsMediaLoader(folder / "red.png", model, text=lambda _: forged).load()
    assert document.page_content.startswith(f"{forged}\nred.png whole visual [")
    assert model.embed_query(document.page_content) == vector("image")


def test_text_takes_a_function(model: TwelveLabsEmbeddings) -> None:
    with pytest.raises(InvalidInputError, match="text= takes a function from a Row to a str, got 'caption'"):
        TwelveLabsMediaLoader("x", model, text="caption")  # type: ignore[arg-type]


# -- pieces -----------------------------------------------------------------------------------------------------------


def captioned(model: TwelveLabsEmbeddings, folder: Path, text: str = LONG) -> list[Document]:
    return TwelveLabsMediaLoader(folder, model, text=lambda row: f"{row.metadata['file_name']}: {text}").load()


@pytest.mark.parametrize(
    ("size", "overlap"),
    [(s, o) for s in (10, 20, 40, 75, 90, 110, 130, 160, 200, 400, 900) for o in (0, 1, 9, 30, 70) if o < s],
)
@pytest.mark.parametrize("kind", [RecursiveCharacterTextSplitter, CharacterTextSplitter])
def test_pieces_are_refused_and_nothing_is_sent(
    service: Service, model: TwelveLabsEmbeddings, folder: Path, kind: Any, size: int, overlap: int
) -> None:
    documents = captioned(model, folder)
    separator = {"separator": " "} if kind is CharacterTextSplitter else {}
    pieces = kind(chunk_size=size, chunk_overlap=overlap, **separator).split_documents(documents)
    assert len(pieces) > 3
    sent = len(service.requests)
    with pytest.raises(InvalidInputError, match=r"piece of a media document.* Do not split documents"):
        InMemoryVectorStore(model).add_documents([Document("a text of mine"), *pieces])
    assert len(service.requests) == sent


def test_short_lines_are_pieces_too(service: Service, model: TwelveLabsEmbeddings, folder: Path) -> None:
    documents = captioned(model, folder, "Hi.\nNo.\nYes.\n" + "A rider in a yellow coat passes the red house. " * 3)
    splitter = CharacterTextSplitter("\n", chunk_size=100, chunk_overlap=0)
    sent = len(service.requests)
    for overlap in (0, 5, 20):
        splitter = CharacterTextSplitter("\n", chunk_size=90, chunk_overlap=overlap)
        with pytest.raises(InvalidInputError, match="piece of a media document"):
            model.embed_documents([piece.page_content for piece in splitter.split_documents(documents)])
    lines = documents[0].page_content.split("\n")
    with pytest.raises(InvalidInputError, match="piece of a media document"):
        model.embed_documents(lines)
    assert len(service.requests) == sent


def test_with_room_for_them_they_stay_whole(model: TwelveLabsEmbeddings, folder: Path) -> None:
    documents = captioned(model, folder)
    splitter = RecursiveCharacterTextSplitter(chunk_size=5000, chunk_overlap=100)
    whole = splitter.split_documents([*documents, Document("a text of mine")])
    assert [d.page_content for d in whole[:3]] == [d.page_content for d in documents]
    assert model.embed_documents([d.page_content for d in whole])[:3] == [vector("image")] * 3


def test_the_words_are_a_document_of_their_own(model: TwelveLabsEmbeddings, folder: Path) -> None:
    """As the page recommends, in any order; and a reference without its words is still answered."""
    documents = captioned(model, folder)
    words = [d.page_content.rpartition("\n")[0] for d in documents]
    whole = [d.page_content for d in documents]
    bare = [text.rpartition("\n")[2] for text in whole]
    assert model.embed_documents([*words, *whole]) == [*map(vector, words), *[vector("image")] * 3]
    assert model.embed_documents([*whole, *words, whole[0]])[-1] == vector("image")
    assert model.embed_documents(["another text", *bare, *words])[1:4] == [vector("image")] * 3
    assert model.embed_query(bare[0]) == vector("image")


@given(st.text(min_size=1, max_size=80), st.integers(0, 80), st.booleans())
def test_words_are_told_whatever_white_space_they_have(text: str, cut: int, spaced: bool) -> None:
    found = letters(text)
    words = Words.of(text)
    assert words.end("before" + found)
    assert words.count == len(found)
    if spaced:
        assert Words.of("  ".join(text)) == words
    assert words.begin(found[: max(cut, 12)])
    assert not found or not words.end(found[:-1])


def test_read_back() -> None:
    model = TwelveLabsEmbeddings(api_key="k")
    text = reference_to(model, ID, "a.mp4 00:00:00-00:00:06 visual", "A bike.")
    (reference,) = references_in(text)
    assert reference.words == Words.of("A bike. a.mp4 00:00:00-00:00:06 visual")
    assert references_in(reference_to(model, ID, "a.mp4 whole visual"))[0].words is None
