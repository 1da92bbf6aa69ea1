"""Odd texts and sources through every method of the adapter: vectors, or this package's errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
from tests.support.fuzz import ours_alone
from tests.support.odd_items import SOURCES, TEXTS
from tests.support.service import Service

sources = st.lists(st.sampled_from(SOURCES), min_size=1, max_size=3)


def model() -> TwelveLabsEmbeddings:
    service = Service()
    return TwelveLabsEmbeddings(api_key=service.key, transport=service.transport, max_retries=0)


@given(st.lists(st.sampled_from(TEXTS) | st.text(max_size=20), max_size=4))
def test_texts(texts: list[Any]) -> None:
    embeddings = model()
    with ours_alone():
        embeddings.embed_documents(texts)
    for text in texts:
        with ours_alone():
            embeddings.embed_query(text)


@given(sources, st.sampled_from(["embed_image", "embed_audio", "embed_video"]))
def test_media(given_sources: list[Any], method: str) -> None:
    with ours_alone():
        getattr(model(), method)([make() for make in given_sources])


@given(sources, st.sampled_from(TEXTS))
def test_composed_and_segments(given_sources: list[Any], text: Any) -> None:
    embeddings = model()
    with ours_alone():
        embeddings.embed_composed(text, images=[make() for make in given_sources])
    for make in given_sources:
        with ours_alone():
            embeddings.embed_segments(make())


@pytest.fixture(scope="module", autouse=True)
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Some sources are the working folder, which takes long to list where it holds environments."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("empty"))
    yield
    os.chdir(before)


@given(st.sampled_from(SOURCES))
def test_loader(make: Any) -> None:
    with ours_alone():
        TwelveLabsMediaLoader(make(), model()).load()
