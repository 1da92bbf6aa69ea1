"""Embeds one text: in one request, or one a chunk for ``truncate="average"``; cut shorter if the server refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from .._api import responses, v1, v2
from .._api.requests import Request
from .._cache.cache import Cache
from .._cache.keys import key_prefix, pieces_key, text_key
from .._errors import TextTooLongError
from .._net.loop import in_thread
from .._net.sender import Sender
from .._results import Embedding
from .._stats import Run
from .settings import EmbedSettings
from .truncate import TextPlan, mean, plan_text, shorter_plan

# Characters from which a text is divided in a thread: it takes longer than other requests should wait.
LONG_TEXT = 200_000


class TextEmbedder:
    """Embeds texts through a sender. Each text is judged by itself: what was refused before changes nothing for it.

    Args:
        cache: asked for a shorter version of a refused text, and for chunks, before they are sent.
    """

    def __init__(self, settings: EmbedSettings, sender: Sender, cache: Cache | None = None) -> None:
        self._settings = settings
        self._model = settings.model
        self._sender = sender
        self._cache = cache
        self._space = settings.space
        self._read: Callable[[Any], Embedding] = self._read_v1 if settings.api_version == "v1" else self._read_v2
        self._key_prefix = key_prefix(settings.space, settings.api_version, sender.settings.base_url)
        self._sent_as_it_is = self._model.truncation != "text_truncate"  # else how it is cut is in the key

    def plan(self, text: str) -> TextPlan:
        """How a text is sent first."""
        return plan_text(text, self._model, self._settings.truncate, self._settings.count)

    def key(self, plan: TextPlan) -> str:
        """The cache key of what is sent: two texts, or two ways of cutting one, never share it.

        A whole text within the limit has the same key for every ``truncate``, as it is sent to be embedded whole; if
        the server cuts it all the same and says so, :meth:`accepts` keeps it from other ways of cutting.
        """
        if not plan.whole:
            return pieces_key(self._key_prefix, plan.pieces, plan.weights)
        if isinstance(plan.server_truncate, str):
            options = plan.server_truncate  # this control's server does not say whether it has cut
        elif not plan.over:
            options = ""
        else:
            options = self._settings.truncate if plan.server_truncate is not None else "left to the server"
        return text_key(self._key_prefix, plan.pieces[0], options)

    def short_key(self, text: str) -> str | None:
        """:meth:`key` of a text that is certainly within the limit, without a plan for it; None for any other."""
        return text_key(self._key_prefix, text) if self._sent_as_it_is and self._settings.is_short(text) else None

    @staticmethod
    def accepts(plan: TextPlan, known: Embedding) -> bool:
        """Whether a cached vector is what this plan would give: not that of a text that was cut in another way."""
        if not plan.whole:
            return True
        return known.pooled == 1 and (not known.truncated or plan.over or plan.cut_by_server)

    async def embed(
        self, text: str, run: Run, *, plan: TextPlan | None = None, prepaid: bool = False
    ) -> tuple[Embedding, str | None]:
        """The vector of one text, and the cache key of how it was cut after a refusal (None: as planned first).

        A refusal is not charged, and is not remembered: the server's limit may change, and a text that was refused once
        must not stay cut for ever.

        Args:
            plan: how it is sent first, if that is known.
            prepaid: the framework's limiter has been acquired for its (first) request.

        Raises:
            TextTooLongError: over the limit with ``truncate="none"``, or refused even when cut to a few words.
        """
        settings = self._settings
        slow = len(text) > LONG_TEXT
        if plan is None:
            plan = await in_thread(slow, self.plan, text) if slow else self.plan(text)
        key: str | None = None
        paid: dict[str, Embedding] | None = None
        while True:
            if len(plan.pieces) == 1:
                try:
                    return await self._send_one(plan, run, prepaid), key
                except TextTooLongError as error:
                    refused = {plan.pieces[0]: error}
            else:
                if paid is None:
                    paid = {}
                refused = await self._send_pieces(plan, run, prepaid, paid)
                if not refused:
                    vectors = [paid[piece].vector for piece in plan.pieces]
                    return Embedding(mean(vectors, plan.weights), settings.space, pooled=len(vectors)), key
            if settings.truncate == "none":
                first = refused[plan.pieces[0]]
                raise first from first.__cause__
            plan = await in_thread(
                slow, shorter_plan, text, plan, refused, self._model, settings.truncate, settings.count
            )
            prepaid = False
            key = self.key(plan)
            if self._cache is not None:
                known = (await self._cache.get_many([key])).get(key)
                if isinstance(known, Embedding):
                    return known, key

    def _send_one(self, plan: TextPlan, run: Run, prepaid: bool) -> Awaitable[Embedding]:
        """Send a plan of one piece."""
        request = self._request(plan.pieces[0], plan.server_truncate)
        read = partial(self._read_over, plan) if plan.over else self._read
        return self._sender.send(request, run, read=read, prepaid=prepaid)

    async def _send_pieces(
        self, plan: TextPlan, run: Run, prepaid: bool, paid: dict[str, Embedding]
    ) -> dict[str, TextTooLongError]:
        """Send the pieces of a plan that have no vector yet. Each is cached by itself, so that a failure loses none.

        Args:
            paid: vectors of pieces, by piece; those sent now are added.

        Returns:
            The errors of those that were refused as too long, by piece.
        """
        alone = {
            piece: TextPlan((piece,), server_truncate=plan.server_truncate)
            for piece in plan.pieces
            if piece not in paid
        }
        keys = {piece: self.key(one) for piece, one in alone.items()} if self._cache is not None else {}
        if self._cache is not None:
            known = await self._cache.get_many(list(keys.values()))
            for piece, key in keys.items():
                found = known.get(key)
                if isinstance(found, Embedding) and self.accepts(alone[piece], found):
                    paid[piece] = found

        async def send(piece: str, prepaid: bool) -> None:
            paid[piece] = await self._send_one(alone[piece], run, prepaid)
            run.used(paid[piece].usage)
            if self._cache is not None:
                await self._cache.put(keys[piece], paid[piece])

        missing = [piece for piece in alone if piece not in paid]
        outcomes = await asyncio.gather(
            *(send(piece, prepaid and i == 0) for i, piece in enumerate(missing)), return_exceptions=True
        )
        refused: dict[str, TextTooLongError] = {}
        for piece, error in zip(missing, outcomes, strict=True):
            if isinstance(error, TextTooLongError):
                refused[piece] = error
            elif error is not None:
                raise error
        return refused

    def _request(self, text: str, control: str | bool | None) -> Request:
        if self._settings.api_version == "v1":
            return v1.request(self._model, text=text, text_truncate=control if isinstance(control, str) else None)
        auto = control if isinstance(control, bool) else None
        return v2.text(self._model, text, dimensions=self._settings.dimensions, auto_truncate=auto)

    def _read_over(self, plan: TextPlan, response: Any) -> Embedding:
        """The vector of a text over the limit, which stands for a part of it unless the server says otherwise."""
        found = self._read(response)
        reported = found.usage is not None and plan.server_truncate is True
        if found.truncated or (reported and self._model.truncation == "auto_truncate"):
            return found
        return Embedding(found.vector, found.space, True, 1, found.usage)

    def _read_v1(self, response: dict[str, Any]) -> Embedding:
        found = responses.v1_segments(response, "text", self._settings.dimensions)
        return Embedding(responses.single(found, "text").vector, self._space)

    def _read_v2(self, body: bytes) -> Embedding:
        vector, used = responses.v2_text(body, self._settings.dimensions)
        return Embedding(vector, self._space, used is not None and used.truncated, 1, used)
