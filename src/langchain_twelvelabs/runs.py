"""The runs that callbacks and tracers see of a loader: one for a load, and below it one for each file.

LangChain has no callbacks for embeddings; its maintainers have declined them (langchain-ai/langchain, pull request
15258). LangSmith has a type of run for them, ``embedding``, and the callbacks of a chain may name it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager, Callbacks
from langchain_core.documents import Document
from langchain_core.runnables.config import merge_configs

from twelvelabs_core.adapter import describe

from .sources import Found

# Of a load's paths; a list may have a million.
MAX_PATHS = 20


class LoaderRuns:
    """The runs of one load, for the handlers of the chain it is called in and for its own. Without any, nothing is
    done.

    To be made where the load is called, as a chain's handlers are found there.

    Args:
        name: of the load's run.
        callbacks: of the loader.
        inputs: of the load's run.
        metadata: of all runs.
    """

    def __init__(self, name: str, callbacks: Callbacks, inputs: dict[str, Any], metadata: dict[str, Any]) -> None:
        config = merge_configs({}, None if callbacks is None else {"callbacks": callbacks})
        self._name, self._inputs = name, inputs
        self._how: dict[str, Any] = {
            "inheritable_callbacks": config.get("callbacks"),
            "inheritable_tags": config.get("tags"),
            "inheritable_metadata": {**config.get("metadata", {}), **metadata},
        }
        self._files: CallbackManager | None = None
        self.count = 0
        """Documents that were handed out."""

    @contextmanager
    def load(self) -> Iterator[None]:
        """The run of the load made inside. A consumer that has enough ends it without an error."""
        manager = CallbackManager.configure(**self._how)
        if not manager.handlers:
            yield
            return
        run = manager.on_chain_start(None, self._inputs, name=self._name)
        self._files = run.get_child()
        try:
            yield
        except BaseException as error:
            if not isinstance(error, GeneratorExit):
                run.on_chain_error(error)
                raise
            run.on_chain_end(self._outputs)
            raise
        run.on_chain_end(self._outputs)

    @asynccontextmanager
    async def aload(self) -> AsyncIterator[None]:
        """Async :meth:`load`."""
        manager = AsyncCallbackManager.configure(**self._how)
        if not manager.handlers:
            yield
            return
        run = await manager.on_chain_start(None, self._inputs, name=self._name)
        self._files = run.get_sync().get_child()
        try:
            yield
        except BaseException as error:
            if not isinstance(error, GeneratorExit):
                await run.on_chain_error(error)
                raise
            await run.on_chain_end(self._outputs)
            raise
        await run.on_chain_end(self._outputs)

    @property
    def _outputs(self) -> dict[str, Any]:
        return {"documents": self.count}

    async def file(self, found: Found, embed: Callable[[], Awaitable[list[Document]]]) -> list[Document]:
        """The documents of a file, which ``embed`` makes, with a run of its own.

        On the background loop; handlers, which may be slow, are called in threads.
        """
        if self._files is None:
            return await embed()
        inputs = {"source": found.label, **({"media_type": found.media.kind} if found.media else {})}
        run = await asyncio.to_thread(
            self._files.on_chain_start, None, inputs, name="TwelveLabsEmbeddings", run_type="embedding"
        )
        try:
            documents = await embed()
        except BaseException as error:
            await asyncio.to_thread(run.on_chain_error, error)
            raise
        await asyncio.to_thread(run.on_chain_end, {"documents": len(documents)})
        return documents


def shown_paths(paths: Any) -> Any:
    """What a loader was given, for its run: names only, and the first of many. An iterator is not used up."""
    if isinstance(paths, (list, tuple)):
        return [shown_paths(path) for path in paths[:MAX_PATHS]] + (["…"] if len(paths) > MAX_PATHS else [])
    place = os.fspath(paths) if isinstance(paths, (str, os.PathLike)) else "data:"
    if place.startswith("data:"):
        return describe(paths)
    return place.partition("?")[0] if "://" in place else place
