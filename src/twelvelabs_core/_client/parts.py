"""Several kinds in one v1 call."""

from __future__ import annotations

from typing import Any

from .._batch.batch import embed_batch, warn_truncated
from .._embed.jobs import Job
from .._embed.parts import embed_parts, parts_of
from .._lanes import lane_of
from .._net import loop
from .._results import Embedding, Parts
from .base import ClientBase


class EmbedsParts(ClientBase):
    """``embed_parts``."""

    def embed_parts(
        self,
        *,
        text: str | None = None,
        image: Any = None,
        audio: Any = None,
        audio_start_offset_sec: float | None = None,
    ) -> Parts:
        """Embed a text, an image and audio in one v1 request (``/embed``); one vector each, not fused.

        Args:
            text: one text.
            image: a source or :class:`Image`.
            audio: a source or :class:`Audio`.
            audio_start_offset_sec: seconds to leave out at the start of the audio.

        Raises:
            InvalidInputError: the model is not served by v1, nothing was given, or a part is refused.
        """
        return loop.run(self._parts(text, image, audio, audio_start_offset_sec))

    async def aembed_parts(
        self,
        *,
        text: str | None = None,
        image: Any = None,
        audio: Any = None,
        audio_start_offset_sec: float | None = None,
    ) -> Parts:
        """Async :meth:`embed_parts`."""
        return await loop.arun(self._parts(text, image, audio, audio_start_offset_sec))

    async def _parts(self, text: str | None, image: Any, audio: Any, start: float | None) -> Parts:
        run = self._new_run(1, lane=lane_of("interactive"))

        async def embed_text(job: Job) -> Embedding:
            (found,) = await embed_batch(self._embedder, [job], run, self._cache, single=True)
            run.stats.done -= 1  # a part is not an item
            return found  # type: ignore[return-value]  # a text gives one vector

        try:
            given = parts_of(self._embedder, text=text, image=image, audio=audio, start_sec=start)
            run.note_kinds(given)
            return await embed_parts(self._embedder, run, given, embed_text)
        finally:
            if run.stats.truncated:
                warn_truncated(["text"], run)
            self._finish(run)
