"""Embeds one text: in one request, or one a chunk for ``truncate="average"``; cut shorter if the server refuses it."""

from __future__ import annotations

import asyncio
from typing import Any

from .._api import responses, v1, v2
from .._api.requests import Request
from .._errors import TextTooLongError
from .._net.sender import Sender
from .._results import Embedding
from .._stats import Run
from .settings import EmbedSettings
from .truncate import TextPlan, mean, plan_text

SHORTEST_LIMIT = 8  # tokens; a text is not cut any shorter
# The token count is an estimate, so each refusal multiplies the limit by this.
LOWER_BY = 0.7


class TextEmbedder:
    """Embeds texts through a sender."""

    def __init__(self, settings: EmbedSettings, sender: Sender) -> None:
        self._settings = settings
        self._model = settings.model
        self._sender = sender
        # Tokens to which texts are cut on the client; None until the server has refused a text as too long.
        self._own_limit: int | None = None

    def request_count(self, text: str) -> int:
        """Requests one text takes if none fails: more than one only for ``truncate="average"``."""
        return len(self.plan(text).pieces)

    async def embed(self, text: str, run: Run, *, prepaid: bool = False) -> Embedding:
        """The vector of one text.

        Args:
            prepaid: the framework's limiter has been acquired for its (first) request.

        Raises:
            TextTooLongError: over the limit with ``truncate="none"``, or refused even when cut to a few words.
        """
        limit = self._own_limit
        while True:
            plan = self._plan(text, limit)
            try:
                return await self._send(plan, run, prepaid)
            except TextTooLongError:
                if self._settings.truncate == "none":
                    raise
                limit = self._lower(limit)
                prepaid = False

    def plan(self, text: str) -> TextPlan:
        """How a text is sent first."""
        return self._plan(text, self._own_limit)

    def _plan(self, text: str, limit: int | None) -> TextPlan:
        return plan_text(text, self._model, self._settings.truncate, self._settings.count, limit)

    def _lower(self, limit: int | None) -> int:
        """A lower limit after a refusal, in tokens; later texts start from it.

        Args:
            limit: the limit that was refused; None = the server was to cut.

        Raises:
            TextTooLongError: the limit is at its lowest.
        """
        if limit is not None and limit <= SHORTEST_LIMIT:
            raise TextTooLongError("the server refuses the text as too long even when cut to a few words.")
        cut_by_server = limit is None and self._model.truncation is None and self._settings.truncate == "end"
        most = self._model.max_text_tokens
        lower = most if cut_by_server else int((limit or most) * LOWER_BY)
        self._own_limit = min(self._own_limit or lower, lower)
        return lower

    async def _send(self, plan: TextPlan, run: Run, prepaid: bool) -> Embedding:
        requests = [self._request(piece, plan.server_truncate) for piece in plan.pieces]
        if len(requests) == 1:
            found = await self._sender.send(requests[0], run, read=self._read, prepaid=prepaid)
            reported = found.usage is not None and plan.server_truncate is True
            if plan.over and not found.truncated and not (reported and self._model.truncation == "auto_truncate"):
                return Embedding(found.vector, found.space, True, 1, found.usage)
            return found
        found_all = await asyncio.gather(
            *(
                self._sender.send(request, run, read=self._read, prepaid=prepaid and i == 0)
                for i, request in enumerate(requests)
            )
        )
        vectors = [found.vector for found in found_all]
        return Embedding(mean(vectors, plan.weights), self._settings.space, pooled=len(vectors))

    def _request(self, text: str, control: str | bool | None) -> Request:
        if self._settings.api_version == "v1":
            return v1.request(self._model, text=text, text_truncate=control if isinstance(control, str) else None)
        auto = control if isinstance(control, bool) else None
        return v2.text(self._model, text, dimensions=self._settings.dimensions, auto_truncate=auto)

    def _read(self, response: dict[str, Any]) -> Embedding:
        settings = self._settings
        if settings.api_version == "v1":
            found = responses.v1_segments(response, "text", settings.dimensions)
            return Embedding(responses.single(found, "text").vector, settings.space)
        segment = responses.single(responses.v2_segments(response, settings.dimensions), "text")
        used = responses.usage(response)
        return Embedding(segment.vector, settings.space, bool(used and used.truncated), 1, used)
