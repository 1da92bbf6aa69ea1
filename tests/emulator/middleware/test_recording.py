"""The record mode, with a second emulator as the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from twelvelabs import TwelveLabs

from tests.support import media
from twelvelabs_core import EmbeddingClient, Image, Video
from twelvelabs_emulator import Emulator, Settings

KEY = "tlk_of_the_account"


@pytest.fixture(scope="module")
def started() -> Iterator[Emulator]:
    with Emulator() as service:
        yield service


@pytest.fixture
def service(started: Emulator) -> Emulator:
    """What is recorded: it has a key of its own."""
    started.reset()
    started.configure(api_keys=(KEY,))
    return started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "answers"


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"input_type": "text", "model_name": "marengo3.0", "text": {"input_text": words}, **more}


def written(folder: Path) -> str:
    return "".join(file.read_text("utf-8") for file in folder.iterdir())


def test_all_that_a_client_does_is_replayed(
    emulator: Emulator, service: Emulator, folder: Path, tmp_path: Path
) -> None:
    """Texts, an image, and a video by asset and task: the same vectors without the service."""
    video = tmp_path / "red.mp4"
    video.write_bytes(media.mp4([("red", 6, 220)]))
    image = tmp_path / "blue.png"
    image.write_bytes(media.png("blue"))

    def run(key: str) -> list[Any]:
        mine = EmbeddingClient("marengo3.5", api_key=key, base_url=emulator.base_url, cache=tmp_path / f"{key}.db")
        segments = mine.embed_segments(Video(video))
        return [mine.embed("a red bike"), mine.embed(Image(image)), *segments]

    emulator.configure(recording=folder, record_from=service.base_url)
    recorded = run(KEY)
    asked = len(service.requests)
    assert asked >= 5 and KEY not in written(folder)
    emulator.configure(record_from=None)
    assert run(emulator.api_key) == recorded
    assert len(service.requests) == asked


def test_an_unknown_request_is_named_or_emulated(emulator: Emulator, http: httpx.Client, folder: Path) -> None:
    emulator.configure(recording=folder)
    answer = http.post("embed-v2", json=text("a red bike"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_recorded")
    assert "a red bike" in answer.json()["error"]["message"]
    emulator.configure(unrecorded="emulate")
    assert http.post("embed-v2", json=text("a red bike")).status_code == 200
    form: dict[str, Any] = {"method": (None, "direct"), "file": ("a.png", media.png())}
    assert http.post("assets", files=form).status_code == 201
    assert http.post("assets", data={"method": "url", "url": "http://127.0.0.1:9/a"}).status_code == 201
    assert http.get("assets").json()["page_info"]["total_results"] == 2


def test_key_limits_and_faults_are_still_those_of_the_emulator(
    emulator: Emulator, service: Emulator, http: httpx.Client, folder: Path
) -> None:
    emulator.configure(recording=folder, record_from=service.base_url)
    assert httpx.post(f"{emulator.base_url}/embed-v2", json=text("a"), headers={"x-api-key": KEY}).status_code == 200
    emulator.configure(record_from=None, limits={"text": (2, 60)})
    assert httpx.post(f"{emulator.base_url}/embed-v2", json=text("a"), headers={"x-api-key": "no"}).status_code == 401
    emulator.configure(faults=[{"kind": "wrong_dimension", "first": 1}])
    lengths = [len(http.post("embed-v2", json=text("a")).json()["data"][0]["embedding"]) for _ in range(2)]
    assert lengths == [511, 512]
    assert http.post("embed-v2", json=text("a")).status_code == 429


def test_the_key_is_in_no_answer(emulator: Emulator, service: Emulator, folder: Path) -> None:
    service.configure(faults=[{"kind": "echo_key"}])
    emulator.configure(recording=folder, record_from=service.base_url)
    answer = httpx.post(f"{emulator.base_url}/embed-v2", json=text(f"a {KEY}"), headers={"x-api-key": KEY})
    assert answer.status_code == 400 and KEY not in answer.text and "[api key]" in answer.text
    assert "[api key]" in written(folder) and KEY not in written(folder)


@pytest.mark.parametrize("fault", ["status:429", "status:500", "html:502", "status:401"])
def test_the_moment_is_not_recorded(emulator: Emulator, service: Emulator, folder: Path, fault: str) -> None:
    service.configure(faults=[{"kind": fault}])
    emulator.configure(recording=folder, record_from=service.base_url)
    answer = httpx.post(f"{emulator.base_url}/embed-v2", json=text("a"), headers={"x-api-key": KEY})
    assert str(answer.status_code) == fault.partition(":")[2]
    assert ("retry-after" in answer.headers) == (fault == "status:429")
    assert not folder.exists() or list(folder.iterdir()) == []


def test_where_the_service_is_away(emulator: Emulator, folder: Path) -> None:
    emulator.configure(recording=folder, record_from="http://127.0.0.1:9/v1.3")
    answer = httpx.post(f"{emulator.base_url}/embed-v2", json=text("a"), headers={"x-api-key": KEY})
    assert answer.status_code == 502 and "could not be reached" in answer.text
    parts = httpx.post(f"{emulator.base_url}/assets/multipart-uploads", json={}, headers={"x-api-key": KEY})
    assert parts.status_code == 400 and "in parts" in parts.text


def test_the_official_sdk_is_recorded_too(emulator: Emulator, service: Emulator, folder: Path) -> None:
    with httpx.Client(timeout=30, verify=False) as transport:
        emulator.configure(recording=folder, record_from=service.base_url)
        sdk = TwelveLabs(api_key=KEY, base_url=emulator.base_url, httpx_client=transport)
        first = sdk.embed.create(model_name="marengo3.0", text="a", image_file=("a.png", media.png()))
        service.reset()
        emulator.configure(record_from=None)
        sdk = TwelveLabs(api_key=emulator.api_key, base_url=emulator.base_url, httpx_client=transport)
        assert sdk.embed.create(model_name="marengo3.0", text="a", image_file=("b.png", media.png())) == first
        assert service.requests == []


@pytest.mark.parametrize("address", ["http://api.example.com/v1.3", "ftp://127.0.0.1", "api.twelvelabs.io"])
def test_a_key_is_sent_nowhere_in_the_clear(emulator: Emulator, folder: Path, address: str) -> None:
    with pytest.raises(ValueError, match="record_from: Input should be an https address"):
        emulator.configure(recording=folder, record_from=address)
    with pytest.raises(ValueError, match="set recording too"):
        emulator.configure(record_from="https://api.example.com/v1.3")


def test_a_damaged_file_is_named(emulator: Emulator, service: Emulator, http: httpx.Client, folder: Path) -> None:
    emulator.configure(recording=folder, record_from=service.base_url)
    httpx.post(f"{emulator.base_url}/embed-v2", json=text("a"), headers={"x-api-key": KEY})
    emulator.configure(record_from=None)
    (file,) = folder.iterdir()
    file.write_text("{")
    answer = http.post("embed-v2", json=text("a"))
    assert answer.status_code == 400 and "Record it again" in answer.text


def test_no_request_may_say_where_the_key_goes(emulator: Emulator, http: httpx.Client, folder: Path) -> None:
    """A page in a browser of this machine could send one."""
    for changes in ({"recording": str(folder)}, {"record_from": "https://api.example.com/v1.3"}):
        answer = httpx.post(f"{emulator.origin}/_emulator/settings", json=changes)
        assert answer.status_code == 400 and "no request may change it" in answer.text
    assert emulator.settings.recording is None


def test_both_settings_or_none(folder: Path) -> None:
    with pytest.raises(ValueError, match="set recording too"):
        Settings(record_from="https://api.example.com/v1.3")
    both = Settings(recording=folder, record_from="https://api.example.com/v1.3")
    assert both.replace(record_from=None).recording == folder
    with pytest.raises(ValueError, match=r"^record_from: set recording too"):
        both.replace(recording=None)
