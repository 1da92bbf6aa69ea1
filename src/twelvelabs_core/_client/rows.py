"""Files as rows for a vector store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._batch.batch import Outcome, run_each
from .._embed.embedder import Result
from .._embed.jobs import Job
from .._errors import TwelveLabsError, as_error
from .._inputs import Media, as_items
from .._lanes import Lane, lane_of
from .._net import loop
from .._options import OptionsByKind, SegmentOptions
from .._stats import Progress
from .._store.identity import IdFrom, always
from .._store.rows import Row, name_for_ids, names_for_ids, one_each, rows_of
from .segments import EmbedsSegments, converted


class EmbedsRows(EmbedsSegments):
    """``rows``, ``rows_many`` and ``rows_each``."""

    def rows(
        self,
        media: Media,
        options: SegmentOptions | None = None,
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        id_from: IdFrom = "source",
    ) -> list[Row]:
        """The vectors of one file's segments as rows for a store: id, text, flat metadata, vector.

        Args and errors as for :meth:`embed_segments`, and:

        Args:
            metadata: of your own, for every row. ``source`` and ``file_name`` in it replace those of the file; other
                keys that rows use are refused.
            id_from: what the ids are made of beside the content: ``source`` (path or URL), ``content`` (nothing else),
                or a function from the metadata to a name; see :data:`IdFrom`.
        """
        given = None if metadata is None else [metadata]
        return loop.run(self._rows([media], options, name, given, id_from, many=False))[0]

    def rows_many(
        self,
        media: Iterable[Media],
        options: OptionsByKind | None = None,
        *,
        name: str = "media",
        progress: bool = False,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        id_from: IdFrom = "source",
    ) -> list[list[Row]]:
        """As :meth:`rows` for many files, several at a time; fails as :meth:`embed_segments_many`, with rows in
        ``.results``.

        Args:
            options: for every file, or by kind: ``{"video": SegmentOptions(…)}``.
            metadata: one mapping for each file.
        """
        return loop.run(self._rows(as_items(media), options, name, metadata, id_from, progress=progress))

    async def arows_many(
        self,
        media: Iterable[Media],
        options: OptionsByKind | None = None,
        *,
        name: str = "media",
        progress: bool = False,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        id_from: IdFrom = "source",
    ) -> list[list[Row]]:
        """Async :meth:`rows_many`."""
        return await loop.arun(self._rows(as_items(media), options, name, metadata, id_from, progress=progress))

    def rows_each(
        self,
        media: Iterable[Media],
        options: OptionsByKind | None = None,
        *,
        name: str = "media",
        metadata: Sequence[Mapping[str, Any]] | None = None,
        id_from: IdFrom = "source",
        progress: bool | Progress | None = None,
    ) -> Outcome[list[Row]]:
        """As :meth:`rows_many`, but a file that cannot be sent, or fails, stops nothing: see :meth:`embed_each`."""
        return loop.run(self._rows_each(as_items(media), options, name, metadata, id_from, progress, lane_of("bulk")))

    async def arows_each(
        self,
        media: Iterable[Media],
        options: OptionsByKind | None = None,
        *,
        name: str = "media",
        metadata: Sequence[Mapping[str, Any]] | None = None,
        id_from: IdFrom = "source",
        progress: bool | Progress | None = None,
    ) -> Outcome[list[Row]]:
        """Async :meth:`rows_each`."""
        lane = lane_of("bulk")
        return await loop.arun(self._rows_each(as_items(media), options, name, metadata, id_from, progress, lane))

    async def _rows_each(
        self,
        media: Sequence[Media],
        options: OptionsByKind | None,
        name: str,
        metadata: Sequence[Mapping[str, Any]] | None,
        id_from: IdFrom,
        progress: bool | Progress | None,
        lane: Lane,
    ) -> Outcome[list[Row]]:
        run = self._new_run(len(media), progress, lane=lane)
        labels = [f"{name}[{index}]" for index in range(len(media))]

        def name_each() -> list[str | TwelveLabsError | None]:
            return [name_or_error(*given) for given in zip(media, metadatas, labels, strict=True)]

        def name_or_error(item: Media, given: Mapping[str, Any] | None, label: str) -> str | TwelveLabsError | None:
            try:
                return name_for_ids(item, given, id_from, label)
            except Exception as error:
                return as_error(error, label)

        try:
            metadatas = one_each(metadata, len(media))
            # A file whose rows would have no id is not paid for.
            names = await loop.in_thread(callable(id_from), name_each)
            places = [place for place, found in enumerate(names) if not isinstance(found, TwelveLabsError)]
            run.stats.failed += len(media) - len(places)
            jobs, ran = await run_each(
                self._embedder,
                [media[place] for place in places],
                [labels[place] for place in places],
                run,
                self._cache,
                options or SegmentOptions(),
            )

            def convert(index: int, job: Job, found: Result) -> list[Row]:
                place = places[index]
                return self._rows_of(job, found, metadatas[place], names[place])  # type: ignore[arg-type]

            made = await converted(jobs, ran, convert)
            outcome: Outcome[list[Row]] = Outcome([None] * len(media), fatal=made.fatal)
            for place, rows in zip(places, made.results, strict=True):
                outcome.results[place] = rows
            unnamed = {place: found for place, found in enumerate(names) if isinstance(found, TwelveLabsError)}
            outcome.errors = dict(sorted((unnamed | {places[i]: e for i, e in made.errors.items()}).items()))
            return outcome
        finally:
            self._finish(run)

    async def _rows(
        self,
        media: Sequence[Media],
        options: OptionsByKind | None,
        name: str | None,
        metadata: Sequence[Mapping[str, Any]] | None,
        id_from: IdFrom,
        *,
        many: bool = True,
        progress: bool = False,
    ) -> list[list[Row]]:
        names: list[str | None] = []

        async def check(jobs: Sequence[Job]) -> None:
            # A function of the user's may take its time: not on the loop.
            labels = [job.label for job in jobs]
            names.extend(await loop.in_thread(callable(id_from), names_for_ids, media, metadata, id_from, labels))

        def convert(index: int, job: Job, found: Result) -> list[Row]:
            return self._rows_of(job, found, None if metadata is None else metadata[index], names[index])

        return await self._files(media, options, name, convert, check=check, many=many, progress=progress)

    def _rows_of(self, job: Job, found: Result, metadata: Mapping[str, Any] | None, name: str | None) -> list[Row]:
        file = job.files[0]
        return rows_of(
            file.media,
            self._embedder.as_segments(job, found),
            space=self.space,
            content_digest=file.content_digest,
            duration_sec=file.measured.duration_sec,
            options=job.options,  # with the default segmentation, which is part of a chunk's id
            metadata=metadata,
            id_from=always(name),
        )
