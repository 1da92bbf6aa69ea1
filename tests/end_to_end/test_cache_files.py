"""Cache files of processes of their own: truncated, read-only, on a full disk; and what is left when a process ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Script = Callable[..., "subprocess.CompletedProcess[str]"]

# A service inside the process: counts the texts it is asked for, and gives each a vector of its own.
SERVICE = """
import asyncio, atexit, gc, json, os, random, signal, sys, threading, time
import httpx
from twelvelabs_core import CacheError, EmbeddingClient, TwelveLabsError

asked, delay = [], 0.0

def vector(text):
    chance = random.Random(text)
    return [chance.uniform(-1, 1) for _ in range(512)]

async def answer(request):
    text = json.loads(request.content)["text"]["input_text"]
    asked.append(text)
    await asyncio.sleep(delay)
    return httpx.Response(200, json={"data": [{"embedding": vector(text), "embedding_option": None}]})

def make(cache=None, **settings):
    return EmbeddingClient(api_key="k", transport=httpx.MockTransport(answer), cache=cache, **settings)

def check(found, words):
    assert [e.vector for e in found] == [vector(word) for word in words]

words = [f"word {i}" for i in range(100)]
"""

STRICT = ("-X", "dev", "-W", "error")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that any user may enter; pytest's own are their owner's alone."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


@pytest.mark.parametrize("size", [0, 1000, 20_000, 300_000])
def test_a_file_that_is_truncated_while_it_is_open(folder: Path, script: Script, size: int) -> None:
    script(
        SERVICE
        + f"""
path = {str(folder / "cache.sqlite")!r}
client = make(path)
check(client.embed_many(words), words)
import sqlite3
with sqlite3.connect(path) as other:
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
other.close()
check(client.embed_many(words[:10]), words[:10])
os.truncate(path, {size})
try:
    check(client.embed_many(words), words)
except CacheError as error:
    assert "cache.sqlite" in str(error), error
    check([e for e in error.results if e], [w for w, e in zip(words, error.results) if e])
""",
        *STRICT,
    )


READ_ONLY = """
path = PATH
check(make(path).embed_many(words), words)
gc.collect()                                       # the file is closed
if KEPT_OPEN:
    keeper = make(path)
    keeper.embed(words[0])
os.chmod(path, 0o444)
if FOLDER:
    os.chmod(os.path.dirname(path), 0o555)
child = os.fork() if KEPT_OPEN else 0
if child == 0:
    if os.getuid() == 0:
        os.setuid(65534)
    asked.clear()
    check(make(path).embed_many(words), words)     # what is there is served
    assert asked == []
    try:
        make(path).embed_many(["new", *words])
        raise AssertionError("not raised")
    except CacheError as error:
        assert "cache.sqlite" in str(error), error
    assert asked == [], "it was paid for"
    client = make(path, cache_errors="ignore")
    check(client.embed_many(["new", *words]), ["new", *words])
    assert asked == ["new"]
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
"""


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users")
@pytest.mark.parametrize("whole_folder", [False, True])
@pytest.mark.parametrize("kept_open", [False, True])
def test_a_file_that_cannot_be_written_is_read(
    folder: Path, script: Script, whole_folder: bool, kept_open: bool
) -> None:
    """Also while a process of its owner has it open."""
    code = READ_ONLY.replace("PATH", repr(str(folder / "cache.sqlite")))
    code = code.replace("FOLDER", str(whole_folder)).replace("KEPT_OPEN", str(kept_open))
    script(SERVICE + code, "-W", "ignore:This process:DeprecationWarning")


def test_a_folder_in_which_nothing_can_be_made(folder: Path, script: Script) -> None:
    script(
        SERVICE
        + f"""
make().embed("a")  # another user may not be able to import what this takes
asked.clear()
os.chmod({str(folder)!r}, 0o555)
if os.getuid() == 0:
    os.setuid(65534)
try:
    make({str(folder / "new" / "cache.sqlite")!r}).embed("a")
    raise AssertionError("not raised")
except CacheError as error:
    assert "cannot be opened" in str(error), error
assert asked == []
check([make({str(folder / "cache.sqlite")!r}, cache_errors="ignore").embed("a")], ["a"])
"""
    )


FULL = """
client = make(PATH, max_concurrency=8)
many = [f"text {i}" for i in range(1000)]
try:
    client.embed_many(many)
    raise AssertionError("not raised")
except CacheError as error:
    results = error.results
    assert "cache.sqlite" in str(error), error
paid = [text for text, found in zip(many, results) if found]
check([found for found in results if found], paid)
assert sorted(asked) == sorted(paid), "something paid for is not in hand"
assert len(paid) < 900
asked.clear()
again = make(PATH, cache_errors="ignore")
check(again.embed_many(many), many)
assert len(asked) <= 1000 - len(paid) + 16, "what was written is not found"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits")
def test_a_file_that_may_not_grow(folder: Path, script: Script) -> None:
    script(
        "import resource, signal\nresource.setrlimit(resource.RLIMIT_FSIZE, (800_000, 800_000))\n"
        + SERVICE
        + FULL.replace("PATH", repr(str(folder / "cache.sqlite")))
    )


def test_a_full_disk(folder: Path, script: Script) -> None:
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        script(SERVICE + FULL.replace("PATH", repr(str(folder / "cache.sqlite"))))
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


# -- the end of a process ----------------------------------------------------------------------------------------


def quiet(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether nothing was written but asyncio's notes of slow steps on a busy machine."""
    return not [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]


@pytest.mark.parametrize("cache", ["None", "PATH"])
@pytest.mark.parametrize(
    "end",
    [
        "found = client.stream(words); next(found)",
        "found = client.stream(iter(words), ordered=False); next(found)",
        "async def main():\n    global found\n    found = client.astream(words)\n    await found.__anext__()\n"
        "asyncio.run(main())",
        "async def main():\n    global found\n    found = client.astream(words)\n    await found.__anext__()\n"
        "loop = asyncio.new_event_loop(); loop.run_until_complete(main()); loop.close()",
    ],
    ids=["stream", "unordered stream", "async stream", "async stream of a closed loop"],
)
def test_a_script_ends_with_a_suspended_stream(folder: Path, script: Script, cache: str, end: str) -> None:
    cache = cache.replace("PATH", repr(str(folder / "cache.sqlite")))
    done = script(SERVICE + f"delay = 0.002\nclient = make({cache})\n{end}\n", *STRICT)
    assert quiet(done), done.stderr


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("cache", ["None", "PATH"])
@pytest.mark.parametrize(
    "work",
    [
        # Goes on when the main thread has ended.
        "def late():\n    time.sleep(0.3)\n    work()\nthreading.Thread(target=late).start()",
        "atexit.register(work)",
    ],
    ids=["thread", "atexit"],
)
def test_work_after_the_main_thread_s_end(folder: Path, script: Script, work: str, cache: str, used: bool) -> None:
    cache = cache.replace("PATH", repr(str(folder / "cache.sqlite")))
    done = script(
        SERVICE
        + f"""
client = make({cache})
def work():
    try:
        check(client.embed_many(words), words)
        print("done")
    except TwelveLabsError as error:
        print("refused", error)
{"client.embed('red')" if used else ""}
{work}
""",
        *STRICT,
    )
    assert quiet(done), done.stderr
    assert done.stdout.startswith("done" if used else ("done", "refused"))


def test_work_when_everything_has_ended(script: Script) -> None:
    """An object that is dropped last, and a handler from before the import."""
    done = script(
        """
import atexit
def work():
    try:
        client.embed("a")
    except TwelveLabsError as error:
        print(type(error).__name__)
atexit.register(work)
"""
        + SERVICE
        + """
class Last:
    def __del__(self): work()
client = make()
client.embed("red")
last = Last()
client.last = last
""",
        *STRICT,
    )
    assert quiet(done), done.stderr
    assert set(done.stdout.split()) == {"UnexpectedError"}


def test_what_is_paid_for_is_written_after_ctrl_c(folder: Path) -> None:
    path = folder / "cache.sqlite"
    code = (
        SERVICE
        + f"""
delay = 0.01
from twelvelabs_core._cache import backend
mset = backend.SqliteStore.mset
def slow(self, pairs):
    print("writing", flush=True)
    time.sleep(0.5)
    mset(self, pairs)
    print(len(pairs), "written", flush=True)
backend.SqliteStore.mset = slow
make({str(path)!r}, max_concurrency=17).embed_many(words)
"""
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert "could not be written" not in err and "cannot be written" not in err
    assert "written" in out
    assert out.count("written") == out.count("writing") + 1  # every write that was begun has ended
