"""How one item becomes one vector: check it, write its request or requests, read the answer. One model, one set of
options.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from .._api import responses, v1, v2
from .._api.requests import MediaPayload, Request, payload_of
from .._errors import InvalidInputError, TextTooLongError, TwelveLabsError, with_item
from .._inputs import Audio, Composed, Item, Media, Video, describe
from .._media.file import MediaFile
from .._media.probe import examine
from .._models import ApiVersion, Kind, Model, models_that
from .._net.sender import Sender
from .._results import Embedding
from .._stats import Run
from .keys import digest, key_prefix
from .route import Route, route
from .segmenter import Segmenter
from .truncate import TextPlan, TokenCounter, Truncate, exceeds, mean, plan_text, too_long

__all__ = ["Embedder", "Job", "Label"]

# Ten thousand texts need no ten thousand names: a name and a place are put together when an error asks.
Label: TypeAlias = "str | tuple[str, int]"


def spoken(label: Label) -> str:
    """``texts[3]``."""
    return label if isinstance(label, str) else f"{label[0]}[{label[1]}]"


class Job:
    """One checked item.

    Attributes:
        label: what the caller would call it, for errors.
        sources: its media, inspected.
    """

    __slots__ = ("_label", "item", "sources")

    def __init__(self, item: Item, label: Label, sources: tuple[MediaFile, ...] = ()) -> None:
        self.item, self._label, self.sources = item, label, sources

    @property
    def label(self) -> str:
        return spoken(self._label)

    @property
    def kinds(self) -> frozenset[Kind]:
        """What it counts as."""
        kinds: set[Kind] = {source.media.kind for source in self.sources}
        if isinstance(self.item, str) or (isinstance(self.item, Composed) and self.item.text):
            kinds.add("text")
        return frozenset(kinds)


class Embedder:
    """Turns items into vectors through an engine."""

    def __init__(
        self,
        sender: Sender,
        model: Model,
        *,
        dimensions: int,
        api_version: ApiVersion,
        truncate: Truncate,
        count: TokenCounter,
        segmenter: Segmenter,
    ) -> None:
        self.sender = sender
        self.segmenter = segmenter  # what it does with files that are too long or large for a request
        self.model = model
        self.dimensions = dimensions
        self.space = model.space(dimensions)
        self.api_version = api_version
        self.truncate: Truncate = truncate
        self.count = count
        self._key_prefix = key_prefix(self.space, api_version, sender.settings.base_url)
        self._takes_text = "text" in model.inputs[api_version]
        # Tokens we cut to ourselves; None until the server has refused a text that was left to it.
        self._own_limit: int | None = None

    # -- before anything is sent -----------------------------------------------------------------------------------

    async def check_all(self, items: Sequence[Item], labels: Iterable[Label]) -> list[Job]:
        """Every item, checked before any is sent. Files are looked at off the loop."""
        if all(isinstance(item, str) for item in items):
            return [self.check(item, label) for item, label in zip(items, labels, strict=False)]
        return await asyncio.to_thread(
            lambda: [self.check(item, label) for item, label in zip(items, labels, strict=False)]
        )

    def check(self, item: Item, label: Label) -> Job:
        """One item, checked against what the model takes.

        Raises:
            InvalidInputError, TextTooLongError: it cannot be sent; ``item`` is ``label``.
        """
        if type(item) is str and self._takes_text and self.truncate != "none" and not item.isspace() and item:
            if not item.isascii():
                check_unicode(item, label)
            return Job(item, label)  # what nearly all items are
        return self._check(item, spoken(label))

    def _check(self, item: Item, label: str) -> Job:
        kind = _kind(item)
        if kind is None:
            raise InvalidInputError(
                f"expected a str, Image, Audio, Video, Document or Composed, got {describe(item)}.", item=label
            )
        if kind not in self.model.inputs[self.api_version]:
            raise InvalidInputError(self._cannot(kind), item=label)
        if isinstance(item, str):
            check_unicode(item, label)
            if not item.strip():
                raise InvalidInputError("is an empty text; leave it out, the API takes no empty texts.", item=label)
            if self.truncate == "none" and self.model.truncation is None and self._over(item):
                raise with_item(too_long(self.model, self.count(item)), label)  # the server might cut it silently
            return Job(item, label)
        if isinstance(item, Composed):
            return self._check_composed(item, label)
        may_task = self.api_version == "v2" and item.kind != "document"
        if self.api_version == "v1" and isinstance(item, Audio) and item.end_sec is not None:
            raise InvalidInputError("v1 knows no end_sec of a sound; use v2, or cut the file.", item=label)
        source = examine(item, self.model, label, may_task=may_task)
        return Job(item, source.label, (source,))

    def _check_composed(self, item: Composed, label: str) -> Job:
        if not isinstance(item.text, (str, type(None))) or not isinstance(item.media, Sequence):
            raise InvalidInputError("expected Composed(text, [media, …]): a str or None, and a list.", item=label)
        for media in item.media:
            if isinstance(media, (Audio, Video)) and (media.start_sec is not None or media.end_sec is not None):
                raise InvalidInputError("start_sec and end_sec cannot be composed; cut the file first.", item=label)
        sources = tuple(
            examine(media, self.model, f"{label}.media[{i}]", may_task=False)
            for i, media in enumerate(item.media)
            if isinstance(media, Media)
        )
        pdfs = [source.mime == "application/pdf" for source in sources]
        v2.check_composed(item, self.model, is_pdf=pdfs, label=label)
        if item.text and self.model.truncation is None and self._over(item.text):
            # Cutting could lose a <@name>; only a model that cuts by itself (3.5) may be left to it.
            raise with_item(too_long(self.model, self.count(item.text)), label)
        return Job(item, label, sources)

    def _cannot(self, kind: Kind) -> str:
        other = [v for v in self.model.api_versions if kind in self.model.inputs[v]]
        if other:
            return f"{self.model.name} takes {kind} by api_version={other[0]!r}, not {self.api_version!r}."
        return f"{self.model.name} does not take {kind} input. " + models_that(f"take {kind}", kind=kind)

    def _over(self, text: str) -> bool:
        return exceeds(text, self.model.max_text_tokens, self.count)

    def key(self, job: Job) -> str:
        """The cache key. Reads media files. How texts are cut is part of it only where one is cut."""
        text = job.item if isinstance(job.item, str) else job.item.text if isinstance(job.item, Composed) else None
        options = self.truncate if text and self._over(text) else ""
        return digest(self._key_prefix, job.item, job.sources, options)

    def minutes(self, job: Job) -> float | None:
        """Minutes of media in it, None if unknown."""
        total = 0.0
        for source in job.sources:
            if source.media.kind in ("audio", "video"):
                if source.seconds is None:
                    return None
                total += source.seconds / 60
        return total

    def request_count(self, job: Job) -> int:
        """Requests it takes if none fails: more than one only for ``truncate="average"``."""
        return len(self._plan(job.item, self._own_limit).pieces) if isinstance(job.item, str) else 1

    # -- sending ---------------------------------------------------------------------------------------------------

    async def embed(self, job: Job, run: Run, *, prepaid: bool = False) -> Embedding:
        """The vector of one item.

        Args:
            prepaid: the framework's limiter has been asked for its (first) request.

        Raises:
            TwelveLabsError: named after the item.
        """
        try:
            if isinstance(job.item, str):
                found = await self._text(job.item, run, prepaid)
            else:
                found = await self._media(job, run, prepaid)
        except TwelveLabsError as error:
            raise with_item(error, job.label) from error.__cause__
        if found.truncated:
            run.stats.truncated += 1
        return found

    async def _text(self, text: str, run: Run, prepaid: bool) -> Embedding:
        limit = self._own_limit
        while True:
            plan = self._plan(text, limit)
            try:
                return await self._pieces(plan, run, prepaid)
            except TextTooLongError:
                if self.truncate == "none":
                    raise
                limit = self._lower(limit)
                prepaid = False

    def _plan(self, text: str, limit: int | None) -> TextPlan:
        return plan_text(text, self.model, self.truncate, self.count, limit)

    def _lower(self, limit: int | None) -> int:
        """Cut shorter after a refusal, and remember it: our count, or leaving it to the server, was not good enough."""
        if limit is not None and limit <= 8:
            raise TextTooLongError("the server refuses the text as too long even when cut to a few words.")
        leave_to_server = limit is None and self.model.truncation is None and self.truncate == "end"
        lower = self.model.max_text_tokens if leave_to_server else int((limit or self.model.max_text_tokens) * 0.7)
        self._own_limit = min(self._own_limit or lower, lower)
        return lower

    async def _pieces(self, plan: TextPlan, run: Run, prepaid: bool) -> Embedding:
        requests = [self._text_request(piece, plan.server_truncate) for piece in plan.pieces]
        if len(requests) == 1:
            found = await self._request(requests[0], run, prepaid=prepaid)
            told = found.usage is not None and self.model.truncation == "auto_truncate" and plan.server_truncate is True
            if plan.over and not found.truncated and not told:
                return Embedding(found.vector, found.space, True, 1, found.usage)
            return found
        parts = await asyncio.gather(
            *(self._request(request, run, prepaid=prepaid and i == 0) for i, request in enumerate(requests))
        )
        return Embedding(mean([p.vector for p in parts], plan.weights), self.space, pooled=len(parts))

    def _text_request(self, text: str, control: str | bool | None) -> Request:
        if self.api_version == "v1":
            return v1.request(self.model, text=text, text_truncate=control if isinstance(control, str) else None)
        auto = control if isinstance(control, bool) else None
        return v2.text(self.model, text, dimensions=self.dimensions, auto_truncate=auto)

    async def _media(self, job: Job, run: Run, prepaid: bool) -> Embedding:
        if isinstance(job.item, Composed):
            contents = [await asyncio.to_thread(payload_of, source) for source in job.sources]
            return await self._media_call(job, contents, run, prepaid)
        (source,) = job.sources
        media = source.media
        part = isinstance(media, (Audio, Video)) and (media.start_sec is not None or media.end_sec is not None)
        way = route(self.model, media.kind, size=source.size, seconds=source.seconds, segments=False, part=part)
        try:
            found = await self._by(job, source, way, run, prepaid)
        except TwelveLabsError as error:
            await self.segmenter.clear(source, way, run, error)
            raise
        await self.segmenter.clear(source, way, run)
        return found

    async def _by(self, job: Job, source: MediaFile, way: Route, run: Run, prepaid: bool) -> Embedding:
        if not way.task or self.api_version == "v1":
            content = await self.segmenter.upload(source, way, run)
            try:
                return await self._media_call(job, [content], run, prepaid)
            except InvalidInputError as error:
                if way.sure or self.api_version == "v1" or not responses.is_media_too_long(error):
                    raise
        return Embedding((await self.segmenter.whole(source, run)).vector, self.space)

    async def _media_call(self, job: Job, contents: Sequence[MediaPayload], run: Run, prepaid: bool) -> Embedding:
        request = await asyncio.to_thread(self._media_request, job.item, contents)
        has_media = any(content.data for content in contents)
        return await self._request(request, run, has_media=has_media, minutes=self.minutes(job) or 0.0, prepaid=prepaid)

    def _media_request(self, item: Item, contents: Sequence[MediaPayload]) -> Request:
        """Writes media into a request: base64 of whole files."""
        if isinstance(item, Composed):
            auto = self.truncate == "end" if self.model.truncation == "auto_truncate" else None
            return v2.composed(self.model, item.text, contents, dimensions=self.dimensions, auto_truncate=auto)
        (content,) = contents
        if self.api_version == "v1":
            image = content if content.kind == "image" else None
            return v1.request(self.model, image=image, audio=None if image else content)
        return v2.media(self.model, content, dimensions=self.dimensions)

    async def _request(
        self, request: Request, run: Run, *, has_media: bool = False, minutes: float = 0.0, prepaid: bool = False
    ) -> Embedding:
        answer = await self.sender.send(request, run, has_media=has_media, minutes=minutes, prepaid=prepaid)
        if request.path == "embed":
            return self._read_v1(answer, request)
        segment = responses.single(responses.v2_segments(answer, self.dimensions), " and ".join(sorted(request.kinds)))
        used = responses.usage(answer)
        return Embedding(segment.vector, self.space, bool(used and used.truncated), 1, used)

    def _read_v1(self, answer: dict[str, Any], request: Request) -> Embedding:
        (kind,) = request.kinds
        segments = responses.v1_segments(answer, kind, self.dimensions)
        if kind != "audio":
            return Embedding(responses.single(segments, kind).vector, self.space)
        # v1 has no whole-file vector for sounds, and no labels that would tell its vectors apart: all count alike.
        pooled = mean([segment.vector for segment in segments], [1.0] * len(segments))
        return Embedding(pooled, self.space, pooled=len(segments))


def check_unicode(text: str, label: Label) -> None:
    """A lone half of a surrogate pair (a broken emoji) cannot be written to the wire."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"holds broken Unicode at {error.start}; clean it first.", item=spoken(label)) from None


def _kind(item: Any) -> Kind | None:
    if isinstance(item, str):
        return "text"
    return item.kind if isinstance(item, (Media, Composed)) else None
