"""Pieces of references, as text splitters leave them: refused, whatever else is in the list, and never paid for."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import CharacterTextSplitter, RecursiveCharacterTextSplitter

from langchain_twelvelabs import TwelveLabsEmbeddings, torn
from langchain_twelvelabs.references import reference_to
from langchain_twelvelabs.resolution import may_refer
from tests.support.service import Service, text_of, vector
from twelvelabs_core import CacheError, InvalidInputError
from twelvelabs_core.adapter import run

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
LABEL = "film.mp4 00:00:00-00:00:06 visual"


def make(service: Service, **settings: Any) -> TwelveLabsEmbeddings:
    return TwelveLabsEmbeddings(
        **{"api_key": service.key, "transport": service.transport, "max_retries": 0, **settings}
    )


def keep(model: TwelveLabsEmbeddings, label: str = LABEL, id: str = ID) -> str:
    """The text of a document, as the loader makes it."""
    run(model._keep_vectors({id: vector(id)}, [label]))
    return reference_to(model, id, label)


def documents(model: TwelveLabsEmbeddings, count: int = 3) -> list[Document]:
    found = []
    for number in range(count):
        id = f"{number:08x}{ID[8:-1]}{number:x}"
        label = f"film.mp4 00:00:{6 * number:02d}-00:00:{6 * number + 6:02d} visual"
        found.append(Document(keep(model, label, id), id=id, metadata={"media_type": "video"}))
    return found


# -- text splitters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(
    ("size", "overlap"),
    [(s, o) for s in (1, 2, 5, 8, 10, 13, 20, 32, 33, 40, 60, 75, 90) for o in (0, 1, 4, 9, 19) if o < s],
)
def test_pieces_of_a_recursive_splitter(size: int, overlap: int, cached: bool) -> None:
    service = Service()
    cache = InMemoryByteStore() if cached else None
    splitter = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=overlap)
    pieces = splitter.split_documents(documents(make(service, cache=cache)))
    assert len(pieces) > 3
    if cached:  # as another process that embeds
        model = make(service, cache=cache)
    else:
        model = make(service)
        documents(model)
    store = InMemoryVectorStore(model)
    with pytest.raises(InvalidInputError, match="Do not split documents that have 'media_type'"):
        store.add_documents([Document("a text of mine"), *pieces])
    assert not service.requests


@pytest.mark.parametrize("separator", [" ", "/", "-", "visual", ""])
def test_pieces_of_a_character_splitter(separator: str) -> None:
    service = Service()
    model = make(service)
    splitter = CharacterTextSplitter(separator, chunk_size=20, chunk_overlap=0, keep_separator=True)
    pieces = splitter.split_documents(documents(model))
    with pytest.raises(InvalidInputError, match="A text splitter has cut a media reference"):
        InMemoryVectorStore(model).add_documents(pieces)
    assert not service.requests


@pytest.mark.parametrize("size", [90, 100, 120])
@pytest.mark.parametrize("overlap", [0, 8, 20])
def test_a_long_name_is_cut_although_the_reference_is_whole(size: int, overlap: int) -> None:
    service = Service()
    model = make(service)
    name = "Season 2, Episode 11 of the long series about bees, their queens and what they are told of honey.mp4"
    whole = [Document(keep(model, f"{name} 00:00:{n}0-00:00:{n}6 visual", f"{n}{ID[1:]}")) for n in range(3)]
    pieces = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=overlap).split_documents(whole)
    with pytest.raises(InvalidInputError, match="Do not split documents"):
        InMemoryVectorStore(model).add_documents(pieces)
    assert not service.requests


def test_a_splitter_with_room_for_them_leaves_them_whole() -> None:
    service = Service()
    model = make(service)
    whole = documents(model)
    pieces = RecursiveCharacterTextSplitter(chunk_size=120, chunk_overlap=10).split_documents(whole)
    assert [piece.page_content for piece in pieces] == [document.page_content for document in whole]
    assert model.embed_documents([p.page_content for p in pieces]) == [vector(str(d.id)) for d in whole]
    assert not service.requests


# -- one piece ----------------------------------------------------------------------------------------------------


def alone(reference: str) -> dict[str, str]:
    """Pieces that prove by themselves what they are of."""
    bracket = reference[reference.index("[") :]
    return {
        "the label": LABEL,
        "the label, with white space": f" {LABEL}\n",
        "the label and an opening": f"{LABEL} [twelvelabs:",
        "the label and a bracket": f"{LABEL} [",
        "cut in the opening": f"{LABEL} [twelvelabs",
        "cut in the space": f"{LABEL} [twelvelabs:mareng",
        "cut in the id": f"{LABEL} {bracket[:40]}",
        "cut in the check": f"{LABEL} {bracket[:-3]}",
        "a caption, cut in the id": f"A red square.\n{LABEL} {bracket[:40]}",
        "the end": bracket[-26:],
        "the end, from inside the space": bracket[16:],
        "the end, from inside the opening": bracket[4:],
        "the end, with a caption": f"{bracket[-30:]}\nA red square.",
    }


@pytest.mark.parametrize("how", alone("[]"))
@pytest.mark.parametrize("cached", [True, False])
async def test_a_piece_alone(how: str, cached: bool) -> None:
    service = Service()
    cache = InMemoryByteStore() if cached else None
    model = make(service, cache=cache)
    piece = alone(keep(model))[how]
    for again in (model, model.model_copy(), *([make(service, cache=cache)] if cached else [])):
        with pytest.raises(InvalidInputError, match=r"^texts\[1\]: .*is a piece of a media document") as caught:
            again.embed_documents(["red", piece])
        assert caught.value.item == "texts[1]"
        with pytest.raises(InvalidInputError, match=r"^text: .*piece"):
            again.embed_query(piece)
        with pytest.raises(InvalidInputError, match=r"^text: .*piece"):
            await again.aembed_query(piece)
    assert not service.requests


@pytest.mark.parametrize(
    "text",
    [
        f"see {LABEL} for the beginning",
        f"{LABEL}, {LABEL}",
        f"as in {LABEL}",
        f"The beginning:\n{LABEL}",
        "film.mp4 00:00:06-00:00:12 visual",
        "film.mp4",
        "visual",
        "00:00:00-00:00:06 visual",
        f"{LABEL} [a twelvelab",
        f"as in {LABEL} [twelvelabs:marengo3.0/512/",
        f"{ID[-12:]}/00000000]",
        f"{ID[-12:]}]",
    ],
)
def test_what_speaks_of_media_is_a_text(text: str) -> None:
    service = Service()
    model = make(service)
    keep(model)
    assert model.embed_documents([text, "red"]) == [vector(text), vector("red")]
    assert model.embed_query(text) == vector(text)


def test_texts_beside_a_whole_document_are_no_pieces_of_it() -> None:
    service = Service()
    model = make(service)
    whole = keep(model, "a red bike.mp4 00:00:00-00:00:06 visual")
    keep(model, "this is a red bike.mp4 00:00:00-00:00:06 visual", ID[::-1].replace("-", "0"))
    texts = ["a red bike", whole, "a", whole, "this is", whole, "film.mp4", f"{whole}\n", "a red"]
    found = model.embed_documents(texts)
    assert found == [vector(ID) if ID in text else vector(text) for text in texts]


def test_a_file_named_like_a_text_does_not_make_the_text_a_label() -> None:
    service = Service()
    model = make(service)
    keep(model, "a red bike whole visual")
    keep(model, "a red bike")
    assert model.embed_query("a red bike") == vector("a red bike")
    with pytest.raises(InvalidInputError, match="piece"):
        model.embed_query("a red bike whole visual")


@pytest.mark.parametrize(
    "label",
    [
        "a.wav 00:00:00-00:00:06",
        "a.wav 100:00:00.5-100:00:06 audio",
        "red.png whole visual",
        "notes.md part 12 text",
        "r.pdf page 3 visual",
        "r.pdf page 3 top_left visual",
        "a b  c.mp4 whole",
        "clip.mp4 00:00:00-00:00:06 fused",
    ],
)
def test_every_form_of_a_label_is_recognised(label: str) -> None:
    model = TwelveLabsEmbeddings(api_key="k")
    keep(model, " ".join(label.split()))
    with pytest.raises(InvalidInputError, match="piece"):
        model.embed_query(label)


def test_a_store_that_fails_knows_no_label() -> None:
    class Failing(InMemoryByteStore):
        def mget(self, keys: Any) -> Any:
            if any("labels" in key for key in keys):
                raise OSError("no disk")
            return super().mget(keys)

    model = make(Service(), cache=Failing())
    keep(model)  # in memory, as the store fails
    with pytest.raises(InvalidInputError, match="piece"):
        model.embed_query(LABEL)
    with pytest.raises(CacheError, match="no disk"):  # whether it is a piece cannot be told
        model.embed_query("film.mp4 00:00:06-00:00:12 visual")


# -- any text, any cut --------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_characters="[]"), max_size=40)


@given(st.lists(words, max_size=4), st.integers(0, 4), words, words)
def test_a_whole_reference_is_never_sent(texts: list[str], at: int, before: str, after: str) -> None:
    service = Service()
    model = make(service)
    texts = [text for text in texts if text.strip()]
    texts.insert(at, f"{before}{keep(model)}{after}")
    at = next(i for i, text in enumerate(texts) if ID in text)
    expected = [vector(ID) if i == at else vector(text) for i, text in enumerate(texts)]
    assert model.embed_documents(texts) == expected
    assert sorted({text_of(request) for request in service.requests}) == sorted(set(texts) - {texts[at]})


@given(st.lists(st.integers(1, 110), min_size=1, max_size=30), st.integers(0, 12), st.lists(words, max_size=3))
@example([34], 0, [])
@example([35], 1, [])
@example([3, 35], 2, [])
@example([13], 1, [])
def test_pieces_in_a_row_are_never_sent(cuts: list[int], overlap: int, texts: list[str]) -> None:
    """Whatever the cuts, every piece of a document in one call is refused: with the label, or joined."""
    service = Service()
    model = make(service)
    reference = keep(model)
    bounds = sorted({0, len(reference), *(cut % len(reference) for cut in cuts)})
    assume(min(b - a for a, b in itertools.pairwise(bounds)) > overlap)
    pieces = [reference[max(0, a - overlap) : b] for a, b in itertools.pairwise(bounds)]
    assume(len(pieces) > 1)
    with pytest.raises(InvalidInputError, match="piece of a media document"):
        model.embed_documents([*(text for text in texts if text.strip()), *pieces, "red"])
    assert not service.requests


hexadecimal = st.text("0123456789abcdef", max_size=12)


@given(
    st.lists(
        st.one_of(
            st.text(max_size=60),
            st.text("[]twelvelabs:/-0 visual\n", max_size=60),
            st.builds("[twelvelabs:marengo3.0/512/{}/{}]".format, st.uuids(), hexadecimal),
            st.builds("{}-{}/{}] {}".format, hexadecimal, hexadecimal, hexadecimal, words),
            st.builds("{} 00:00:00-00:00:06 visual [twelvelabs:{}".format, words, words),
        ).filter(lambda text: bool(text.strip()) and _sendable(text)),
        max_size=6,
    )
)
def test_every_other_text_is_embedded_as_it_is(texts: list[str]) -> None:
    service = Service()
    model = make(service)
    keep(model)
    assert model.embed_documents(texts) == [vector(text) for text in texts]
    for text in texts[:1]:
        assert model.embed_query(text) == vector(text)


def _sendable(text: str) -> bool:
    return re.search("[\ud800-\udfff]", text) is None


@given(st.text(max_size=200), st.text("abc[]0123456789/-: visual\n", max_size=200))
def test_the_quick_test_lets_every_piece_through(first: str, second: str) -> None:
    for text in (first, second, f"{first}]{second}", f"{first} {LABEL}", f"{first} [twelvelabs:{second}"):
        found = [torn.bare_label(text), torn.label_before_opening(text), torn.signed_end(text)]
        if any(found):
            assert may_refer(text)
        if list(torn.joined(["[twelvelabs:", text], 1)):
            assert may_refer(text)


# -- with files -----------------------------------------------------------------------------------------------


def test_labels_of_a_loader_are_kept(tmp_path: Path) -> None:
    from langchain_twelvelabs import TwelveLabsMediaLoader
    from tests.support import media

    (tmp_path / "a  red\tsquare.png").write_bytes(media.png("red"))
    service = Service()
    model = make(service)
    (document,) = TwelveLabsMediaLoader(tmp_path, model).load()
    label = document.page_content.partition(" [")[0]
    assert label == "a red square.png whole visual"
    with pytest.raises(InvalidInputError, match="piece"):
        model.embed_documents([label])
    assert len(service.requests) == 1
