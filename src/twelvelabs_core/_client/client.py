"""``EmbeddingClient``: resolves its settings; what it does is in the classes that it inherits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from .._cache.entries import CacheErrors, open_cache
from .._config import resolve_api_key, resolve_base_url, secret_of
from .._embed.settings import EmbedSettings
from .._embed.truncate import TRUNCATE, CheckedCounter, TokenCounter, Truncate, estimate_tokens
from .._errors import InvalidInputError
from .._limits import RateLimits, checked_limits
from .._models import DEFAULT_MODEL, Model, find_model, resolve_api_version, resolve_dimensions, switched_off
from .._net.retry import RetryPolicy
from .._net.settings import DEFAULT_MEDIA_BYTES, DEFAULT_TOTAL_TIMEOUT, SenderSettings
from .._redis import as_secret
from .._stats import Budget, Stats
from .._warnings import warn_caller
from .assets import ManagesAssets
from .indexed import ReadsIndexes
from .items import EmbedsItems
from .parts import EmbedsParts
from .plans import Plans
from .rows import EmbedsRows
from .streams import EmbedsStreams
from .tasks import TakesUpTasks

if TYPE_CHECKING:
    import httpx


class EmbeddingClient(
    EmbedsItems, EmbedsStreams, EmbedsRows, EmbedsParts, Plans, ManagesAssets, TakesUpTasks, ReadsIndexes
):
    """TwelveLabs embeddings for one model and one account. The framework adapters are built on it; it works alone too.

    Every method has an async version (``aembed`` …) that may be awaited from any event loop. Sync methods work inside
    a running loop too. The object may be shared by threads, pickled and deep-copied (configuration alone; connections
    are made anew).

    Args:
        model: a name from :data:`MODELS`, or a :class:`Model`.
        api_key: else ``TWELVELABS_API_KEY``, else ``TWELVE_LABS_API_KEY``.
        base_url: with the version, ``…/v1.3``; else ``TWELVELABS_BASE_URL``, else the public address.
        api_version: ``v1`` (``/embed``) or ``v2`` (``/embed-v2``); the model's own default if None.
        dimensions: vector length; the model's default if None. Only marengo3.5 has a choice: 512, 256, 128.
        truncate: what to do with a text over the model's limit: ``end`` or ``start`` cut that side, ``none`` raises
            :class:`TextTooLongError`, ``average`` embeds chunks and returns their weighted mean.
        count_tokens: ``str -> int``, 0 or more; the default estimates, on the high side (no tokenizer is published).
        max_concurrency: requests in flight at a time, 1 or more; interactive ones a quarter more, four at most.
        max_media_bytes: bytes of media held for the requests in flight (256 MB): what is read of a file and its base64.
            A file is read in pieces, so that most requests hold less than 3 MB; an image that is converted first (WebP,
            a PIL image) holds its pixels too. A request that would hold more than this is sent alone.
        rate_limits: what the account may send, as :class:`RateLimits`; None = learn from the server's responses.
        rate_limiter: a limiter object of LangChain (``BaseRateLimiter``) or LlamaIndex, asked before every request.
        max_wait: longest wait for a limit, in seconds, over several rejections too; a longer one raises
            :class:`QuotaExceededError`.
        max_retries: attempts after the first for 408, 425, 429, 5xx, broken connections and unusable responses (the
            last twice at most). 0 = none.
        retry: a whole :class:`RetryPolicy` instead of ``max_retries``.
        timeout: seconds without a byte from the server before a request counts as lost; also for a connection, and for
            the server to take the next 256 kB of a large body.
        total_timeout: seconds before one attempt counts as lost, whatever has been sent and received. A large body has
            more: a second for each 64 kB.
        cache: where every vector is kept as soon as it arrives, and what processes that share it pay for once: the path
            of a SQLite file (one machine), or a URL of Redis (``redis://``, ``rediss://``, ``unix://``, also as a
            ``SecretStr``; several machines; extra ``redis``). Or an object with ``mget`` and ``mset``, which shares
            vectors that are finished.
        cache_errors: ``raise`` = a cache that cannot be read or written stops the call with :class:`CacheError`,
            everything finished in ``.results``; ``ignore`` = one warning, and the call goes on without it.
        budget: hard cap on requests (a number) or on requests and media minutes (:class:`Budget`).
        keep_assets: leave uploaded files on the server after use; by default they are deleted.
        task_timeout: seconds a task (a long video) may take.
        transport: an ``httpx.AsyncBaseTransport``, for tests (``httpx.MockTransport``, respx) or connections of your
            own.

    Raises:
        AuthenticationError: no key anywhere.
        InvalidInputError: unknown model, or a setting out of its range; nothing is sent.
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
        max_media_bytes: int = DEFAULT_MEDIA_BYTES,
        rate_limits: RateLimits | None = None,
        rate_limiter: Any = None,
        max_wait: float = 120.0,
        max_retries: int = 5,
        retry: RetryPolicy | None = None,
        timeout: float = 120.0,
        total_timeout: float = DEFAULT_TOTAL_TIMEOUT,
        cache: Any = None,
        cache_errors: CacheErrors = "raise",
        budget: Budget | int | None = None,
        keep_assets: bool = False,
        task_timeout: float = 3600.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        api_key = secret_of(api_key)  # first: a traceback shows the locals of its frames to error trackers
        cache = as_secret(cache)
        found = find_model(model)
        if truncate not in TRUNCATE:
            raise InvalidInputError(f"truncate={truncate!r} is not one of {', '.join(TRUNCATE)}.")
        _check_least(1, max_concurrency=max_concurrency, max_media_bytes=max_media_bytes)
        _check_least(0, max_retries=max_retries, max_wait=max_wait, task_timeout=task_timeout)
        for name, seconds in (("timeout", timeout), ("total_timeout", total_timeout)):
            if not seconds > 0:
                raise InvalidInputError(f"{name}={seconds!r} must be above 0 seconds.")
        self._settings = EmbedSettings(
            found,
            resolve_dimensions(found, dimensions),
            resolve_api_version(found, api_version),
            truncate,
            _checked(count_tokens),
            keep_assets,
            task_timeout,
        )
        self._store = open_cache(cache, cache_errors)
        self._stats = Stats()
        self._last_run = Stats()
        self._start(
            SenderSettings(
                base_url=resolve_base_url(base_url),
                api_key=resolve_api_key(api_key),
                max_concurrency=max_concurrency,
                max_media_bytes=max_media_bytes,
                max_wait=max_wait,
                timeout=timeout,
                total_timeout=total_timeout,
                retry=retry or RetryPolicy(max_retries=max_retries),
                limits=RateLimits() if rate_limits is None else checked_limits(rate_limits),
                budget=Budget.of(budget),
                rate_limiter=rate_limiter,
                transport=transport,
            )
        )
        if found.sunset:
            warn_caller(switched_off(found))


def _check_least(least: int, **settings: float) -> None:
    """Refuse a number that is less, or NaN."""
    for name, value in settings.items():
        if not value >= least:
            raise InvalidInputError(f"{name}={value!r} must be {least} or more.")


def _checked(count: TokenCounter | None) -> TokenCounter:
    """The token counter to use: the estimate, or the caller's with its results checked."""
    if count is None or count is estimate_tokens:
        return estimate_tokens
    if not callable(count):
        raise InvalidInputError(f"count_tokens must be a function of a text, got a {type(count).__name__}.")
    return count if isinstance(count, CheckedCounter) else CheckedCounter(count)
