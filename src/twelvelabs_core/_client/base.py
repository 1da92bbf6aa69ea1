"""What every part of the client uses: its settings and what is made of them, statistics, lanes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from .._batch.progress import bar_of
from .._cache.cache import Cache
from .._cache.entries import Entries
from .._cache.journal import Journal
from .._embed.embedder import Embedder
from .._embed.settings import EmbedSettings
from .._errors import InvalidInputError
from .._inputs import Item, Media, describe
from .._lanes import Lane, choose, in_lane
from .._models import Model
from .._net.sender import Sender
from .._net.settings import SenderSettings
from .._stats import Progress, Run, Stats
from .._tracing import begin_span, span_attributes

Self = TypeVar("Self", bound="ClientBase")


def check_callback(name: str, given: object) -> None:
    """Refuse what cannot be called where a function is meant.

    Raises:
        InvalidInputError: with the argument's name.
    """
    if given is not None and not callable(given):
        raise InvalidInputError(f"{name}= takes a function, got {describe(given)}.")


class ClientBase:
    """Settings, statistics and lanes of a client; its methods that embed are in the classes that inherit this one."""

    _settings: EmbedSettings
    _store: Entries | None
    _stats: Stats
    _last_run: Stats

    def _start(self, settings: SenderSettings) -> None:
        """Make what is not pickled: the sender, the cache and the embedder."""
        self._sender = Sender(settings)
        self._span_attributes = span_attributes(self.model.name, self.dimensions, settings.base_url)
        self._cache = None if self._store is None else Cache(self._store, self.space, self.dimensions)
        self._embedder = Embedder(self._settings, self._sender, Journal(self._store), self._cache)

    # -- model, settings, statistics -----------------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """The model, as its table describes it."""
        return self._settings.model

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._settings.dimensions

    @property
    def space(self) -> str:
        """The vector space, for example ``marengo3.0/512``. Vectors compare only within one space."""
        return self._settings.space

    def space_of(self, item: Item) -> str:
        """The space of one item's vector: :attr:`space`, but for audio of marengo3.0 on v1.

        v1 sends audio and transcription vectors without labels (API page); their mean compares with neither, and has
        another space, ``marengo3.0/512/v1-audio``.
        """
        return self._settings.space_of(item.kind) if isinstance(item, Media) else self.space

    @property
    def base_url(self) -> str:
        """Address requests go to, with the version."""
        return self._sender.settings.base_url

    @property
    def stats(self) -> Stats:
        """Totals of all finished calls of this object."""
        return replace(self._stats)

    @property
    def last_run(self) -> Stats:
        """Figures of the call that finished last."""
        return replace(self._last_run)

    def __repr__(self) -> str:
        return f"EmbeddingClient({self.space}, {self.base_url})"

    def __getstate__(self) -> dict[str, Any]:
        return {"_settings": self._settings, "_store": self._store, "_sender_settings": self._sender.settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._settings, self._store = state["_settings"], state["_store"]
        self._stats, self._last_run = Stats(), Stats()
        self._start(state["_sender_settings"])

    def __copy__(self: Self) -> Self:
        clone = object.__new__(type(self))
        clone.__setstate__(self.__getstate__())
        return clone

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        return self.__copy__()

    def _new_run(self, items: int, progress: bool | Progress | None = None, *, lane: Lane) -> Run:
        """The state of a call, in the task that does it.

        Args:
            items: how many it embeds; a call that embeds none has no span.
            progress: True = a bar.
        """
        choose(lane)
        if isinstance(progress, bool):
            progress = bar_of(items, self._sender.opens_at) if progress else None
        span = begin_span(self._span_attributes) if items else None
        if span is not None:
            span.enter()
        return Run(items, progress, lane=lane, span=span)

    @contextmanager
    def _call(self, *, lane: Lane) -> Iterator[Run]:
        """The state of a call that embeds nothing and ends with this context."""
        run = self._new_run(0, lane=lane)
        try:
            yield run
        finally:
            self._finish(run)

    def _finish(self, run: Run, error: BaseException | None = None) -> None:
        """End a call.

        Args:
            error: what it raises; by default what is being raised here, in a ``finally`` of its task.
        """
        run.close(error or sys.exc_info()[1])
        self._last_run = run.stats
        self._stats.add(run.stats)

    # -- lanes -----------------------------------------------------------------------------------------------------

    @staticmethod
    def interactive() -> AbstractContextManager[None]:
        """Inside this context, calls go before everything in the bulk lane, in every queue: somebody waits for them.

        Without it, calls for one item are interactive; batches, streams, segments and rows are bulk.

        .. code-block:: python

            with client.interactive():
                client.embed_many(["the three queries", "of one question", "go first"])

        It holds for all clients' calls that this thread or task makes inside, and for tasks it starts there. A stream
        belongs to the lane in which :meth:`stream` was called, wherever it is read.
        """
        return in_lane("interactive")

    @staticmethod
    def bulk() -> AbstractContextManager[None]:
        """Inside this context, calls are in the bulk lane, as :meth:`interactive` the other way: for single items that
        nobody waits for. Each call takes its turn with others there.
        """
        return in_lane("bulk")
