"""Settings and calls of the embeddings: what is refused, and what LangChain's own parts make of the object."""

from __future__ import annotations

import inspect
import pickle
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_core.load import dumpd, dumps, load
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import ValidationError

import langchain_twelvelabs
from langchain_twelvelabs import (
    TwelveLabsEmbeddings,
    TwelveLabsMediaLoader,
    TwelveLabsRetriever,
    TwelveLabsSpaceTransformer,
    check_store,
)
from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support import media
from tests.support.service import Service, sent_json, vector
from twelvelabs_core import InvalidInputError, Segment


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


# -- arguments --------------------------------------------------------------------------------------------------------


async def test_an_argument_that_embed_video_does_not_have_is_refused(
    model: TwelveLabsEmbeddings, service: Service
) -> None:
    """It would be a visual vector, silently."""
    with pytest.raises(TypeError, match="embedding_option"):
        model.embed_video(paths=["a.mp4"], embedding_option="audio")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="embedding_option"):
        await model.aembed_video(paths=["a.mp4"], embedding_option="audio")  # type: ignore[call-arg]
    assert not service.requests
    clip = media.mp4((("red", 4, 0),), fps=4)
    assert model.embed_video(paths=[clip], batch_size=1) == await model.aembed_video([clip], batch_size=1)


def test_no_public_method_takes_what_it_does_not_name(model: TwelveLabsEmbeddings) -> None:
    for name in langchain_twelvelabs.__all__:
        found = getattr(langchain_twelvelabs, name)
        for method in [found, *(m for n, m in vars(found).items() if inspect.isfunction(m) and not n.startswith("_"))]:
            kinds = {p.kind: p.name for p in inspect.signature(method).parameters.values()}
            # Those of a pydantic class, and those that are checked by name: fields of SegmentOptions, kinds of media.
            assert kinds.get(inspect.Parameter.VAR_KEYWORD) in (None, "fields", "media", "settings", "kwargs"), method


@pytest.mark.parametrize("method", ["embed_composed", "aembed_composed"])
async def test_a_kind_of_media_that_embed_composed_does_not_have(
    model: TwelveLabsEmbeddings, method: str, service: Service
) -> None:
    with pytest.raises(TypeError, match="image"):
        found = getattr(model, method)("blue", image="bike.jpg")
        await found
    assert not service.requests


async def test_a_composition_of_a_text_alone_is_the_text(model: TwelveLabsEmbeddings, service: Service) -> None:
    assert model.embed_composed("blue coat") == await model.aembed_composed("blue coat") == vector("blue coat")
    assert [sent_json(request)["input_type"] for request in service.requests] == ["text"] * 2
    assert model.embed_composed("blue coat") == model.embed_query("blue coat")
    with pytest.raises(InvalidInputError, match="refers to <@coat>"):
        model.embed_composed("a <@coat>")
    with pytest.raises(InvalidInputError, match="empty text"):
        model.embed_composed(" ")


@pytest.mark.parametrize("name", ["budgett", "model_name"])
def test_an_unknown_setting_is_refused(name: str) -> None:
    with pytest.raises((ValidationError, InvalidInputError), match=name):
        TwelveLabsEmbeddings(**{"api_key": "k", name: 1})  # type: ignore[arg-type]


def test_an_unknown_argument_of_the_loader_is_refused(model: TwelveLabsEmbeddings) -> None:
    with pytest.raises(TypeError, match="option"):
        TwelveLabsMediaLoader("videos/", model, option=None)  # type: ignore[call-arg]


def retriever_of(model: Any) -> Any:
    return TwelveLabsRetriever(vectorstore=InMemoryVectorStore(TwelveLabsEmbeddings(api_key="k")), embeddings=model)


# -- the wrong object -------------------------------------------------------------------------------------------------


def test_the_loaders_arguments_swapped(model: TwelveLabsEmbeddings) -> None:
    with pytest.raises(
        InvalidInputError, match=r"The paths come first: TwelveLabsMediaLoader\('videos/', embeddings\)"
    ):
        TwelveLabsMediaLoader(model, "videos")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "take",
    [lambda m: TwelveLabsMediaLoader("videos/", m), TwelveLabsSpaceTransformer, retriever_of],
    ids=["loader", "transformer", "retriever"],
)
def test_embeddings_that_are_not_ours(take: Any, service: Service) -> None:
    llama = TwelveLabsEmbedding(api_key="k")
    with pytest.raises(
        InvalidInputError, match=r"got a TwelveLabsEmbedding\. That class is another framework's: make a "
    ):
        take(llama)
    with pytest.raises(InvalidInputError, match=r"takes TwelveLabsEmbeddings, got 'marengo3\.0'"):
        take("marengo3.0")
    wrapped = CacheBackedEmbeddings.from_bytes_store(make(service), InMemoryByteStore(), key_encoder="sha256")
    with pytest.raises(InvalidInputError, match=r"hides images, audio and video.*TwelveLabsEmbeddings\(cache=store\)"):
        take(wrapped)


def test_a_store_behind_a_cache_of_langchain(service: Service) -> None:
    wrapped = CacheBackedEmbeddings.from_bytes_store(make(service), InMemoryByteStore(), key_encoder="sha256")
    with pytest.raises(InvalidInputError, match="hides images, audio and video"):
        check_store(InMemoryVectorStore(wrapped))
    with pytest.raises(InvalidInputError, match="hides images, audio and video"):
        TwelveLabsRetriever(vectorstore=InMemoryVectorStore(wrapped))


def test_the_cache_of_the_embeddings_keeps_what_a_wrapper_does(tmp_path: Path) -> None:
    """The same byte store, and nothing is hidden."""
    from langchain_classic.storage import LocalFileStore

    service = Service()
    (tmp_path / "red.png").write_bytes(media.png("red"))
    for _ in range(2):
        model = make(service, cache=LocalFileStore(tmp_path / "cache"))
        assert model.embed_image(uris=[str(tmp_path / "red.png")]) == [vector("image")]
        assert model.embed_documents(["a"]) == [vector("a")]
    assert len(service.requests) == 2


# -- LangChain's own parts -------------------------------------------------------------------------------------------


def test_serialised_it_is_not_implemented_as_other_embeddings_and_shows_no_key() -> None:
    """No package of LangChain's makes its embeddings loadable; a key must not be in what is written instead."""
    model = TwelveLabsEmbeddings(api_key="tlk_5ecret_of_the_tests", model="marengo3.5")
    found = dumpd(model)
    assert found["type"] == "not_implemented"
    assert found["id"][-1] == "TwelveLabsEmbeddings"
    assert "5ecret" not in dumps(model)
    with pytest.raises(NotImplementedError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # load() is in beta
        load(found)


def test_segments_in_checkpoints_of_langgraph(caplog: pytest.LogCaptureFixture) -> None:
    """Registered by name, or plain; the name is public, so that a checkpoint outlives a version of this package."""
    JsonPlusSerializer = pytest.importorskip("langgraph.checkpoint.serde.jsonplus").JsonPlusSerializer
    segment = Segment([0.5, 0.25], 0.0, 6.0, "visual", "clip")
    state = {"found": [segment], "plain": [asdict(segment)]}
    registered = JsonPlusSerializer(allowed_msgpack_modules=[Segment])
    written = registered.dumps_typed(state)
    assert registered.loads_typed(written) == state
    assert JsonPlusSerializer(allowed_msgpack_modules=[("twelvelabs_core", "Segment")]).loads_typed(written) == state
    assert (
        JsonPlusSerializer(allowed_msgpack_modules=None).loads_typed(registered.dumps_typed(state["plain"]))
        == (state["plain"])
    )
    assert not caplog.records
    assert pickle.loads(pickle.dumps(segment)) == segment
    assert b"_results" not in pickle.dumps(segment)


def test_without_its_extra_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_core.embeddings", None)
    monkeypatch.delitem(sys.modules, "langchain_twelvelabs.embeddings")
    monkeypatch.delitem(vars(langchain_twelvelabs), "TwelveLabsEmbeddings", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"langchain_core.* pip install 'twelvelabs-embeddings\[langchain\]'"):
        _ = langchain_twelvelabs.TwelveLabsEmbeddings
