"""The lines of code that the demo's page shows: they are run, and find what the page says they find."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import QueryBundle, VectorStoreIndex
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from pydantic import SecretStr

from langchain_twelvelabs import merge_segments
from llama_index_twelvelabs import TwelveLabsMomentPostprocessor
from twelvelabs_emulator import Emulator

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import sample_media
from demo.code_lines import SORTS, all_code, code_lines, filled
from demo.langchain_search import LangChainSearch
from demo.llama_index_search import LlamaIndexSearch
from demo.media import KINDS, Library, find
from demo.queries import Query, near_the_best
from demo.service import Service

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("samples")
    sample_media.make(folder)
    return find(folder)


@pytest.fixture(scope="module")
def service(running_emulator: Emulator) -> Service:
    return Service(running_emulator.base_url, SecretStr(running_emulator.api_key), toy=True)


@pytest.fixture(scope="module")
def langchain(library: Library, service: Service) -> LangChainSearch:
    return LangChainSearch(library, service)


@pytest.fixture(scope="module")
def llama_index(library: Library, service: Service) -> LlamaIndexSearch:
    return LlamaIndexSearch(library, service)


def queries(library: Library) -> dict[str, Query]:
    named = library.named
    return {
        "text": Query(KINDS, text='a "yellow" lemon rolls by'),
        "image": Query(KINDS, file=named("sunset.png")),
        "audio": Query(KINDS, file=named("low-hum.wav")),
        "video": Query(KINDS, file=named("picnic.mp4")),
        "text + image": Query(KINDS, text="the same in red", file=named("chessboard.png")),
        "text file": Query(KINDS, file=named("engine-room.txt")),
    }


def ran(code: str, **names: Any) -> Any:
    """What the lines leave in ``found``."""
    exec(compile(code, "<page>", "exec"), names)
    return names["found"]


def test_every_list_of_the_page_has_its_lines(library: Library) -> None:
    assert all_code().keys() == {f"{sort}>{kind}" for sort in SORTS for kind in KINDS}
    assert queries(library).keys() | {"scene"} == set(SORTS)


@pytest.mark.parametrize("sort", [sort for sort in SORTS if sort != "scene"])
def test_the_lines_find_what_the_page_shows(
    sort: str,
    library: Library,
    langchain: LangChainSearch,
    llama_index: LlamaIndexSearch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(library.folder)
    query = queries(library)[sort]
    for kind in KINDS:
        # A file finds itself, which the page leaves out; of a video all scenes.
        expected = [hit.item.name for hit in langchain.ask(query).hits[kind]]
        one, other = (filled(code, query) for code in code_lines(sort, kind).values())
        found = [document.metadata["file"] for document in langchain_found(one, langchain)]
        assert [name for name in found if query.file is None or name != query.file.name][:3] == expected, one
        found = [node.metadata["file"] for node in llama_index_found(other, llama_index)]
        assert [name for name in found if query.file is None or name != query.file.name][:3] == expected, other


def test_a_scene_found_before_is_searched_by_without_a_request(
    library: Library, langchain: LangChainSearch, llama_index: LlamaIndexSearch, running_emulator: Emulator
) -> None:
    query = Query(KINDS, text="a yellow lemon rolls by")
    one, other = (filled(code, query) for code in code_lines("text", "video").values())
    scene, node = langchain_found(one, langchain)[0], llama_index_found(other, llama_index)[0].node
    before = len(running_emulator.requests)
    one, other = code_lines("scene", "image").values()
    assert langchain_found(one, langchain, scene=scene)[0].metadata["file"] == "lemon.png"
    assert llama_index_found(other, llama_index, scene=node)[0].metadata["file"] == "lemon.png"
    assert len(running_emulator.requests) == before


def langchain_found(code: str, search: LangChainSearch, **more: Any) -> Any:
    return ran(
        code,
        embeddings=search.embeddings,
        store=search.store,
        merge_segments=merge_segments,
        near_the_best=near_the_best,
        Path=Path,
        **more,
    )


def llama_index_found(code: str, search: LlamaIndexSearch, **more: Any) -> Any:
    return ran(
        code,
        model=search.model,
        index=search.index,
        text_store=search.text_store,
        image_store=search.image_store,
        MetadataFilter=MetadataFilter,
        MetadataFilters=MetadataFilters,
        QueryBundle=QueryBundle,
        TwelveLabsMomentPostprocessor=TwelveLabsMomentPostprocessor,
        VectorStoreIndex=VectorStoreIndex,
        near_the_best=near_the_best,
        Path=Path,
        **more,
    )
