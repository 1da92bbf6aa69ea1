"""The notebooks run cell by cell, in order, without Jupyter: each in a process and a folder of its own, without a key.

As in Jupyter, a cell runs inside a running event loop, may have ``await`` at its top level, and shows the value of its
last expression. Imports find only what the notebook says to install; every warning is an error.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.scenario import python_environment
from tests.support.pages import DENY, ROOT, denied_modules, installs, missing

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
SUNSET = "day-at-the-sea.mp4#t=12,18"
SHOWN = ["day-at-the-sea.mp4 at 13.5 s", "<image 320x240>", "day-at-the-sea.mp4 at 16.5 s", "<image 320x240>"]

PRINTED = {
    "text_to_video_langchain": [
        "['across-the-street.mp4', 'day-at-the-sea.mp4', 'picnic.mp4']",
        "30 documents; the first:",
        f"{SUNSET} visual",
        "picnic.mp4#t=0,6 visual",
        "across-the-street.mp4#t=0,6 visual",
        f"{SUNSET} audio",
        *SHOWN,
        "['text', 'image', 'image', 'audio']",
        r"re:day-at-the-sea\.mp4 00:00:12-00:00:18 visual \(frames at 00:00:13\.5, 00:00:16\.5; .*\)",
    ],
    "multimodal_index_llama_index": [
        "['.mp4', '.png', '.txt', '.wav']",
        r"re:Counter\(\{.*'video': 30.*\}\)",
        r"re:0\.\d\d sunset\.png whole visual",
        r"re:0\.\d\d day-at-the-sea\.mp4 00:00:12-00:00:18 visual",
        r"re:0\.\d\d The sun goes down\..*",
        r"re:1\.00 picnic-cloth\.png whole visual",
        r"re:0\.\d\d picnic\.mp4 00:00:00-00:00:06 visual",
        r"re:0\.\d\d They spread the checked cloth.*",
        "picnic-cloth.png",
        "picnic.mp4#t=0,6",
        "low-hum.wav#t=0,4",
        SUNSET,
        *SHOWN,
    ],
    "your_films_offline": [
        "['across-the-street.mp4', 'day-at-the-sea.mp4', 'picnic.mp4']",
        r"re:3 items \(0 cached, 0 equal to another\): 3 requests \(3 video\), 1\.0 minutes.*",
        "across-the-street.mp4 18 segments",
        "day-at-the-sea.mp4 24 segments",
        "picnic.mp4 18 segments",
        "missing.mp4 failed: InvalidInputError",
        "3 requests, 1 failed",
        *[r"re:day-at-the-sea\.mp4 (12-14|14-16|16-18) s"] * 3,
        "day-at-the-sea.mp4 12-18 s",
        "across-the-street.mp4 18 segments",
        "day-at-the-sea.mp4 24 segments",
        "picnic.mp4 18 segments",
        "0 requests, 3 from the cache",
    ],
}
"""Lines that each notebook prints, in this order, others between them; after ``re:``, a pattern of the line."""

# Input: {"notebook": its path, "denied": modules that it does not install}.
RUNNER = (
    """
import ast, asyncio, json, sys
from inspect import CO_COROUTINE
from pathlib import Path

task = json.load(sys.stdin)
"""
    + DENY
    + """
def display(*shown):
    for value in shown:
        print(f"<image {value.width}x{value.height}>" if hasattr(value, "_repr_png_") else repr(value))

async def run(code, names):
    value = eval(code, names)
    return await value if code.co_flags & CO_COROUTINE else value

async def main():
    names = {"__name__": "__main__", "display": display}
    for cell in json.loads(Path(task["notebook"]).read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            body = ast.parse("".join(cell["source"])).body
            last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
            where, flags = f"<{cell['id']}>", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            await run(compile(ast.Module(body, []), where, "exec", flags), names)
            if last is not None:
                value = await run(compile(ast.Expression(last.value), where, "eval", flags), names)
                if value is not None:
                    display(value)

asyncio.run(main())
"""
)


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(notebook.read_text("utf-8"))["cells"]
    return cells


def installed_by(notebook: Path) -> list[str]:
    """What the notebook's first cell says to install."""
    first = cells_of(notebook)[0]
    assert first["cell_type"] == "markdown"
    return [name for line in first["source"] for name in installs(line.strip())]


def in_order(expected: list[str], lines: list[str]) -> str | None:
    """The first of the expected lines that does not follow those before it; None if all are there."""
    rest = iter(lines)
    for line in expected:
        pattern = line[3:] if line.startswith("re:") else re.escape(line)
        if not any(re.fullmatch(pattern, printed) for printed in rest):
            return line
    return None


def test_each_notebook_has_its_lines() -> None:
    assert {notebook.stem for notebook in NOTEBOOKS} == set(PRINTED)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_cells_run(notebook: Path, tmp_path: Path) -> None:
    folder = tmp_path / "examples" / "notebooks"  # as in a clone: the notebook looks for sample_media in ".."
    folder.mkdir(parents=True)
    shutil.copy(notebook, folder)
    shutil.copy(ROOT / "examples" / "sample_media.py", folder.parent)
    variables = ("TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY", "TWELVELABS_BASE_URL")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER],
        input=json.dumps({"notebook": notebook.name, "denied": denied_modules(installed_by(notebook))}),
        cwd=folder,
        env=python_environment(**dict.fromkeys(variables, ""), PYTHONIOENCODING="utf-8"),
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    absent = in_order(PRINTED[notebook.stem], done.stdout.splitlines())
    assert absent is None, f"not printed, or not in this order: {absent}\n{done.stdout}"
    assert "tlk_" not in done.stdout + done.stderr


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_files_are_notebooks_without_outputs(notebook: Path) -> None:
    """nbformat 4.5, each cell with an id of its own; no outputs, keys or paths of a machine."""
    text = notebook.read_text("utf-8")
    document = json.loads(text)
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    cells = document["cells"]
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in ids)
    for cell in cells:
        common = {"id", "cell_type", "metadata", "source"}
        code = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert set(cell) == common | code, cell["id"]
        assert cell["cell_type"] in ("markdown", "code")
        assert all(isinstance(line, str) for line in cell["source"])
        assert not cell.get("outputs") and cell.get("execution_count") is None, f"{cell['id']} has outputs"
    assert not re.search(r"tlk_|/home/|/Users/|/tmp/|[A-Z]:\\\\", text)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_first_cell_says_what_to_install(notebook: Path) -> None:
    names = installed_by(notebook)
    assert any(name.startswith(".[") for name in names)
    assert not any(missing(name) for name in names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_links_of_the_text_lead_to_files(notebook: Path) -> None:
    text = "".join(line for cell in cells_of(notebook) if cell["cell_type"] == "markdown" for line in cell["source"])
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (notebook.parent / target).is_file(), target
