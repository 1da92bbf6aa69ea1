"""Many items: equal ones once, known ones from the cache, the rest through the engine, each kept as it arrives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from .._errors import BatchError, TwelveLabsError
from .._results import Embedding
from .._stats import Run
from .cache import Cache
from .embedder import Embedder, Job

__all__ = ["embed_batch", "equal_jobs", "run_batch", "warn_truncated"]

logger = logging.getLogger("twelvelabs_embeddings")

Results = list["Embedding | None"]
Errors = dict[int, TwelveLabsError]


async def embed_batch(
    embedder: Embedder, jobs: Sequence[Job], run: Run, cache: Cache | None, *, prepaid: int = 0
) -> list[Embedding]:
    """One vector a job, in order; what :func:`run_batch` does, with failures raised.

    Raises:
        BatchError: some failed; the rest is in ``.results``.
        TwelveLabsError: the only item failed, or the account did; ``.results`` is set.
    """
    results, errors = await run_batch(embedder, jobs, run, cache, prepaid=prepaid)
    if not errors:
        return results  # type: ignore[return-value]  # without errors there is no None
    raise errors[0] if len(jobs) == 1 else BatchError(results, errors)


async def run_batch(
    embedder: Embedder, jobs: Sequence[Job], run: Run, cache: Cache | None, *, prepaid: int = 0
) -> tuple[Results, Errors]:
    """Results in the jobs' order, None where one failed, and the errors by index.

    Args:
        prepaid: requests for which the framework's own limiter has been asked.

    Raises:
        AuthenticationError, QuotaExceededError: about the account; what is done is in ``.results``.
    """
    groups = await equal_jobs(embedder, jobs, for_cache=cache is not None)
    run.stats.deduplicated += len(jobs) - len(groups)
    results: Results = [None] * len(jobs)

    def finish(indices: Sequence[int], found: Embedding) -> None:
        for index in indices:
            results[index] = found
        run.finished(len(indices))

    if cache is not None:
        for key, known in (await cache.get_many(list(groups))).items():
            run.stats.cached += len(groups[key])
            finish(groups.pop(key), known)

    async def do(order: int, job: tuple[str, list[int]]) -> None:
        key, indices = job
        found = await embedder.embed(jobs[indices[0]], run, prepaid=order < prepaid)
        if cache is not None:
            await cache.put(key, found)
        finish(indices, found)

    todo = list(groups.items())
    try:
        errors = await embedder.sender.work(enumerate(todo), do, run, at_most=len(todo))
    except TwelveLabsError as error:
        error.results = list(results)
        raise
    return results, {index: error for order, error in errors.items() for index in todo[order][1]}


async def equal_jobs(embedder: Embedder, jobs: Sequence[Job], *, for_cache: bool) -> dict[str, list[int]]:
    """Key -> indices of the jobs that have it, in order of the first.

    Without a cache a text is its own key, and a lone item needs none.
    """
    if all(isinstance(job.item, str) for job in jobs):
        keys = [embedder.key(job) if for_cache else str(job.item) for job in jobs]
    elif len(jobs) == 1 and not for_cache:
        keys = [""]
    else:
        keys = await asyncio.to_thread(lambda: [embedder.key(job) for job in jobs])
    groups: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return groups


def warn_truncated(cut: Sequence[str], run: Run) -> None:
    """One line a call: a cut text is never silent.

    Args:
        cut: the labels of (some of) the texts that were cut.
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
