"""A child that is forked while another thread of its parent opens a file can open files too."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.processes import QUIET_FORK

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

FORK = """
import os, signal

def fork_and(work):
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        work()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_digest_is_not_waited_for_in_the_child(script: Callable[..., Any]) -> None:
    """On Python 3.10 and 3.11 a ``cached_property`` holds a lock, one for all objects."""
    script(
        FORK
        + """
import threading
from twelvelabs_core import Image
from twelvelabs_core._media.opened import MediaFile

reading, leave = threading.Event(), threading.Event()

class Slow:
    mode, size = "RGB", (1, 1)
    def tobytes(self):
        reading.set()
        leave.wait()
        return b"123"
    def getexif(self):
        return {}
    info = {}

slow = MediaFile(Image(b"x"), "slow", image=Slow())
thread = threading.Thread(target=lambda: slow.digest)
thread.start()
reading.wait()
fork_and(lambda: MediaFile(Image(b"x"), "other", data=b"x").digest)
leave.set()
thread.join()
""",
        *QUIET_FORK,
    )


@pytest.mark.parametrize(
    ("module", "use"),
    [
        ("av", "probe(b'not a video', is_wav=False)"),
        ("PIL.Image", "images.has_pillow()"),
        ("PIL.ImageOps", "images.encode(PIL.Image.new('RGB', (2, 2)), 'new')"),
        ("PIL.PngImagePlugin", "images.encode(PIL.Image.new('RGB', (2, 2)), 'new')"),
        ("PIL.WebPImagePlugin", "images.check_image(b'not an image', 'broken')"),
    ],
)
def test_a_fork_waits_for_an_import(script: Callable[..., Any], module: str, use: str) -> None:
    """Nobody ends an import in the child that another thread had begun, so that it would wait for it for ever."""
    script(
        FORK
        + f"""
import contextlib, sys, threading, time
from twelvelabs_core import InvalidInputError
from twelvelabs_core._media import images
from twelvelabs_core._media.probe import probe
{"import PIL.Image" if "new" in use else ""}

importing = threading.Event()

class Slowly:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r} and not importing.is_set():
            importing.set()
            time.sleep(0.5)

sys.meta_path.insert(0, Slowly())

def use():
    with contextlib.suppress(InvalidInputError):
        {use}

thread = threading.Thread(target=use)
thread.start()
assert importing.wait(10)
fork_and(use)
thread.join()
""",
        *QUIET_FORK,
    )
