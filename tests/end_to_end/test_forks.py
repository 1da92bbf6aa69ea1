"""Forked children: with a cache, in the middle of a batch, under Celery and gunicorn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import QUIET_FORK
from twelvelabs_emulator import Emulator

Script = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# Whatever a child does, it must end: a hanging one is ended by its alarm, and has failed.
IN_CHILD = """
import os, signal, sys, traceback

def in_child(work):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 7
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child

def ended(*children):
    for child in children:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, os.waitstatus_to_exitcode(status)
"""


@pytest.fixture
def settings(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: Path) -> dict[str, str]:
    """The environment of a script: the emulator's account, a cache, a folder of media."""
    emulator.configure(latency_sec=0.002)
    found = {
        "TWELVELABS_API_KEY": emulator.api_key,
        "TWELVELABS_BASE_URL": emulator.base_url,
        "CACHE": str(tmp_path / "cache.sqlite"),
        "MEDIA": str(files),
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


USES = {
    "texts": """
        from twelvelabs_core import EmbeddingClient
        client = EmbeddingClient(cache=os.environ["CACHE"])
        def use(words): return [e.vector for e in client.embed_many(words)]
        """,
    "one text": """
        from twelvelabs_core import EmbeddingClient
        client = EmbeddingClient(cache=os.environ["CACHE"])
        def use(words): return [client.embed(word).vector for word in words]
        """,
    "stream": """
        from twelvelabs_core import EmbeddingClient
        client = EmbeddingClient(cache=os.environ["CACHE"])
        def use(words): return [found.embedding.vector for found in client.stream(words)]
        """,
    "images": """
        from twelvelabs_core import EmbeddingClient, Image
        client = EmbeddingClient(cache=os.environ["CACHE"])
        names = {"red": "red.png", "blue": "blue.png"}
        def use(words):
            media = [Image(os.path.join(os.environ["MEDIA"], names.get(word, "purple.png"))) for word in words]
            return [e.vector for e in client.embed_many(media)]
        """,
    "segments": """
        from twelvelabs_core import EmbeddingClient, Audio
        client = EmbeddingClient(cache=os.environ["CACHE"])
        names = {"red": "low.wav", "blue": "high.wav"}
        def use(words):
            media = [Audio(os.path.join(os.environ["MEDIA"], names.get(word, "low.mp3"))) for word in words]
            return [[s.vector for s in segments] for segments in client.embed_segments_many(media)]
        """,
    "loader": """
        from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
        model = TwelveLabsEmbeddings(cache=os.environ["CACHE"])
        names = {"red": "red.png", "blue": "blue.png"}
        def use(words):
            paths = [os.path.join(os.environ["MEDIA"], names.get(word, "purple.png")) for word in words]
            documents = TwelveLabsMediaLoader(paths, model).load()
            return model.embed_documents([document.page_content for document in documents])
        """,
    "langchain": """
        from langchain_twelvelabs import TwelveLabsEmbeddings
        model = TwelveLabsEmbeddings(cache=os.environ["CACHE"])
        use = model.embed_documents
        """,
    "reader": """
        from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMediaEmbedder, TwelveLabsMediaReader
        model = TwelveLabsEmbedding(cache=os.environ["CACHE"])
        names = {"red": "red.png", "blue": "blue.png"}
        def use(words):
            paths = [os.path.join(os.environ["MEDIA"], names.get(word, "purple.png")) for word in words]
            documents = [TwelveLabsMediaReader().load_data(path)[0] for path in paths]
            return [node.embedding for node in TwelveLabsMediaEmbedder(embed_model=model)(documents)]
        """,
    "llama-index": """
        from llama_index_twelvelabs import TwelveLabsEmbedding
        model = TwelveLabsEmbedding(cache=os.environ["CACHE"])
        use = model.get_text_embedding_batch
        """,
    "store of the user's": """
        from langchain_core.stores import InMemoryByteStore
        from twelvelabs_core import EmbeddingClient
        client = EmbeddingClient(cache=InMemoryByteStore())
        def use(words): return [e.vector for e in client.embed_many(words)]
        """,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_children_of_a_process_that_has_used_a_cache(use: str, settings: dict[str, str], script: Script) -> None:
    script(
        IN_CHILD
        + textwrap.dedent(use)
        + """
before = use(["red", "blue"])
def work():
    assert use(["red", "blue"]) == before
    assert use(["blue", f"green {os.getpid()}"])[0] == before[1]
    ended(in_child(lambda: use(["red", "a grandchild's"])))
ended(*[in_child(work) for _ in range(3)])
assert use(["red", "blue", "yellow"])[:2] == before
ended(in_child(work))
""",
        *QUIET_FORK,
    )


def test_children_of_the_middle_of_a_batch(settings: dict[str, str], script: Script) -> None:
    script(
        IN_CHILD
        + """
import threading, time
from twelvelabs_core import EmbeddingClient
client = EmbeddingClient(cache=os.environ["CACHE"], max_concurrency=16)
running = True
def batches():
    number = 0
    while running:
        number += 1
        client.embed_many([f"{number} {i}" for i in range(40)])
thread = threading.Thread(target=batches)
thread.start()
red = client.embed("red").vector
def work():
    assert client.embed("red").vector == red
    client.embed_many([f"{os.getpid()} {i}" for i in range(3)])
children = []
for turn in range(30):
    time.sleep(0.003 * (turn % 7))
    children.append(in_child(work))
    if len(children) == 5:
        ended(*children)
        children = []
running = False
thread.join()
""",
        *QUIET_FORK,
    )


def test_a_child_of_a_process_that_is_importing(settings: dict[str, str], script: Script) -> None:
    """The transport takes a third of a second to import, in a thread that a child does not have."""
    script(
        IN_CHILD
        + """
import threading, time
from twelvelabs_core import EmbeddingClient
client = EmbeddingClient(cache=os.environ["CACHE"])
thread = threading.Thread(target=client.embed, args=["red"])
thread.start()
time.sleep(0.05)
ended(in_child(lambda: client.embed("blue")))
thread.join()
""",
        *QUIET_FORK,
    )


def test_a_stream_goes_on_in_parent_and_child(settings: dict[str, str], script: Script) -> None:
    script(
        IN_CHILD
        + """
from twelvelabs_core import EmbeddingClient
words = [f"word {i}" for i in range(100)]
client = EmbeddingClient(cache=os.environ["CACHE"], max_concurrency=16)
expected = [e.vector for e in EmbeddingClient().embed_many(words)]
for ordered in (True, False):
    found = client.stream(words, ordered=ordered)
    first = [next(found), next(found)]
    def rest():
        both = sorted(first + list(found), key=lambda result: result.index)
        assert [result.embedding.vector for result in both] == expected
    child = in_child(rest)
    rest()
    ended(child)
""",
        *QUIET_FORK,
    )


def test_a_loader_goes_on_in_parent_and_child(settings: dict[str, str], script: Script) -> None:
    script(
        IN_CHILD
        + """
from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
loader = TwelveLabsMediaLoader(os.environ["MEDIA"], TwelveLabsEmbeddings(cache=os.environ["CACHE"]))
expected = [document.id for document in loader.load()]
os.remove(os.environ["CACHE"])
documents = loader.lazy_load()
first = next(documents)
def rest():
    assert [first.id, *(document.id for document in documents)] == expected
child = in_child(rest)
rest()
ended(child)
""",
        *QUIET_FORK,
    )


# -- servers that fork -------------------------------------------------------------------------------------------

MODULE = """
import os
from twelvelabs_core import EmbeddingClient
clients = [EmbeddingClient(cache=os.environ["CACHE"]), EmbeddingClient()]
for client in clients:
    client.embed(f"{os.getpid()}")       # before the fork

def embed_with_all(text):
    cached, other = (client.embed(text).vector for client in clients)
    assert cached == other
    return cached[:3]
"""

CELERY = (
    MODULE
    + """
from celery import Celery
folder = os.environ["QUEUE"]
app = Celery("app", broker="filesystem://", backend=f"file://{folder}/results")
app.conf.update(
    broker_transport_options={
        "data_folder_in": f"{folder}/queue",
        "data_folder_out": f"{folder}/queue",
        "control_folder": f"{folder}/control",
        "polling_interval": 0.05,
    },
    task_serializer="json", result_serializer="json", accept_content=["json"], worker_hijack_root_logger=False,
)
embed = app.task(embed_with_all)
"""
)

GUNICORN = (
    MODULE
    + """
def app(environ, start_response):
    vector = embed_with_all(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(vector).encode()]
"""
)


@contextmanager
def running(*command: str, cwd: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, ended with all its children."""
    log = cwd / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=cwd,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            yield process
        except BaseException:
            print(log.read_text())
            raise
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def test_a_celery_worker_that_forks(settings: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("celery")
    (tmp_path / "tasks.py").write_text(CELERY)
    for folder in ("queue", "control", "results"):
        (tmp_path / folder).mkdir()
    environment = {"QUEUE": str(tmp_path)}
    ask = (
        "from tasks import embed\n"
        "sent = [embed.delay(f'word {i}') for i in range(6)] + [embed.delay('red')]\n"
        "assert all(len(result.get(timeout=30, interval=0.05)) == 3 for result in sent)\n"
    )
    worker = ("celery", "-A", "tasks", "worker", "--pool=prefork", "-c", "2", "--without-gossip", "--without-mingle")
    with running(*worker, cwd=tmp_path, **environment):
        subprocess.run(
            [sys.executable, "-c", ask], cwd=tmp_path, check=True, timeout=50, env={**os.environ, **environment}
        )


def test_gunicorn_with_an_application_loaded_before_the_fork(settings: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    (tmp_path / "served.py").write_text(GUNICORN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ("gunicorn", "--preload", "-w", "2", "--timeout", "10", "-b", f"127.0.0.1:{port}", "served:app")
    with running(*server, cwd=tmp_path):
        for number in range(6):
            assert get(f"http://127.0.0.1:{port}/word-{number}").startswith("[")


def get(url: str) -> str:
    """A page of a server that may not have started yet."""
    give_up_at = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=15) as response:
                body: Any = response.read()
            return str(body, "utf-8")
        except ConnectionError:
            pass
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
        assert time.monotonic() < give_up_at, "the server does not start"
        time.sleep(0.05)
