"""Many items: equal ones are embedded once, cached ones not at all; each result is cached as it arrives."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from .._cache.cache import Cache
from .._embed.embedder import Embedder, Result
from .._embed.jobs import Job
from .._errors import BatchError, TwelveLabsError
from .._net.loop import in_thread
from .._results import Embedding
from .._stats import Run

logger = logging.getLogger("twelvelabs_embeddings")

Results: TypeAlias = "list[Result | None]"
Errors: TypeAlias = "dict[int, TwelveLabsError]"


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
    results, errors = await run_batch(embedder, jobs, run, cache, prepaid=prepaid)
    if errors:
        raise errors[0] if single else BatchError(results, errors)
    return results


async def run_batch(
    embedder: Embedder, jobs: Sequence[Job], run: Run, cache: Cache | None, *, prepaid: int = 0
) -> tuple[Results, Errors]:
    """Embed all jobs: the results in order, None where a job failed, and the errors by index.

    Args:
        cache: read first, and written with each result; None = no cache.
        prepaid: number of requests for which the framework's own limiter has been acquired.

    Raises:
        AuthenticationError, QuotaExceededError: about the account; finished results are in ``.results``.
    """
    groups = await equal_jobs(embedder, jobs, for_cache=cache is not None)
    run.stats.deduplicated += len(jobs) - len(groups)
    results: Results = [None] * len(jobs)

    def finish(indices: Sequence[int], found: Result) -> None:
        for index in indices:
            results[index] = found
            if jobs[index].options is not None:
                run.stats.segments += 1 if isinstance(found, Embedding) else len(found)
        run.finished(len(indices))

    if cache is not None:
        for key, known in (await cache.get_many(list(groups))).items():
            indices = groups.pop(key)
            run.stats.cached += len(indices)
            finish(indices, _with_space(embedder, jobs[indices[0]], known))

    async def do(order: int, group: tuple[str, list[int]]) -> None:
        key, indices = group
        found = await embedder.embed(jobs[indices[0]], run, prepaid=order < prepaid)
        if cache is not None:
            await cache.put(key, found)
        finish(indices, found)
        if jobs[indices[0]].files:
            await embedder.finished(jobs[indices[0]], run)

    todo = list(groups.items())
    try:
        errors = await embedder.sender.attempt_each(todo, do, run)
    except TwelveLabsError as error:
        error.results = list(results)
        raise
    return results, {index: error for order, error in errors.items() for index in todo[order][1]}


async def equal_jobs(embedder: Embedder, jobs: Sequence[Job], *, for_cache: bool) -> dict[str, list[int]]:
    """Cache key -> indices of the jobs that have it, in order of the first.

    Args:
        for_cache: False = the keys only group jobs, so a text is its own key and a single job has an empty one. Keys
            of files need their digests.
    """
    if all(isinstance(job.item, str) for job in jobs):
        keys = [embedder.key(job) if for_cache else str(job.item) for job in jobs]
    elif len(jobs) == 1 and not for_cache:
        keys = [""]
    else:
        keys = await in_thread(any(job.on_disk for job in jobs), lambda: [embedder.key(job) for job in jobs])
    groups: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return groups


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
