"""When tasks and assets are ready: after polls of whatever kind, or after some time."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support import media
from twelvelabs_emulator import Emulator
from twelvelabs_emulator.store.readiness import is_ready


@pytest.mark.parametrize(
    ("waited", "polls", "expected"),
    [(0, 0, False), (0, 2, False), (2, 0, False), (2, 2, True), (6.9, 1, False), (7, 0, True), (99, 0, True)],
)
def test_after_polls_or_seconds(waited: float, polls: int, expected: bool) -> None:
    """Two seconds at least; then with two polls, or after five more."""
    assert is_ready(1000 + waited, 1000, polls, needed=2, least=2.0, unasked=5.0) is expected


def test_without_a_time_only_polls_count() -> None:
    assert not is_ready(1e9, 0, 1, needed=2, least=0.0, unasked=None)


def create(http: httpx.Client, kind: str) -> str:
    if kind == "assets":
        answer = http.post("assets", data={"method": "direct"}, files={"file": ("red.png", media.png())})
    else:
        image = {"media_source": {"base64_string": media.b64(media.png())}}
        answer = http.post(kind, json={"input_type": "image", "model_name": "marengo3.5", "image": image})
    made: str = answer.json()["_id"]
    return made


@pytest.mark.parametrize("kind", ["assets", "embed-v2/tasks"])
def test_a_list_is_a_poll(emulator: Emulator, http: httpx.Client, kind: str) -> None:
    emulator.configure(asset_unasked_sec=None, task_unasked_sec=None)
    create(http, kind)
    assert [http.get(kind).json()["data"][0]["status"] for _ in range(2)] == ["processing", "ready"]
    other = create(http, kind)
    http.get(f"{kind}?page=2&page_limit=1")  # Not on this page.
    assert http.get(f"{kind}/{other}").json()["status"] == "processing"


@pytest.mark.parametrize("kind", ["assets", "embed-v2/tasks"])
def test_who_sleeps_finds_it_ready(emulator: Emulator, http: httpx.Client, kind: str) -> None:
    made = create(http, kind)
    emulator.configure(clock_offset_sec=5)
    assert http.get(f"{kind}/{made}").json()["status"] == "ready"


def test_an_asset_can_be_used_at_once(emulator: Emulator, http: httpx.Client) -> None:
    def embed(asset_id: str) -> httpx.Response:
        image: Any = {"media_source": {"asset_id": asset_id}}
        return http.post("embed-v2", json={"input_type": "image", "model_name": "marengo3.0", "image": image})

    assert embed(create(http, "assets")).status_code == 400
    emulator.configure(unready_asset="accept", asset_failures=["", "no"])
    assert embed(create(http, "assets")).status_code == 200
    assert embed(create(http, "assets")).status_code == 400, "a failed one is still refused"
