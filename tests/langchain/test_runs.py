"""What LangChain's tracers see of a loader: a run for a load, and one of type ``embedding`` for each of its files."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langchain_core.tracers.schemas import Run
from langchain_core.version import VERSION

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
from tests.support.service import Service, refusal
from twelvelabs_core import Image, InvalidInputError
from twelvelabs_core.adapter import run as run_on_the_loop

# The run collector of older releases of LangChain.
pytestmark = pytest.mark.filterwarnings("ignore:The `copy` method is deprecated:DeprecationWarning")
needs_context = pytest.mark.skipif(
    sys.version_info < (3, 11) and VERSION < "1.4", reason="before 1.4, LangChain passes a coroutine no context on 3.10"
)


def embeddings(service: Service | None = None) -> TwelveLabsEmbeddings:
    service = service or Service()
    return TwelveLabsEmbeddings(api_key=service.key, transport=service.transport)


@pytest.fixture
def tracer() -> RunCollectorCallbackHandler:
    """A tracer of LangChain's that keeps runs as LangSmith gets them."""
    return RunCollectorCallbackHandler()


def only(tracer: RunCollectorCallbackHandler) -> Run:
    (found,) = tracer.traced_runs
    return found


def test_a_load_is_a_run_with_one_below_it_for_each_file(files: Path, tracer: RunCollectorCallbackHandler) -> None:
    paths = [files / "red.png", files / "blue.png"]
    documents = TwelveLabsMediaLoader(paths, embeddings(), callbacks=[tracer]).load()
    load = only(tracer)
    assert (load.name, load.run_type, load.error) == ("TwelveLabsMediaLoader", "chain", None)
    assert load.inputs == {"paths": [str(path) for path in paths]}
    assert load.outputs == {"documents": len(documents)} == {"documents": 2}
    assert load.extra is not None
    assert load.extra["metadata"] == {
        "ls_embedding_provider": "TwelveLabsEmbeddings",
        "ls_embedding_model": "marengo3.0",
    }
    assert [(child.name, child.run_type) for child in load.child_runs] == [("TwelveLabsEmbeddings", "embedding")] * 2
    inputs = sorted((child.inputs["source"], child.inputs["media_type"]) for child in load.child_runs)
    assert inputs == sorted((str(path), "image") for path in paths)
    assert all(child.outputs == {"documents": 1} for child in load.child_runs)
    assert all(child.end_time and load.end_time and child.end_time <= load.end_time for child in load.child_runs)


async def test_an_async_load_makes_the_same_runs(files: Path, tracer: RunCollectorCallbackHandler) -> None:
    await TwelveLabsMediaLoader(files / "red.png", embeddings(), callbacks=[tracer]).aload()
    load = only(tracer)
    assert load.outputs == {"documents": 1}
    assert [child.inputs["source"] for child in load.child_runs] == [str(files / "red.png")]


def test_a_loader_inside_a_chain_is_below_the_chains_run(files: Path, tracer: RunCollectorCallbackHandler) -> None:
    loader = TwelveLabsMediaLoader(files / "red.png", embeddings())
    config = RunnableConfig(callbacks=[tracer], tags=["nightly"], metadata={"job": 7}, run_name="ingest")
    chain: Runnable[str, int] = RunnableLambda(lambda _: len(loader.load()))
    chain.invoke("now", config)
    ingest = only(tracer)
    (load,) = ingest.child_runs
    (file,) = load.child_runs
    assert (ingest.name, load.name, file.name) == ("ingest", "TwelveLabsMediaLoader", "TwelveLabsEmbeddings")
    for run in (load, file):
        assert run.tags == ["nightly"]
        assert run.extra is not None
        assert run.extra["metadata"]["job"] == 7


@needs_context
async def test_an_async_chain(files: Path, tracer: RunCollectorCallbackHandler) -> None:
    loader = TwelveLabsMediaLoader(files / "red.png", embeddings())

    async def ingest(_: str) -> int:
        return len(await loader.aload())

    await RunnableLambda(ingest).ainvoke("now", {"callbacks": [tracer]})
    assert [run.name for run in only(tracer).child_runs] == ["TwelveLabsMediaLoader"]


def test_a_lazy_load_belongs_to_where_it_was_called(files: Path, tracer: RunCollectorCallbackHandler) -> None:
    loader = TwelveLabsMediaLoader([files / "red.png", files / "blue.png"], embeddings(), files_ahead=1)

    def ingest(_: str) -> int:
        documents = loader.lazy_load()
        read: Runnable[str, int] = RunnableLambda(lambda _: len(list(documents)), name="read")
        return read.invoke("now")

    RunnableLambda(ingest, name="ingest").invoke("now", {"callbacks": [tracer]})
    assert [run.name for run in only(tracer).child_runs] == ["read", "TwelveLabsMediaLoader"]


@needs_context
async def test_events_of_a_chain_name_the_embedding_of_each_file(files: Path) -> None:
    loader = TwelveLabsMediaLoader(files / "red.png", embeddings())

    async def ingest(_: str) -> int:
        return len(await loader.aload())

    found = [event["event"] async for event in RunnableLambda(ingest).astream_events("now", version="v2")]
    assert found.count("on_embedding_start") == found.count("on_embedding_end") == 1


def test_errors(files: Path, tracer: RunCollectorCallbackHandler, tmp_path: Path) -> None:
    refusing = embeddings(Service(lambda _: refusal(400)))
    with pytest.raises(InvalidInputError):
        TwelveLabsMediaLoader(files / "red.png", refusing, callbacks=[tracer]).load()
    load = only(tracer)
    assert "InvalidInputError" in str(load.error)
    assert ["InvalidInputError" in str(child.error) for child in load.child_runs] == [True]


def test_a_skipped_file_is_an_error_of_its_own_run(files: Path, tracer: RunCollectorCallbackHandler) -> None:
    loader = TwelveLabsMediaLoader(
        [Image(b"no image"), files / "red.png"], embeddings(), callbacks=[tracer], on_error="skip"
    )
    assert len(loader.load()) == 1
    load = only(tracer)
    assert load.error is None
    assert load.outputs == {"documents": 1}
    assert sorted(bool(child.error) for child in load.child_runs) == [False, True]


def test_a_load_that_is_left_early_has_no_error(files: Path, tracer: RunCollectorCallbackHandler) -> None:
    paths = [files / "red.png", files / "blue.png", files / "purple.png"]
    for _ in TwelveLabsMediaLoader(paths, embeddings(), callbacks=[tracer]).lazy_load():
        break
    load = only(tracer)
    assert load.error is None
    assert load.outputs == {"documents": 1}


async def test_an_async_load_that_is_left_early(files: Path, tracer: RunCollectorCallbackHandler) -> None:
    paths = [files / "red.png", files / "blue.png"]
    found: AsyncIterator[Document] = TwelveLabsMediaLoader(paths, embeddings(), callbacks=[tracer]).alazy_load()
    await anext(found)
    await found.aclose()  # type: ignore[attr-defined]  # it is an async generator
    assert only(tracer).outputs == {"documents": 1}


def test_no_signature_content_or_key_is_traced(tracer: RunCollectorCallbackHandler) -> None:
    service, content = Service(), b"\x89PNG no image"
    paths: list[Any] = ["https://files.example/a.png?signature=5ecret", Image(content)]
    loader = TwelveLabsMediaLoader(paths, embeddings(service), callbacks=[tracer], on_error="skip")
    loader.load()
    shown = only(tracer).model_dump_json() if hasattr(Run, "model_dump_json") else repr(only(tracer).dict())
    assert "files.example/a.png" in shown
    for hidden in ("5ecret", service.key, "no image"):
        assert hidden not in shown


def test_many_paths_are_not_all_traced_and_an_iterator_is_not_used_up(
    files: Path, tracer: RunCollectorCallbackHandler
) -> None:
    many = [files / "red.png"] * 50
    TwelveLabsMediaLoader(many, embeddings(), callbacks=[tracer]).load()
    assert len(only(tracer).inputs["paths"]) == 21
    assert len(TwelveLabsMediaLoader(iter([files / "red.png"]), embeddings(), callbacks=[tracer]).load()) == 1


def test_handlers_do_not_run_on_the_loop_of_the_requests(files: Path) -> None:
    """A slow one would stop every request of the process."""
    threads: list[str] = []

    class Slow(BaseCallbackHandler):
        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            threads.append(threading.current_thread().name)

        on_chain_end = on_chain_start

    async def name() -> str:
        return threading.current_thread().name

    TwelveLabsMediaLoader(files / "red.png", embeddings(), callbacks=[Slow()]).load()
    assert len(threads) == 4
    assert run_on_the_loop(name()) not in threads


async def test_an_async_handler(files: Path) -> None:
    seen: list[str] = []

    class Handler(AsyncCallbackHandler):
        async def on_chain_start(self, *args: Any, name: str = "", **kwargs: Any) -> None:
            seen.append(name)

    await TwelveLabsMediaLoader(files / "red.png", embeddings(), callbacks=[Handler()]).aload()
    TwelveLabsMediaLoader(files / "red.png", embeddings(), callbacks=[Handler()]).lazy_load()  # never read: no run
    assert seen == ["TwelveLabsMediaLoader", "TwelveLabsEmbeddings"]


def test_without_handlers_nothing_is_done(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_core.callbacks import CallbackManager

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a run was begun")

    monkeypatch.setattr(CallbackManager, "on_chain_start", refuse)
    assert len(TwelveLabsMediaLoader(files / "red.png", embeddings()).load()) == 1


def test_a_handler_that_fails_loses_no_document(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(BaseCallbackHandler):
        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("no")

        on_chain_end = on_chain_start

    assert len(TwelveLabsMediaLoader(files / "red.png", embeddings(), callbacks=[Broken()]).load()) == 1
    assert "Broken.on_chain_start" in caplog.text


def test_an_embedding_in_a_chain_is_traced_as_langchain_does(tracer: RunCollectorCallbackHandler) -> None:
    """LangChain has no callbacks for embeddings: a step of the chain is a run, whatever it calls."""
    model = embeddings()
    RunnableLambda(model.embed_query, name="embed_query").invoke("a red bike", {"callbacks": [tracer]})
    assert only(tracer).name == "embed_query"
