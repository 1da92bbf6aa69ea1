"""``RateLimits`` as a value: where limits are shared."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.secrets import shown_in
from twelvelabs_core import InvalidInputError, RateLimits

PASSWORD = "Sesame-Open-7391"


def test_a_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = str(tmp_path / "limits.sqlite")
    assert RateLimits.free(shared="limits.sqlite").shared == expected
    assert RateLimits.own(per_minute=1, shared=tmp_path / "limits.sqlite").shared == expected
    assert RateLimits(shared="~/limits.sqlite").shared == str(Path.home() / "limits.sqlite")
    assert RateLimits().shared is None


@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
def test_a_url_is_a_secret_that_copies_keep(scheme: str) -> None:
    url = f"{scheme}://user:{PASSWORD}@host/0"
    limits = RateLimits.developer(2, shared=url)
    assert shown_in(PASSWORD, limits, vars(limits)) == []
    for same in (
        pickle.loads(pickle.dumps(limits)),
        copy.deepcopy(limits),
        RateLimits.developer(2, shared=limits.shared),
    ):
        assert same == limits and hash(same) == hash(limits)
        assert isinstance(same.shared, SecretStr) and same.shared.get_secret_value() == url


@pytest.mark.parametrize("shared", ["", "  ", 7, b"limits.sqlite", "memcached://host", "postgres://h/d", "sqlite:///f"])
def test_what_is_neither_is_refused(shared: Any) -> None:
    with pytest.raises(InvalidInputError, match="SQLite file"):
        RateLimits(shared=shared)


def test_a_refused_url_is_not_repeated() -> None:
    with pytest.raises(InvalidInputError, match="mongodb://;") as caught:
        RateLimits(shared=f"mongodb://user:{PASSWORD}@host/0")
    assert PASSWORD not in str(caught.value)
