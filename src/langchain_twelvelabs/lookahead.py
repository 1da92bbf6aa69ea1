"""Embedding the next files while the caller uses the documents of the current one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

from langchain_core.documents import Document

from twelvelabs_core.adapter import PerLoop, submit

from .sources import Found

IMAGES_PER_FILE = 16
"""Images that count as one video: an image is one small request and one vector; a video gives hundreds."""


class Lookahead:
    """Starts files ahead, and hands them out in order.

    Args:
        files: what to embed.
        embed: embeds one file; runs on the background loop.
        limit: videos, audio files and documents in progress at a time; of images :data:`IMAGES_PER_FILE` times as many.
    """

    def __init__(
        self, files: Iterator[Found], embed: Callable[[Found], Coroutine[Any, Any, list[Document]]], limit: int
    ) -> None:
        self._files, self._embed, self._max_weight = files, embed, limit * IMAGES_PER_FILE
        # A forked child starts anew what is in progress.
        self._entries: deque[tuple[Found, PerLoop[Future[list[Document]]], int]] = deque()
        self._lock = PerLoop(threading.Lock)
        self._closed = False

    def fill(self) -> bool:
        """Start files until the limit is reached; False when no file is left. May read the disk."""
        while sum(weight for *_, weight in self._entries) < self._max_weight:
            found = next(self._files, None)
            if found is None:
                break
            weight = 1 if found.media is None or found.media.kind == "image" else IMAGES_PER_FILE
            with self._lock.get():
                if self._closed:  # cancelling a task does not stop the thread this runs in
                    return False
                started = PerLoop(partial(self._start, found))
                started.get()
                self._entries.append((found, started, weight))
        return bool(self._entries)

    @property
    def first(self) -> tuple[Found, Future[list[Document]]]:
        """The oldest file in progress, and its documents."""
        found, started, _ = self._entries[0]
        return found, started.get()

    def drop_first(self) -> None:
        """Remove the oldest file, so that another one can start."""
        self._entries.popleft()

    def close(self) -> None:
        """Cancel the files in progress, and start no others."""
        with self._lock.get():
            self._closed = True
            # The last first: what waits for a request's end must not begin when that request is cancelled.
            for _, started, _ in reversed(self._entries):
                future = started.made()
                if future is not None:
                    future.cancel()

    def _start(self, found: Found) -> Future[list[Document]]:
        return submit(self._embed(found))
