"""A row for each segment of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from twelvelabs_core import IdFrom, Outcome, Row, SegmentOptions
from twelvelabs_core.adapter import checked_id_from

from .columns import Batch, holds_content, vector_column
from .embedder import DAILY_WINDOW_SEC, AccountErrors, ColumnEmbedder
from .stats import JobStats

_TYPES: dict[str, pa.DataType] = {
    "source": pa.string(),
    "file_name": pa.string(),
    "media_type": pa.string(),
    "start_sec": pa.float64(),
    "end_sec": pa.float64(),
    "duration_sec": pa.float64(),
    "embedding_option": pa.string(),
    "embedding_scope": pa.string(),
    "page": pa.int64(),
    "quadrant": pa.string(),
    "chunk": pa.int64(),
    "content_digest": pa.string(),
    "space": pa.string(),
}
"""The metadata of a row, by column: the same names as in a LangChain document and a LlamaIndex node."""

NO_SEGMENTS = "InvalidInputError: has no segments with these options."


class EmbedSegments(ColumnEmbedder[list[Row]]):
    """A class for ``Dataset.map_batches`` that returns a row for each segment of each file: as ``flat_map``, and
    several files of a batch at a time.

    .. code-block:: python

        dataset.map_batches(
            EmbedSegments,
            fn_constructor_kwargs=dict(video="path", cache="vectors.sqlite"),
            batch_size=64,
            concurrency=2,
        )

    Each row has the columns of the row it was made from (but the one read, if that holds the files themselves: each
    segment would copy its file), and those of a :class:`twelvelabs_core.Row`:

    - ``id``: a UUID of file, segment, option and space; the same in every run.
    - ``text``: for people and text search: ``beach.mp4 00:01:12-00:01:18 visual``.
    - ``source``, ``file_name``, ``media_type``, ``start_sec``, ``end_sec``, ``duration_sec`` (seconds),
      ``embedding_option``, ``embedding_scope``, ``page``, ``quadrant``, ``chunk``, ``content_digest``, ``space``: null
      where a segment has none.
    - ``embedding``: ``FixedSizeList<float32>`` as long as the model's ``dimensions``.
    - ``error``: null.

    A file that cannot be embedded is one row with an ``error``, and null in all other columns that are added.

    Args:
        video: the column of videos: paths, URLs, data URIs or bytes. Exactly one column is named.
        audio: the column of audio files, likewise.
        image: the column of images, likewise, or arrays as ``ray.data.read_images`` makes them.
        document: the column of document files (marengo3.5), likewise.
        source: for a column of bytes: the column with the path or URL that each file comes from. It is the ``source``
            of the rows, and part of their ids.
        options: how files are divided and what of them is embedded; by default the model's own segments and all its
            options.
        id_from: what the ids are made of, beside the content: see :data:`twelvelabs_core.IdFrom`.
        prefix, max_wait, account_errors, stats, settings: as for :class:`EmbedBatch`.

    Raises:
        InvalidInputError: not exactly one column is named, or a setting is refused.
        AuthenticationError: no key anywhere.
    """

    def __init__(
        self,
        *,
        video: str | None = None,
        audio: str | None = None,
        image: str | None = None,
        document: str | None = None,
        source: str | None = None,
        options: SegmentOptions | None = None,
        id_from: IdFrom = "source",
        prefix: str = "",
        max_wait: float = DAILY_WINDOW_SEC,
        account_errors: AccountErrors | None = None,
        stats: JobStats | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            "EmbedSegments",
            {"video": video, "audio": audio, "image": image, "document": document},
            source=source,
            prefix=prefix,
            max_wait=max_wait,
            account_errors=account_errors,
            stats=stats,
            settings=settings,
            own=("options", "id_from"),
        )
        self._options, self._id_from = options, checked_id_from(id_from)

    def __call__(self, batch: Batch) -> pa.Table:
        """The rows of the segments, file by file."""
        table, found, errors = self._read(batch)
        parents: list[int] = []
        rows: list[Row | None] = []
        told: list[str | None] = []
        for index, segments in enumerate(found):
            made: Sequence[Row | None] = segments or [None]
            parents += [index] * len(made)
            rows += made
            told += [errors[index] if segments is None else None if segments else NO_SEGMENTS] * len(made)
        vectors = vector_column([None if row is None else row.vector for row in rows], self.client.dimensions)
        kept = table.take(pa.array(parents, pa.int64()))
        if holds_content(table, self._column):
            kept = kept.drop_columns([self._column])
        metadata = [{} if row is None else row.metadata for row in rows]
        return self._add(
            kept,
            {
                "id": pa.array([None if row is None else row.id for row in rows], pa.string()),
                "text": pa.array([None if row is None else row.text for row in rows], pa.string()),
                **{name: pa.array([about.get(name) for about in metadata], kind) for name, kind in _TYPES.items()},
                "embedding": vectors,
                "error": pa.array(told, pa.string()),
            },
        )

    def _added(self) -> Sequence[str]:
        return ("id", "text", *_TYPES, "embedding", "error")

    def _embed(self, items: list[Any], sources: Sequence[str | None]) -> Outcome[list[Row]]:
        about = None if self._source is None else [{} if s is None else {"source": s} for s in sources]
        return self.client.rows_each(
            items, self._options, metadata=about, id_from=self._id_from, progress=self._reporter
        )
