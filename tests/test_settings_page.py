"""docs/settings.md is what the code says."""

from __future__ import annotations

import inspect

import pytest
from pydantic import BaseModel

from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.settings_page import PART, SECTIONS, WHEN, Setting, settings, text
from twelvelabs_core import EmbeddingClient, RateLimits, RetryPolicy
from twelvelabs_core.adapter import Adapter


def test_the_page_is_current() -> None:
    assert PART.read() == text(), "run python -m tests.settings_page --write"


@pytest.mark.parametrize("cls", SECTIONS, ids=lambda cls: cls.__name__)
def test_every_setting_is_there(cls: type) -> None:
    """By what Python itself takes for the fields or arguments."""
    if issubclass(cls, BaseModel):
        theirs = {name for base in cls.__mro__[1:] if issubclass(base, BaseModel) for name in base.model_fields}
        expected = {name for name in cls.model_fields if name not in theirs or name in cls.__annotations__}
    else:
        expected = {name for name, one in inspect.signature(cls).parameters.items() if one.kind is not one.VAR_KEYWORD}
    assert expected <= {setting.name for setting in settings(cls)}


def test_the_adapters_take_the_client_s_settings() -> None:
    """As the page says."""
    client = {setting.name for setting in settings(EmbeddingClient)}
    assert client - {"model", "retry"} == {*Adapter.model_fields}


def test_every_setting_of_the_client_says_when_to_change_it() -> None:
    assert [*WHEN] == [setting.name for setting in settings(EmbeddingClient)]


def named(cls: type, name: str) -> Setting:
    return next(setting for setting in settings(cls) if setting.name == name)


def test_rows() -> None:
    assert named(EmbeddingClient, "timeout").unit == "s"
    assert named(EmbeddingClient, "max_media_bytes").unit == "bytes"
    assert named(EmbeddingClient, "truncate").type == '"end", "start", "none", "average"'
    assert named(EmbeddingClient, "model").default == "`'marengo3.0'`"
    assert named(RateLimits, "reserve").unit == "requests"
    assert named(RetryPolicy, "cap").default == "`20.0`"
    assert named(EmbeddingClient, "timeout").value == ("float", "`120.0` s")
    assert named(EmbeddingClient, "budget").value == ("Budget or int or None", "`None` in requests")
    assert named(TwelveLabsEmbedding, "embed_batch_size").unit == ""  # a number of items, whatever its text speaks of
