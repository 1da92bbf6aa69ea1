"""Every code block of the README and the documentation is run, page by page, in order, as a reader would paste it.

Python blocks of a page run in one process of its own, with the media files it names in the current folder, against the
emulator; imports find only what the page says to install. A block with tests in it (``def test_…``) runs as a test
file. Shell blocks: see :func:`checked_command`. What is only shown says so: its language is ``text``.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from tests.support import media
from tests.support.pages import DENY, PAGES, PYTHON, ROOT, SHELL, SHOWN, blocks, denied_modules, installs, missing
from twelvelabs_emulator import Emulator

WITH_PYTHON = [page for page in PAGES if any(block.language in PYTHON for block in blocks(page))]
COMMANDS = [
    (page, command) for page in PAGES for block in blocks(page) if block.language in SHELL for command in block.commands
]


def captions() -> bytes:
    """A Parquet file."""
    made = io.BytesIO()
    parquet.write_table(pa.table({"caption": [*(f"a red bike, {number}" for number in range(30)), None]}), made)
    return made.getvalue()


VIDEO = media.mp4((("red", 6, 440), ("blue", 6, 440)), size=(360, 360), fps=4)
FILES = {
    "README.md": {"bike.jpg": media.jpeg(), "hum.wav": media.wav(60, 6), "videos/street.mp4": VIDEO},
    "langchain.md": {"poster.png": media.png("purple"), "audio/hum.wav": media.wav(60, 6), "videos/beach.mp4": VIDEO},
    "llama_index.md": {
        "bike.jpg": media.jpeg(),
        "bell.wav": media.wav(2000, 6),
        "holiday/bike.jpg": media.jpeg(),
        "holiday/beach.mp4": VIDEO,
        "mixed/ride.mp4": VIDEO,
        "mixed/notes.txt": b"A red bike, and a blue sea.",
    },
    "chat.md": {"videos/beach.mp4": VIDEO},
    "concepts.md": {"bike.jpg": media.jpeg(), "beach.mp4": VIDEO},
    "moving_models.md": {"videos/beach.mp4": VIDEO},
    "start.md": {"videos/beach.mp4": VIDEO},
    "sdk.md": {"beach.mp4": VIDEO},
    "ray.md": {"captions.parquet": captions(), "videos/beach.mp4": VIDEO},
    "tracing.md": {"bike.jpg": media.jpeg()},
}
"""The media files that each page names."""

PRINTED = {
    "README.md": r"^videos/street\.mp4#t=0,\d+$",
    "langchain.md": r"^beach\.mp4 00:00:00-\S+ \S+ \[twelvelabs:\S+\] \d+ videos/beach\.mp4#t=0,\d+$",
    "chat.md": r"^A beach\. \['text', 'image', 'image', 'image', 'image', 'audio'\]$",
    "concepts.md": r"marengo3\.5/512.*\n0 \d+ visual 512$",
    "start.md": r"^videos/beach\.mp4 #t=0,\d+\n(.*\n)*2 texts, \d+ segments, marengo3\.0/512$",
    "sdk.md": r"^100 %, ready\n(.*\n)*Video\('missing\.mp4'\) .*no such file",
    "ray.md": r"^30 of 31 items done, 1 failed, .*\n(.*\n)*beach\.mp4 00:00:00-\S+ \S+ 2024 marengo3\.0/512 None$",
    "tracing.md": r"^embeddings marengo3\.0 1 True\nTwelve\S+ \[\('embedding', '\S+'\)\]\n\['bike\.jpg'\] \[512\]$",
    "llama_index.md": r"^beach\.mp4 00:00:00-\S+ \S+ holiday/beach\.mp4#t=0,\d+$",
}
"""A line that each page prints."""

# Input: {"page": its path, "blocks": [[lines above, text], …], "denied": modules that the page does not install}.
# Blocks keep their line numbers, so that a traceback names the line of the page.
RUNNER = (
    """
import json, re, sys
from pathlib import Path

task = json.load(sys.stdin)
"""
    + DENY
    + """
names = {"__name__": "page"}
for number, (above, block) in enumerate(task["blocks"]):
    if re.search("^def test_", block, re.MULTILINE):
        import pytest

        test = Path(f"test_block_{number}.py")
        test.write_text(block, "utf-8")
        status = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "twelvelabs_pytest", str(test)])
        assert status == 0, f"the tests in block {number} fail"
    else:
        exec(compile("\\n" * above + block, task["page"], "exec"), names)
"""
)


def environment(**changes: str) -> dict[str, str]:
    return {
        **os.environ,
        "ANONYMIZED_TELEMETRY": "False",  # Chroma's reports
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",  # else Ray writes a token into the home folder
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT))),
        **changes,
    }


def installed_by(page: Path) -> list[str]:
    """What the shell blocks of a page install."""
    return [
        name
        for block in blocks(page)
        if block.language in SHELL
        for command in block.commands
        for name in installs(command)
    ]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_blocks_run(page: Path, emulator: Emulator, tmp_path: Path) -> None:
    for name, content in FILES.get(page.name, {}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    task = {
        "page": str(page),
        "blocks": [(block.above, block.text) for block in blocks(page) if block.language in PYTHON],
        "denied": denied_modules(installed_by(page)),
    }
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(task),
        cwd=tmp_path,
        env=environment(TWELVELABS_API_KEY=emulator.api_key, TWELVELABS_BASE_URL=emulator.base_url),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert re.search(PRINTED.get(page.name, ""), done.stdout, re.MULTILINE), done.stdout


def test_pages_with_files_have_blocks() -> None:
    """A page that is renamed, or whose blocks lose their language, is noticed."""
    assert {*FILES, *PRINTED} <= {page.name for page in WITH_PYTHON}


def test_every_block_is_of_a_known_kind() -> None:
    """No block escapes by its language: what is only shown is not Python."""
    counted: Counter[str] = Counter()
    for page in PAGES:
        for block in blocks(page):
            where = f"{page.name}:{block.above}"
            assert block.language in (*PYTHON, *SHELL, *SHOWN), f"{where}: language {block.language!r}"
            assert block.language not in SHOWN or not is_python(block.text), f"{where}: Python that nobody runs"
            counted[block.language] += 1
        fences = sum(line.lstrip().startswith("```") for line in page.read_text("utf-8").splitlines())
        assert fences == 2 * len(blocks(page)), f"{page.name}: a block that is indented or not closed"
    print(f"{counted.total()} blocks on {len(PAGES)} pages:", dict(counted))
    assert counted["python"] > 60


def is_python(text: str) -> bool:
    try:
        return any(isinstance(node, ast.Call) for node in ast.walk(ast.parse(text)))
    except SyntaxError:
        return False


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_what_to_install_stands_before_the_first_snippet(page: Path) -> None:
    found = blocks(page)
    first = next(index for index, block in enumerate(found) if block.language in PYTHON)
    before = [name for block in found[:first] for command in block.commands for name in installs(command)]
    assert any(name.startswith(".") for name in before), "no pip install of this package"


@pytest.mark.parametrize(
    ("page", "command"), COMMANDS, ids=[f"{page.name}-{command[:40]}" for page, command in COMMANDS]
)
def test_commands(page: Path, command: str, tmp_path: Path) -> None:
    checked_command(command, tmp_path)


def checked_command(command: str, folder: Path) -> None:
    """Run a command as far as it costs nothing, and fail if there is no such command.

    ``make`` says what it would do; of what pip installs, the packages and extras exist; a program shows its help, which
    names every option that is used; pytest runs the files it is given. Others are unknown.
    """
    words = shlex.split(command)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):  # TWELVELABS_API_KEY=… python …
        words.pop(0)
    program = Path(words[0]).name
    if program == "pip":
        assert installs(command)
        problems = {
            name: missing(name) for name in installs(command) if "--find-links" not in words or name.startswith(".")
        }
        assert not any(problems.values()), problems
    elif program == "make":
        ran("make", "-n", *words[1:], folder=ROOT)
    elif program == "export":
        assert re.fullmatch(r"TWELVELABS_[A-Z_]+=\S+", words[1]), words
    elif program == "cd":
        assert len(words) == 2
    elif program == "pytest":
        files = [word for word in words[1:] if not word.startswith("-")]
        options = [word for word in words[1:] if word.startswith("-")]
        plugin = ("-p", "twelvelabs_pytest", "-p", "no:cacheprovider")
        help_has(options, "-m", "pytest", *plugin)
        if files:
            ran(sys.executable, "-m", "pytest", "-q", "-c", os.devnull, *plugin, *files, folder=ROOT)
    elif program in ("celery", "gunicorn", "twine"):
        help_has(words[1:], "-m", program, *(word for word in words[1:] if word == "worker"))
    elif words[:2] == ["python", "-m"]:
        help_has(words[3:], "-m", words[2])
    else:
        assert program == "python" and Path(ROOT, words[1]).is_file(), f"unknown command: {command}"


def help_has(words: list[str], *program: str) -> None:
    """The program's help names the options among these words."""
    shown = ran(sys.executable, *program, "--help", folder=ROOT)
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in shown]
    assert not unknown, f"{unknown} in none of\n{shown}"


def ran(*command: str, folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(COLUMNS="120"), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
