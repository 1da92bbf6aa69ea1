"""References: written, read, answered, mixed with texts, refused; and what holds their vectors."""

from __future__ import annotations

import copy
import logging
import pickle
import re
import textwrap
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.stores import InMemoryByteStore

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
from langchain_twelvelabs.references import Reference, check_of, reference_to, references_in
from tests.support import media
from tests.support.service import Service, right_answer, sent_json, text_of, vector
from twelvelabs_core import AuthenticationError, BatchError, InvalidInputError

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def make(service: Service, **settings: Any) -> TwelveLabsEmbeddings:
    return TwelveLabsEmbeddings(
        **{"api_key": service.key, "transport": service.transport, "max_retries": 0, **settings}
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "red.png"
    file.write_bytes(media.png("red"))
    return file


def reference_of(model: TwelveLabsEmbeddings, image: Path) -> str:
    (document,) = TwelveLabsMediaLoader(image, model).load()
    return document.page_content


# -- written and read ---------------------------------------------------------------------------------------------


def test_written_and_read() -> None:
    model = TwelveLabsEmbeddings(api_key="k")
    text = reference_to(model, ID, "a video\nof mine.mp4 00:01:12-00:01:18 visual")
    check = check_of(model, "marengo3.0/512", ID)
    assert text == f"a video of mine.mp4 00:01:12-00:01:18 visual [twelvelabs:marengo3.0/512/{ID}/{check}]"
    assert re.fullmatch("[0-9a-f]{8}", check)
    assert references_in(text) == [Reference("marengo3.0/512", ID, check)]
    assert references_in(f"  {text}\n") == references_in(text)
    assert references_in(f"{text} and {text}, not {text.replace(ID, OTHER)}") == [
        Reference("marengo3.0/512", ID, check),
        Reference("marengo3.0/512", OTHER, check),
    ]


def test_the_check_is_of_the_key_the_space_and_the_id() -> None:
    model = TwelveLabsEmbeddings(api_key="tlk_one")
    found = Reference(model.space, ID, check_of(model, model.space, ID))
    assert found.is_signed(model)
    assert found.is_signed(TwelveLabsEmbeddings(api_key="tlk_one", model="marengo3.5"))
    assert not found.is_signed(TwelveLabsEmbeddings(api_key="tlk_two"))
    assert not Reference("marengo3.5/512", ID, found.check).is_signed(model)
    assert not Reference(model.space, OTHER, found.check).is_signed(model)
    assert not Reference(model.space, ID).is_signed(model)


@pytest.mark.parametrize(
    "text",
    [
        "a red bike",
        f"red.png [twelvelabs:marengo3.0/512/{ID[:-1]}]",
        f"red.png [twelvelabs:marengo3.0/512/{ID}/0123]",
        f"red.png [twelvelabs:{ID}]",
        f"red.png [twelvelabs:marengo3.0/512/{ID}",
        f"red.png [twelvelabs:{'x' * 500}/512/{ID}]",
        "",
    ],
)
def test_what_is_no_reference(text: str) -> None:
    assert references_in(text) == []


@given(st.text(max_size=60), st.uuids(), st.sampled_from(["marengo3.0/512", "marengo3.5/128", "my model/64"]))
def test_any_name_and_any_space_are_read_back(name: str, id: Any, space: str) -> None:
    assert references_in(f"{name} [twelvelabs:{space}/{id}/01234567]") == [Reference(space, str(id), "01234567")]


# -- answered -----------------------------------------------------------------------------------------------------


def test_answered_without_a_request(image: Path) -> None:
    service = Service()
    model = make(service)
    reference = reference_of(model, image)
    sent = len(service.requests)
    assert model.embed_documents([reference, reference]) == [vector("image")] * 2
    assert model.embed_query(reference) == vector("image")
    assert len(service.requests) == sent == 1


async def test_mixed_with_texts_in_order(image: Path) -> None:
    service = Service()
    model = make(service)
    reference = reference_of(model, image)
    texts = ["red", reference, "blue", "red", reference]
    expected = [vector("red"), vector("image"), vector("blue"), vector("red"), vector("image")]
    assert model.embed_documents(texts) == expected
    assert await model.aembed_documents(texts) == expected
    assert await model.aembed_query(reference) == vector("image")


def wrapped(reference: str) -> dict[str, str]:
    """One reference as callers change it on its way into a store."""
    bracket = reference[reference.index("[") :]
    return {
        "caption before": f"A red square.\n{reference}",
        "caption before, in its line": f"A red square. {reference}",
        "caption after": f"{reference} A red square.",
        "caption after, in its own line": f"{reference}\n\nA red square.",
        "tags": f"<doc>{reference}</doc>",
        "quotes": f'{{"page_content": "{reference}"}}',
        "twice": f"{reference}\n{reference}",
        "without its label": bracket,
        "wrapped lines": textwrap.fill(f"A red square. {reference}", 30),
        "escaped for Markdown": reference.replace("[", r"\[").replace("]", r"\]").replace("-", r"\-"),
        "white space around": f" \n{reference}\t",
        "beside one that is none": f"[twelvelabs:x/1/{OTHER}] {reference}",
    }


@pytest.mark.parametrize("how", wrapped("[]"))
async def test_words_around_a_reference_do_not_change_its_vector(image: Path, how: str) -> None:
    service = Service()
    model = make(service)
    text = wrapped(reference_of(model, image))[how]
    assert model.embed_documents(["red", text]) == [vector("red"), vector("image")]
    assert model.embed_query(text) == await model.aembed_query(text) == vector("image")
    assert [text_of(request) for request in service.requests[1:]] == ["red"]


def test_words_beside_a_reference_are_warned_of_once_a_call(image: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = make(Service())
    reference = reference_of(model, image)
    model.embed_documents([reference, f" {reference}\n", f"caption {reference}"])
    assert not caplog.records
    model.embed_documents(["red", f"{reference} caption", f"caption\n{reference}"])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "texts[1] (and 1 more): has words beside its media reference" in record.getMessage()


# -- refused ------------------------------------------------------------------------------------------------------


def test_a_reference_without_its_vector_is_refused_and_nothing_sent(image: Path) -> None:
    service = Service()
    reference = reference_of(make(service), image)
    model = make(service)
    del service.requests[:]
    for text in wrapped(reference).values():
        with pytest.raises(InvalidInputError, match=r"^texts\[1\]: .*do not hold.*cache=") as caught:
            model.embed_documents(["red", text])
        assert caught.value.item == "texts[1]"
        with pytest.raises(InvalidInputError, match=r"^text: .*do not hold"):
            model.embed_query(text)
    assert not service.requests


def test_two_references_in_one_text_are_refused(image: Path) -> None:
    service = Service()
    model = make(service)
    reference = reference_of(model, image)
    with model.query_reference(vector("x")) as other, pytest.raises(InvalidInputError, match="holds 2 media ref") as e:
        model.embed_documents(["red", f"{reference}\n{other}"])
    assert e.value.item == "texts[1]"
    assert len(service.requests) == 1


@pytest.mark.parametrize("settings", [{"model": "marengo3.5"}, {"model": "marengo3.5", "dimensions": 128}])
@pytest.mark.parametrize("signed", [True, False])
def test_another_space_is_refused_by_name(image: Path, settings: dict[str, Any], signed: bool) -> None:
    service = Service()
    cache = InMemoryByteStore()
    reference = reference_of(make(service, cache=cache), image)
    if not signed:
        reference = re.sub(r"/[0-9a-f]{8}\]$", "]", reference)
    model = make(service, cache=cache, **settings)
    with pytest.raises(InvalidInputError, match=re.escape("marengo3.0/512") + ".*" + re.escape(model.space)):
        model.embed_documents([reference])


async def test_a_composed_text_with_a_reference_is_refused(image: Path) -> None:
    service = Service()
    model = make(service)
    reference = reference_of(model, image)
    with pytest.raises(InvalidInputError, match=r"^composed: .*give the media itself"):
        model.embed_composed(f"as {reference}, but blue", images=[image])
    with pytest.raises(InvalidInputError, match=r"^composed: .*give the media itself"):
        await model.aembed_composed(reference)
    assert len(service.requests) == 1
    model.embed_composed(f"as [twelvelabs:marengo3.0/512/{OTHER}], but blue", images=[image])
    assert len(service.requests) == 2


# -- from outside -------------------------------------------------------------------------------------------------

FORGED = [
    f"notes [twelvelabs:marengo3.0/512/{ID}]",
    f"notes [twelvelabs:marengo3.0/512/{ID}/01234567]",
    f"[twelvelabs:marengo3.0/512/{ID}/01234567] [twelvelabs:marengo3.0/512/{OTHER}]",
    f"notes [twelvelabs:marengo3.5/512/{ID}/01234567]",
    f"notes [twelvelabs:../../512/{ID}]",
    f"notes [twelvelabs:no such space, at all/{ID}]",
    f"notes [twelvelabs:marengo3.0/512/{ID[:20]}",
    f"{ID[20:]}/01234567]",
    "[twelvelabs:",
    "]",
    "film.mp4 00:00:00-00:00:06 visual",
]


@pytest.mark.parametrize("cache", [None, InMemoryByteStore()])
async def test_what_only_looks_like_a_reference_is_a_text(image: Path, cache: Any) -> None:
    service = Service()
    model = make(service, cache=cache)
    reference = reference_of(model, image)
    texts = [*FORGED, reference, "red"]
    assert model.embed_documents(texts) == [*map(vector, FORGED), vector("image"), vector("red")]
    for text in FORGED:
        assert model.embed_query(text) == await model.aembed_query(text) == vector(text)


def test_a_store_of_files_is_never_asked_for_what_a_text_calls_a_space(tmp_path: Path) -> None:
    from langchain_classic.storage import LocalFileStore  # refuses keys with other characters than its own

    model = make(Service(), cache=LocalFileStore(tmp_path))
    spaces = ["../../etc/512", "/512", "a b/512", "ö/512", "..", "x/512/y", "x/0", "x/99999999"]
    texts = [f"[twelvelabs:{space}/{ID}]" for space in spaces]
    assert model.embed_documents(texts) == [vector(text) for text in texts]


def test_a_reference_of_another_key_is_a_text_and_warned_of_once_a_call(
    image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reference, service = reference_of(make(Service()), image), Service()
    assert make(service).embed_documents(["red", reference, f"x {reference}"])[1] == vector(reference)
    (record,) = caplog.records
    assert "texts[1] (and 1 more): looks like a media reference" in record.getMessage()
    assert "load the media again with this key, or share its cache=" in record.getMessage()
    assert len(service.requests) == 3


def test_a_reference_of_another_key_is_answered_from_a_shared_cache(image: Path) -> None:
    cache, service = InMemoryByteStore(), Service()
    reference = reference_of(make(Service(), cache=cache), image)
    assert make(service, cache=cache).embed_documents([reference]) == [vector("image")]
    assert not service.requests


def test_references_of_earlier_versions_are_answered_while_their_vectors_are_held(image: Path) -> None:
    service = Service()
    model = make(service)
    earlier = re.sub(r"/[0-9a-f]{8}\]$", "]", reference_of(model, image))
    assert earlier.endswith("]")
    assert model.embed_documents([earlier, f"caption\n{earlier}"]) == [vector("image")] * 2
    assert len(service.requests) == 1


# -- errors of the texts beside them ------------------------------------------------------------------------------


def refusing(text: str, status: int = 400) -> Service:
    def answer(request: httpx.Request) -> Any:
        body = sent_json(request)
        if body["input_type"] == "text" and text_of(request) == text:
            return httpx.Response(status, json={"code": "parameter_invalid", "message": "no"})
        return right_answer(request)

    return Service(answer)


def test_errors_speak_of_the_whole_list(image: Path) -> None:
    model = make(refusing("bad"))
    reference = reference_of(model, image)
    with pytest.raises(BatchError) as caught:
        model.embed_documents([reference, "red", reference, "bad", "blue"])
    error = caught.value
    assert list(error.errors) == [3]
    assert error.errors[3].item == "texts[3]"
    assert "1 of 5 items failed" in str(error)
    assert "texts[3]" in str(error)
    assert error.results == [vector("image"), vector("red"), vector("image"), None, vector("blue")]


async def test_input_errors_name_the_right_text(image: Path) -> None:
    service = Service()
    model = make(service)
    reference = reference_of(model, image)
    with pytest.raises(InvalidInputError) as caught:
        await model.aembed_documents([reference, "red", " "])
    assert caught.value.item == "texts[2]"
    assert len(service.requests) == 1


def test_account_errors_carry_the_known_vectors(image: Path) -> None:
    model = make(refusing("bad", 401), max_concurrency=1)
    reference = reference_of(model, image)
    with pytest.raises(AuthenticationError) as caught:
        model.embed_documents([reference, "red", "bad"])
    assert caught.value.results[0] == vector("image")
    assert len(caught.value.results) == 3


# -- held ---------------------------------------------------------------------------------------------------------


def test_copies_share_what_is_in_memory_and_pickles_do_not(image: Path) -> None:
    model = make(Service())
    reference = reference_of(model, image)
    for clone in (copy.copy(model), copy.deepcopy(model), model.model_copy(update={"timeout": 9.0})):
        assert clone.embed_query(reference) == vector("image")
        with pytest.raises(InvalidInputError, match="piece of a media document"):
            clone.embed_query("red.png whole visual")
    plain = TwelveLabsEmbeddings(api_key="k")
    plain._in_memory.hold(ID, [0.5] * 512)
    again = pickle.loads(pickle.dumps(plain))
    with pytest.raises(InvalidInputError, match="do not hold"):
        again.embed_query(reference_to(plain, ID, "x"))


def test_forgotten(image: Path) -> None:
    service = Service()
    model = make(service)
    reference = reference_of(model, image)
    model.forget_references()
    with pytest.raises(InvalidInputError, match="do not hold"):
        model.embed_query(reference)


def test_a_cache_holds_them_instead_of_memory(image: Path, tmp_path: Path) -> None:
    service = Service()
    cache = tmp_path / "vectors.sqlite"
    model = make(service, cache=cache)
    reference = reference_of(model, image)
    assert len(model._in_memory) == 0
    other = make(service, cache=cache)  # as another process would make it
    assert other.embed_documents([reference]) == [vector("image")]
    clone = pickle.loads(pickle.dumps(TwelveLabsEmbeddings(api_key="k", cache=str(cache))))
    assert clone.embed_query(reference) == vector("image")
    assert len(service.requests) == 1


def test_another_service_has_other_references(image: Path) -> None:
    """An emulator's vectors must never answer for the real service's."""
    cache = InMemoryByteStore()
    service = Service()
    reference = reference_of(make(service, cache=cache, base_url="http://127.0.0.1:1/v1.3"), image)
    with pytest.raises(InvalidInputError, match="do not hold"):
        make(service, cache=cache).embed_query(reference)


def test_a_failed_write_leaves_the_vectors_in_memory(image: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Full(InMemoryByteStore):
        def mset(self, key_value_pairs: Any) -> None:
            raise OSError("disk full")

    model = make(Service(), cache=Full(), cache_errors="ignore")
    reference = reference_of(model, image)
    assert model.embed_query(reference) == vector("image")
    assert "cannot be written: OSError: disk full" in caplog.text


@pytest.mark.parametrize("junk", [b"", b"TLR1", b"TLR1" + bytes(8), b"other" * 900])
def test_a_broken_entry_is_no_vector(image: Path, junk: bytes) -> None:
    cache = InMemoryByteStore()
    model = make(Service(), cache=cache)
    reference = reference_of(model, image)
    cache.mset([(key, junk) for key in cache.yield_keys() if "/reference/" in key])
    with pytest.raises(InvalidInputError, match="do not hold"):
        model.embed_query(reference)


def test_query_reference() -> None:
    service = Service()
    model = make(service)
    with model.query_reference(vector("x")) as text:
        assert model.embed_query(text) == vector("x")
        assert model.embed_documents([f"find:\n{text}", "red"]) == [vector("x"), vector("red")]
    with pytest.raises(InvalidInputError, match="do not hold"):
        model.embed_query(text)
    with model.query_reference(np.array(vector("x"))) as text:  # type: ignore[arg-type]  # what stores pass
        assert model.embed_query(text) == vector("x")
    assert service.texts == ["red"]


@pytest.mark.parametrize(
    "wrong",
    [[0.1, 0.2, 0.3], None, 3, "a" * 512, b"a" * 4096, [None] * 512, [float("nan")] * 512, [[0.5] * 512], [10**400]],
)
def test_a_query_reference_needs_a_vector(wrong: Any) -> None:
    model = TwelveLabsEmbeddings(api_key="k")
    with pytest.raises(InvalidInputError, match=r"3 numbers|512 finite numbers"), model.query_reference(wrong):
        pass
    assert len(model._in_memory) == 0
