"""Every error this package raises, as one tree.

    TwelveLabsError
    ├── InvalidInputError                       bad input, found here before sending or by the server (400, 404, 413)
    │   └── TextTooLongError                    a text over the model's limit, with ``truncate="none"``
    ├── AuthenticationError                     no key, a wrong key (401), or a key without permission (403)
    ├── RateLimitError                          429, and the retries are used up
    │   └── QuotaExceededError                  the limit resets later than ``max_wait``
    ├── ServerError                             5xx, and the retries are used up
    ├── ConnectionFailedError                   no response: refused, dropped, timed out
    ├── MalformedResponseError                  a response that is not what the API documents
    ├── CacheError                              the cache cannot be opened, read or written
    ├── SharedLimitsError                       the limits that processes share (``RateLimits(shared=)``) cannot be used
    ├── UnexpectedError                         something outside this package raised; the original is ``__cause__``
    └── BatchError                              some items of a batch failed; the others are in ``.results``

No message, argument or attribute holds the API key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


class TwelveLabsError(Exception):
    """Base of every error this package raises.

    Attributes:
        message: what happened and what to do, one or two sentences.
        item: label of the item the error is about (``texts[3]``, ``uris[0] 'cat.webp'``), or None.
        status: HTTP status, if there was a response.
        code: the server's own code (``parameter_invalid``, ``api_key_invalid`` …), if it sent one.
        trace_id: the server's ``x-trace-id``, to quote to TwelveLabs' support.
        results: if the error stopped a batch, its results in input order, None for unfinished items; else empty.
    """

    def __init__(
        self,
        message: str,
        *,
        item: str | None = None,
        status: int | None = None,
        code: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        self.message = message
        self.item = item
        self.status = status
        self.code = code
        self.trace_id = trace_id
        self.results: list[Any] = []
        super().__init__(message)

    def __str__(self) -> str:
        text = f"{self.item}: {self.message}" if self.item else self.message
        tags = [str(tag) for tag in (self.status, self.code) if tag]
        return f"{text} [{' '.join(tags)}]" if tags else text

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled between processes (worker pools); the default protocol would drop keyword arguments.
        return _rebuild, (type(self), self.message, dict(self.__dict__))


def _rebuild(cls: type[TwelveLabsError], message: str, state: dict[str, Any]) -> TwelveLabsError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class InvalidInputError(TwelveLabsError):
    """The input cannot be embedded as given; sending it again will not help.

    Not a ``ValueError``: pydantic would turn one raised by an adapter's constructor into its own ``ValidationError``.
    """


class TextTooLongError(InvalidInputError):
    """A text is longer than the model takes, and ``truncate="none"`` asked not to cut it."""


class AuthenticationError(TwelveLabsError):
    """The key is missing, wrong, expired, or not allowed to do this."""


class RateLimitError(TwelveLabsError):
    """The server responded with 429 and the retries are used up.

    Attributes:
        retry_after: seconds the server asked to wait, or None.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_after = retry_after


class QuotaExceededError(RateLimitError):
    """A rate limit (often the daily one) resets later than ``max_wait``.

    Attributes:
        reopens_at: when requests are accepted again (aware datetime, UTC), or None if unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        reopens_at: datetime | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(message, **kwargs)
        self.reopens_at = reopens_at


class ServerError(TwelveLabsError):
    """The server failed (5xx) and the retries are used up.

    Attributes:
        retry_after: seconds the server asked to wait, or None.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_after = retry_after


class ConnectionFailedError(TwelveLabsError):
    """No usable response: the connection was refused, dropped or timed out, and the retries are used up."""


class MalformedResponseError(TwelveLabsError):
    """The response is not what the API documents: not JSON, a wrong count, a wrong dimension, a non-finite number."""


class CacheError(TwelveLabsError):
    """The cache cannot be opened, read or written (disk full, read-only, not a database).

    A batch stops with it, with everything finished in :attr:`results`: what it went on to pay for would not be kept.
    """


class SharedLimitsError(TwelveLabsError):
    """The limits that processes share (``RateLimits(shared=)``) cannot be used: a file that cannot be written, a Redis
    that has not been reached, or its package is missing.

    Raised before anything is sent. A store that is lost later raises nothing: each worker keeps its part of the limits.
    """


class UnexpectedError(TwelveLabsError):
    """Something outside this package raised while an item was embedded: a rate limiter, a token counter, an image
    object, a progress bar. The original exception is ``__cause__``.
    """


class BatchError(TwelveLabsError):
    """Some items of a batch failed; the results of the others are in :attr:`results`.

    Attributes:
        results: one entry an item, in input order; None for a failed item. Empty if a stream has yielded them.
        errors: index of an item -> its error.
    """

    def __init__(self, results: Sequence[Any], errors: Mapping[int, TwelveLabsError]) -> None:
        first = errors[min(errors)]
        more = f" (and {len(errors) - 1} more in .errors)" if len(errors) > 1 else ""
        if results:
            failed = f"{len(errors)} of {len(results)} items failed"
            others = "; the others are in .results" if len(errors) < len(results) else ""
        else:
            failed, others = f"{len(errors)} item{'s' if len(errors) > 1 else ''} failed", "; the others were yielded"
        super().__init__(f"{failed}{others}. First: {first}{more}")
        self.results = list(results)
        self.errors = dict(errors)


def unexpected(
    error: Exception, item: str | None = None, *, raised_by: str = "Something outside this package"
) -> TwelveLabsError:
    """An exception as one of ours: itself if it is, else an :class:`UnexpectedError` to be raised ``from`` it.

    Its own words may hold anything, so the message names its type alone.

    Args:
        item: label of the item that it is about.
        raised_by: what raised it.
    """
    if isinstance(error, TwelveLabsError):
        return error
    return UnexpectedError(f"{raised_by} raised {type(error).__name__}; see __cause__.", item=item)


def as_error(error: Exception, item: str | None = None) -> TwelveLabsError:
    """As :func:`unexpected`, with the original as the cause, and the item's label if the error is about an item."""
    found = unexpected(error, item)
    if found is not error:
        found.__cause__ = error
    return found if item is None else with_item(found, item)


def copied(error: TwelveLabsError) -> TwelveLabsError:
    """A copy of an error, to be changed and raised apart from it; with the same cause."""
    found = _rebuild(type(error), error.message, dict(error.__dict__))
    found.__cause__ = error.__cause__
    return found


def with_item(error: TwelveLabsError, label: str) -> TwelveLabsError:
    """Set an error's ``item``, if it is about an item (not the account or the connection) and has none yet."""
    if error.item is None and isinstance(error, (InvalidInputError, MalformedResponseError, UnexpectedError)):
        error.item = label
    return error
