"""Rate limits: windows, what they count, and how a request is refused."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from twelvelabs import TwelveLabs
from twelvelabs.core.api_error import ApiError
from twelvelabs.errors import TooManyRequestsError

from tests.support import media
from twelvelabs_emulator import Emulator

TEXT = {"input_type": "text", "model_name": "marengo3.0", "text": {"input_text": "a"}}


def texts(http: httpx.Client, count: int) -> list[int]:
    return [http.post("embed-v2", json=TEXT).status_code for _ in range(count)]


def image(http: httpx.Client) -> int:
    body = {"media_source": {"base64_string": media.b64(media.png())}}
    return http.post("embed-v2", json={"input_type": "image", "model_name": "marengo3.0", "image": body}).status_code


# --- windows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", ["sliding", "fixed"])
def test_a_window_by_table(emulator: Emulator, http: httpx.Client, window: str) -> None:
    """Two requests in 100 seconds; the clock is moved, and the status of each request is checked."""
    table = {
        "sliding": [(0, 200), (60, 200), (61, 429), (99, 429), (101, 200), (102, 429), (159, 429), (161, 200)],
        "fixed": [
            (0, 200),
            (60, 200),
            (61, 429),
            (99, 429),
            (101, 200),
            (102, 200),
            (159, 429),
            (199, 429),
            (202, 200),
        ],
    }[window]
    emulator.configure(limits={"text": [2, 100]}, window=window)
    for at, status in table:
        emulator.configure(clock_offset_sec=at)
        assert texts(http, 1) == [status], at


def test_refused_requests_do_not_count(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": (2, 100)})
    assert texts(http, 12) == [200] * 2 + [429] * 10
    emulator.configure(clock_offset_sec=101)
    assert texts(http, 3) == [200, 200, 429]


def test_every_window_is_checked(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": [(2, 60), (3, 86_400)]})
    assert texts(http, 3) == [200, 200, 429]
    emulator.configure(clock_offset_sec=61)
    assert texts(http, 2) == [200, 429]
    answer = http.post("embed-v2", json=TEXT)
    assert int(answer.headers["retry-after"]) == pytest.approx(86_400 - 61, abs=3)
    assert "(3req/1day)" in answer.json()["message"]


def test_real_time(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": [2, 0.3]}, window="fixed")
    assert texts(http, 3) == [200, 200, 429]
    time.sleep(0.35)
    assert texts(http, 2) == [200, 200]


def test_v1_and_v2_share_counters(emulator: Emulator, http: httpx.Client, v1: Any) -> None:
    emulator.configure(limits={"text": [2, 60]})
    assert v1(model_name="marengo3.0", text="a").status_code == 200
    assert texts(http, 2) == [200, 429]
    assert v1(model_name="marengo3.0", text="a").status_code == 429
    # Audio has a counter of its own; a request of both kinds needs room for both.
    assert v1(model_name="marengo3.0", audio_file=media.wav()).status_code == 200
    assert v1(model_name="marengo3.0", text="a", audio_file=media.wav()).status_code == 429


def test_texts_and_images_share_a_counter_or_not(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": [1, 60], "image": [1, 60]})
    assert (texts(http, 1), image(http)) == ([200], 429)
    emulator.configure(text_image_share=False)
    assert (texts(http, 2), image(http), image(http)) == ([200, 429], 200, 429)
    emulator.configure(text_image_share=True, limits={"image": [1, 60]})
    assert (image(http), texts(http, 1)) == (200, [429])


@pytest.mark.parametrize(
    ("category", "body"),
    [
        ("text", {"input_text": "a"}),
        ("image", {"media_sources": [{"media_type": "image", "base64_string": media.b64(media.png())}]}),
        ("audio", {"input_text": "a", "media_sources": [{"media_type": "audio", "base64_string": "AA=="}]}),
        ("video", {"media_sources": [{"media_type": "video", "base64_string": "AA=="}]}),
        ("text", {"media_sources": [{"media_type": "document", "base64_string": media.b64(b"words")}]}),
        ("text", "nonsense"),
    ],
)
def test_categories_of_multi_input(emulator: Emulator, http: httpx.Client, category: str, body: Any) -> None:
    emulator.configure(limits={category: [1, 60]}, text_image_share=False)
    request = {"input_type": "multi_input", "model_name": "marengo3.5", "multi_input": body}
    statuses = [http.post("embed-v2", json=request).status_code for _ in range(2)]
    assert statuses[0] != 429 and statuses[1] == 429


def test_minutes_of_media(emulator: Emulator, http: httpx.Client, v1: Any) -> None:
    """The request that goes over the limit is still served; the one after it is not."""
    emulator.configure(limit_minutes={"audio": [0.1, 3600]}, limits={"audio": [10, 60]})
    audio = media.wav(seconds=4)
    first, second, third = (v1(model_name="marengo3.0", audio_file=audio) for _ in range(3))
    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
    assert first.headers["x-ratelimit-dimensions"] == "Duration,Request"
    assert first.headers["x-ratelimit-duration-limit"] == "6"
    assert first.headers["x-ratelimit-duration-used"] == "4"
    assert first.headers["x-ratelimit-duration-remaining"] == "2"
    assert first.headers["x-ratelimit-request-remaining"] == "9"
    assert second.headers["x-ratelimit-duration-remaining"] == "0"
    assert "(0.1min/1hour)" in third.json()["message"]
    assert third.headers["x-ratelimit-request-used"] == "2"
    # Only what is embedded counts, and texts have no minutes.
    emulator.configure(clock_offset_sec=3700)
    answer = v1(model_name="marengo3.0", audio_file=audio, audio_start_offset_sec=3)
    assert answer.headers["x-ratelimit-duration-used"] == "1"
    assert http.post("embed-v2", json=TEXT).status_code == 200


def test_minutes_of_video_and_of_multi_input(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limit_minutes={"audio": [1, 60], "video": [1, 60]}, unlimited_headers="none")
    video = {"media_source": {"base64_string": media.b64(media.mp4([("red", 4, 220)]))}, "end_sec": 3}
    answer = http.post("embed-v2", json={"input_type": "video", "model_name": "marengo3.0", "video": video})
    assert answer.headers["x-ratelimit-duration-used"] == "3"
    assert answer.headers["x-ratelimit-dimensions"] == "Duration"
    sources = [{"media_type": "audio", "base64_string": media.b64(media.wav(seconds=2))}]
    body = {"input_type": "multi_input", "model_name": "marengo3.5", "multi_input": {"media_sources": sources}}
    assert http.post("embed-v2", json=body).headers["x-ratelimit-duration-used"] == "2"


@pytest.mark.parametrize(
    ("plan", "numbers"),
    [("free", ("600", "25")), ("tier1", ("600", "25")), ("tier2", ("1200", "50")), ("tier3", ("2400", "75"))],
)
def test_plans(emulator: Emulator, http: httpx.Client, v1: Any, plan: str, numbers: tuple[str, str]) -> None:
    emulator.configure(plan=plan)
    text = http.post("embed-v2", json=TEXT)
    audio = v1(model_name="marengo3.0", audio_file=media.wav())
    found = (text.headers["x-ratelimit-request-limit"], audio.headers["x-ratelimit-request-limit"])
    assert found == numbers
    assert audio.headers["x-ratelimit-duration-limit"] == {"tier2": "72000", "tier3": "144000"}.get(plan, "36000")
    emulator.configure(limits={"text": [7, 60]})  # wins over the plan, for its category
    assert http.post("embed-v2", json=TEXT).headers["x-ratelimit-request-limit"] == "7"


def test_daily_quota(emulator: Emulator, http: httpx.Client, v1: Any) -> None:
    emulator.configure(quota_after=3, retry_after=11_382)
    assert texts(http, 2) == [200, 200]
    assert v1(model_name="marengo3.0", audio_file=media.wav()).status_code == 200
    refused = v1(model_name="marengo3.0", audio_file=media.wav())
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "11382")
    assert texts(http, 1) == [429]
    emulator.configure(clock_offset_sec=86_401)
    assert texts(http, 1) == [200]


def test_counters_survive_other_changes_of_settings(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": [1, 60]})
    assert texts(http, 2) == [200, 429]
    emulator.configure(retry_after="none", limit_body="nested")
    assert texts(http, 1) == [429]
    emulator.configure(limits={"text": [1, 60]})
    assert texts(http, 1) == [200]


# --- headers and bodies ------------------------------------------------------------------------------------


def test_dimension_headers(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": [3, 60]})
    now = time.time()
    good, bad = http.post("embed-v2", json=TEXT), http.post("embed-v2", json={"input_type": "text"})
    unreadable = http.post("embed-v2", content=b"{")
    assert [good.status_code, bad.status_code, unreadable.status_code] == [200, 400, 400]
    for used, answer in enumerate((good, bad, unreadable), start=1):
        assert answer.headers["x-ratelimit-dimensions"] == "Request"
        assert answer.headers["x-ratelimit-request-limit"] == "3"
        assert answer.headers["x-ratelimit-request-used"] == str(used)
        assert answer.headers["x-ratelimit-request-remaining"] == str(3 - used)
        assert now + 59 < int(answer.headers["x-ratelimit-request-reset"]) < now + 63
    refused = http.post("embed-v2", json=TEXT)
    assert refused.headers["x-ratelimit-request-remaining"] == "0"
    reset = int(refused.headers["x-ratelimit-request-reset"])
    assert abs(reset - time.time() - int(refused.headers["retry-after"])) < 2


def test_old_headers(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": [[3, 60], [2, 3600]]}, limit_headers="old", reset_fraction=True)
    answer = http.post("embed-v2", json=TEXT)
    names = {name for name in answer.headers if name.startswith("x-ratelimit")}
    assert names == {f"x-ratelimit-{name}" for name in ("limit", "remaining", "used", "reset")}
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("2", "1")
    assert "." in answer.headers["x-ratelimit-reset"]
    assert float(answer.headers["x-ratelimit-reset"]) == pytest.approx(time.time() + 3600, abs=3)
    emulator.configure(limit_headers="none")
    assert not [name for name in http.post("embed-v2", json=TEXT).headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize("retry_after", ["seconds", "date", "none", 86_400])
def test_retry_after(emulator: Emulator, http: httpx.Client, retry_after: Any) -> None:
    emulator.configure(limits={"text": [1, 20]}, retry_after=retry_after)
    assert texts(http, 1) == [200]
    answer = http.post("embed-v2", json=TEXT)
    assert answer.status_code == 429
    header = answer.headers.get("retry-after")
    until = answer.json()["message"].rpartition("after ")[2].rstrip(".")
    left = time.mktime(time.strptime(until, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - time.time()
    if retry_after == "none":
        assert header is None
    elif retry_after == "date":
        assert header is not None
        assert parsedate_to_datetime(header).timestamp() - time.time() == pytest.approx(20, abs=2)
    else:
        assert header is not None and int(header) == pytest.approx(86_400 if retry_after == 86_400 else 20, abs=1)
    assert left == pytest.approx(86_400 if retry_after == 86_400 else 20, abs=2)


@pytest.mark.parametrize("path", ["embed", "embed-v2"])
@pytest.mark.parametrize("shape", ["flat", "nested", "empty"])
def test_bodies(emulator: Emulator, http: httpx.Client, v1: Any, path: str, shape: str) -> None:
    emulator.configure(limits={"text": [1, 60]}, limit_body=shape)
    for _ in range(2):
        answer = http.post(path, json=TEXT) if path == "embed-v2" else v1(model_name="marengo3.0", text="a")
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) in (59, 60)
    if shape == "empty":
        assert answer.content == b""
    elif shape == "flat":
        assert answer.json()["code"] == "too_many_requests"
        assert answer.json()["message"].startswith("You have exceeded the rate limit (1req/1minute). Please try again")
    else:
        error = answer.json()["error"]
        assert error["code"] == "RATE_LIMIT_EXCEEDED"
        assert error["details"]["currentLimit"] == "1 requests per minute"
        assert math.isclose(int(error["details"]["retryAfter"]), 60, abs_tol=1)


def test_order_is_key_then_limits_then_the_rest(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": [1, 60]})
    assert http.post("embed-v2", json=TEXT, headers={"x-api-key": "tlk_wrong"}).status_code == 401
    assert http.post("embed-v2", json={"input_type": "nothing"}).status_code == 400
    assert http.post("embed-v2", json={"input_type": "nothing"}).status_code == 429


# --- settings ---------------------------------------------------------------------------------------------


def test_settings_over_http(emulator: Emulator, http: httpx.Client) -> None:
    changes = {"limits": {"text": [[1, 60]]}, "plan": "free", "retry_after": 5, "limit_body": "empty"}
    answer = http.post(emulator.origin + "/_emulator/settings", json=changes)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in changes} == changes
    assert texts(http, 2) == [200, 429]
    assert http.post(emulator.origin + "/_emulator/settings", json={"limits": {"text": "many"}}).status_code == 400
    http.post(emulator.origin + "/_emulator/reset")
    assert texts(http, 3) == [200] * 3


# --- the official SDK -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["flat", "nested", "empty"])
def test_sdk(emulator: Emulator, sdk: TwelveLabs, shape: str) -> None:
    emulator.configure(limits={"text": [0, 60]}, limit_body=shape)
    with pytest.raises(ApiError) as v2:
        sdk.embed.v_2.create(input_type="text", model_name="marengo3.0", text={"input_text": "a"})  # type: ignore[arg-type]
    assert v2.value.status_code == 429
    assert isinstance(v2.value, TooManyRequestsError) == (shape != "empty")
    assert v2.value.headers is not None and "retry-after" in v2.value.headers
    with pytest.raises(ApiError) as v1:
        sdk.embed.create(model_name="marengo3.0", text="a")
    assert v1.value.status_code == 429 and not isinstance(v1.value, TooManyRequestsError)


def test_headers_of_what_has_no_limit(emulator: Emulator, http: httpx.Client) -> None:
    def headers() -> list[str]:
        return [name for name in http.post("embed-v2", json=TEXT).headers if name.startswith("x-ratelimit")]

    assert "x-ratelimit-request-remaining" in headers()
    emulator.configure(limit_headers="old")
    assert "x-ratelimit-remaining" in headers()
    emulator.configure(unlimited_headers="none")
    assert headers() == []
