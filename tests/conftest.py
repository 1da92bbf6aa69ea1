"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket

from tests.support import media
from tests.support.redis import MISSING, RedisServer, is_installed
from tests.support.spans import Spans
from twelvelabs_core import no_waiting
from twelvelabs_core._config import API_KEY_VARIABLES, BASE_URL_VARIABLE
from twelvelabs_core._media import opened
from twelvelabs_emulator import Emulator

if TYPE_CHECKING:
    from langchain_twelvelabs import TwelveLabsEmbeddings
    from llama_index_twelvelabs import TwelveLabsEmbedding
    from tests.support.adapters import Model
    from tests.support.postgres import Postgres

# The same examples in every run, and no folder of earlier failures: a failing run fails for everyone.
settings.register_profile(
    "unit",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("unit")

# Folders whose tests use a real server or processes of their own.
NETWORK_FOLDERS = {"clients", "emulator", "end_to_end", "pytest_plugin"}


def pytest_configure() -> None:
    # A shell's background job ignores Ctrl-C, and the test that presses it would wait forever.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a local server, so that ``-m "not network"`` runs the unit tests."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in NETWORK_FOLDERS or {"running_emulator", "postgres"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker("network")


@pytest.fixture(autouse=True)
def _unit_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """A unit test opens no socket (but the pair asyncio wakes its loop with) and waits for no retry or rate limit.

    The number and order of attempts stay as they are.
    """
    if request.node.get_closest_marker("network"):
        yield
        return
    disable_socket(allow_unix_socket=True)
    with no_waiting():
        yield
    enable_socket()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(_unit_test: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own key or address is neither used nor sent.

    Set up after `_unit_test`, so that what a test patches is undone before `no_waiting` ends.
    """
    for name in (*API_KEY_VARIABLES, BASE_URL_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """One emulator for the whole run. Tests ask for `emulator`, which is reset for each."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Iterator[Emulator]:
    """The API on a local port: ``.base_url``, ``.api_key``, ``.requests``, ``.configure(…)``."""
    running_emulator.reset()
    yield running_emulator
    running_emulator.reset()


@pytest.fixture
def account(emulator: Emulator) -> dict[str, Any]:
    """A key that no other test has: what a client has learned about an account lasts as long as the process."""
    emulator.configure(api_keys=())
    return {"api_key": f"tlk_{uuid.uuid4().hex}", "base_url": emulator.base_url}


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=[pytest.mark.network, pytest.mark.skipif(not is_installed(), reason=MISSING)]),
    ]
)
def shared_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """What processes may share, a cache or limits: a new file, or a Redis of the test's own."""
    if request.param == "sqlite":
        yield str(tmp_path / "shared.sqlite")
        return
    with RedisServer() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One PostgreSQL for the whole run, started by the first test that asks; each takes a database of its own."""
    from tests.support.postgres import Postgres

    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


# -- adapters ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["langchain", "llama-index"])
def framework(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def make(framework: str, emulator: Emulator) -> Callable[..., Model]:
    """Make an adapter, of each framework in turn, that talks to the emulator."""
    from tests.support.adapters import KEY, Model

    emulator.configure(api_keys=(emulator.api_key, KEY))

    def make(**settings: Any) -> Model:
        return Model.make(framework, **{"api_key": KEY, "base_url": emulator.base_url, "max_retries": 0, **settings})

    return make


@pytest.fixture
def model(make: Callable[..., Model]) -> Model:
    """The adapter of each framework in turn, for marengo3.0."""
    return make()


@pytest.fixture
def langchain(emulator: Emulator) -> TwelveLabsEmbeddings:
    from langchain_twelvelabs import TwelveLabsEmbeddings

    return TwelveLabsEmbeddings(api_key=emulator.api_key, base_url=emulator.base_url)


@pytest.fixture
def llama(emulator: Emulator) -> TwelveLabsEmbedding:
    from llama_index_twelvelabs import TwelveLabsEmbedding

    return TwelveLabsEmbedding(api_key=emulator.api_key, base_url=emulator.base_url)


# -- files and stores --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of media, named for its content."""
    folder = tmp_path_factory.mktemp("media")
    for name, content in {
        "red.png": media.png("red"),
        "blue.png": media.png("blue"),
        "blue.jpg": media.jpeg("blue"),
        "purple.png": media.png("purple"),
        "green-stripes.jpg": media.jpeg("green", pattern="horizontal"),
        "low.wav": media.wav(110),
        "low.mp3": media.mp3(110),
        "high.wav": media.wav(4000),
        "red.mp4": media.mp4((("red", 1, 0),)),
    }.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def chroma_client() -> Any:
    """Chroma in this process. All its clients share one memory: every test takes a collection name of its own."""
    chromadb = pytest.importorskip("chromadb")
    return chromadb.EphemeralClient(chromadb.config.Settings(anonymized_telemetry=False))


@pytest.fixture
def qdrant_client() -> Iterator[Any]:
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    yield client
    client.close()


@pytest.fixture
def qdrant_aclient() -> Any:
    """Has its own memory: it does not see what the sync client stores."""
    from qdrant_client import AsyncQdrantClient

    return AsyncQdrantClient(":memory:")


@pytest.fixture
def fresh_name() -> str:
    """A collection name that no other test has."""
    return f"c{uuid.uuid4().hex}"


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code in its own process; a failure shows what it printed."""

    def run(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "script.py"
        file.write_text(textwrap.dedent(code))
        done = subprocess.run(
            [sys.executable, *options, str(file)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def digested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read for their digests alone."""
    found: list[str] = []
    real = opened._update_from

    def update(digest: Any, file: Any) -> None:
        found.append(Path(file.name).name)
        real(digest, file)

    monkeypatch.setattr(opened, "_update_from", update)
    return found


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """The spans that are recorded, by a real tracer provider that is set for this test alone."""
    from opentelemetry import trace

    recorded = Spans()
    # A process can set its provider once only.
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorded.provider)
    return recorded
