"""A vector for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from twelvelabs_core import Embedding, Outcome

from .columns import Batch, vector_column
from .embedder import DAILY_WINDOW_SEC, AccountErrors, ColumnEmbedder
from .stats import JobStats


class EmbedBatch(ColumnEmbedder[Embedding]):
    """A class for ``Dataset.map_batches`` that adds one vector a row.

    .. code-block:: python

        dataset.map_batches(
            EmbedBatch,
            fn_constructor_kwargs=dict(text="caption", cache="vectors.sqlite", rate_limits=RateLimits.developer(2)),
            batch_size=1024,
            concurrency=2,
        )

    Takes batches of any format (``pyarrow``, ``numpy``, ``pandas``), and returns Arrow tables with three more columns:

    - ``embedding``: ``FixedSizeList<float32>`` as long as the model's ``dimensions``; null where the row failed.
    - ``space``: the vector space, such as ``marengo3.0/512``; null where the row failed.
    - ``error``: the class of the error and what happened; null where nothing did.

    A row that cannot be embedded (empty, null, a missing file, refused by the server) has an error and does not stop
    the others. A batch is sent ``max_concurrency`` requests at a time, and the next begins when it has ended: batches
    of many times that number keep the connections busy.

    With ``cache=``, which all workers share, each vector is kept as it arrives: what a lost worker had finished is not
    sent again, and what another worker is embedding is waited for.

    Args:
        text: the column of texts. Exactly one column is named.
        image: the column of images: paths, URLs, data URIs, bytes, or arrays as ``ray.data.read_images`` makes them.
        audio: the column of audio files: paths, URLs, data URIs or bytes.
        video: the column of videos, likewise.
        document: the column of document files (marengo3.5), likewise.
        source: for a column of bytes: the column with the path or URL that each file comes from.
        prefix: put before the name of every column that is added.
        max_wait: longest wait for a rate limit, in seconds; a longer one is an error about the account. By default
            25 hours: a job waits for the daily limit to reopen.
        account_errors: an error about the account, the server or the cache (a bad key, the quota used up, a server that
            fails every request, a full disk) ends the job (``raise``), or is the error of every row that it stopped
            (``column``), and the next batch tries again. None = ``raise`` if there is a cache, which has everything
            that is finished; else ``column``, as Ray drops the finished rows of a job that ends with an error.
        stats: collects the statistics of all workers.
        settings: any other of :class:`twelvelabs_core.EmbeddingClient`: ``model``, ``api_key``, ``rate_limits``,
            ``cache`` … ``cache`` is the path of a SQLite file (workers of one machine), a URL of Redis (several), a
            store with ``mget`` and ``mset`` that can be pickled, or a function that makes any of these in each worker.
            ``budget`` is refused: it is counted in one process.

    Raises:
        InvalidInputError: not exactly one column is named, or a setting is refused.
        AuthenticationError: no key anywhere.
    """

    def __init__(
        self,
        *,
        text: str | None = None,
        image: str | None = None,
        audio: str | None = None,
        video: str | None = None,
        document: str | None = None,
        source: str | None = None,
        prefix: str = "",
        max_wait: float = DAILY_WINDOW_SEC,
        account_errors: AccountErrors | None = None,
        stats: JobStats | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            "EmbedBatch",
            {"text": text, "image": image, "audio": audio, "video": video, "document": document},
            source=source,
            prefix=prefix,
            max_wait=max_wait,
            account_errors=account_errors,
            stats=stats,
            settings=settings,
        )

    def __call__(self, batch: Batch) -> pa.Table:
        """The batch with its vectors."""
        table, found, errors = self._read(batch)
        vectors = vector_column([None if e is None else e.vector for e in found], self.client.dimensions)
        spaces = [None if e is None else e.space for e in found]
        return self._add(
            table,
            {"embedding": vectors, "space": pa.array(spaces, pa.string()), "error": pa.array(errors, pa.string())},
        )

    def _added(self) -> Sequence[str]:
        return ("embedding", "space", "error")

    def _embed(self, items: list[Any], sources: Sequence[str | None]) -> Outcome[Embedding]:
        return self.client.embed_each(items, progress=self._reporter)
