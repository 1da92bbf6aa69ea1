"""Files that are embedded ahead of the one whose documents are read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

from langchain_core.documents import Document

from twelvelabs_core.adapter import submit

from .sources import Found

# An image is one small request and one vector; a video may be uploaded, and gives hundreds.
IMAGES_PER_FILE = 16


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
        self._files, self._embed, self._room = files, embed, limit * IMAGES_PER_FILE
        self._entries: deque[tuple[Found, Future[list[Document]], int]] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def fill(self) -> bool:
        """Start files until enough are in progress; False when all are done. May read the disk."""
        while sum(weight for *_, weight in self._entries) < self._room:
            found = next(self._files, None)
            if found is None:
                break
            light = found.media is None or found.media.kind == "image"
            with self._lock:
                if self._closed:  # cancelling a task does not stop the thread this runs in
                    return False
                future = submit(self._embed(found))
                self._entries.append((found, future, 1 if light else IMAGES_PER_FILE))
        return bool(self._entries)

    @property
    def first(self) -> tuple[Found, Future[list[Document]]]:
        """The file to be read next, and its documents."""
        return self._entries[0][:2]

    def drop_first(self) -> None:
        """Make room for another file."""
        self._entries.popleft()

    def close(self) -> None:
        """Cancel what is in progress, so that it is not paid for."""
        with self._lock:
            self._closed = True
            for _, future, _ in self._entries:
                future.cancel()
