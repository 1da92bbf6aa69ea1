"""Faults on demand: which requests they apply to, and how a client sees them."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import httpx
import pytest
from twelvelabs import TwelveLabs
from twelvelabs.errors import InternalServerError

from tests.support import media
from twelvelabs_emulator import Emulator, Settings, create_app

TEXT = {"input_type": "text", "model_name": "marengo3.0", "text": {"input_text": "a"}}


def statuses(http: httpx.Client, count: int, path: str = "embed-v2") -> list[int]:
    return [http.post(path, json=TEXT).status_code for _ in range(count)]


def fault(emulator: Emulator, kind: str, **rule: Any) -> None:
    emulator.configure(faults=[{"kind": kind, **rule}])


# --- which requests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, [503] * 6),
        ({"first": 2}, [503, 503, 200, 200, 200, 200]),
        ({"every": 3}, [200, 200, 503, 200, 200, 503]),
        ({"every": 2, "times": 2}, [200, 503, 200, 503, 200, 200]),
        ({"times": 1}, [503, 200, 200, 200, 200, 200]),
        ({"probability": 0.0}, [200] * 6),
        ({"probability": 1.0}, [503] * 6),
        ({"path": "embed"}, [200] * 6),
        ({"path": "embed-*", "method": "post", "times": 1}, [503, 200, 200, 200, 200, 200]),
        ({"method": "GET"}, [200] * 6),
    ],
)
def test_rules(emulator: Emulator, http: httpx.Client, rule: dict[str, Any], expected: list[int]) -> None:
    fault(emulator, "status:503", **{"path": "embed-v2", **rule})
    assert statuses(http, 6) == expected


def test_chance_is_repeatable(emulator: Emulator, http: httpx.Client) -> None:
    fault(emulator, "status:500", probability=0.4)
    first = statuses(http, 20)
    assert 2 < first.count(500) < 15
    fault(emulator, "status:500", probability=0.4)
    assert statuses(http, 20) == first
    fault(emulator, "status:500", probability=0.4, seed=1)
    assert statuses(http, 20) != first


def test_rules_come_one_after_the_other(emulator: Emulator, http: httpx.Client) -> None:
    rules = [{"kind": "status:503", "times": 2}, {"kind": "html:502", "first": 1}, {"kind": "status:500", "every": 2}]
    emulator.configure(faults=rules)
    assert statuses(http, 6) == [503, 503, 502, 200, 500, 200]
    emulator.configure(latency_sec=0.001)  # Another setting does not begin them anew; the same again does.
    assert statuses(http, 2) == [500, 200]
    emulator.configure(faults=rules)
    assert statuses(http, 1) == [503]


def test_limits_come_first(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": [2, 60]}, faults=[{"kind": "status:503", "first": 1}])
    assert statuses(http, 3) == [503, 200, 429]
    assert http.post("embed-v2", json=TEXT, headers={"x-api-key": "tlk_wrong"}).status_code == 401


def test_over_http(emulator: Emulator, http: httpx.Client) -> None:
    rule = {"kind": "status:503", "path": "embed-v2", "first": 1, "seed": 0}
    answer = http.post(emulator.origin + "/_emulator/settings", json={"faults": [rule]})
    assert answer.json()["faults"] == [rule]
    assert statuses(http, 2) == [503, 200]


# --- each kind --------------------------------------------------------------------------------------------


def test_status(emulator: Emulator, http: httpx.Client) -> None:
    fault(emulator, "status:503")
    assert http.post("embed-v2", json=TEXT).json()["code"] == "service_unavailable"
    fault(emulator, "status:500")
    assert http.post("embed-v2", json=TEXT).json()["error"]["code"] == "internal_server_error"
    assert http.post("embed", json=TEXT).json()["code"] == "internal_server_error"
    fault(emulator, "status:402:usage_limit_exceeded")
    answer = http.post("embed-v2", json=TEXT)
    assert (answer.status_code, answer.json()["code"]) == (402, "usage_limit_exceeded")
    fault(emulator, "status:429")
    answer = http.post("embed-v2", json=TEXT)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_html(emulator: Emulator, http: httpx.Client) -> None:
    fault(emulator, "html:502")
    answer = http.post("embed-v2", json=TEXT)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (502, "text/html")
    assert answer.text.startswith("<html>")


def test_connections_that_close(emulator: Emulator, http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    fault(emulator, "drop", first=1)
    with caplog.at_level(logging.WARNING), pytest.raises(httpx.RemoteProtocolError, match="without sending"):
        http.post("embed-v2", json=TEXT)
    fault(emulator, "drop_half", first=1)
    with caplog.at_level(logging.WARNING), pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        http.post("embed-v2", json=TEXT)
    fault(emulator, "lost", first=1)
    with caplog.at_level(logging.WARNING), pytest.raises(httpx.RemoteProtocolError, match="without sending"):
        http.post("embed-v2", json=TEXT)
    assert statuses(http, 1) == [200]
    assert [request.status for request in emulator.requests] == [None, 200, None, 200]
    assert not caplog.records, "the server takes none of this for a fault of its own"


async def test_connection_without_a_server() -> None:
    transport = httpx.ASGITransport(create_app(Settings(faults=[{"kind": "drop"}])))
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
        with pytest.raises(ConnectionResetError):
            await client.post("/v1.3/embed-v2", json=TEXT, headers={"x-api-key": "tlk_emulator"})


def test_slow(emulator: Emulator, http: httpx.Client) -> None:
    fault(emulator, "slow:0.4", first=1)
    began = time.perf_counter()
    assert statuses(http, 1) == [200]
    assert 0.4 <= time.perf_counter() - began < 1.5
    fault(emulator, "slow:5", first=1)
    with pytest.raises(httpx.ReadTimeout):
        http.post("embed-v2", json=TEXT, timeout=0.1)


def test_late(emulator: Emulator, http: httpx.Client) -> None:
    """Performed at once, also for a client that is gone before the response."""
    fault(emulator, "late:5", first=1, path="assets")
    file = {"file": ("a.png", media.png())}
    with pytest.raises(httpx.ReadTimeout):
        http.post("assets", data={"method": "direct"}, files=file, timeout=0.3)
    assert http.get("assets").json()["page_info"]["total_results"] == 1


def test_not_json(emulator: Emulator, http: httpx.Client) -> None:
    fault(emulator, "not_json")
    answer = http.post("embed-v2", json=TEXT)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError):
        answer.json()


def test_part_error(emulator: Emulator, v1: Any) -> None:
    fault(emulator, "part_error", path="embed")
    answer = v1(model_name="marengo3.0", text="a")
    assert answer.status_code == 200
    assert answer.json() == {
        "model_name": "marengo3.0",
        "text_embedding": {"error_message": "The text could not be embedded."},
    }


def test_no_segments_and_empty_data(emulator: Emulator, http: httpx.Client, v1: Any) -> None:
    fault(emulator, "no_segments")
    assert v1(model_name="marengo3.0", text="a").json()["text_embedding"] == {}
    assert "data" not in http.post("embed-v2", json=TEXT).json()
    fault(emulator, "empty_data")
    assert v1(model_name="marengo3.0", text="a").json()["text_embedding"] == {"segments": []}
    assert http.post("embed-v2", json=TEXT).json()["data"] == []


def test_changed_fields(emulator: Emulator, http: httpx.Client) -> None:
    body = {"input_type": "multi_input", "model_name": "marengo3.5", "multi_input": {"input_text": "a"}}
    good = http.post("embed-v2", json=body).json()
    fault(emulator, "extra_fields")
    found = http.post("embed-v2", json=body).json()
    assert set(found) - set(good) == {"field_of_tomorrow"} == set(found["data"][0]) - set(good["data"][0])
    assert found["data"][0]["embedding"] == good["data"][0]["embedding"]
    fault(emulator, "no_metadata")
    assert set(http.post("embed-v2", json=body).json()) == {"data", "usage"}


def test_bad_vectors(emulator: Emulator, http: httpx.Client, v1: Any) -> None:
    fault(emulator, "wrong_dimension")
    assert len(http.post("embed-v2", json=TEXT).json()["data"][0]["embedding"]) == 511
    assert len(v1(model_name="marengo3.0", text="a").json()["text_embedding"]["segments"][0]["float"]) == 511
    fault(emulator, "nan")
    assert math.isnan(http.post("embed-v2", json=TEXT).json()["data"][0]["embedding"][0])
    assert math.isnan(v1(model_name="marengo3.0", text="a").json()["text_embedding"]["segments"][0]["float"][0])


def test_errors_are_not_changed(emulator: Emulator, http: httpx.Client) -> None:
    fault(emulator, "nan")
    answer = http.post("embed-v2", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "parameter_not_provided")


def test_echo_key(emulator: Emulator, http: httpx.Client) -> None:
    fault(emulator, "echo_key")
    answer = http.post("embed-v2", json=TEXT)
    assert answer.status_code == 400 and emulator.api_key in answer.text


def test_sdk(emulator: Emulator, sdk: TwelveLabs) -> None:
    fault(emulator, "status:500", first=1)
    with pytest.raises(InternalServerError):
        sdk.embed.v_2.create(input_type="text", model_name="marengo3.0", text={"input_text": "a"})  # type: ignore[arg-type]
    fault(emulator, "drop", first=1)
    with pytest.raises(httpx.RemoteProtocolError):
        sdk.embed.v_2.create(input_type="text", model_name="marengo3.0", text={"input_text": "a"})  # type: ignore[arg-type]
    fault(emulator, "extra_fields")
    answer = sdk.embed.v_2.create(input_type="text", model_name="marengo3.0", text={"input_text": "a"})  # type: ignore[arg-type]
    assert len(answer.data[0].embedding) == 512
