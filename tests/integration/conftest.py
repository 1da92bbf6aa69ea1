from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from adapters import KEY, Model

import media
from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding
from twelvelabs_core._config import API_KEY_VARIABLES, BASE_URL_VARIABLE
from twelvelabs_emulator import Emulator


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key or address of whoever runs the tests may be used."""
    for name in (*API_KEY_VARIABLES, BASE_URL_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=list(Model.NAMES))
def framework(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def make(framework: str, emulator: Emulator) -> Callable[..., Model]:
    """Make an adapter, of each framework in turn, that talks to the emulator."""
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
    return TwelveLabsEmbeddings(api_key=emulator.api_key, base_url=emulator.base_url)


@pytest.fixture
def llama(emulator: Emulator) -> TwelveLabsEmbedding:
    return TwelveLabsEmbedding(api_key=emulator.api_key, base_url=emulator.base_url)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of media, named for what is in them."""
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
    import chromadb

    return chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False))


@pytest.fixture
def qdrant_client() -> Iterator[Any]:
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    yield client
    client.close()


@pytest.fixture
def qdrant_aclient() -> Any:
    """Holds a memory of its own: what the sync client stores it does not see."""
    from qdrant_client import AsyncQdrantClient

    return AsyncQdrantClient(":memory:")


@pytest.fixture
def fresh_name() -> str:
    """A collection name that no other test has."""
    return f"c{uuid.uuid4().hex}"


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code in a process of its own; a failure shows what it printed."""

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
