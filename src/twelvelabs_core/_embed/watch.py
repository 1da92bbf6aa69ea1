"""Callbacks that are told how far something is. One that raises must not fail what it watches: it is told no more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from .._assets import UploadProgress

logger = logging.getLogger("twelvelabs_embeddings")


class UploadWatch:
    """Tells a callback how far an upload is.

    Args:
        callback: None = nobody asks.
        size: of the file, in bytes.
    """

    def __init__(self, callback: Callable[[UploadProgress], None] | None = None, size: int = 0) -> None:
        self._callback, self._size = callback, size
        self._parts = 1

    def sent(self, size: int, parts: int, total_parts: int = 1) -> None:
        """So many bytes and parts have arrived."""
        self._parts = total_parts
        self._tell(UploadProgress("uploading", size, self._size, parts, total_parts))

    def is_now(self, status: Literal["processing", "ready"]) -> None:
        """All of it has arrived, and is processed, or ready."""
        self._tell(UploadProgress(status, self._size, self._size, self._parts, self._parts))

    def _tell(self, progress: UploadProgress) -> None:
        if self._callback is None:
            return
        try:
            self._callback(progress)
        except Exception as error:
            self._callback = None
            logger.warning("progress= of an upload raised %s, and is told no more", type(error).__name__)
