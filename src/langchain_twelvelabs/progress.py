"""A progress bar of a load: files done, and the documents they gave."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twelvelabs_core import InvalidInputError

logger = logging.getLogger("twelvelabs_embeddings")


class FileBar:
    """Counts files with tqdm. A bar that cannot be drawn, for example on a closed output, is drawn no more."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._documents = 0

    def update(self, done: int, documents: int) -> None:
        """Draw that ``done`` files are loaded, the last of which gave so many documents."""
        self._documents += documents
        self._draw(done)

    def finish(self) -> None:
        """Count the files that were left out at the end, as copies of earlier ones."""
        if self._bar is not None and self._bar.total is not None:
            self._draw(self._bar.total)

    def close(self) -> None:
        """End the line."""
        if self._bar is not None:
            self._bar.close()

    def _draw(self, done: int) -> None:
        if self._bar is None:
            return
        try:
            self._bar.set_postfix_str(f"{self._documents} documents", refresh=False)
            self._bar.update(done - self._bar.n)
        except Exception as error:
            logger.warning("a progress bar cannot be drawn: it raised %s", type(error).__name__)
            self._bar = None


@contextmanager
def file_bar(show: bool, total: int | None) -> Iterator[FileBar]:
    """A bar for one load.

    Args:
        show: whether it is drawn.
        total: number of files; None if unknown.

    Raises:
        InvalidInputError: tqdm is not installed.
    """
    bar = FileBar(_drawn(total) if show else None)
    try:
        yield bar
    finally:
        bar.close()


def _drawn(total: int | None) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise InvalidInputError("A progress bar needs tqdm: pip install tqdm.") from None
    try:
        return tqdm(total=total, desc="loading", unit="file", smoothing=0.1)
    except Exception as error:
        logger.warning("a progress bar cannot be drawn: it raised %s", type(error).__name__)
        return None
