"""The names that install this package: their versions, their extras, and what they re-export."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import llama_index_twelvelabs
from twelvelabs_core._version import __version__

# Python 3.10 has none; pytest brings one there.
tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path.parent for path in (ROOT / "distributions").glob("*/pyproject.toml"))


def project(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def test_names() -> None:
    assert [folder.name for folder in FOLDERS] == ["langchain-twelvelabs", "llama-index-embeddings-twelvelabs"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_depends_on_this_version_and_on_extras_that_there_are(folder: Path) -> None:
    named, real = project(folder), project(ROOT)
    assert (named["name"], named["version"]) == (folder.name, __version__)
    needed = [*named["dependencies"], *(one for extra in named["optional-dependencies"].values() for one in extra)]
    for one in needed:
        match = re.fullmatch(rf"{real['name']}\[([a-z-]+)\]=={re.escape(__version__)}", one)
        assert match, one
        assert match[1] in real["optional-dependencies"]
    assert {*named["optional-dependencies"]} <= {*real["optional-dependencies"]}
    for same in ("license", "requires-python"):
        assert named[same] == real[same]


def test_llama_index_finds_the_adapter_in_its_own_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = (f for f in FOLDERS if f.name.startswith("llama-index"))
    monkeypatch.syspath_prepend(str(folder))
    named = importlib.import_module("llama_index.embeddings.twelvelabs")
    assert named.__all__ == llama_index_twelvelabs.__all__
    for name in named.__all__:
        assert getattr(named, name) is getattr(llama_index_twelvelabs, name)
    about = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["tool"]["llamahub"]
    assert about["import_path"] == named.__name__
    for name in about["class_authors"]:
        assert getattr(named, name).class_name() == name
    assert not [path for path in folder.glob("llama_index/**/__init__.py") if path.parent.name != "twelvelabs"]


def test_links_of_the_readme_are_made_absolute() -> None:
    """By the rules in pyproject.toml, for the page that an index shows; each leads to a file there is."""
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["metadata"]["hooks"]
    shown = (ROOT / "README.md").read_text("utf-8")
    rules = hook["fancy-pypi-readme"]["substitutions"]
    for rule in rules:
        shown = re.sub(rule["pattern"], rule["replacement"], shown)
    links = re.findall(r"\]\(([^)\s]+)\)", shown)
    figures, pages = (rule["replacement"].removeprefix("](").partition(r"\1")[0] for rule in rules)
    assert links
    for link in links:
        assert link.startswith(("https://", "#"))
        for start in (figures, pages):
            assert not link.startswith(start) or (ROOT / link[len(start) :].partition("#")[0]).exists()
    assert {f"{pages}docs/emulator.md", f"{figures}docs/architecture.svg"} <= {*links}
