"""Any status, headers and body: a vector or one of this package's errors, and a client that works afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzz import MOST_REQUESTS, Mutator, dumped, header_lists, ours_alone, statuses
from tests.support.service import v2_answer, vector
from twelvelabs_core import EmbeddingClient, QuotaExceededError

GOOD = v2_answer(vector("a"))
NOT_ON_A_DECODED_BODY = {b"content-length", b"content-encoding", b"transfer-encoding"}


def check_client(answer: Callable[[httpx.Request], httpx.Response], **settings: object) -> None:
    """Embed with these answers, then with good ones."""
    odd = True
    asked = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        assert asked <= MOST_REQUESTS, "does not give up"
        return answer(request) if odd else httpx.Response(200, content=dumped(GOOD))

    account = {"api_key": f"tlk_{uuid.uuid4().hex}", "transport": httpx.MockTransport(handle)}
    client = EmbeddingClient(**account, max_retries=2, **settings)  # type: ignore[arg-type]
    with ours_alone():
        found = client.embed("a").vector
        assert found == vector("a")
    odd = False
    # A limit that the server set may still be closed; it must say so, and nothing else.
    for user in (client, EmbeddingClient(**account)):  # type: ignore[arg-type]
        try:
            assert user.embed("b").vector == vector("a")
        except QuotaExceededError as error:
            assert str(error)


@given(st.lists(st.tuples(statuses, header_lists), min_size=1, max_size=3), st.integers(0, 2**32))
def test_responses(heads: list[tuple[int, list[tuple[bytes, bytes]]]], seed: int) -> None:
    mutator = Mutator(seed)
    turn = iter(heads * MOST_REQUESTS)

    def answer(_: httpx.Request) -> httpx.Response:
        status, headers = next(turn)
        body = (
            mutator.body({"code": "c", "message": "m", "details": {"retryAfter": 1}}) if status >= 400 else dumped(GOOD)
        )
        return httpx.Response(status, headers=headers, content=body)

    check_client(answer)


@given(st.lists(st.sampled_from([
    httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.PoolTimeout,
    httpx.RemoteProtocolError, httpx.LocalProtocolError, httpx.ProxyError, httpx.UnsupportedProtocol,
    httpx.DecodingError, httpx.InvalidURL, httpx.StreamError, OSError, TimeoutError, ConnectionResetError,
    RuntimeError, ValueError, KeyError, MemoryError, RecursionError,
]), min_size=1, max_size=4))  # fmt: skip
def test_whatever_a_transport_raises(errors: list[type[Exception]]) -> None:
    """A transport of the user's own may raise anything."""
    turn = iter(errors)

    def answer(_: httpx.Request) -> httpx.Response:
        error = next(turn, None)
        if error is not None:
            raise error("odd")
        return httpx.Response(200, content=dumped(GOOD))

    check_client(answer)
