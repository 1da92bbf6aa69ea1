"""The client: items in, embeddings out. Decides what to send by the pure modules and sends it by the engine."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from . import _loop
from ._config import resolve_api_key, resolve_base_url
from ._engine import Engine, EngineSettings
from ._errors import BatchError, InvalidInputError, TextTooLongError, TwelveLabsError
from ._inputs import Audio, Composed, Image, Item, Media, describe
from ._media import Resolved, inspect
from ._models import Kind, Model, find_model, models_that, resolve_api_version, resolve_dimensions
from ._results import Embedding, Parts
from ._retry import RetryPolicy
from ._truncate import (
    TRUNCATE,
    TextPlan,
    TokenCounter,
    Truncate,
    estimate_tokens,
    exceeds,
    mean,
    plan_text,
    too_long,
)
from ._wire import answers, v1, v2
from ._wire.content import Content, Request

if TYPE_CHECKING:
    import httpx

__all__ = ["DEFAULT_MODEL", "EmbeddingClient"]

logger = logging.getLogger("twelvelabs_embeddings")

DEFAULT_MODEL = "marengo3.0"


class EmbeddingClient:
    """TwelveLabs embeddings, for one model and one account. What both framework adapters stand on; usable by itself.

    Every method has an async twin (``aembed`` …) that may be awaited from any event loop. Sync methods work inside a
    running loop too. The
    object may be shared by threads, pickled and deep-copied (configuration alone; connections are made anew).

    Args:
        model: a name from :data:`MODELS`, or a :class:`Model`.
        api_key: else ``TWELVELABS_API_KEY``, else ``TWELVE_LABS_API_KEY``.
        base_url: with the version, ``…/v1.3``; else ``TWELVELABS_BASE_URL``, else the public address.
        api_version: ``v1`` (``/embed``) or ``v2`` (``/embed-v2``); the model's own default if None.
        dimensions: vector length; the model's default if None. Only marengo3.5 has a choice: 512, 256, 128.
        truncate: what to do with a text over the model's limit: ``end`` or ``start`` cut that side, ``none`` raises
            :class:`TextTooLongError`, ``average`` embeds chunks and returns their weighted mean.
        count_tokens: ``str -> int``; the default estimates, on the high side (no tokenizer is published).
        max_concurrency: requests under way at a time, 1 or more.
        max_retries: tries after the first for what may pass: 408, 429, 5xx, broken connections. 0 = none.
        timeout: seconds without a byte from the server before a request counts as lost.
        transport: an ``httpx.AsyncBaseTransport``, for tests (``httpx.MockTransport``, respx) or proxies of your own.

    Raises:
        AuthenticationError: no key anywhere.
        InvalidInputError: unknown model, or a model that cannot do what is asked; nothing is sent.
    """

    def __init__(
        self,
        model: str | Model = DEFAULT_MODEL,
        *,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        api_version: str | None = None,
        dimensions: int | None = None,
        truncate: Truncate = "end",
        count_tokens: TokenCounter | None = None,
        max_concurrency: int = 64,
        max_retries: int = 5,
        timeout: float = 120.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._model = find_model(model)
        if truncate not in TRUNCATE:
            raise InvalidInputError(f"truncate={truncate!r} is not one of {', '.join(TRUNCATE)}.")
        if max_concurrency < 1 or max_retries < 0 or timeout <= 0:
            raise InvalidInputError("max_concurrency must be 1 or more, max_retries 0 or more, timeout above 0.")
        self._dimensions = resolve_dimensions(self._model, dimensions)
        self._api_version = resolve_api_version(self._model, api_version)
        self._truncate: Truncate = truncate
        self._count = count_tokens or estimate_tokens
        # Tokens we cut to ourselves; None until the server has refused a text that was left to it.
        self._own_limit: int | None = None
        self._engine = Engine(
            EngineSettings(
                base_url=resolve_base_url(base_url),
                api_key=resolve_api_key(api_key).get_secret_value(),
                max_concurrency=max_concurrency,
                timeout=timeout,
                retry=RetryPolicy(max_retries=max_retries),
                transport=transport,
            )
        )
        if self._model.sunset:
            warnings.warn(
                f"{self._model.name} was switched off by TwelveLabs on {self._model.sunset}; use {DEFAULT_MODEL}. "
                "Vectors of the two do not compare: embed everything again.",
                UserWarning,
                stacklevel=2,
            )

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """The model's row of the table."""
        return self._model

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._dimensions

    @property
    def space(self) -> str:
        """The vector space, for example ``marengo3.0/512``. Vectors compare only within one space."""
        return self._model.space(self._dimensions)

    @property
    def base_url(self) -> str:
        """Address requests go to, with the version."""
        return self._engine.settings.base_url

    def __repr__(self) -> str:
        return f"EmbeddingClient({self.space}, {self.base_url})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": self._engine.settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._engine = Engine(state["_engine"])

    def __deepcopy__(self, memo: dict[int, Any]) -> EmbeddingClient:
        return self.__copy__()

    def __copy__(self) -> EmbeddingClient:
        clone = object.__new__(type(self))
        clone.__setstate__(self.__getstate__())
        return clone

    # -- public calls: each a sync and an async door to the same coroutine -------------------------------------------

    def embed(self, item: Item, *, name: str | None = None) -> Embedding:
        """One vector for one item.

        Args:
            item: a text (``str``), :class:`Image`, :class:`Audio`, :class:`Video`, :class:`Document` or
                :class:`Composed`.
            name: what to call it in errors; its kind by default.

        Raises:
            InvalidInputError: found before sending, or by the server.
            TextTooLongError: over the limit with ``truncate="none"``.
            AuthenticationError, RateLimitError, ServerError, ConnectionFailedError, MalformedResponseError: see each.
        """
        return _loop.run(self._one(item, name))

    async def aembed(self, item: Item, *, name: str | None = None) -> Embedding:
        """Async :meth:`embed`."""
        return await _loop.arun(self._one(item, name))

    def embed_many(self, items: Iterable[Item], *, name: str = "items") -> list[Embedding]:
        """One vector an item, in the items' order; at most ``max_concurrency`` requests at a time.

        Every item is checked before the first is sent.

        Raises:
            InvalidInputError: an item cannot be sent; nothing was. ``item`` names it: ``texts[3]``.
            BatchError: some items failed; the others were finished and are in ``.results``.
            AuthenticationError, QuotaExceededError: about the account; stops at once, what is done is in ``.results``.
        """
        return _loop.run(self._many(list(items), name))

    async def aembed_many(self, items: Iterable[Item], *, name: str = "items") -> list[Embedding]:
        """Async :meth:`embed_many`."""
        return await _loop.arun(self._many(list(items), name))

    def embed_parts(
        self,
        *,
        text: str | None = None,
        image: Any = None,
        audio: Any = None,
        audio_start_offset_sec: float | None = None,
    ) -> Parts:
        """Several kinds in one v1 call (``/embed``): separate vectors, one request.

        Args:
            text: one text.
            image: a source or :class:`Image`.
            audio: a source or :class:`Audio`.
            audio_start_offset_sec: seconds of the sound to leave out at its start.

        Raises:
            InvalidInputError: the model is not served by v1, nothing was given, or a part is refused.
        """
        return _loop.run(self._parts(text, image, audio, audio_start_offset_sec))

    async def aembed_parts(
        self,
        *,
        text: str | None = None,
        image: Any = None,
        audio: Any = None,
        audio_start_offset_sec: float | None = None,
    ) -> Parts:
        """Async :meth:`embed_parts`."""
        return await _loop.arun(self._parts(text, image, audio, audio_start_offset_sec))

    # -- one item ----------------------------------------------------------------------------------------------------

    async def _one(self, item: Item, name: str | None) -> Embedding:
        job = await self._prepare([item], lambda _: name or _kind(item))
        result = await self._embed(job[0])
        _warn_truncated([result], name or "text")
        return result

    async def _many(self, items: Sequence[Item], name: str) -> list[Embedding]:
        jobs = await self._prepare(items, lambda i: f"{name}[{i}]")
        results, errors = await self._engine.gather(jobs, self._embed)
        _warn_truncated(results, name)
        if errors:
            raise errors[0] if len(jobs) == 1 else BatchError(results, errors)
        return results  # type: ignore[return-value]  # without errors there is no None

    async def _prepare(self, items: Sequence[Item], label: Any) -> list[_Job]:
        """Check every item before any is sent. Files are looked at off the loop."""
        if all(isinstance(item, str) for item in items):
            return [self._check(item, label(i)) for i, item in enumerate(items)]
        return await asyncio.to_thread(lambda: [self._check(item, label(i)) for i, item in enumerate(items)])

    def _check(self, item: Item, label: str) -> _Job:
        kind = _kind(item)
        if kind is None:
            raise InvalidInputError(
                f"expected a str, Image, Audio, Video, Document or Composed, got {describe(item)}.",
                item=label,
            )
        if kind not in self._model.inputs[self._api_version]:
            raise InvalidInputError(self._cannot(kind), item=label)
        if isinstance(item, str):
            if not item.strip():
                raise InvalidInputError("is an empty text; leave it out, the API takes no empty texts.", item=label)
            if self._truncate == "none" and self._model.truncation is None:
                self._plan(item, label, None)  # raises what the server would not
            return _Job(item, label, ())
        if isinstance(item, Composed):
            sources = tuple(
                inspect(m, self._model, f"{label}.media[{i}]") for i, m in enumerate(item.media) if isinstance(m, Media)
            )
            v2.check_composed(item, self._model, is_pdf=[s.mime == "application/pdf" for s in sources], label=label)
            if (
                item.text
                and self._model.truncation is None
                and exceeds(item.text, self._model.max_text_tokens, self._count)
            ):
                raise _named(too_long(self._model, self._count(item.text)), label)
            return _Job(item, label, sources)
        return _Job(item, label, (inspect(item, self._model, label),))

    def _cannot(self, kind: Kind) -> str:
        other = [v for v in self._model.api_versions if kind in self._model.inputs[v]]
        if other:
            return f"{self._model.name} takes {kind} by api_version={other[0]!r}, not {self._api_version!r}."
        return f"{self._model.name} does not take {kind} input. " + models_that(f"take {kind}", kind=kind)

    async def _embed(self, job: _Job) -> Embedding:
        try:
            if isinstance(job.item, str):
                return await self._text(job.item, job.label)
            contents = [await asyncio.to_thread(_content, source) for source in job.sources]
            heavy = any(content.url is None for content in contents)
            return await self._request(await asyncio.to_thread(self._media_request, job.item, contents), heavy=heavy)
        except TwelveLabsError as error:
            raise _named(error, job.label) from error.__cause__

    # -- texts -------------------------------------------------------------------------------------------------------

    async def _text(self, text: str, label: str) -> Embedding:
        limit = self._own_limit
        while True:
            plan = self._plan(text, label, limit)
            try:
                return await self._pieces(plan)
            except TextTooLongError:
                if self._truncate == "none":
                    raise
                limit = self._lower(limit)

    def _plan(self, text: str, label: str, limit: int | None) -> TextPlan:
        try:
            return plan_text(text, self._model, self._truncate, self._count, limit)
        except TwelveLabsError as error:
            raise _named(error, label) from None

    def _lower(self, limit: int | None) -> int:
        """Cut shorter after a refusal, and remember: the server said that our count, or leaving it to cut, is not good
        enough.
        """
        if limit is not None and limit <= 8:
            raise TextTooLongError("the server refuses the text as too long even cut to a few words.")
        lower = self._model.max_text_tokens if limit is None and self._model.truncation is None else None
        lower = lower or int((limit or self._model.max_text_tokens) * 0.7)
        self._own_limit = min(self._own_limit or lower, lower)
        return lower

    async def _pieces(self, plan: TextPlan) -> Embedding:
        requests = [self._text_request(piece, plan.server_truncate) for piece in plan.pieces]
        parts = (
            [await self._request(r) for r in requests]
            if len(requests) < 2
            else await asyncio.gather(*map(self._request, requests))
        )
        if len(parts) == 1:
            found = parts[0]
            cut = plan.over or bool(found.usage and found.usage.truncated)
            return found if found.truncated == cut else Embedding(found.vector, found.space, cut, 1, found.usage)
        return Embedding(mean([p.vector for p in parts], plan.weights), self.space, pooled=len(parts))

    def _text_request(self, text: str, control: str | bool | None) -> Request:
        if self._api_version == "v1":
            return v1.request(self._model, text=text, text_truncate=control if isinstance(control, str) else None)
        auto = control if isinstance(control, bool) else None
        return v2.text(self._model, text, dimensions=self._dimensions, auto_truncate=auto)

    # -- media -------------------------------------------------------------------------------------------------------

    def _media_request(self, item: Any, contents: Sequence[Content]) -> Request:
        if isinstance(item, Composed):
            auto = self._truncate == "end" if self._model.truncation == "auto_truncate" else None
            return v2.composed(self._model, item.text, contents, dimensions=self._dimensions, auto_truncate=auto)
        (content,) = contents
        if self._api_version == "v1":
            return v1.request(
                self._model,
                image=content if content.kind == "image" else None,
                audio=content if content.kind == "audio" else None,
            )
        return v2.media(self._model, content, dimensions=self._dimensions)

    async def _request(self, request: Request, *, heavy: bool = False) -> Embedding:
        answer = await self._engine.send(request, heavy=heavy)
        if request.path == "embed":
            (kind,) = request.kinds
            segments = answers.v1_part(answer, kind, self._dimensions)
            if kind != "audio":
                return Embedding(answers.single(segments, kind).vector, self.space)
            # v1 has no whole-file vector for sounds, and no labels that would tell its vectors apart: all count alike.
            return Embedding(
                mean([s.vector for s in segments], [1.0] * len(segments)), self.space, pooled=len(segments)
            )
        segment = answers.single(answers.v2_segments(answer, self._dimensions), " and ".join(sorted(request.kinds)))
        used = answers.usage(answer)
        return Embedding(segment.vector, self.space, bool(used and used.truncated), 1, used)

    async def _parts(self, text: str | None, image: Any, audio: Any, audio_start_offset_sec: float | None) -> Parts:
        if "v1" not in self._model.api_versions:
            raise InvalidInputError(
                f"{self._model.name} is not served by v1 (/embed). Embed each part alone, or use marengo3.0."
            )
        if text is None and image is None and audio is None:
            raise InvalidInputError("give at least one of text, image and audio.")
        if audio_start_offset_sec is not None and audio is None:
            raise InvalidInputError("audio_start_offset_sec needs audio.")
        given: dict[str, Item] = {}
        if text is not None:
            given["text"] = text
        if image is not None:
            given["image"] = image if isinstance(image, Image) else Image(image)
        if audio is not None:
            sound = audio if isinstance(audio, Audio) else Audio(audio, start_sec=audio_start_offset_sec)
            given["audio"] = sound
        names = list(given)
        jobs = dict(zip(names, await self._prepare(list(given.values()), lambda i: names[i]), strict=True))
        contents = {n: await asyncio.to_thread(_content, job.sources[0]) for n, job in jobs.items() if job.sources}
        control = self._truncate if self._truncate in ("end", "start", "none") else "end"
        request = v1.request(
            self._model,
            text=text,
            text_truncate=control,
            image=contents.get("image"),
            audio=contents.get("audio"),
        )
        answer = await self._engine.send(request, heavy=bool(contents))

        def one(part: str) -> Embedding | None:
            if part not in given:
                return None
            cut = part == "text" and exceeds(text or "", self._model.max_text_tokens, self._count)
            return Embedding(
                answers.single(answers.v1_part(answer, part, self._dimensions), part).vector, self.space, cut
            )

        try:
            segments = answers.v1_part(answer, "audio", self._dimensions) if "audio" in given else []
            return Parts(one("text"), one("image"), tuple(segments), answers.v1_metadata(answer))
        except TwelveLabsError as error:
            raise _named(error, "embed_parts") from None


class _Job:
    """One checked item."""

    __slots__ = ("item", "label", "sources")

    def __init__(self, item: Item, label: str, sources: tuple[Resolved, ...]) -> None:
        self.item, self.label, self.sources = item, label, sources


def _kind(item: Any) -> Kind | None:
    if isinstance(item, str):
        return "text"
    return item.kind if isinstance(item, (Media, Composed)) else None


def _content(source: Resolved) -> Content:
    """Read (and convert) one piece of media. Blocks on the disk."""
    media = source.media
    return Content(
        media.kind,
        source.url,
        b"" if source.url is not None else source.load(),
        source.filename,
        source.mime,
        media.name,
        getattr(media, "start_sec", None),
        getattr(media, "end_sec", None),
    )


def _named(error: TwelveLabsError, label: str) -> TwelveLabsError:
    if error.item is None:
        error.item = label
    return error


def _warn_truncated(results: Sequence[Embedding | None], name: str) -> None:
    cut = [i for i, result in enumerate(results) if result is not None and result.truncated]
    if cut:
        first = ", ".join(map(str, cut[:5])) + (", …" if len(cut) > 5 else "")
        logger.warning(
            "%d of %d texts (%s %s) are over the model's limit by our count or the server's and were cut. "
            "Split them, or use truncate='average' or 'none'.",
            len(cut),
            len(results),
            name,
            first,
        )
