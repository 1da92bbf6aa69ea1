"""Vectors of videos that the service has indexed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._api import indexed
from .._api.names import is_id
from .._errors import InvalidInputError, TwelveLabsError, with_item
from .._lanes import lane_of
from .._net import loop
from .._options import SegmentOptions, check_options
from .._results import Segment
from .._stats import Run
from .base import ClientBase


class ReadsIndexes(ClientBase):
    """``indexed_segments``."""

    def indexed_segments(
        self, index_id: str, video_id: str, *, embedding_option: str | Sequence[str] | None = None
    ) -> list[Segment]:
        """The vectors of a video that an index of the service holds, sorted by time. They were paid for when it was
        indexed; reading them costs nothing.

        Args:
            index_id: id of the index, for which a model of this client's name is enabled.
            video_id: id of the indexed asset, or video.
            embedding_option: ``visual``, ``audio``, ``transcription``; None = all that the model has.

        Raises:
            InvalidInputError: there is no such video, it has no vectors, or those of another model.
        """
        return loop.run(self._indexed(index_id, video_id, embedding_option))

    async def aindexed_segments(
        self, index_id: str, video_id: str, *, embedding_option: str | Sequence[str] | None = None
    ) -> list[Segment]:
        """Async :meth:`indexed_segments`."""
        return await loop.arun(self._indexed(index_id, video_id, embedding_option))

    async def _indexed(
        self, index_id: str, video_id: str, embedding_option: str | Sequence[str] | None
    ) -> list[Segment]:
        model, label = self.model, f"indexed video {video_id}"
        asked = SegmentOptions(embedding_option=embedding_option)
        check_options(asked, model, "video", label, "v2")
        for name, found in (("an index", index_id), ("a video", video_id)):
            if not is_id(found):
                raise InvalidInputError(f"{found!r:.60} is not the id of {name}.")
        with self._call(lane=lane_of("bulk")) as run:
            try:
                segments = await self._read_indexed(index_id, video_id, asked, run)
            except TwelveLabsError as error:
                raise with_item(error, label) from error.__cause__
            run.stats.segments += len(segments)
            return segments

    async def _read_indexed(self, index_id: str, video_id: str, asked: SegmentOptions, run: Run) -> list[Segment]:
        model = self.model

        def read(response: dict[str, Any]) -> list[Segment]:
            name = indexed.read_model(response)
            if name is not None and name.lower() != model.name.lower():
                raise InvalidInputError(
                    f"was indexed by {name}, and this client is for {model.name}: vectors of the two do not compare. "
                    f"Read it by a client for {name}."
                )
            return indexed.read_segments(response, self.dimensions)

        options = asked.embedding_option or model.segment_options["video"]
        newer, older = indexed.FORMS
        try:
            return await self._sender.send(indexed.retrieve(newer, index_id, video_id, options), run, read=read)
        except InvalidInputError as error:
            if error.status != 404:
                raise
        return await self._sender.send(indexed.retrieve(older, index_id, video_id, options), run, read=read)
