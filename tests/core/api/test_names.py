"""Ids and addresses of responses, and the names that files are sent under."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.anyjson import anything
from twelvelabs_core import MalformedResponseError
from twelvelabs_core._api.names import is_name, read_id, read_url, safe_name, unique_name

BASE = "https://api.twelvelabs.io/v1.3"


@pytest.mark.parametrize("found", ["66f5a0c1b2d3e4f5a6b7c8d9", "0b6cf4a4-87a9-4bcd-9c0f-9a3b5c7d1e2f", "task_1"])
def test_ids_of_the_api(found: str) -> None:
    assert read_id(found, "task") == found


@pytest.mark.parametrize("found", ["../../../v1.3/indexes/X", "..", "a/b", "a?b", "a#b", "a b", "a\n", "é", "a" * 129])
def test_what_would_lead_elsewhere_is_no_id(found: str) -> None:
    with pytest.raises(MalformedResponseError, match="a task id that cannot be one"):
        read_id(found, "task")


@pytest.mark.parametrize("found", [None, 5, "", [], {"$oid": "x"}, True])
def test_no_id(found: Any) -> None:
    with pytest.raises(MalformedResponseError, match="no task id"):
        read_id(found, "task")


@pytest.mark.parametrize(
    ("found", "base_url", "is_used"),
    [
        ("https://s3.amazonaws.com/b/k?X-Amz-Signature=a%2Bb&n=1", BASE, True),
        ("https://127.0.0.1:8080/p", BASE, True),
        ("https://[::1]:8080/p", BASE, True),
        ("http://127.0.0.1:8080/p", "http://127.0.0.1:8080/v1.3", True),
        ("http://s.example/p", BASE, False),
        ("https://user:password@s.example/p", BASE, False),
        ("https://", BASE, False),
        ("https:///p", BASE, False),
        ("https://s.example:99999/p", BASE, False),
        ("https://s.example:p/p", BASE, False),
        ("https://1.2.3/p", BASE, False),
        ("https://xn--a/p", BASE, False),
        ("//s.example/p", BASE, False),
        ("file:///etc/passwd", BASE, False),
    ],
)
def test_addresses_of_parts(found: str, base_url: str, is_used: bool) -> None:
    if is_used:
        assert read_url(found, base_url) == found
    else:
        with pytest.raises(MalformedResponseError):
            read_url(found, base_url)


@given(st.text("htps:/[]@?#%.-xn09a \u0000é", max_size=30).map("https://".__add__) | st.text() | anything)
def test_every_address_that_is_read_can_be_sent_to(found: Any) -> None:
    with contextlib.suppress(MalformedResponseError):
        url = httpx.URL(read_url(found, BASE))
        assert url.scheme in ("http", "https")
        assert url.host


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("50% off.jpg", "50% off.jpg"),
        ("日本.mp4", "日本.mp4"),
        ('a"b.mp4', "a_b.mp4"),
        ("a\r\nx-evil: 1.mp4", "a_x-evil: 1.mp4"),
        ("\udcff.mp4", ".mp4"),
        ("\udcff", "file"),
        ("", "file"),
    ],
)
def test_a_name_holds_what_a_header_can_carry(name: str, sent: str) -> None:
    assert safe_name(name) == sent


@example("0.0.", "")  # a dot of its own, and no suffix
@given(st.text(max_size=300), st.sampled_from([".mp4", ".tar.gz", ""]))
def test_names_are_unique_short_and_known_again(name: str, suffix: str) -> None:
    first, second = unique_name(name, suffix), unique_name(name, suffix)
    assert len(first) <= 255
    assert len(first.encode()) <= 4 * 80 + 40
    assert first.endswith(suffix)
    assert is_name(first, first) and is_name(f"/tmp/{first.upper()}", first)
    assert not is_name(second, first) and not is_name(name, first)


@pytest.mark.parametrize("listed", [None, 5, "", [], "short-name.mp4"])
def test_anything_else_in_a_list_is_not_the_name(listed: Any) -> None:
    assert not is_name(listed, unique_name("a.mp4", ".mp4"))
    assert not is_name(listed, "short-name.mp4")
