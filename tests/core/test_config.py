"""The API key and the base URL, and that no output shows the key."""

from __future__ import annotations

import json
import logging
import pickle
import re
from typing import Any

import pytest
from langchain_core.load import dumps
from pydantic import SecretStr, ValidationError

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support.secrets import shown_in
from tests.support.service import KEY, Service
from twelvelabs_core import AuthenticationError, EmbeddingClient, InvalidInputError
from twelvelabs_core._config import PUBLIC_BASE_URL, resolve_api_key, resolve_base_url

FIRST, SECOND, BASE_URL = "TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY", "TWELVELABS_BASE_URL"


# -- the key -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "environ", "found"),
    [
        ("a", {FIRST: "b", SECOND: "c"}, "a"),
        (SecretStr("a"), {FIRST: "b", SECOND: "c"}, "a"),
        (None, {FIRST: "b", SECOND: "c"}, "b"),
        (None, {SECOND: "c"}, "c"),
        ("", {FIRST: "b"}, "b"),
        (" ", {FIRST: "b"}, "b"),
        (SecretStr(""), {FIRST: "b"}, "b"),
        (None, {FIRST: "", SECOND: "c"}, "c"),
        (None, {FIRST: " \n", SECOND: "c"}, "c"),
        (" a\n", {}, "a"),
        (None, {FIRST: "\tb \r\n"}, "b"),
    ],
)
def test_resolve_api_key(given: Any, environ: dict[str, str], found: str) -> None:
    assert resolve_api_key(given, environ).get_secret_value() == found


def test_a_missing_key_does_not_show_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOTHER_SERVICES_KEY", "5ecret_of_another")
    with pytest.raises(AuthenticationError) as caught:
        resolve_api_key(None)
    with pytest.raises(AuthenticationError, match="python -m twelvelabs_emulator"):
        resolve_api_key(" ")
    assert not shown_in("5ecret_of_another", caught.value)


@pytest.mark.parametrize("given", [None, "", "  ", SecretStr(" ")])
def test_a_missing_key_is_refused_with_a_remedy(given: Any) -> None:
    with pytest.raises(AuthenticationError, match="Pass api_key= or set TWELVELABS_API_KEY"):
        EmbeddingClient(api_key=given)


@pytest.mark.parametrize("key", ["tlk_a\nb", "tlk_ä", "tlk_a\x00", "tlk_\u2028x", "“tlk_a”"])
def test_a_key_that_a_header_cannot_carry_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(AuthenticationError, match="characters that an HTTP header cannot carry") as caught:
        EmbeddingClient(api_key=key)
    assert key not in str(caught.value)
    assert "tlk_" not in str(caught.value)


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_a_key_from_the_environment_is_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, f" {KEY}\n")
    service = Service()
    service.client(api_key=None).embed("a")
    assert service.requests[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize("adapter", [TwelveLabsEmbeddings, TwelveLabsEmbedding])
@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_adapters_read_the_same_variables(adapter: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AuthenticationError, match=FIRST):
        adapter()
    monkeypatch.setenv(name, f" {KEY}\n")
    service = Service()
    made = adapter(transport=service.transport)
    monkeypatch.delenv(name)
    made.model_copy(update={"max_retries": 0}).client.embed("a")  # a copy made later has the key of then
    assert service.requests[0].headers["x-api-key"] == KEY


# -- the base URL --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "environ", "found"),
    [
        (None, {}, PUBLIC_BASE_URL),
        (None, {BASE_URL: "http://e/v1.3"}, "http://e/v1.3"),
        ("http://a/v1.3", {BASE_URL: "http://e/v1.3"}, "http://a/v1.3"),
        ("", {BASE_URL: "http://e/v1.3"}, "http://e/v1.3"),
        (None, {BASE_URL: ""}, PUBLIC_BASE_URL),
        ("  ", {BASE_URL: " \n"}, PUBLIC_BASE_URL),
        ("http://a/v1.3/", {}, "http://a/v1.3"),
        (" http://a/v1.3// \n", {}, "http://a/v1.3"),
        ("http://127.0.0.1:8765/v1.3", {}, "http://127.0.0.1:8765/v1.3"),
        ("https://proxy.example/twelvelabs/v1.3", {}, "https://proxy.example/twelvelabs/v1.3"),
    ],
)
def test_resolve_base_url(given: str | None, environ: dict[str, str], found: str) -> None:
    assert resolve_base_url(given, environ) == found


def test_the_public_base_url_is_the_documented_one() -> None:
    assert PUBLIC_BASE_URL == "https://api.twelvelabs.io/v1.3"


@pytest.mark.parametrize("url", ["api.twelvelabs.io/v1.3", "localhost:8765", "ftp://h/v1.3", "file:///x"])
def test_an_invalid_base_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match=r"is not an http\(s\) address. Example: https://api"):
        EmbeddingClient(api_key="k", base_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:passw0rd@h.example/v1.3",
        "https://passw0rd@h.example/v1.3",
        "https://user:p@ss/w0rd:passw0rd@h.example/v1.3",
        "http://user:passw0rd@/v1.3",
        "http://user:passw0rd@h:port/v1.3",
        "ftp://user:passw0rd@h/v1.3",
        "https://h.example/v1.3?token=passw0rd",
        "https://h.example/v1.3#passw0rd",
    ],
)
@pytest.mark.parametrize("source", ["argument", "environment"])
def test_a_base_url_with_a_password_is_refused_and_not_shown(
    url: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if source == "environment":
        monkeypatch.setenv(BASE_URL, url)
        monkeypatch.setenv(FIRST, KEY)
    with pytest.raises(InvalidInputError, match="base_url") as caught:
        resolve_base_url(url if source == "argument" else None)
    assert not shown_in("passw0rd", caught.value)
    assert not shown_in(KEY, caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://user:secret@h/v1.3", "pass a transport= that adds the header"),
        ("http://h/v1.3?a=b", "the path of each request is added at its end"),
        ("http://", "no valid host or port"),
        ("http:///v1.3", "no valid host or port"),
        ("http://:80/v1.3", "no valid host or port"),
        ("http://h:99999/v1.3", "no valid host or port"),
        ("http://h:x/v1.3", "no valid host or port"),
        ("http://[::1/v1.3", "no valid host or port"),
        ("http://h h/v1.3", "no valid host or port"),
        ("http://h\x00/v1.3", "no valid host or port"),
        ("http://h/v 1.3", "no valid host or port"),
        ("http://h\\\\evil/v1.3", "no valid host or port"),
        ("http://" + "a" * 64 + ".example/v1.3", "no valid host or port"),
        ("http://a..b/v1.3", "no valid host or port"),
    ],
)
def test_a_base_url_that_no_request_can_be_sent_to_is_refused(url: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(words)):
        EmbeddingClient(api_key="k", base_url=url)


@pytest.mark.parametrize("url", ["http://[::1]:8765/v1.3", "HTTPS://b\u00fccher.example/v1.3", "http://a_b/v1.3"])
def test_unusual_hosts_are_taken(url: str) -> None:
    assert resolve_base_url(url) == url


def test_requests_go_to_the_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BASE_URL, "http://e.example/v1.3/")
    service = Service()
    service.client().embed("a")
    service.client(base_url="http://a.example:81/sub/v1.3/").embed("a")
    service.client(base_url="http://a.example/v1.3", api_version="v1").embed("a")
    assert [str(request.url) for request in service.requests] == [
        "http://e.example/v1.3/embed-v2",
        "http://a.example:81/sub/v1.3/embed-v2",
        "http://a.example/v1.3/embed",
    ]


# -- no output shows the key --------------------------------------------------------------------------------------

MAKERS: dict[str, Any] = {
    "core": EmbeddingClient,
    "langchain": TwelveLabsEmbeddings,
    "llama-index": TwelveLabsEmbedding,
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("secret", [False, True])
def test_no_repr_shows_the_key(kind: str, secret: bool) -> None:
    made = MAKERS[kind](api_key=SecretStr(KEY) if secret else KEY)
    again = pickle.loads(pickle.dumps(made))
    for shown in (made, again, getattr(made, "client", made), [made], {"a": made}):
        assert KEY not in repr(shown)
        assert KEY not in str(shown)
        assert KEY not in f"{shown}"


def test_the_sender_does_not_show_the_key() -> None:
    client = EmbeddingClient(api_key=KEY)
    assert KEY not in repr(client._sender.settings)
    assert KEY not in repr(client._sender)


def test_no_dump_of_an_adapter_contains_the_key() -> None:
    chain, index = TwelveLabsEmbeddings(api_key=KEY), TwelveLabsEmbedding(api_key=KEY)
    dumped = [
        str(chain.model_dump()),
        chain.model_dump_json(),
        dumps(chain),
        str(index.model_dump()),
        index.model_dump_json(),
        json.dumps(index.to_dict()),
        index.to_json(),
        str(index.to_payload()),
    ]
    assert not [dump for dump in dumped if KEY in dump]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    "wrong",
    [{"dimensions": 7}, {"truncate": "middle"}, {"base_url": "x"}, {"max_retries": -1}, {"api_version": "v9"}],
    ids=lambda w: next(iter(w)),
)
def test_no_constructor_error_shows_the_key(kind: str, wrong: dict[str, Any]) -> None:
    with pytest.raises((InvalidInputError, ValidationError)) as caught:
        MAKERS[kind](api_key=KEY, **wrong)
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)


def test_a_key_of_the_wrong_type_is_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        TwelveLabsEmbeddings(api_key=[KEY])  # type: ignore[arg-type]
    assert KEY not in str(caught.value)


def test_no_log_shows_the_key(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        Service().client(api_key=KEY).embed("a " * 600)
    assert caplog.records  # the text was cut
    assert KEY not in caplog.text
