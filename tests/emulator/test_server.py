"""The server itself: start, stop, log, settings, controls, and the command."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import twelvelabs_emulator
from tests.support import media
from twelvelabs_emulator import Emulator, RecordedRequest, Settings, create_app
from twelvelabs_emulator.__main__ import _parser, _settings

TEXT = {"input_type": "text", "model_name": "marengo3.0", "text": {"input_text": "a"}}
PACKAGE = Path(twelvelabs_emulator.__file__).parent


def test_public_names() -> None:
    assert sorted(twelvelabs_emulator.__all__) == ["Emulator", "RecordedRequest", "Settings", "create_app"]
    for name in twelvelabs_emulator.__all__:
        assert getattr(twelvelabs_emulator, name).__doc__


def test_shares_no_code_with_the_client() -> None:
    packages = {"av", "numpy", "orjson", "PIL", "pydantic", "pydantic_core", "pypdf", "starlette", "uvicorn", "uvloop"}
    allowed = packages | sys.stdlib_module_names
    files = list(PACKAGE.rglob("*.py"))
    assert len(files) > 15
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= allowed, file


# --- keys and paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["embed", "embed-v2"])
@pytest.mark.parametrize("key", [None, "", "tlk_other_secret"])
def test_key(emulator: Emulator, path: str, key: str | None) -> None:
    headers = {} if key is None else {"x-api-key": key}
    answer = httpx.post(f"{emulator.base_url}/{path}", json=TEXT, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "api_key_invalid"
    assert "secret" not in answer.text
    emulator.configure(api_keys=())
    answer = httpx.post(f"{emulator.base_url}/embed-v2", json=TEXT, headers=headers)
    assert answer.status_code == (200 if key else 401)


def test_paths_that_do_not_exist(emulator: Emulator) -> None:
    for path in ("/v1.3/embeddings", "/v1.3/embed-v2/nothing", "/v1.3/embed/", "/embed-v2"):
        answer = httpx.post(emulator.origin + path, json=TEXT)
        assert answer.status_code == 404
        assert answer.json()["code"] == "resource_not_exist"
    assert "/v1.3" in answer.json()["message"]
    assert httpx.get(f"{emulator.base_url}/embed-v2").status_code == 405
    emulator.configure(not_found_status=400)
    assert httpx.post(f"{emulator.base_url}/nothing").status_code == 400


# --- the log ----------------------------------------------------------------------------------------------


def test_log(emulator: Emulator, http: httpx.Client, v1: Any) -> None:
    before = time.time()
    assert http.post("embed-v2", json=TEXT).status_code == 200
    content = media.png()
    assert v1(model_name="marengo3.0", text="a", image_file=content).status_code == 200
    image = {"media_source": {"base64_string": media.b64(content)}}
    http.post("embed-v2?a=b", json={"input_type": "image", "model_name": "marengo9", "image": image})
    first, second, third = emulator.requests
    assert isinstance(first, RecordedRequest)
    assert (first.method, first.path, first.status, first.body) == ("POST", "/v1.3/embed-v2", 200, TEXT)
    assert before <= first.received <= time.time() and first.duration is not None and first.duration < 5
    assert first.headers["content-type"] == "application/json"
    assert "x-api-key" not in first.headers and emulator.api_key not in repr(emulator.requests)
    digest = hashlib.sha256(content).hexdigest()
    assert second.body == {
        "model_name": "marengo3.0",
        "text": "a",
        "image_file": {
            "filename": "image_file.bin",
            "content_type": "application/octet-stream",
            "size": len(content),
            "sha256": digest,
        },
    }
    assert third.status == 400 and third.query == "a=b"
    assert third.body["image"]["media_source"]["base64_string"] == {"size": len(content), "sha256": digest}
    emulator.reset()
    assert emulator.requests == []


def test_latency_and_concurrency(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(latency_sec=0.3)
    began = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http.post("embed-v2", json=TEXT).status_code, range(8)))
    assert answers == [200] * 8
    assert 0.3 <= time.perf_counter() - began < 1.5
    assert emulator.most_at_once == 8
    assert all(request.duration and request.duration >= 0.3 for request in emulator.requests)


def test_measuring_does_not_hold_up_texts(emulator: Emulator, http: httpx.Client) -> None:
    content = media.b64(media.mp4([("red", 6, 220)], fps=24, moving=True))
    body = {
        "input_type": "video",
        "model_name": "marengo3.0",
        "video": {"media_source": {"base64_string": content}},
    }
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(http.post, "embed-v2", json=body)
        texts = 0
        while not slow.done():
            assert http.post("embed-v2", json=TEXT).status_code == 200
            texts += 1
        assert slow.result().status_code == 200
    assert texts > 3


# --- settings and controls --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"v2_error_shape": "round"},
        {"latency_sec": -1},
        {"latency_sec": "1"},
        {"unit_length": 1},
        {"api_keys": "tlk_a"},
        {"not_found_status": 500},
        {"over_long_text_code": 5},
        {"megabyte": 0.5},
    ],
)
def test_settings_are_checked(emulator: Emulator, changes: dict[str, Any]) -> None:
    before = emulator.settings
    with pytest.raises(ValueError, match=next(iter(changes))):
        emulator.configure(**changes)
    assert emulator.settings == before


def test_controls(emulator: Emulator, http: httpx.Client) -> None:
    control = emulator.origin + "/_emulator"
    assert httpx.get(f"{control}/health").json()["status"] == "ok"
    http.post("embed-v2", json=TEXT)
    log = httpx.get(f"{control}/requests").json()
    assert [(r["path"], r["status"], r["body"]) for r in log["data"]] == [("/v1.3/embed-v2", 200, TEXT)]
    shown = httpx.get(f"{control}/settings").json()
    assert shown["v2_error_shape"] == "nested" and "api_keys" not in shown
    changed = httpx.post(f"{control}/settings", json={"v2_error_shape": "flat", "api_keys": ["tlk_a"]})
    assert changed.json()["v2_error_shape"] == "flat"
    assert emulator.settings.api_keys == ("tlk_a",) and emulator.api_key == "tlk_a"
    bad_settings: list[Any] = [{"url_files": {}}, {"colour": 1}, {"unit_length": "yes"}, []]
    for wrong in bad_settings:
        assert httpx.post(f"{control}/settings", json=wrong).status_code == 400
    assert httpx.post(f"{control}/reset").status_code == 200
    assert emulator.requests == [] and emulator.settings == Settings()


# --- start and stop ---------------------------------------------------------------------------------------


def test_start_and_stop() -> None:
    threads = threading.active_count()
    emulator = Emulator(Settings(api_keys=("tlk_mine",)))
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.base_url
    with emulator:
        url = emulator.base_url
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1\.3", url)
        with httpx.Client() as client:  # Left open on purpose: closing must not wait for idle connections.
            assert client.post(f"{url}/embed-v2", json=TEXT, headers={"x-api-key": "tlk_mine"}).is_success
            began = time.perf_counter()
            emulator.close()
            assert time.perf_counter() - began < 2
            emulator.close()
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
    assert threading.active_count() == threads
    with emulator:  # It may be started again.
        assert httpx.get(emulator.origin + "/_emulator/health").is_success


def test_port_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match=r"[Aa]ddress"):
        Emulator(port=taken.getsockname()[1]).start()


async def test_as_an_application() -> None:
    transport = httpx.ASGITransport(create_app(Settings(api_keys=())))
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
        answer = await client.post("/v1.3/embed-v2", json=TEXT, headers={"x-api-key": "any"})
    assert len(answer.json()["data"][0]["embedding"]) == 512


def test_leaves_nothing_behind() -> None:
    code = """
import base64, sys, urllib.request, json
from twelvelabs_emulator import Emulator
sys.path.insert(0, sys.argv[1])
from tests.support import media
body = {"input_type": "image", "model_name": "marengo3.0",
        "image": {"media_source": {"base64_string": media.b64(media.png())}}}
with Emulator() as emulator:
    request = urllib.request.Request(emulator.base_url + "/embed-v2", json.dumps(body).encode(),
                                     {"x-api-key": emulator.api_key})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
"""
    tests = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code, tests],
        capture_output=True,
        text=True,
        timeout=60,
    )
    # On a busy machine asyncio's debug mode remarks that a step took long; that is no leak.
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (done.returncode, done.stdout, complaints) == (0, "", [])


# --- the command ------------------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "twelvelabs_emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_command(stop: signal.Signals) -> None:
    with command("--port", "0", "--api-key", "tlk_mine", "--log-requests", "--set", "v2_error_shape=flat") as process:
        assert process.stdout is not None
        output = ""
        while "Ctrl-C" not in output:
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            output += line
        assert "toys" in output and "not TwelveLabs' models" in output
        exports = dict(re.findall(r"export (\w+)=(\S+)", output))
        assert exports["TWELVELABS_API_KEY"] == "tlk_mine"
        url = exports["TWELVELABS_BASE_URL"] + "/embed-v2"
        assert httpx.post(url, json=TEXT, headers={"x-api-key": "tlk_mine"}).is_success
        flat = httpx.post(url, json={}, headers={"x-api-key": "tlk_mine"})
        assert flat.json()["code"] == "parameter_not_provided"
        process.send_signal(stop)
        rest, errors = process.communicate(timeout=10)
    assert process.returncode == 0 and errors == ""
    assert "POST /v1.3/embed-v2 200" in rest and "POST /v1.3/embed-v2 400" in rest
    assert rest.endswith("stopped\n")


def test_options_go_before_the_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"latency_sec": 0.25, "plan": "free"}')
    given = ["--settings", str(path)]
    settings = _settings(_parser().parse_args(given))
    assert (settings.latency_sec, settings.plan) == (0.25, "free")
    assert _settings(_parser().parse_args([*given, "--latency", "10"])).latency_sec == 0.01


def test_command_refuses_what_it_cannot_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = command("--port", str(taken.getsockname()[1]))
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1 and "cannot listen" in errors and "--port 0" in errors
    process = command("--set", "colour=red")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2 and "colour" in errors


def test_every_setting_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()
    table = set(re.findall(r"^\| `(\w+)` \|", guide.partition("\n## Settings")[2], re.MULTILINE))
    assert table == set(Settings.model_fields)


def test_every_response_names_the_version_and_the_emulators_time(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(clock_offset_sec=86_400)
    for path in ("assets", "nothing"):
        headers = http.get(path).headers
        assert headers["x-api-version"] == "1.3"
        assert 86_000 < parsedate_to_datetime(headers["date"]).timestamp() - time.time() < 86_800
        assert len(headers.get_list("date")) == 1


def test_the_key_is_new_after_a_reset_where_any_is_accepted() -> None:
    emulator = Emulator(Settings(api_keys=()))
    first = emulator.api_key
    assert emulator.api_key == first
    emulator.reset()
    assert emulator.api_key != first
