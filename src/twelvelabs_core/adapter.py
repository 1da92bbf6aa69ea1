"""The parts of a framework adapter. LangChain's and LlamaIndex's import this module and ``twelvelabs_core`` alone.

A framework's embedding class inherits :class:`Adapter` beside the framework's base class, says what its model field is
called, and maps the framework's method names onto the protected methods:

.. code-block:: python

    from twelvelabs_core import DEFAULT_MODEL, Image
    from twelvelabs_core.adapter import Adapter, as_media

    class MyEmbeddings(Adapter, FrameworkEmbeddings):
        model: str = DEFAULT_MODEL

        def _model(self):
            return self.model

        def embed_texts(self, texts):
            return self._vectors(texts, "texts")

        async def aembed_texts(self, texts):
            return await self._avectors(texts, "texts")

        def embed_images(self, paths):
            return self._vectors(as_media(Image, paths), "paths")

The name given (``"texts"``) is what the items are called in error messages: ``texts[3]``.

Settings, key and client:
    :class:`Adapter` has the client's settings as pydantic fields, :attr:`Adapter.client`, :attr:`Adapter.space`,
    :meth:`Adapter.collection_name` and :meth:`Adapter.embed_composed`; it is a :class:`StrictSettings`, as any other
    class with settings should be. :func:`checked_adapter` refuses the embeddings of another framework, and
    :func:`needs_extra` names what to install.
What a framework passes:
    :func:`as_items`, :func:`as_list`, :func:`as_objects`, :func:`as_media`, :func:`media_from`, :func:`describe`; a
    file's kind by :data:`SUFFIXES`, :func:`kind_of`, :func:`kind_of_mime`, :func:`is_pdf`, :func:`is_source_code`; its
    path or URL by :func:`is_url`, :func:`local_path`, :func:`file_name`, :func:`unsigned_url`; its content by
    :func:`head_of`, :func:`content_digest`; why there is none, :func:`not_there`.
Files as documents or nodes:
    ``client.rows_many(media)`` gives :class:`twelvelabs_core.Row`: id, text, flat metadata, vector; what the ids are
    made of, by :func:`checked_id_from`, :func:`name_for_ids` and :func:`always`; the rows of a copy, by
    :func:`rows_of_copy`; what a caller's metadata may not hold, by :data:`RESERVED`, :func:`check_reserved` and
    :func:`own_metadata`; what traces call a file and its segments, by :func:`source_of` and :func:`segment_texts`. For
    stores that ask for texts instead of vectors, :meth:`Adapter._keep_vectors` and :meth:`Adapter._kept_vectors` keep
    vectors by id, :meth:`Adapter._kept_labels` tells which texts were given with them, and :meth:`Adapter._signature`
    marks texts as written with this API key.
Search results:
    :class:`Search` has a retriever's settings, plans its searches by embedding option and makes one list of what they
    find; :func:`checked_queries` are queries by option, :func:`segment_key` is what a result is, :func:`joined_options`
    names its options. :func:`merge_hits` merges into time ranges, :func:`order_of` and :func:`order_ties` order equal
    scores; :func:`normalize_scores` and :func:`distance_to_score` turn a store's scores into similarities;
    :func:`twelvelabs_core.check_space` comes before any of it. What a language model takes of a hit:
    :class:`MomentParts`.
Errors:
    :func:`renumber_errors`, where an adapter embeds some items of a framework's list and has the vectors of others;
    :func:`stops_all`, where it may leave out items that fail.
Asynchronous work:
    :func:`run`, :func:`arun` and :func:`submit` run a coroutine on the client's background loop, from any thread or
    loop, so that a sync and an async method share one coroutine; :func:`callers_loop` refuses trio. Await a future of
    :func:`submit` inside :func:`awake`, or Jupyter cannot interrupt it. What is kept from :func:`submit`, and any lock,
    belongs into a :class:`PerLoop`, which makes it anew in a forked child.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, field_validator
from pydantic.json_schema import SkipJsonSchema

from ._assets import asset_of
from ._cache.entries import CacheErrors
from ._cache.keys import reference_prefix
from ._cache.labels import KeptLabels
from ._cache.vectors import KeptVectors
from ._client import EmbeddingClient
from ._clips.parts import MomentPart, MomentParts, MomentSettings
from ._config import key_from_environment, secret_of
from ._embed.truncate import Truncate
from ._errors import InvalidInputError, TwelveLabsError
from ._extras import needs_extra
from ._inputs import Composed, Item, Media, Source, as_items, as_list, as_media, as_objects, describe, file_name
from ._lanes import Lane, lane_of
from ._limits import RateLimits, checked_limits
from ._media.file import MediaFile, locate
from ._media.kinds import (
    MEDIA_TYPES,
    SUFFIXES,
    MediaKind,
    head_of,
    is_pdf,
    is_source_code,
    kind_of,
    kind_of_mime,
    media_from,
    not_there,
    suffix_of,
)
from ._models import Model
from ._net.forks import PerLoop
from ._net.loop import arun, awake, callers_loop, run, submit
from ._net.pool import stops_all
from ._net.settings import DEFAULT_MEDIA_BYTES, DEFAULT_TOTAL_TIMEOUT
from ._options import SegmentOptions
from ._places import is_url, local_path, unsigned_url
from ._redis import as_secret
from ._renumber import renumber_errors
from ._results import Embedding, Segment
from ._stats import Budget
from ._store.identity import always, checked_id_from, segment_key, source_of
from ._store.metadata import RESERVED, check_reserved, collection_name, own_metadata
from ._store.moments import merge_hits
from ._store.order import distance_to_score, normalize_scores, order_of, order_ties
from ._store.rows import joined_options, name_for_ids, rows_of_copy, segment_texts
from ._store.search import (
    FOR_TEXT,
    Fuse,
    Fusion,
    OptionFilter,
    Plan,
    Search,
    Step,
    checked_queries,
    options_for,
)
from ._strict import StrictSettings

__all__ = [
    "FOR_TEXT",
    "MEDIA_TYPES",
    "RESERVED",
    "SUFFIXES",
    "Adapter",
    "Fuse",
    "Fusion",
    "MediaKind",
    "MomentPart",
    "MomentParts",
    "MomentSettings",
    "OptionFilter",
    "PerLoop",
    "Plan",
    "Search",
    "Step",
    "StrictSettings",
    "always",
    "arun",
    "as_items",
    "as_list",
    "as_media",
    "as_objects",
    "asset_of",
    "awake",
    "callers_loop",
    "check_reserved",
    "checked_adapter",
    "checked_id_from",
    "checked_queries",
    "content_digest",
    "describe",
    "distance_to_score",
    "file_name",
    "head_of",
    "is_pdf",
    "is_source_code",
    "is_url",
    "joined_options",
    "kind_of",
    "kind_of_mime",
    "local_path",
    "media_from",
    "merge_hits",
    "name_for_ids",
    "needs_extra",
    "normalize_scores",
    "not_there",
    "options_for",
    "order_of",
    "order_ties",
    "own_metadata",
    "renumber_errors",
    "rows_of_copy",
    "run",
    "segment_key",
    "segment_texts",
    "source_of",
    "stops_all",
    "submit",
    "suffix_of",
    "unsigned_url",
]


def _secret(key: SecretStr | str | None = None) -> SecretStr | None:
    """A key as a secret; None is looked up in the environment."""
    return secret_of(key) or key_from_environment()


class Adapter(StrictSettings):
    """Settings of an :class:`EmbeddingClient` as pydantic fields, and the client made from them.

    The fields stay valid: after ``model_copy(update=…)`` or an assignment the next call uses a client made from the new
    values. The key is a ``SecretStr``; it is left out of every dump and repr, and kept by pickling.

    Raises:
        AuthenticationError: no key anywhere.
        InvalidInputError: an unknown model or setting, or a setting out of its range.
    """

    # A validation error that prints its input would print the key.
    model_config = ConfigDict(
        arbitrary_types_allowed=True, hide_input_in_errors=True, protected_namespaces=(), populate_by_name=True
    )

    api_key: SecretStr | str | None = Field(default_factory=_secret, exclude=True, repr=False)
    """By default ``TWELVELABS_API_KEY``, then ``TWELVE_LABS_API_KEY`` of the environment."""
    base_url: str | None = None
    """Address with the version (``…/v1.3``); by default ``TWELVELABS_BASE_URL``, then the public address."""
    api_version: str | None = None
    """``v1`` or ``v2``; the model's own default if None."""
    dimensions: int | None = None
    """Vector length; the model's default if None. Only marengo3.5 has a choice: 512, 256, 128."""
    truncate: Truncate = "end"
    """An over-long text: cut its ``end`` or ``start``, raise an error (``none``), or ``average`` its chunks."""
    count_tokens: SkipJsonSchema[Callable[[str], int] | None] = Field(default=None, exclude=True, repr=False)
    """Token counter for texts; the default estimates on the high side."""
    max_concurrency: int = 64
    """Requests in flight at a time."""
    max_media_bytes: int = DEFAULT_MEDIA_BYTES
    """Bytes of media held for the requests in flight; most hold less than 3 MB."""
    rate_limits: RateLimits | None = None
    """What the account may send, for example ``RateLimits.free()``; None = learn from the server's responses."""
    max_wait: float = 120.0
    """Longest wait for a rate limit, in seconds; a longer one raises ``QuotaExceededError``."""
    max_retries: int = 5
    """Retries after 408, 425, 429, 5xx, connection errors and (twice at most) unusable responses."""
    timeout: float = 120.0
    """Seconds without a byte from the server after which a request counts as lost."""
    total_timeout: float = DEFAULT_TOTAL_TIMEOUT
    """Seconds after which one attempt counts as lost, whatever has arrived. A large body has a second more a 64 kB."""
    cache: Any = Field(default=None, exclude=True, repr=False)
    """Path of a SQLite file, a URL of Redis, or an object with ``mget`` and ``mset``: every vector is written there as
    it arrives. Processes that share a file, or machines a Redis (``redis://…``, extra ``redis``), pay nothing twice."""
    cache_errors: CacheErrors = "raise"
    """A cache that fails stops the call with ``CacheError`` (``raise``), or is left out with a warning (``ignore``)."""
    budget: Budget | int | None = Field(default=None, exclude=True)
    """Hard cap on requests (a number), or on requests and media minutes."""
    keep_assets: bool = False
    """Leave uploaded files on the server; by default they are deleted after use."""
    task_timeout: float = 3600.0
    """Seconds a task (a long video) may take."""
    rate_limiter: Any = Field(default=None, exclude=True, repr=False)
    """A limiter object of the framework, asked before every request."""
    transport: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.AsyncBaseTransport`` instead of the default one."""

    _client: EmbeddingClient | None = PrivateAttr(default=None)
    _made_from: dict[str, Any] | None = PrivateAttr(default=None)
    _in_memory: KeptVectors = PrivateAttr(default_factory=KeptVectors)
    _labels: KeptLabels = PrivateAttr(default_factory=KeptLabels)

    if not TYPE_CHECKING:  # type checkers read the fields

        def __init__(self, *unnamed: Any, **settings: Any) -> None:
            if unnamed:  # not shown: it may be a key
                raise TypeError(f'{type(self).__name__} takes settings by name: {type(self).__name__}(model="…").')
            # The frames of a validation error, pydantic's too, show their locals to error trackers.
            settings["api_key"] = secret_of(settings.get("api_key"))
            if "cache" in settings:
                settings["cache"] = as_secret(settings["cache"])
            super().__init__(**settings)

    @field_validator("api_key")
    @classmethod
    def _hide_key(cls, key: SecretStr | str | None) -> SecretStr | None:
        """None is looked up now: a copy made later must not depend on the environment at that time."""
        return _secret(key)

    @field_validator("rate_limits", mode="before")
    @classmethod
    def _say_what_limits_are(cls, given: Any) -> Any:
        return given if given is None or isinstance(given, Mapping) else checked_limits(given)

    def model_post_init(self, context: Any, /) -> None:
        """Make the client now: a wrong model or a missing key is an error here and not at the first call."""
        super().model_post_init(context)
        _ = self.client

    def _model(self) -> str | Model:
        """The model; each framework has its own name for the field."""
        raise NotImplementedError

    @property
    def client(self) -> EmbeddingClient:
        """The core client that these settings describe."""
        settings = {name: getattr(self, name) for name in Adapter.model_fields} | {"model": self._model()}
        # A copy with ``update=`` is not validated.
        settings["api_key"], settings["cache"] = secret_of(self.api_key), as_secret(self.cache)
        if self._client is None or self._made_from != settings:
            self._client, self._made_from = EmbeddingClient(**settings), settings
        return self._client

    @property
    def space(self) -> str:
        """The vector space, for example ``marengo3.0/512``. Vectors compare only within one space."""
        return self.client.space

    def collection_name(self, name: str) -> str:
        """The name of a store's collection for this object's space: ``videos_marengo3_0_512`` for ``videos``.

        Vectors of two models never meet in collections named so, although they may be equally long.

        Raises:
            InvalidInputError: ``name`` is empty, or the whole is longer than 63 characters.
        """
        return collection_name(name, self.space)

    # -- vectors ---------------------------------------------------------------------------------------------------

    def _vector(self, item: Item, name: str, *, prepaid: int = 0, lane: Lane = "interactive") -> list[float]:
        """One item's vector.

        Args:
            item: a text, media or :class:`Composed`.
            name: what to call it in errors.
            prepaid: number of requests for which the framework has already acquired ``rate_limiter``.
            lane: of the call, outside ``client.bulk()`` and ``client.interactive()``.
        """
        self._check_space(item, name)
        return self.client.embed(item, name=name, prepaid=prepaid, lane=lane_of(lane)).vector

    async def _avector(self, item: Item, name: str, *, prepaid: int = 0, lane: Lane = "interactive") -> list[float]:
        self._check_space(item, name)
        return (await self.client.aembed(item, name=name, prepaid=prepaid, lane=lane_of(lane))).vector

    def _vectors(
        self,
        items: Iterable[Item],
        name: str,
        *,
        progress: bool = False,
        prepaid: int = 0,
        documents: bool = False,
    ) -> list[list[float]]:
        """One vector an item, in order. An error's ``.results`` are plain vectors too.

        Args:
            items: texts, media or :class:`Composed`.
            name: what to call them in errors: ``texts`` gives ``texts[3]``.
            progress: show a tqdm bar.
            prepaid: as for :meth:`_vector`.
            documents: they are to be stored: a single one is no query either.
        """
        items = self._of_one_space(items, name)
        with _plain_results():
            found = self.client.embed_many(
                items, name=name, progress=progress, prepaid=prepaid, lane=lane_of("bulk") if documents else None
            )
        return [embedding.vector for embedding in found]

    async def _avectors(
        self,
        items: Iterable[Item],
        name: str,
        *,
        progress: bool = False,
        prepaid: int = 0,
        documents: bool = False,
    ) -> list[list[float]]:
        items = self._of_one_space(items, name)
        with _plain_results():
            found = await self.client.aembed_many(
                items, name=name, progress=progress, prepaid=prepaid, lane=lane_of("bulk") if documents else None
            )
        return [embedding.vector for embedding in found]

    def _check_texts(self, texts: Iterable[str], labels: Iterable[str]) -> None:
        """Raise what embedding these texts would raise before the first request.

        Raises:
            InvalidInputError, TextTooLongError: a text cannot be sent; ``item`` is its label.
        """
        for text, label in zip(texts, labels, strict=True):
            self.client._embedder.checker.check(text, label)

    def _of_one_space(self, items: Iterable[Item], name: str) -> list[Item]:
        items = as_items(items)
        for index, item in enumerate(items):
            if not isinstance(item, str):
                self._check_space(item, f"{name}[{index}]")
        return items

    def _check_space(self, item: Item, label: str) -> None:
        """Refuse an item whose vector is in another space: a framework receives plain floats, which do not show it."""
        if self.client.space_of(item) != self.space:
            raise InvalidInputError(
                "v1 returns audio and transcription vectors without labels, and their mean does not compare with "
                "other vectors. Leave api_version out, or use client.embed(), whose result names its space.",
                item=label,
            )

    def embed_composed(
        self,
        text: str | None = None,
        *,
        images: Sequence[Source] | Mapping[str, Source] = (),
        audio: Sequence[Source] | Mapping[str, Source] = (),
        videos: Sequence[Source] | Mapping[str, Source] = (),
        documents: Sequence[Source] | Mapping[str, Source] = (),
    ) -> list[float]:
        """One vector for a text and media together, or for several media.

        Args:
            text: the text; ``<@name>`` refers to the media given under that name. Alone, it has the vector of any text.
            images: list, or mapping ``name -> source``. marengo3.0 composes images only.
            audio: as ``images``; marengo3.5.
            videos: as ``images``; marengo3.5.
            documents: as ``images``; marengo3.5 (``.pdf``, ``.txt``, ``.md``).

        Raises:
            InvalidInputError: nothing was given, or the model does not compose what was.
        """
        item = Composed.of(text, images=images, audio=audio, videos=videos, documents=documents)
        return self._vector(item, "composed")

    async def aembed_composed(
        self,
        text: str | None = None,
        *,
        images: Sequence[Source] | Mapping[str, Source] = (),
        audio: Sequence[Source] | Mapping[str, Source] = (),
        videos: Sequence[Source] | Mapping[str, Source] = (),
        documents: Sequence[Source] | Mapping[str, Source] = (),
    ) -> list[float]:
        """Async :meth:`embed_composed`."""
        item = Composed.of(text, images=images, audio=audio, videos=videos, documents=documents)
        return await self._avector(item, "composed")

    def _segments(self, media: Any, options: SegmentOptions | None, changes: Mapping[str, Any]) -> list[Segment]:
        """The segments of one file.

        Args:
            media: as for :func:`media_from`.
            options: how it is divided; None = the model's defaults.
            changes: fields of :class:`SegmentOptions` to replace in ``options``.
        """
        return self.client.embed_segments(media_from(media), _changed(options, changes))

    async def _asegments(self, media: Any, options: SegmentOptions | None, changes: Mapping[str, Any]) -> list[Segment]:
        return await self.client.aembed_segments(media_from(media), _changed(options, changes))

    # -- vectors by id -----------------------------------------------------------------------------------------------

    async def _keep_vectors(self, vectors: Mapping[str, Sequence[float]], labels: Iterable[str] = ()) -> None:
        """Keep vectors by id: in the cache if there is one, else in memory, shared with copies of this object.

        Args:
            vectors: by id.
            labels: texts that stand beside them and are no items to embed; :meth:`_kept_labels` finds them.
        """
        client = self.client
        await self._labels.keep(labels, client._store)
        await self._in_memory.keep(vectors, client._store, reference_prefix(client.space, client.base_url))

    async def _kept_vectors(self, ids: Iterable[str], space: str | None = None) -> dict[str, list[float]]:
        """The vectors kept under ``ids``, by id. An id without a vector is left out.

        Args:
            ids: what to look for.
            space: of the vectors, such as ``marengo3.0/512``; by default this object's.
        """
        client = self.client
        space = space or client.space
        prefix = reference_prefix(space, client.base_url)
        length = int(space.rpartition("/")[2])
        return await self._in_memory.find(ids, client._store, prefix, dimensions=length)

    async def _kept_labels(self, labels: Iterable[str]) -> set[str]:
        """Those of ``labels`` that were given to :meth:`_keep_vectors`."""
        return await self._labels.known(labels, self.client._store)

    def _signature(self, text: str) -> str:
        """HMAC-SHA256 of a text under the API key, in hexadecimal: what only a holder of the key can have written.

        It may be stored beside the text. Without the key it cannot be made for another text; the key, which is random
        and long, cannot be found from it. It does confirm a key that is already known, so publish no more of it than is
        needed.
        """
        key = _secret(self.api_key)
        assert key is not None  # the client could not have been made
        return hmac.digest(key.get_secret_value().encode(), text.encode("utf-8", "surrogatepass"), "sha256").hex()


@contextmanager
def _plain_results() -> Iterator[None]:
    """Turn the ``.results`` of an error raised inside into plain vectors, which is what a framework returns."""
    try:
        yield
    except TwelveLabsError as error:
        error.results = [found.vector if isinstance(found, Embedding) else found for found in error.results]
        raise


def _changed(options: SegmentOptions | None, changes: Mapping[str, Any]) -> SegmentOptions | None:
    if options is not None and not isinstance(options, SegmentOptions):
        raise InvalidInputError(f"options= takes SegmentOptions(...), got {describe(options)}.")
    known = [field.name for field in fields(SegmentOptions)]
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise InvalidInputError(f"SegmentOptions has no option {unknown[0]!r}; it has {', '.join(known)}.")
    return replace(options or SegmentOptions(), **changes) if changes else options


_A = TypeVar("_A", bound=Adapter)


def checked_adapter(given: Any, kind: type[_A], name: str) -> _A:
    """The embeddings object that a class of a framework was given, if it is the framework's own.

    Args:
        given: what was given.
        kind: the framework's embeddings class.
        name: of the argument, for the error: ``embeddings=``.

    Raises:
        InvalidInputError: it is something else, such as the embeddings of another framework.
    """
    if isinstance(given, kind):
        return given
    remedy = ""
    if isinstance(given, Adapter):
        remedy = f" That class is another framework's: make a {kind.__name__} with the same settings."
    raise InvalidInputError(f"{name} takes {kind.__name__}, got {describe(given)}.{remedy}")


def content_digest(media: Media) -> str:
    """Digest of a file's content, as in ``Row.metadata["content_digest"]``; hexadecimal, 40 characters.

    Equal for equal bytes, whatever the file is called. Reads the file. For a URL (``https://``, ``s3://``), the digest
    of the URL, or of the media's ``cache_key``.

    Raises:
        InvalidInputError: the file is missing, empty or unreadable.
    """
    source = media.source
    asset = asset_of(source)
    if asset is not None:
        return MediaFile(media, describe(media), asset=asset).content_digest
    if isinstance(source, str) and "://" in source and local_path(source) is None:
        return MediaFile(media, describe(media), url=source).content_digest
    return locate(media).content_digest
