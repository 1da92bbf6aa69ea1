"""Pages of lists, and query parameters."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from twelvelabs_emulator.endpoints.shared.paging import page_of, query_flag, query_strings, query_time
from twelvelabs_emulator.protocol.errors import ApiError


def request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


@pytest.mark.parametrize(
    ("query", "data", "total"),
    [("", "abcdefghij", 2), ("page=2", "kl", 2), ("page=3", "", 2), ("page_limit=5&page=3", "kl", 3)],
)
def test_pages(query: str, data: str, total: int) -> None:
    body = page_of("abcdefghijkl", request(query), str)
    assert body["data"] == list(data)
    assert body["page_info"]["total_page"] == total and body["page_info"]["total_results"] == 12


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=1.5",
        "page_limit=51",
        "page_limit=0",
        f"page={'9' * 5000}",
        f"page={10**18}",
    ],
)
def test_refused_pages(query: str) -> None:
    with pytest.raises(ApiError, match="page"):
        page_of("abc", request(query), str)


def test_strings_and_flags() -> None:
    assert query_strings(request("a=x&a=y"), "a") == ["x", "y"]
    assert query_flag(request("force=True"), "force") and not query_flag(request(""), "force")
    with pytest.raises(ApiError):
        query_strings(request("a=x"), "a", ("y",))
    with pytest.raises(ApiError):
        query_flag(request("force=1"), "force")


@pytest.mark.parametrize("text", ["1970-01-01T01:00:00Z", "1970-01-01T01:00:00", "1970-01-01T02:00:00+01:00"])
def test_times(text: str) -> None:
    assert query_time(request(f"at={text}"), "at") == 3600
