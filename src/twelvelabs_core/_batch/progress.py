"""Progress bars with tqdm: items done, rate, cached, and the time until which a rate limit blocks; bytes uploaded."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from .._assets import UploadProgress
from .._errors import InvalidInputError
from .._stats import Stats

logger = logging.getLogger("twelvelabs_embeddings")

REFRESH_SEC = 0.5


def bar_of(total: int | None, opens_at: Callable[[], float | None]) -> Bar | None:
    """A bar, or None if it cannot be drawn: embedding goes on without it. Arguments and errors as for :class:`Bar`."""
    try:
        return Bar(total, opens_at)
    except InvalidInputError:
        raise
    except Exception as error:  # for example of a closed output
        logger.warning("a progress bar cannot be drawn: it raised %s", type(error).__name__)
        return None


class Bar:
    """Drawn from the background loop every half second, so that it also changes while all requests wait.

    Args:
        total: number of items, or None if unknown.
        opens_at: returns when a blocking rate limit opens (epoch seconds), None while none blocks.

    Raises:
        InvalidInputError: tqdm is not installed.
    """

    def __init__(self, total: int | None, opens_at: Callable[[], float | None]) -> None:
        self._bar: Any = _tqdm()(total=total, desc="embedding", unit="item", smoothing=0.1)
        self._opens_at = opens_at
        self._ticker = asyncio.ensure_future(self._tick())
        self._stats = Stats()

    def update(self, stats: Stats) -> None:
        """Draw changed statistics. A bar that cannot be drawn is drawn no more."""
        self._stats = stats
        try:
            self._bar.set_postfix_str(self._note(), refresh=False)
            self._bar.update(stats.done - self._bar.n)
        except Exception:
            self._ticker.cancel()
            raise

    def close(self, stats: Stats) -> None:
        """Draw the last statistics and end the line."""
        self._ticker.cancel()
        try:
            self.update(stats)
        finally:
            self._bar.close()

    def _note(self) -> str:
        notes = []
        if self._stats.cached:
            notes.append(f"{self._stats.cached} cached")
        if self._stats.uploaded_bytes:
            notes.append(f"{self._stats.uploaded_bytes / 1e6:.0f} MB uploaded")
        if self._stats.tasks_waiting:
            notes.append(f"{self._stats.tasks_waiting} tasks waiting")
        if self._stats.segments:
            notes.append(f"{self._stats.segments} segments")
        if self._stats.retries:
            notes.append(f"{self._stats.retries} sent again")
        opens_at = self._opens_at()
        if opens_at is not None and opens_at > time.time():
            notes.append(f"waiting for the limit until {time.strftime('%H:%M:%S', time.localtime(opens_at))}")
        return ", ".join(notes)

    async def _tick(self) -> None:
        with contextlib.suppress(asyncio.CancelledError, Exception):  # update() tells of the latter
            while True:
                await asyncio.sleep(REFRESH_SEC)
                self._bar.set_postfix_str(self._note(), refresh=True)


class UploadBar:
    """The bytes of an upload, drawn as its parts arrive.

    Raises:
        InvalidInputError: tqdm is not installed.
    """

    def __init__(self) -> None:
        self._bar: Any = _tqdm()(desc="uploading", unit="B", unit_scale=True)

    def __call__(self, progress: UploadProgress) -> None:
        self._bar.total = progress.total_bytes
        self._bar.set_postfix_str(progress.status, refresh=False)
        self._bar.update(progress.sent_bytes - self._bar.n)
        self._bar.refresh()

    def close(self) -> None:
        """End the line."""
        self._bar.close()


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise InvalidInputError("A progress bar needs tqdm: pip install tqdm.") from None
    return tqdm
