"""One asyncio loop in one background thread per process, for all network work of all clients.

Sync callers submit and wait; async callers submit and await, from any loop. So a client never depends on a caller's
loop, which may be closed; sync batches run concurrently; and sync calls work inside a running loop. The thread starts
with the first call, and again in a forked child, which does not depend on the state of its parent.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from .._errors import UnexpectedError
from .._lanes import lane_of
from .forks import uncut

P = ParamSpec("P")
T = TypeVar("T")


# Seconds a caller's loop may sleep while it waits.
AWAKE_SEC = 0.5
# Seconds the interpreter waits at its end for what is being written.
EXIT_SEC = 10.0
# Threads beside those that a batch keeps busy by reading and encoding files.
INTERACTIVE_THREADS = 8


class Threads(ThreadPoolExecutor):
    """Threads for blocking calls. When the main thread has ended no job gets a thread any more, while other threads may
    go on: then a job is done at once, on the loop.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        try:
            return super().submit(function, *args, **kwargs)
        except RuntimeError as error:
            if "schedule new futures" not in str(error):
                raise
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _LoopThreads(Threads):
    """The loop's threads; interactive calls have a few of their own."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._interactive = Threads(INTERACTIVE_THREADS, **settings)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._interactive.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if lane_of("bulk") == "interactive":
            return self._interactive.submit(function, *args, **kwargs)
        return super().submit(function, *args, **kwargs)


class _Background:
    """The loop and its thread."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector() if hasattr(os, "fork") else None
        self.loop = asyncio.SelectorEventLoop(self.selector) if self.selector else asyncio.new_event_loop()
        # The loop's own way to end its executor starts a thread, which Python 3.12 refuses at the interpreter's end.
        self.executor = _LoopThreads(thread_name_prefix="asyncio")
        self.loop.set_default_executor(self.executor)
        self.thread = threading.Thread(target=self._run, name="twelvelabs-embeddings", daemon=True)
        self._stopping = False
        try:
            self.thread.start()
        except RuntimeError as error:
            self.loop.close()
            raise UnexpectedError(
                f"The client's thread could not be started: {error}. Python 3.12 starts none when the main thread has "
                "ended: make the first call of the process before."
            ) from None

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        # A child whose parent was importing can never import the same. What cannot be imported is the next call's
        # error, not the end of this thread, for which the calls would wait for ever.
        with uncut(), contextlib.suppress(Exception):
            from . import transport  # noqa: F401  takes 0.3 s, which would block requests if it were imported later

        try:
            while not self._stopping:
                # A task that raises one of these ends the loop. It is for the task's caller, who gets it: the others
                # would wait for ever.
                with contextlib.suppress(SystemExit, KeyboardInterrupt):
                    self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.executor.shutdown()
            self.loop.close()

    def disown(self) -> None:
        """In a forked child: replace the parent's sockets by ``/dev/null``.

        They, and the kernel's list of them (epoll), are shared with the parent. A child that closes them, at its exit
        at the latest, would remove them from that list, and the parent would never be notified of its responses.
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
        """Cancel all tasks, close all connections, join the thread, before the interpreter ends."""
        closing = asyncio.run_coroutine_threadsafe(_shut_down(), self.loop)
        with contextlib.suppress(Exception):
            closing.result(timeout=EXIT_SEC)
        self._stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=5)


_lock = threading.Lock()
_background: _Background | None = None
_ended = False
_at_exit: set[Callable[[], Coroutine[Any, Any, None]]] = set()
_to_finish: set[asyncio.Task[Any]] = set()
_after_loop: list[Callable[[], None]] = []
_started: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly only


def _current() -> _Background:
    global _background
    with _lock:
        if _ended:
            raise UnexpectedError("The interpreter is ending, and the client has closed its connections before it.")
        if _background is None:
            _background = _Background()
        return _background


def close_at_exit(closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Have the coroutine function ``closer`` awaited on the loop before the interpreter ends."""
    _at_exit.add(closer)


def at_exit(closer: Callable[[], None]) -> None:
    """Have ``closer`` called when the loop has ended with the interpreter, in this process and in forked children."""
    _after_loop.append(closer)


def finish_at_exit(task: asyncio.Task[Any]) -> None:
    """Have a task finished before the interpreter ends, where others are cancelled: it keeps what is paid for."""
    _to_finish.add(task)
    task.add_done_callback(_to_finish.discard)


def forget(closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Undo :func:`close_at_exit`."""
    _at_exit.discard(closer)


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine on the background loop, from any thread.

    Raises:
        UnexpectedError: the loop has ended with the interpreter.
    """
    try:
        return asyncio.run_coroutine_threadsafe(coroutine, _current().loop)
    except BaseException:
        coroutine.close()
        raise


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result; Ctrl-C cancels it.

    Raises:
        RuntimeError: called on the background loop's own thread, which would wait for itself.
        UnexpectedError: the loop has ended with the interpreter.
    """
    background = _background
    if background is not None and threading.current_thread() is background.thread:
        coroutine.close()
        raise RuntimeError(
            "A synchronous call was made on the client's own thread (from a callback?); it would wait for itself."
        )
    future = submit(coroutine)
    try:
        return future.result()
    except CancelledError:  # nobody else cancels it
        raise UnexpectedError("The interpreter is ending: the call was cancelled.") from None
    except BaseException:
        future.cancel()
        raise


def finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """:func:`run` for cleaning up: nothing is left to clean up when the loop has ended with the interpreter."""
    if _ended:
        coroutine.close()
    else:
        run(coroutine)


async def arun(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine that runs on the background loop, from any loop; cancelling the await cancels it.

    Raises:
        RuntimeError: as :func:`callers_loop`; nothing was sent.
    """
    try:
        loop = callers_loop()
    except RuntimeError:
        coroutine.close()
        raise
    with awake():
        return await asyncio.wrap_future(submit(coroutine), loop=loop)


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Wake the caller's loop now and then while it waits for the background loop.

    Nothing else may happen on it until the batch ends. Jupyter's interrupt puts a cell's cancellation on its loop and
    does not wake that: by the time it was noticed, everything had been sent and paid for.
    """
    loop = callers_loop()
    timer: asyncio.TimerHandle

    def again() -> None:
        nonlocal timer
        timer = loop.call_later(AWAKE_SEC, again)

    again()
    try:
        yield
    finally:
        timer.cancel()


def callers_loop() -> asyncio.AbstractEventLoop:
    """The asyncio loop that the caller runs on.

    Raises:
        RuntimeError: there is none: it runs under another library (trio), or under none.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "Async methods run under asyncio, and no asyncio loop is running here. Under trio, call the method without "
            "'a' in a thread: await trio.to_thread.run_sync(model.embed_query, text)."
        ) from None


async def in_thread(needed: bool, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a thread if it reads a disk or encodes media (``needed``), else here."""
    return await asyncio.to_thread(function, *args, **kwargs) if needed else function(*args, **kwargs)


def start(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start ``job`` on the loop without waiting for it; without a loop, do nothing. Takes no lock: a finalizer may call
    it at any moment.
    """
    background = _background
    if background is not None and not background.loop.is_closed():
        with contextlib.suppress(RuntimeError):
            background.loop.call_soon_threadsafe(_start, job)


def _start(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.ensure_future(job())
    _started.add(task)
    task.add_done_callback(_started.discard)


async def _shut_down() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks - _to_finish:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*_to_finish, return_exceptions=True)  # those that the cancelled ones have begun
    await asyncio.gather(*(closer() for closer in list(_at_exit)), return_exceptions=True)
    _at_exit.clear()


def _stop() -> None:
    global _background, _ended
    with _lock:
        background, _background, _ended = _background, None, True
    if background is not None:
        background.stop()
    for closer in _after_loop:
        closer()


def _after_fork() -> None:
    # The thread does not survive the fork. The loop's sockets belong to the parent and must not be closed here.
    global _background, _lock
    _lock = threading.Lock()
    if _background is not None:
        _background.disown()
        _disowned.append(_background)
    _background = None
    _at_exit.clear()
    _to_finish.clear()


_disowned: list[_Background] = []  # kept: collecting them would close the parent's sockets
atexit.register(_stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
