"""References: read, answered, mixed with texts, refused; and what holds their vectors."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.stores import InMemoryByteStore

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
from langchain_twelvelabs.references import Reference, reference_to
from tests.support import media
from tests.support.service import Service, right_answer, sent_json, text_of, vector
from twelvelabs_core import AuthenticationError, BatchError, InvalidInputError

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


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


# -- read -------------------------------------------------------------------------------------------------------------


def test_written_and_read() -> None:
    text = reference_to(ID, "marengo3.0/512", "a video\nof mine.mp4 00:01:12-00:01:18 visual")
    assert text == f"a video of mine.mp4 00:01:12-00:01:18 visual [twelvelabs:marengo3.0/512/{ID}]"
    assert Reference.parse(text) == Reference("marengo3.0/512", ID)
    assert Reference.parse(f"  {text}\n") == Reference("marengo3.0/512", ID)


@pytest.mark.parametrize(
    "text",
    [
        "a red bike",
        f"[twelvelabs:marengo3.0/512/{ID}] was found",  # speaks of one, is none
        f"One line.\nred.png [twelvelabs:marengo3.0/512/{ID}]",
        f"red.png [twelvelabs:marengo3.0/512/{ID[:-1]}]",
        f"red.png [twelvelabs:{ID}]",
        "",
        None,
        3,
    ],
)
def test_what_is_no_reference(text: Any) -> None:
    assert Reference.parse(text) is None


@given(st.text(max_size=60), st.uuids(), st.sampled_from(["marengo3.0/512", "marengo3.5/128", "my model/64"]))
def test_any_name_is_read_back(name: str, id: Any, space: str) -> None:
    assert Reference.parse(reference_to(str(id), space, name)) == Reference(space, str(id))


# -- answered ---------------------------------------------------------------------------------------------------------


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


def test_unknown_reference_is_refused_and_nothing_sent(image: Path) -> None:
    service, other = Service(), Service()
    reference = reference_of(make(other), image)
    model = make(service)
    with pytest.raises(InvalidInputError, match=r"^texts\[1\]: .*does not|do not hold.*cache=") as caught:
        model.embed_documents(["red", reference])
    assert caught.value.item == "texts[1]"
    with pytest.raises(InvalidInputError, match="do not hold"):
        model.embed_query(reference)
    assert not service.requests


@pytest.mark.parametrize("settings", [{"model": "marengo3.5"}, {"model": "marengo3.5", "dimensions": 128}])
def test_another_space_is_refused_by_name(image: Path, settings: dict[str, Any]) -> None:
    service = Service()
    cache = InMemoryByteStore()
    reference = reference_of(make(service, cache=cache), image)
    model = make(service, cache=cache, **settings)
    with pytest.raises(InvalidInputError, match=re.escape("marengo3.0/512") + ".*" + re.escape(model.space)):
        model.embed_documents([reference])


# -- errors of the texts beside them --------------------------------------------------------------------------------


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


# -- held -------------------------------------------------------------------------------------------------------------


def test_copies_share_what_is_in_memory_and_pickles_do_not(image: Path) -> None:
    model = make(Service())
    reference = reference_of(model, image)
    for clone in (copy.copy(model), copy.deepcopy(model), model.model_copy(update={"timeout": 9.0})):
        assert clone.embed_query(reference) == vector("image")
    plain = TwelveLabsEmbeddings(api_key="k")
    plain._in_memory.hold(ID, [0.5] * 512)
    again = pickle.loads(pickle.dumps(plain))
    with pytest.raises(InvalidInputError, match="do not hold"):
        again.embed_query(reference_to(ID, plain.space, "x"))


def test_forgotten(image: Path) -> None:
    model = make(Service())
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

    model = make(Service(), cache=Full())
    reference = reference_of(model, image)
    assert model.embed_query(reference) == vector("image")
    assert "stay in memory: disk full" in caplog.text


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
    with pytest.raises(InvalidInputError, match="do not hold"):
        model.embed_query(text)
    with pytest.raises(InvalidInputError, match="3 numbers"), model.query_reference([0.1, 0.2, 0.3]):
        pass
    assert not service.requests
