"""The error classes: hierarchy, text, pickling and copying."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from twelvelabs_core import (
    AuthenticationError,
    BatchError,
    CacheError,
    ConnectionFailedError,
    InvalidInputError,
    MalformedResponseError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    TextTooLongError,
    TwelveLabsError,
    UnexpectedError,
)

ERRORS: list[TwelveLabsError] = [
    TwelveLabsError("m", item="texts[3]", status=418, code="c", trace_id="t"),
    InvalidInputError("m", item="x"),
    TextTooLongError("m", status=400),
    AuthenticationError("m", status=401, code="api_key_invalid"),
    RateLimitError("m", retry_after=7.5, status=429),
    QuotaExceededError("m", reopens_at=datetime(2026, 11, 22, tzinfo=timezone.utc), retry_after=9.0),
    ServerError("m", status=503),
    ConnectionFailedError("m", code="unreachable"),
    MalformedResponseError("m"),
    CacheError("m"),
    UnexpectedError("m"),
    BatchError([[0.5], None], {1: InvalidInputError("no", item="texts[1]")}),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"]
)
def test_errors_survive_pickling_and_copying(error: TwelveLabsError, again: Callable[[Any], Any]) -> None:
    found = again(error)
    assert type(found) is type(error)
    assert str(found) == str(error)

    def plain(e: TwelveLabsError) -> dict[str, Any]:
        return {k: {i: str(x) for i, x in v.items()} if k == "errors" else v for k, v in vars(e).items()}

    assert plain(found) == plain(error)


def test_all_errors_are_twelvelabs_errors() -> None:
    assert all(isinstance(error, TwelveLabsError) for error in ERRORS)
    assert not any(isinstance(error, ValueError) for error in ERRORS)
    assert issubclass(TextTooLongError, InvalidInputError)
    assert issubclass(QuotaExceededError, RateLimitError)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (TwelveLabsError("went wrong."), "went wrong."),
        (TwelveLabsError("went wrong.", item="texts[3]"), "texts[3]: went wrong."),
        (TwelveLabsError("went wrong.", status=400, code="c"), "went wrong. [400 c]"),
        (TwelveLabsError("went wrong.", item="i", status=500), "i: went wrong. [500]"),
    ],
)
def test_str_of_an_error(error: TwelveLabsError, shown: str) -> None:
    assert str(error) == shown
