"""One asyncio loop in one background thread per process, for all network work of all clients.

Sync callers submit and wait; async callers submit and await, from any loop. So a client has no loop of its own that
could be closed under it, sync batches run concurrently, and sync calls work inside a running loop. The thread starts
with the first call and, being made anew after a fork, never depends on what a parent process left behind.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import selectors
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from .transport import prepare

__all__ = ["arun", "call_soon", "generation", "run", "submit"]

T = TypeVar("T")


class _Background:
    """The loop and its thread."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector() if hasattr(os, "fork") else None
        self.loop = asyncio.SelectorEventLoop(self.selector) if self.selector else asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="twelvelabs-embeddings", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        prepare()  # a third of a second of imports, before anything runs that they would hold up
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    def disown(self) -> None:
        """In a forked child: put nothing in the place of the parent's sockets.

        They, and the kernel's list of them (epoll), are shared with the parent. A child that drops them, at its end
        at the latest, would take them off that list, and the parent would wait for answers it is never told of.
        """
        if self.selector is None:
            return
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in list(self.selector.get_map()):
            os.dup2(nothing, fd if isinstance(fd, int) else fd.fileno(), inheritable=False)
        os.close(nothing)
        self.loop.set_debug(False)
        self.loop.set_exception_handler(lambda *_: None)  # "Unclosed client session": the parent will close it

    def stop(self) -> None:
        """End what still runs, close what is open, join the thread: nothing may outlive the interpreter."""
        closing = asyncio.run_coroutine_threadsafe(_wind_down(), self.loop)
        with contextlib.suppress(Exception):
            closing.result(timeout=5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=5)


_lock = threading.Lock()
_background: _Background | None = None
_generation = 0
_at_exit: set[Any] = set()


def _current() -> _Background:
    global _background
    with _lock:
        if _background is None:
            _background = _Background()
        return _background


def generation() -> int:
    """Changes when the loop was replaced (after a fork): whatever was made on the old one is dead."""
    return _generation


def close_at_exit(closer: Any) -> None:
    """Have the coroutine function ``closer`` awaited on the loop before the interpreter ends."""
    _at_exit.add(closer)


def forget(closer: Any) -> None:
    """Undo :func:`close_at_exit`."""
    _at_exit.discard(closer)


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine on the background loop, from any thread."""
    return asyncio.run_coroutine_threadsafe(coroutine, _current().loop)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result; Ctrl-C cancels it."""
    background = _current()
    if threading.current_thread() is background.thread:
        coroutine.close()
        raise RuntimeError(
            "A synchronous call was made from inside the client's own loop (a callback?); it would wait for itself."
        )
    future = asyncio.run_coroutine_threadsafe(coroutine, background.loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def arun(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine that runs on the background loop, from any loop; cancelling the await cancels it."""
    return await asyncio.wrap_future(submit(coroutine))


def call_soon(callback: Any, *args: Any) -> None:
    """Run a plain callback on the loop if it is alive; otherwise there is nothing left to do it to."""
    if _background is not None and not _background.loop.is_closed():
        with contextlib.suppress(RuntimeError):
            _background.loop.call_soon_threadsafe(callback, *args)


async def _wind_down() -> None:
    mine = asyncio.current_task()
    tasks = [t for t in asyncio.all_tasks() if t is not mine]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(closer() for closer in list(_at_exit)), return_exceptions=True)
    _at_exit.clear()


def _stop() -> None:
    global _background
    background, _background = _background, None
    if background is not None:
        background.stop()


def _after_fork() -> None:
    # The thread did not survive the fork; its loop's sockets belong to the parent and must not be closed from here.
    global _background, _generation, _lock
    _lock = threading.Lock()
    if _background is not None:
        _background.disown()
        _orphans.append(_background)
    _background = None
    _generation += 1
    _at_exit.clear()


_orphans: list[_Background] = []
atexit.register(_stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
