"""Arguments that are not what a method takes: refused with our error, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core.schema import TextNode

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, TwelveLabsRetriever, merge_segments
from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentPostprocessor,
)
from tests.support import media
from tests.support.service import Service
from twelvelabs_core import Audio, TwelveLabsError, UnexpectedError


def generator(*items: Any) -> Iterator[Any]:
    yield from items


class Mute:
    """Has no words for itself."""

    def __repr__(self) -> str:
        raise RuntimeError


# Made anew for each call: a generator is used up.
SINGLE: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "number": lambda: 3,
    "not a number": lambda: float("nan"),
    "bool": lambda: True,
    "bytes": lambda: b"ab",
    "memory view": lambda: memoryview(b"abc"),
    "object": object,
    "class": lambda: str,
    "function": lambda: len,
    "exception": lambda: ValueError("x"),
    "array without dimensions": lambda: np.array(3.0),
    "mute": Mute,
    "path": lambda: Path("/nonexistent/a.png"),
    "string": lambda: "/nonexistent/a.png",
    "mapping": lambda: {"a": 1},
}
LISTS: dict[str, Callable[[], Any]] = {
    "list of none": lambda: [None],
    "list of numbers": lambda: [1, 2],
    "lists in a list": lambda: [["a"]],
    "empty list in a list": lambda: [[]],
    "tuple": lambda: ("a", None),
    "generator": lambda: generator("a", 3),
    "array": lambda: np.array([1.0, 2.0]),
    "set": lambda: {1},
    "list of bytes": lambda: [b""],
    "list of mute objects": lambda: [Mute()],
    "late": lambda: ["a", "b", None],
}

SERVICE = Service()
LANGCHAIN = TwelveLabsEmbeddings(api_key=SERVICE.key, transport=SERVICE.transport, max_retries=0)
LLAMA = TwelveLabsEmbedding(api_key=SERVICE.key, transport=SERVICE.transport, max_retries=0)
AUDIO = Audio(media.wav())


def full_store() -> InMemoryVectorStore:
    store = InMemoryVectorStore(LANGCHAIN)
    store.store["a"] = {"id": "a", "vector": [0.5] * 512, "text": "a", "metadata": {}}
    return store


def loading(**settings: Any) -> Any:
    return TwelveLabsMediaLoader(**{"paths": [AUDIO], "embeddings": LANGCHAIN, **settings}).load()


TAKES_A_LIST: dict[str, Callable[[Any], Any]] = {
    "embed_documents": LANGCHAIN.embed_documents,
    "embed_image": LANGCHAIN.embed_image,
    "embed_audio": LANGCHAIN.embed_audio,
    "embed_video": LANGCHAIN.embed_video,
    "embed_composed, images": lambda odd: LANGCHAIN.embed_composed("a", images=odd),
    "query_reference": lambda odd: LANGCHAIN.query_reference(odd).__enter__(),
    "by_vector": lambda odd: TwelveLabsRetriever(vectorstore=full_store()).by_vector(odd),
    "get_text_embedding_batch": LLAMA.get_text_embedding_batch,
    "get_image_embedding_batch": LLAMA.get_image_embedding_batch,
    "get_audio_embedding_batch": LLAMA.get_audio_embedding_batch,
    "get_video_embedding_batch": LLAMA.get_video_embedding_batch,
    "get_agg_embedding_from_queries": LLAMA.get_agg_embedding_from_queries,
    "as a pipeline step": LLAMA,
    "media embedder": TwelveLabsMediaEmbedder(embed_model=LLAMA),
    "merge_segments": merge_segments,
    "postprocessor": TwelveLabsMomentPostprocessor().postprocess_nodes,
}
TAKES_ONE: dict[str, Callable[[Any], Any]] = {
    "embed_query": LANGCHAIN.embed_query,
    "embed_segments": LANGCHAIN.embed_segments,
    "get_query_embedding": LLAMA.get_query_embedding,
    "get_text_embedding": LLAMA.get_text_embedding,
    "get_image_embedding": LLAMA.get_image_embedding,
    "get_audio_embedding": LLAMA.get_audio_embedding,
    "get_video_embedding": LLAMA.get_video_embedding,
    "get_segments": LLAMA.get_segments,
    "query_bundle": LLAMA.query_bundle,
    "by_image": TwelveLabsRetriever(vectorstore=full_store()).by_image,
    "loader": lambda odd: loading(paths=odd),
    "reader": TwelveLabsMediaReader().load_data,
}
FITS = {
    ("embed_query", "string"),
    ("get_query_embedding", "string"),
    ("get_text_embedding", "string"),
    ("query_bundle", "string"),
}


def refused(call: Callable[[Any], Any], odd: Any) -> None:
    sent = len(SERVICE.requests)
    with pytest.raises(TwelveLabsError):
        call(odd)
    assert len(SERVICE.requests) == sent


@pytest.mark.parametrize("what", [*SINGLE, *LISTS])
@pytest.mark.parametrize("method", TAKES_A_LIST)
def test_not_the_list_that_a_method_takes(method: str, what: str) -> None:
    refused(TAKES_A_LIST[method], {**SINGLE, **LISTS}[what]())


@pytest.mark.parametrize("what", [*SINGLE, *LISTS])
@pytest.mark.parametrize("method", TAKES_ONE)
def test_not_what_a_method_takes(method: str, what: str) -> None:
    if (method, what) not in FITS:
        refused(TAKES_ONE[method], {**SINGLE, **LISTS}[what]())


@pytest.mark.parametrize("what", [*(name for name in SINGLE if name != "none"), *LISTS])
@pytest.mark.parametrize("setting", ["options", "suffixes", "glob", "files_ahead", "embeddings", "on_error"])
def test_not_the_setting_of_a_loader(setting: str, what: str) -> None:
    fitting = {("suffixes", "string"), ("glob", "string"), ("files_ahead", "number"), ("suffixes", "mapping")}
    if (setting, what) not in fitting:
        refused(lambda odd: loading(**{setting: odd}), {**SINGLE, **LISTS}[what]())


def test_documents_of_the_other_framework() -> None:
    refused(LLAMA, [Document("a")])
    refused(TwelveLabsMediaEmbedder(embed_model=LLAMA), [Document("a")])
    refused(merge_segments, [TextNode(text="a")])


@pytest.mark.parametrize("options", ["a", {"segmentation": 3}, 3, [], object()])
def test_options_of_segments(options: Any) -> None:
    refused(lambda odd: LANGCHAIN.embed_segments(AUDIO, odd), options)
    refused(lambda odd: LLAMA.get_segments(AUDIO, odd), options)
    refused(lambda odd: loading(options={"audio": odd}), options)


def test_an_exception_of_an_iterable_is_the_cause_of_ours() -> None:
    def failing() -> Iterator[str]:
        yield "a"
        raise KeyError("of the caller")

    sent = len(SERVICE.requests)
    for method in (LANGCHAIN.embed_documents, LLAMA.get_text_embedding_batch):
        with pytest.raises(UnexpectedError, match="raised KeyError after 1 of them") as caught:
            method(failing())  # type: ignore[arg-type]  # any iterable is taken
        assert isinstance(caught.value.__cause__, KeyError)
    assert len(SERVICE.requests) == sent
