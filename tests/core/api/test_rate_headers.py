"""Rate limits in headers and bodies: every known form, by the server's clock, and only numbers that can be right."""

from __future__ import annotations

import json
import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvelabs_core._api.rate_headers import (
    LONGEST_WAIT,
    MOST_LEFT,
    RateLimitInfo,
    finite,
    read_rate_limits,
    read_retry_after,
    read_retry_delay,
)

NOW = 1_800_000_000.0


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers.items()]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "5"}, None),
        ({"X-Ratelimit-Request-Remaining": "7", "X-Ratelimit-Request-Reset": str(NOW + 30)}, RateLimitInfo(7, 30.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 5)}, RateLimitInfo(0, 5.0)),
        ({"X-Ratelimit-Remaining": "3", "X-Ratelimit-Reset": "12"}, RateLimitInfo(3, 12.0)),
        ({"X-Ratelimit-Remaining": "3", "X-Ratelimit-Reset": str((NOW + 4) * 1000)}, RateLimitInfo(3, 4.0)),
        ({"X-Ratelimit-Duration-Remaining": "36000"}, RateLimitInfo(minutes_remaining=600.0)),
        ({"X-Ratelimit-Request-Remaining": "many"}, RateLimitInfo()),
        ({"X-Ratelimit-Gültig": "ja", "X-Ratelimit-Remaining": "3 übrig"}, RateLimitInfo()),
    ],
)
def test_every_family_of_headers(headers: dict[str, str], expected: RateLimitInfo | None) -> None:
    assert read_rate_limits(raw(headers), NOW) == expected


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"Retry-After": "11382"}, b"", 11_382.0),
        ({"Retry-After": "1.5", "x-ratelimit-reset": "99"}, b"", 1.5),
        ({"Retry-After": "Fri, 15 Jan 2027 08:01:00 GMT"}, b"", 60.0),
        ({"X-Ratelimit-Reset": "1800000030"}, b"", 30.0),
        ({}, b'{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"","details":{"retryAfter":"60"}}}', 60.0),
        (
            {},
            b'{"code":"too_many_requests","message":"You have exceeded the rate limit (100req/1day). '
            b'Please try again later after 2027-01-15T08:00:49Z."}',
            49.0,
        ),
        ({"Retry-After": "-5"}, b"", 0.0),
        ({"Retry-After": "Fri, 15 Jan 2027 07:59:00 GMT"}, b"", 0.0),
        ({"X-Ratelimit-Reset": "-5"}, b"", 0.0),
        ({}, b'{"error":{"code":"c","message":"","details":{"retryAfter":"-5"}}}', 0.0),
        ({}, b'{"message": "after 2027-01-15T07:59:00Z"}', 0.0),
        ({}, b"", None),
        ({"Retry-After": "soon"}, b"<html>", None),
        ({}, b'{"message": "after 2026-99-99T00:00:00Z"}', None),
    ],
)
def test_the_wait_in_the_order_of_trust(headers: dict[str, str], body: bytes, expected: float | None) -> None:
    found = read_retry_delay(raw(headers), body, NOW)
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:01:00 GMT"}, 60.0),
        ({"x-ratelimit-reset": "2"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_of_other_refusals_retry_after_alone_counts(headers: dict[str, str], expected: float | None) -> None:
    assert read_retry_after(raw(headers), NOW) == expected


# -- the server's clock ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-25, -1, 1, 25])
@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date", "message"])
def test_a_time_is_compared_with_the_date_of_its_response(hours: int, form: str) -> None:
    """Our clock is some hours off; the limit resets in a second by the server's own."""
    server = NOW + hours * 3600
    headers, body = {"Date": formatdate(server, usegmt=True)}, b""
    if form == "date":
        headers["Retry-After"] = formatdate(server + 1, usegmt=True)
    elif form == "message":
        moment = {-25: "2027-01-14T07:00:01Z", -1: "2027-01-15T07:00:01Z", 1: "2027-01-15T09:00:01Z"}
        body = json.dumps({"message": f"after {moment.get(hours, '2027-01-16T09:00:01Z')}"}).encode()
    else:
        headers["X-Ratelimit-Reset"] = str(int(server + 1) * (1000 if form == "milliseconds" else 1))
    assert read_retry_delay(raw(headers), body, NOW) == 1.0


def test_clocks_that_agree_are_compared_with_the_fractions_of_ours() -> None:
    headers = {"Date": formatdate(NOW, usegmt=True), "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": f"{NOW + 1.25}"}
    assert read_rate_limits(raw(headers), NOW + 0.75) == RateLimitInfo(0, 0.5)


@pytest.mark.parametrize("date", ["", "now", "Fri, 99 Jan 2027 08:00:00 GMT", "\xff", "1"])
def test_without_a_readable_date_our_clock_counts(date: str) -> None:
    assert read_retry_delay(raw({"Date": date, "X-Ratelimit-Reset": str(NOW + 5)}), b"", NOW) == 5.0


def test_seconds_left_need_no_clock() -> None:
    headers = {"Date": formatdate(NOW - 3600, usegmt=True), "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "7"}
    assert read_rate_limits(raw(headers), NOW) == RateLimitInfo(0, 7.0)


# -- numbers that cannot be right --------------------------------------------------------------------------------------

WRONG = ["inf", "-inf", "Infinity", "nan", "-nan", "1e400", "1e300", "999999999999", "9" * 400, "253402300799", "2e5"]


@pytest.mark.parametrize("value", WRONG)
def test_a_wait_that_cannot_be_right_is_ignored_and_the_next_source_is_read(value: str) -> None:
    nested = b'{"error":{"details":{"retryAfter":"60"}}}'
    assert read_retry_delay(raw({"Retry-After": value, "X-Ratelimit-Reset": "9"}), b"", NOW) == 9.0
    assert read_retry_delay(raw({"Retry-After": value, "X-Ratelimit-Reset": value}), nested, NOW) == 60.0
    body = b'{"error":{"message":"after 2027-01-15T08:00:49Z","details":{"retryAfter":"%s"}}}' % value.encode()
    assert read_retry_delay([], body, NOW) == 49.0
    assert read_retry_after(raw({"Retry-After": value}), NOW) is None


@pytest.mark.parametrize("value", ["Infinity", "NaN", "1e400", "1e300", "1" * 4000, "true", "[60]", "{}", "null"])
def test_a_wait_in_json_that_cannot_be_right_is_ignored(value: str) -> None:
    body = b'{"error":{"details":{"retryAfter":%s}}}' % value.encode()
    assert read_retry_delay([], body, NOW) is None


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2099-01-01T00:00:00Z"])
def test_a_time_that_is_too_far_off_is_ignored(when: str) -> None:
    assert read_retry_delay([], b'{"message":"after %s"}' % when.encode(), NOW) is None


def test_the_longest_wait_is_two_days() -> None:
    assert read_retry_after(raw({"retry-after": "172800"}), NOW) == LONGEST_WAIT == 172_800
    assert read_retry_after(raw({"retry-after": "172801"}), NOW) is None


@pytest.mark.parametrize(
    ("value", "left"),
    [("nan", None), ("inf", None), ("1e400", None), ("-1", 0), ("-1e300", 0), ("1e300", int(MOST_LEFT)), ("2.9", 2)],
)
def test_what_is_left_is_a_count(value: str, left: int | None) -> None:
    found = read_rate_limits(raw({"X-Ratelimit-Remaining": value, "X-Ratelimit-Duration-Remaining": value}), NOW)
    assert found is not None
    assert found.remaining == left
    assert (found.minutes_remaining is None) == (left is None)


odd_numbers = st.one_of(
    st.floats(),
    st.integers(),
    st.integers(min_value=10**300, max_value=10**400),
    st.floats(min_value=1e9, max_value=1e13),
    st.floats(min_value=-10, max_value=200_000),
)
values = st.one_of(
    odd_numbers.map(str),
    st.text(st.characters(codec="latin-1"), max_size=40),
    st.datetimes().map(lambda d: d.strftime("%a, %d %b %Y %H:%M:%S ") + "GMT"),
    st.builds(lambda n, z: f"Fri, 15 Jan {n} 08:01:00 {z}", st.integers(), st.integers()),
    st.sampled_from(WRONG),
)
names = st.sampled_from(
    [
        "Retry-After",
        "Date",
        *(f"X-Ratelimit-{n}" for n in ("Remaining", "Reset", "Request-Remaining", "Request-Reset", "Used", "")),
        *(f"x-ratelimit-duration-{n}" for n in ("remaining", "reset", "limit")),
    ]
)
headers = st.dictionaries(names, values, max_size=6)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), values),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
messages = st.builds(
    lambda y, rest, zone: f"after {y:04}-{rest}{zone}",
    st.integers(0, 9999),
    st.sampled_from(["01-01T00:00:00", "12-31T23:59:60", "12-31T23:59:59.999999999999", "00-00T99:99:99"]),
    st.sampled_from(["Z", "", "+00:00", "-23:59", "+99:99", "+2359"]),
)
bodies = st.one_of(
    st.binary(max_size=50),
    st.fixed_dictionaries(
        {
            "message": json_values | messages,
            "details": st.dictionaries(st.sampled_from(["retryAfter", "retry_after"]), json_values),
        }
    ).map(lambda found: json.dumps({"error": found}).encode()),
)


@given(headers, bodies, st.floats(min_value=0, max_value=4e9))
def test_whatever_a_server_sends_gives_finite_numbers(found: dict[str, str], body: bytes, now: float) -> None:
    info = read_rate_limits(raw(found), now)
    waits = [read_retry_delay(raw(found), body, now), read_retry_after(raw(found), now)]
    if info is not None:
        waits.append(info.reset_in)
        assert info.remaining is None or 0 <= info.remaining <= MOST_LEFT
        assert info.minutes_remaining is None or 0 <= info.minutes_remaining <= MOST_LEFT
    assert all(wait is None or 0 <= wait <= LONGEST_WAIT for wait in waits)


@given(json_values)
def test_a_number_is_finite_or_none(found: object) -> None:
    number = finite(found)
    assert number is None or math.isfinite(number)
