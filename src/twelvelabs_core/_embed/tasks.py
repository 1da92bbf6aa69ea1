"""Tasks on the server: created, polled until they end, and resumed by a later run instead of created twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .._api import tasks
from .._api.names import read_id
from .._api.requests import Request
from .._api.responses import read_with
from .._cache.journal import Journal
from .._errors import (
    CacheError,
    ConnectionFailedError,
    InvalidInputError,
    MalformedResponseError,
    ServerError,
    TwelveLabsError,
)
from .._net.limits.circuit import CIRCUIT_OPEN
from .._net.pace import pause
from .._net.poll import poll
from .._net.retry import NOT_SENT, maybe_performed, not_received, retry
from .._net.sender import Sender
from .._stats import Run

logger = logging.getLogger("twelvelabs_embeddings")

R = TypeVar("R")

FIRST_POLL_SEC, SLOWEST_POLL_SEC = 1.0, 15.0
CLOCK_SKEW_SEC = 3600.0  # between our clock and the server's, at most
MAX_LIST_PAGES = 20  # of 50 tasks
MAX_RECREATIONS = 2
MAX_READINGS = 3  # of the vectors of a finished task, if they are not usable
MAX_UNKNOWN = 4  # times that a new task may be unknown (404) to the server
PATHS = ("embed-v2/tasks", "embed/tasks")


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to create.

    Attributes:
        minutes: minutes of media in it.
        filename: the name under which its file is sent or was uploaded, which no other task has; None = it has none.
    """

    request: Request
    minutes: float
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class Work(Generic[R]):
    """What :meth:`Tasks.run` is to do.

    Attributes:
        key: digest of the file and its options. A task of the same key that was created before is resumed.
        label: names the file in messages.
        create: what to send.
        read: the result in the response of a task that succeeded.
    """

    key: str
    label: str
    create: Callable[[], Awaitable[NewTask]]
    read: Callable[[dict[str, Any]], R]


class Tasks:
    """Runs tasks: creates them, waits for them, and returns their results.

    The API has no idempotency key, so a task whose creation was not answered (the connection or the process broke) may
    exist, unknown to us. Before it is created again it is looked for in the account's list, and is taken only on proof:
    the unique file name that its creation alone had. Whether lists show that name is an open point of the API. Without
    proof the task is created again, which is logged and counted in ``Stats.paid_again``; what a guess would find may be
    another file's. A file inside the request (base64) and a URL have no name of ours, so there is nothing to look for.

    ``max_retries=0`` forbids another creation in the same call, not the search.

    Args:
        scope: prefix of the journal's entries, different for each account, model and address.
        timeout: seconds to wait for a task. After that it keeps running on the server, and the next run resumes it.
    """

    def __init__(self, sender: Sender, journal: Journal, *, scope: str, timeout: float) -> None:
        self._sender, self._journal = sender, journal
        self._scope, self._timeout = scope, timeout

    async def run(self, work: Work[R], run: Run) -> R:
        """The result of a task that succeeded. It stays in the journal until :meth:`forget`.

        Raises:
            InvalidInputError: the task failed because of the input.
            MalformedResponseError: its response is not usable, read three times. The next run reads it again.
            ServerError: it failed for another reason, three times, or was not ready in time.
        """
        failures = 0
        while True:
            resumed = await self._resume(work, run)
            path, task_id = resumed or await self._create(work, run)
            try:
                response = await self._finished(path, task_id, run.after_payment(), is_new=resumed is None)
            except InvalidInputError as error:
                if resumed is None:
                    raise
                await self.forget(work.key)
                _pay_again(work.label, f"the server no longer has the task {task_id} ({error})", run)
                continue
            task = tasks.read_state(response)
            if task.status == "ready":
                return await self._read(work, path, task_id, response, run.after_payment())
            await self.forget(work.key)
            failures += 1
            failure = tasks.failure(task)
            if isinstance(failure, InvalidInputError) or failures > MAX_RECREATIONS:
                raise failure
            await pause(self._sender.settings.retry.backoff(failures))

    async def forget(self, key: str) -> None:
        """Delete the task of this key from the journal: its result is stored, or of no use."""
        await self._journal.delete(self._name(key))

    def _name(self, key: str) -> str:
        return f"task/{self._scope}/{key}"

    async def response_of(self, path: str, task_id: str, run: Run, *, wait: bool) -> dict[str, Any]:
        """The response of a task that any client has created.

        Args:
            wait: until it is no longer processing.

        Raises:
            InvalidInputError: the service has none of this id; or, with ``wait``, it failed.
            ServerError: with ``wait``: it failed for a reason that may pass, or was not ready in time.
        """
        if not wait:
            response = await self._sender.send(tasks.retrieve(path, task_id), run)
            run.saw_task(tasks.read_task(response))
            return response
        response = await self._finished(path, task_id, run, is_new=False)
        state = tasks.read_state(response)
        if state.status != "ready":
            raise tasks.failure(state)
        return response

    async def _read(self, work: Work[R], path: str, task_id: str, response: dict[str, Any], run: Run) -> R:
        try:
            return await self.readable(work.read, path, task_id, response, run)
        except InvalidInputError:  # an error message in place of vectors
            await self.forget(work.key)
            raise

    async def readable(
        self, read: Callable[[dict[str, Any]], R], path: str, task_id: str, response: dict[str, Any], run: Run
    ) -> R:
        """The result of a finished task, which is paid for: one that is not usable is fetched again, not made again."""
        readings = 1
        while True:
            try:
                return await asyncio.to_thread(read_with, read, response)  # it may have thousands of vectors
            except MalformedResponseError:
                if readings == MAX_READINGS:
                    raise
            await pause(self._sender.settings.retry.backoff(readings))
            response = await self._sender.send(tasks.retrieve(path, task_id), run)
            readings += 1

    async def _resume(self, work: Work[R], run: Run) -> tuple[str, str] | None:
        """Path and id of the task that an earlier run created, or may have created; None = none is to be found."""
        entry = await self._journal.find(self._name(work.key))
        if entry is None or entry.get("path") not in PATHS:
            return None
        path: str = entry["path"]
        if "task_id" in entry:
            try:
                return path, read_id(entry["task_id"], "task")
            except MalformedResponseError:
                return None
        filename, begun_at = entry.get("filename"), entry.get("begun_at")
        task_id = None
        if isinstance(filename, str) and isinstance(begun_at, (int, float)):
            task_id = await self._search(path, filename, begun_at, run)
        if task_id is None:
            if not entry.get("refused"):
                _pay_again(work.label, "an earlier run ended while it was being created", run)
            return None
        await self._journal.write(self._name(work.key), **{**entry, "task_id": task_id})
        return path, task_id

    async def _create(self, work: Work[R], run: Run) -> tuple[str, str]:
        """Create a task: path and id. The journal has the intention before, and the id after."""
        new = await work.create()
        request, name = new.request, self._name(work.key)
        entry: dict[str, Any] = {"path": request.path, "filename": new.filename, "begun_at": time.time()}
        await self._journal.write(name, **entry)
        lost: list[TwelveLabsError] = []  # of attempts that may have created a task

        async def attempt(_: int) -> str:
            if lost and maybe_performed(lost[-1]):
                _pay_again(work.label, f"the response was lost ({lost[-1]})", run)
            try:
                response = await self._sender.send(request, run, minutes=new.minutes, repeat=False)
                return tasks.read_state(response).id
            except TwelveLabsError as error:
                if _may_exist(error):
                    lost.append(error)
                raise

        async def recover() -> str | None:
            if new.filename is None or not lost:
                return None
            return await self._search(request.path, new.filename, entry["begun_at"], run.after_payment())

        try:
            task_id = await retry(attempt, self._sender.settings.retry, run, repeatable=_may_exist, recover=recover)
        except TwelveLabsError as error:
            # Without a status it is the file: what was sent is not its content, and must not be found.
            of_file = isinstance(error, InvalidInputError) and error.status is None
            found = None if of_file else await recover()
            if found is None:
                if of_file or not lost:
                    await self._journal.delete(name)
                elif not any(map(maybe_performed, lost)):
                    await self._journal.write(name, **entry, refused=True)
                raise
            task_id = found
        try:
            await self._journal.write(name, **entry, task_id=task_id)
        except CacheError as error:  # the task is paid for: its result is fetched, whatever the disk does
            logger.warning("The task %s of %s could not be written down: %s", task_id, work.label, error)
        return request.path, task_id

    async def _search(self, path: str, filename: str, begun_at: float, run: Run) -> str | None:
        """The id of the task whose file was sent under this name; None if no list that can be read shows it.

        Args:
            begun_at: epoch seconds before its creation was sent.

        Raises:
            TwelveLabsError: the list was not asked for, as the server is down or the batch was stopped.
        """
        for page in range(1, MAX_LIST_PAGES + 1):
            try:
                listed = tasks.find_named(await self._sender.send(tasks.list_tasks(path, page), run), filename)
            except TwelveLabsError as error:
                if error.code in (CIRCUIT_OPEN, NOT_SENT):  # not looked for, so that nothing is known
                    raise
                logger.warning("The list of tasks cannot be read, so none is found there: %s", error)
                return None
            if listed.task is not None:
                return listed.task.id
            if listed.is_last or (listed.oldest is not None and listed.oldest < begun_at - CLOCK_SKEW_SEC):
                return None
        return None

    async def _finished(self, path: str, task_id: str, run: Run, *, is_new: bool) -> dict[str, Any]:
        """The response of a task that is no longer processing.

        Args:
            is_new: it was created just now, so that the server may not know it yet.

        Raises:
            ServerError: it was not ready in time.
        """
        by_status = path == "embed/tasks"  # v1 has a short response for polling, without vectors
        unknown = 0

        async def check() -> dict[str, Any] | None:
            nonlocal unknown
            run.show()
            request = tasks.status_v1(task_id) if by_status else tasks.retrieve(path, task_id)
            try:
                response = await self._sender.send(request, run)
            except InvalidInputError as error:
                unknown += 1
                if is_new and error.status == 404 and unknown <= MAX_UNKNOWN:
                    return None
                raise
            status = tasks.read_state(response).status
            if run.on_status is not None:
                run.saw_task(tasks.read_task(response))
            if status == "processing":
                return None
            if by_status and status == "ready":
                return await self._sender.send(tasks.retrieve(path, task_id), run)
            return response

        run.stats.tasks_waiting += 1
        try:
            response = await poll(check, first=FIRST_POLL_SEC, slowest=SLOWEST_POLL_SEC, timeout=self._timeout)
        finally:
            run.stats.tasks_waiting -= 1
        if response is None:
            raise ServerError(
                f"The task {task_id} is not ready after {self._timeout:.0f} s. It keeps running on the server; "
                "with cache= the next run resumes it."
            )
        return response


def _may_exist(error: TwelveLabsError) -> bool:
    """Whether the task may have been created although the request failed."""
    lost = isinstance(error, (ConnectionFailedError, ServerError, MalformedResponseError))
    return lost and not not_received(error)


def _pay_again(label: str, why: str, run: Run) -> None:
    run.stats.paid_again += 1
    logger.warning(
        "%s: its task is created again, as %s and no list of the service proves which task is this file's. "
        "At most one task was paid twice.",
        label,
        why,
    )
