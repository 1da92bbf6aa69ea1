"""Many items: equal ones are embedded once, cached ones not at all; each result is cached as it arrives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from .._cache.cache import Cache
from .._embed.embedder import Embedder, Result
from .._embed.jobs import Job, Label
from .._embed.texts import LONG_TEXT
from .._errors import (
    BatchError,
    InvalidInputError,
    TwelveLabsError,
    as_error,
)
from .._inputs import Composed, Item
from .._net import loop
from .._net.loop import in_thread
from .._net.pace import pause
from .._net.pool import attempt_each, is_of_job
from .._options import OptionsByKind
from .._results import Embedding
from .._stats import Run
from .ahead import ClaimsAhead
from .flights import Flight, Flights, Landed, is_shared, own_copy, own_error
from .names import Named, drop_names, give_names, is_nameable

logger = logging.getLogger("twelvelabs_embeddings")

T = TypeVar("T")

Results: TypeAlias = "list[Result | None]"
Errors: TypeAlias = "dict[int, TwelveLabsError]"

# Key, indices, whether it is prepaid, and the landing to wait for (None: another process is embedding it).
Later: TypeAlias = "tuple[str, list[int], bool, asyncio.Future[Flight] | None]"

# Seconds between two looks at an item that another process is embedding.
FIRST_LOOK_SEC, SLOWEST_LOOK_SEC = 0.05, 2.0
# Seconds after which a batch that waits for another one looks whether it has to end itself.
STEP_SEC = 1.0


@dataclass
class Outcome(Generic[T]):
    """What became of the items of a batch. An item without a result or an error was not reached: see ``fatal``.

    Attributes:
        results: in the items' order, None where an item failed or was not reached.
        errors: of the failed items, by index.
        fatal: an error about the account, the server or the cache, which ended the batch early.
    """

    results: list[T | None]
    errors: dict[int, TwelveLabsError] = field(default_factory=dict)
    fatal: TwelveLabsError | None = None

    def check(self, *, single: bool) -> None:
        """Raise what failed, with the results.

        Args:
            single: there is one item; its error is raised as it is.
        """
        if self.fatal is not None:
            self.fatal.results = list(self.results)
            raise self.fatal
        if self.errors:
            raise self.errors[0] if single else BatchError(self.results, self.errors)


async def embed_batch(
    embedder: Embedder, jobs: Sequence[Job], run: Run, cache: Cache | None, *, prepaid: int = 0, single: bool = False
) -> Results:
    """:func:`run_batch`, with failures raised.

    Args:
        single: there is one job; its error is raised as it is.

    Raises:
        BatchError: some jobs failed; the results of the others are in ``.results``.
        TwelveLabsError: the single job failed, or an error is about the account; then ``.results`` is set.
    """
    outcome = await run_batch(embedder, jobs, run, cache, prepaid=prepaid)
    outcome.check(single=single)
    return outcome.results


async def run_batch(
    embedder: Embedder, jobs: Sequence[Job], run: Run, cache: Cache | None, *, prepaid: int = 0
) -> Outcome[Result]:
    """Embed all jobs. Raises nothing but a cancellation: whatever happens, what is finished is in the outcome.

    Args:
        cache: read first, and written with each result; None = no cache.
        prepaid: number of requests for which the framework's own limiter has been acquired.
    """
    batch = _Batch(embedder, jobs, run, cache, prepaid)
    run.note_kinds(getattr(job.item, "kind", "text") for job in jobs)
    try:
        await batch.embed()
        await batch.follow()
    except Exception as error:
        batch.outcome.fatal = run.fatal = as_error(error)
    finally:
        batch.end()
    batch.outcome.errors = dict(sorted(batch.outcome.errors.items()))
    return batch.outcome


async def run_each(
    embedder: Embedder,
    items: Sequence[Item],
    labels: Iterable[Label],
    run: Run,
    cache: Cache | None,
    options: OptionsByKind | None = None,
) -> tuple[list[Job | None], Outcome[Result]]:
    """Check each item alone, and embed those that can be sent: one that cannot does not stop the others.

    Args:
        options: the segments wanted of each; None = one vector each.

    Returns:
        The job of each item, None if it cannot be sent; and the outcome in the items' order.
    """
    checked = await embedder.checker.check_each(items, labels, options)
    errors = {place: found for place, found in enumerate(checked) if isinstance(found, TwelveLabsError)}
    run.stats.failed += len(errors)
    places = [place for place in range(len(checked)) if place not in errors]
    ran = await run_batch(embedder, [job for job in checked if isinstance(job, Job)], run, cache)
    outcome: Outcome[Any] = Outcome([None] * len(checked), errors, ran.fatal)
    for place, found in zip(places, ran.results, strict=True):
        outcome.results[place] = found
    outcome.errors |= {places[index]: error for index, error in ran.errors.items()}
    outcome.errors = dict(sorted(outcome.errors.items()))
    return [job if isinstance(job, Job) else None for job in checked], outcome


class _Batch:
    """One batch under way. Arguments as for :func:`run_batch`."""

    def __init__(self, embedder: Embedder, jobs: Sequence[Job], run: Run, cache: Cache | None, prepaid: int) -> None:
        self._embedder, self._jobs, self._run, self._cache = embedder, jobs, run, cache
        self._prepaid = prepaid
        self._has_files = any(job.files for job in jobs)
        self._texts = Flights.of(embedder, texts=True)
        self._media = Flights.of(embedder, texts=False) if self._has_files else self._texts
        # Under way elsewhere: looked at again when everything else is done, so that no worker waits meanwhile.
        self._later: list[Later] = []
        # What this batch has embedded, for others that want it until it ends.
        self._landed_texts: list[str] = []
        self._landed_media: list[str] = []
        self._ahead: ClaimsAhead | None = None
        self._named: Sequence[Named] = ()  # its files
        self._names: dict[str, str] = {}  # theirs, by key, where that is not the name
        self.outcome: Outcome[Result] = Outcome([None] * len(jobs))

    async def embed(self) -> None:
        """Embed all jobs but those that are under way elsewhere."""
        groups, errors = equal_jobs(await self._keys())
        self.outcome.errors |= errors
        self._run.stats.failed += len(errors)
        self._run.stats.deduplicated += len(self._jobs) - len(errors) - len(groups)
        if self._cache is not None:
            # Media may wait for hours for their tasks: none is claimed before it starts.
            count = 1 if self._has_files else self._embedder.sender.settings.max_concurrency
            self._ahead = ClaimsAhead(self._cache, count)
        try:
            if self._ahead is not None:
                await self._read(self._ahead, groups)
                if self._has_files:
                    await self._name_groups(groups)
            if not self._has_files:  # how many requests media take is not known
                self._run.expect(len(groups))
            await self._embedder.sender.attempt_each(list(groups.items()), self._first, self._run)
        finally:
            if self._ahead is not None:
                self._ahead.end(lambda key: self._is_under_way(key, groups[key]))

    async def _keys(self) -> list[str | TwelveLabsError]:
        """The key of each job, or why it has none. Without a cache, a file that no other can equal has a name for which
        it is not read.
        """
        if self._cache is not None or not self._has_files:
            return await keys_of(self._embedder, self._jobs, for_cache=self._cache is not None)
        files = {i: Named(self._embedder, job) for i, job in enumerate(self._jobs) if is_nameable(job)}
        await self._give_names(list(files.values()))
        keys = iter(
            await keys_of(self._embedder, [j for i, j in enumerate(self._jobs) if i not in files], for_cache=False)
        )
        return [files[i].name_or_error if i in files else next(keys) for i in range(len(self._jobs))]

    async def _name_groups(self, groups: dict[str, list[int]]) -> None:
        """Find equal files under way in calls without a cache, which have other names."""
        files = {key: self._jobs[indices[0]] for key, indices in groups.items()}
        named = {key: Named(self._embedder, job, key) for key, job in files.items() if is_nameable(job)}
        await self._give_names(list(named.values()))
        self._names = {key: file.name for key, file in named.items()}

    async def _give_names(self, files: list[Named]) -> None:
        self._named = files
        if files:
            await give_names(self._media.names, files)

    async def _read(self, ahead: ClaimsAhead, groups: dict[str, list[int]]) -> None:
        """Take those that are in the cache out of the groups."""
        cached = 0
        for key, known in (await ahead.read(list(groups))).items():
            job = self._jobs[groups[key][0]]
            if self._embedder.accepts(job, known):
                indices = groups.pop(key)
                self._keep(indices, _with_space(self._embedder, job, known))
                cached += len(indices)
        ahead.keys = list(groups)
        self._run.stats.cached += cached
        self._run.finished(cached)

    async def follow(self) -> None:
        """Take what is under way elsewhere."""
        later, self._later = self._later, []
        if later:
            await attempt_each(later, self._follow, self._run, workers=len(later))

    def end(self) -> None:
        """Forget what this batch has embedded."""
        for name in self._landed_texts:
            del self._texts[name]
        for name in self._landed_media:
            del self._media[name]
        drop_names(self._media.names, self._named)

    def _first(self, order: int, group: tuple[str, list[int]]) -> Awaitable[None]:
        """Embed a group of equal jobs, unless it is under way elsewhere."""
        key, indices = group
        flights, name = self._flight_of(key, indices)
        flight = flights.get(name)
        if flight is None:
            return self._lead(key, indices, order < self._prepaid, flights, name, order=order)
        return self._take_or_put_off(order, key, indices, flight)

    async def _take_or_put_off(self, order: int, key: str, indices: list[int], flight: Flight) -> None:
        if self._ahead is not None and flight.cache is not self._cache:
            self._ahead.give_up(key)
        if not await self._take(key, indices, flight):
            if self._run.lane == "interactive":
                flight.hurry()
            self._later.append((key, indices, order < self._prepaid, flight.landing()))

    async def _follow(self, _: int, group: Later) -> None:
        """Take a group's result from whoever is embedding it, or embed it if that fails."""
        key, indices, prepaid, landing = group
        flights, name = self._flight_of(key, indices)
        while not self._run.stopping:
            if landing is not None:
                # In steps, so that a batch that has to end does not wait for another one's long video.
                if not (await asyncio.wait([landing], timeout=STEP_SEC))[0]:
                    continue
                if await self._take(key, indices, landing.result()):
                    return
            found = flights.get(name)
            if found is None:
                await self._lead(key, indices, prepaid, flights, name)
                return
            if self._run.lane == "interactive":
                found.hurry()
            landing = found.landing()

    async def _lead(
        self,
        key: str,
        indices: list[int],
        prepaid: bool,
        flights: Flights,
        name: str,
        *,
        order: int | None = None,
    ) -> None:
        """Embed a group; others that want the same wait for it.

        Args:
            order: its place in the batch: it is put off if another process is embedding it. None = it was; wait.
        """
        job, cache = self._jobs[indices[0]], self._cache
        flight = flights[name] = Flight(job, self._embedder.sender.settings, cache)
        landed: Landed | None = None
        try:
            if cache is not None:
                known = await self._claim(cache, key, job, order)
                if known is False:
                    self._later.append((key, indices, prepaid, None))
                    return
                if known is not None:
                    landed = known, None
                    self._finish_cached(indices, known)
                    return
            found, cut_key = await self._embedder.embed(job, self._run, prepaid=prepaid)
            landed = found, cut_key
            self._count_cut(found)
            if isinstance(found, Embedding) and found.usage is not None and not found.cached:  # cut again, it may be
                self._run.used(found.usage)
            self._keep(indices, found)
            if cache is not None:
                await self._store(cache, cut_key or key, found, indices)
            self._run.finished(len(indices))
        except Exception as error:
            ours = as_error(error, job.label)
            if landed is None:
                if not self._run.stopping and is_shared(ours, job):
                    landed = ours, None
                self._fail(indices, ours)
            raise ours from ours.__cause__
        finally:
            if landed is None or isinstance(landed[0], TwelveLabsError):
                del flights[name]
            else:
                (self._landed_texts if flights is self._texts else self._landed_media).append(name)
            flight.land(landed)
            if cache is not None and cache.holds(key):
                loop.start(partial(cache.release, [key]))  # not waited for: this call may have been cancelled
        if job.files:
            await self._embedder.finished(job, self._run)

    async def _claim(self, cache: Cache, key: str, job: Job, order: int | None) -> Result | Literal[False] | None:
        """Claim a key, so that no other process embeds the same: its result if there is one by now; None = embed it;
        False = another process is embedding it (without ``order``: not any more).
        """
        seconds = FIRST_LOOK_SEC
        while True:
            try:
                if self._ahead is None or order is None:
                    found = (await cache.claim([key])).outcome(key)
                else:
                    found = await self._ahead.claim(order)
            except asyncio.CancelledError:
                loop.start(partial(_give_back, cache, key))  # it may be claimed all the same
                raise
            if not isinstance(found, bool):
                return found if self._embedder.accepts(job, found) else None
            if found:
                return None
            if order is not None or self._run.stopping:
                return False
            await pause(seconds)
            seconds = min(2 * seconds, SLOWEST_LOOK_SEC)

    async def _store(self, cache: Cache, key: str, found: Result, indices: Sequence[int]) -> None:
        """Write a result, unless it came from the cache."""
        if isinstance(found, Embedding) and found.cached:
            self._run.stats.cached += len(indices)
        else:
            await cache.put(key, found)

    async def _take(self, key: str, indices: list[int], flight: Flight) -> bool:
        """Take the outcome of another call; False if it has none for us.

        Raises:
            TwelveLabsError: what the other call met, and this one would.
        """
        if flight.outcome is None:
            return False
        found, cut_key = flight.outcome
        if isinstance(found, TwelveLabsError):
            if not (isinstance(found, InvalidInputError) or flight.as_patient(self._embedder.sender.settings)):
                return False
            error = own_error(found, flight.job, self._jobs[indices[0]])
            self._fail(indices, error)
            raise error from error.__cause__
        found = own_copy(found)
        self._run.stats.deduplicated += 1
        self._count_cut(found)
        self._keep(indices, found)
        if self._cache is not None and self._cache is not flight.cache:
            await self._cache.put(cut_key or key, found)
        self._run.finished(len(indices))
        return True

    def _is_under_way(self, key: str, indices: list[int]) -> bool:
        """Whether another call of this client is embedding a group."""
        flights, name = self._flight_of(key, indices)
        flight = flights.get(name)
        return flight is not None and flight.outcome is None and flight.cache is self._cache

    def _flight_of(self, key: str, indices: list[int]) -> tuple[Flights, str]:
        """Where a group's flight is, and its name there."""
        item = self._jobs[indices[0]].item
        if isinstance(item, str):
            return self._texts, item
        if isinstance(item, Composed):
            return self._texts, f"\ud800{key}"  # the name of no text: broken Unicode is refused
        return self._media, self._names.get(key, key)

    def _finish_cached(self, indices: list[int], known: Result) -> None:
        self._run.stats.cached += len(indices)
        self._keep(indices, _with_space(self._embedder, self._jobs[indices[0]], known))
        self._run.finished(len(indices))

    def _count_cut(self, found: Result) -> None:
        if isinstance(found, Embedding) and found.truncated:
            self._run.stats.truncated += 1

    def _keep(self, indices: Sequence[int], found: Result) -> None:
        """Put a result in its places; from now on nothing can lose it."""
        for index in indices:
            self.outcome.results[index] = found
            if self._jobs[index].options is not None:
                self._run.stats.segments += 1 if isinstance(found, Embedding) else len(found)

    def _fail(self, indices: Sequence[int], error: TwelveLabsError) -> None:
        """Put an error in its places, under the label of each, unless it ends the batch."""
        if not is_of_job(error):
            return
        self.outcome.errors[indices[0]] = error
        first = self._jobs[indices[0]]
        for index in indices[1:]:
            self.outcome.errors[index] = own_error(error, first, self._jobs[index])
        self._run.stats.failed += len(indices) - 1  # the pool counts the first


async def _give_back(cache: Cache, key: str) -> None:
    """End a claim that may have been made for a caller that is gone."""
    if key in (await cache.claim([key])).ours:
        await cache.release([key])


async def keys_of(embedder: Embedder, jobs: Sequence[Job], *, for_cache: bool) -> list[str | TwelveLabsError]:
    """The cache key of each job, or why it has none.

    Args:
        for_cache: False = the keys only group jobs, so among texts each is its own key. Keys of files need digests.
    """

    def key_of(job: Job) -> str | TwelveLabsError:
        try:
            return embedder.key(job)
        except Exception as error:
            return as_error(error, job.label)

    if not for_cache and all(isinstance(job.item, str) for job in jobs):
        return [str(job.item) for job in jobs]
    return await in_thread(any(map(_is_slow, jobs)), lambda: [key_of(job) for job in jobs])


def equal_jobs(keys: Sequence[str | TwelveLabsError]) -> tuple[dict[str, list[int]], Errors]:
    """Key -> indices of the jobs that have it, in order of the first; and the errors of jobs that have none."""
    groups: dict[str, list[int]] = {}
    errors: Errors = {}
    for index, key in enumerate(keys):
        if isinstance(key, str):
            groups.setdefault(key, []).append(index)
        else:
            errors[index] = key
    return groups, errors


def _is_slow(job: Job) -> bool:
    """Whether the key of a job takes longer than other requests should wait."""
    return job.on_disk if job.files else isinstance(job.item, str) and len(job.item) > LONG_TEXT


def _with_space(embedder: Embedder, job: Job, known: Result) -> Result:
    """A cached result with its item's space: the cache sets the client's, and audio on v1 has another."""
    if not isinstance(known, Embedding) or not job.files:
        return known
    space = embedder.settings.space_of(job.files[0].kind) if len(job.files) == 1 else known.space
    return known if space == known.space else replace(known, space=space)


def warn_truncated(cut: Sequence[str], run: Run) -> None:
    """Log that texts were cut, in one line for a call.

    Args:
        cut: labels of the texts that were cut; the first five are named.
    """
    if cut:
        more = ", …" if run.stats.truncated > len(cut[:5]) else ""
        logger.warning(
            "%d of %d texts (%s%s) are over the model's limit, by our count or the server's, and were cut. "
            "Split them, or use truncate='average' or 'none'.",
            run.stats.truncated,
            run.stats.items,
            ", ".join(cut[:5]),
            more,
        )
