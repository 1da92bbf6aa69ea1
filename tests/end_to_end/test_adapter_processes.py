"""Both adapters in processes of their own: after a fork, at the interpreter's end, without the other framework."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import QUIET_FORK
from twelvelabs_emulator import Emulator

Script = Callable[..., "subprocess.CompletedProcess[str]"]

MAKE = {
    "langchain": "from langchain_twelvelabs import TwelveLabsEmbeddings as Made\n"
    "NAMES = 'embed_query', 'embed_documents'",
    "llama-index": "from llama_index_twelvelabs import TwelveLabsEmbedding as Made\n"
    "NAMES = 'get_query_embedding', 'get_text_embedding_batch'",
}


@pytest.fixture
def start(framework: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """First lines of a script: ``model``, ``text``, ``texts`` and their async twins."""
    monkeypatch.setenv("TWELVELABS_API_KEY", emulator.api_key)
    monkeypatch.setenv("TWELVELABS_BASE_URL", emulator.base_url)
    return (
        f"{MAKE[framework]}\nmodel = Made()\n"
        "text, texts, atext, atexts = (getattr(model, p + n) for p in ('', 'a') for n in NAMES)\n"
    )


def left_on_stderr(done: subprocess.CompletedProcess[str]) -> str:
    """All but asyncio's notes of steps over 0.1 s: on a busy machine any step may be one."""
    return re.sub(r"^Executing <.*> took [\d.]+ seconds\n", "", done.stderr, flags=re.M)


has_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@has_fork
def test_after_a_fork(start: str, script: Script) -> None:
    script(
        start
        + """
import asyncio, multiprocessing, os
before = texts(["red", "blue"])           # the loop and the connections are up
child = os.fork()
if child == 0:
    same = texts(["red", "blue"]) == before and asyncio.run(atext("red")) == before[0]
    os._exit(0 if same else 7)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert texts(["red", "blue"]) == before   # and the parent's still are
def work(word): return text(word)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(work, ["red", "blue"] * 4) == before * 4
""",
        *QUIET_FORK,
    )


@has_fork
@pytest.mark.parametrize("framework", ["langchain"])
def test_children_that_end_leave_their_parent_alone(start: str, script: Script) -> None:
    """Whatever a child does with the model: nothing, a call, or drop it."""
    done = script(
        start.replace("Made()", "Made(timeout=2, max_retries=0)")
        + """
import gc, os, sys
before = texts(["red", "blue"])
for use in "idle", "calls", "drops":
    child = os.fork()
    if child == 0:
        if use == "calls":
            assert texts(["red", "blue"]) == before
        elif use == "drops":
            del model, text, texts, atext, atexts
            gc.collect()
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, (use, status)
    assert texts(["red", "blue"]) == before, use
""",
        *QUIET_FORK,
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("framework", ["langchain"])  # LlamaIndex: see its pipeline with workers
def test_in_spawned_workers(framework: str, start: str, script: Script) -> None:
    """What Ray, Spark, joblib and LlamaIndex's pipelines do: the model is pickled after it was used."""
    script(f"""
import multiprocessing
{MAKE[framework]}
def work(model): return getattr(model, NAMES[1])(["red", "blue"])
if __name__ == "__main__":
    model = Made()
    before = work(model)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(work, [model]) == [before]
""")


def test_nothing_is_left_on_stderr(start: str, script: Script) -> None:
    """Neither unclosed connections nor a loop that ends too late: every warning is an error here."""
    done = script(
        "import threading\n"
        + start
        + """
assert threading.active_count() == 1      # making a model starts nothing: no thread, no loop
import asyncio, gc
text("red"), texts(["red", "blue"] * 20)
asyncio.run(atexts(["red", "blue"] * 20))
asyncio.run(atext("red"))
async def leave():
    task = asyncio.ensure_future(atexts(["red", "blue"] * 20))
    await asyncio.sleep(0.005)
    task.cancel()
asyncio.run(leave())
for _ in range(3):                        # objects that come and go
    other = Made()
    getattr(other, NAMES[1])(["red", "blue"])
del other
gc.collect()
""",
        *("-X", "dev", "-W", "error"),
    )
    assert (done.stdout, left_on_stderr(done)) == ("", "")


ISOLATED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")
        return None

sys.meta_path.insert(0, Blocked())

import httpx

def answer(request):
    return httpx.Response(200, json={"data": [{"embedding": [0.5] * 512, "embedding_option": None}]})

transport = httpx.MockTransport(answer)
"""


@pytest.mark.parametrize(
    ("blocked", "use"),
    [
        (
            ["llama_index", "llama_index_twelvelabs", "twelvelabs_emulator", "PIL", "av", "numpy"],
            "from langchain_twelvelabs import TwelveLabsEmbeddings\n"
            "vector = TwelveLabsEmbeddings(api_key='k', transport=transport).embed_query('red')",
        ),
        (
            ["langchain", "langchain_core", "langchain_twelvelabs", "twelvelabs_emulator", "av"],
            "from llama_index_twelvelabs import TwelveLabsEmbedding\n"
            "vector = TwelveLabsEmbedding(api_key='k', transport=transport).get_query_embedding('red')",
        ),
        (
            ["langchain", "langchain_core", "llama_index", "twelvelabs_emulator", "PIL", "av", "numpy", "twelvelabs"],
            "from twelvelabs_core import EmbeddingClient, Image\n"
            "client = EmbeddingClient(api_key='k', transport=transport)\n"
            "vector = client.embed('red').vector\n"
            "assert client.embed(Image(IMAGE)).vector == vector  # what needs no conversion needs no Pillow",
        ),
    ],
    ids=["langchain", "llama-index", "core"],
)
def test_each_stands_alone(blocked: list[str], use: str, script: Script, files: Path) -> None:
    script(
        f"BLOCKED = {blocked}\nIMAGE = {str(files / 'red.png')!r}\n{ISOLATED}\n{use}\nassert vector == [0.5] * 512",
        "-W",
        "error",
    )


def test_import_of_the_core_is_light(script: Script) -> None:
    done = script("import sys, json, twelvelabs_core; print(json.dumps(sorted(sys.modules)))")
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"aiohttp", "httpx", "PIL", "av", "numpy", "langchain_core", "llama_index", "twelvelabs"}


def test_slow_imports_do_not_hold_up_a_loop(emulator: Emulator, script: Script) -> None:
    """They take a third of a second, in which no request of anybody makes progress."""
    script(
        f"""
import asyncio, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("httpx", "aiohttp"):
            assert asyncio._get_running_loop() is None, name
sys.meta_path.insert(0, Watch())
from twelvelabs_core import EmbeddingClient
EmbeddingClient(api_key={emulator.api_key!r}, base_url={emulator.base_url!r}).embed("red")
"""
    )
