"""The code blocks of the documentation's pages, and what a page says to install."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
OURS = "twelvelabs-embeddings"
PYTHON, SHELL, SHOWN = ("python",), ("bash", "console"), ("text", "ini")
"""Languages of blocks: run, run or checked, and only shown (what is printed, figures, files of other programs)."""
_BLOCK = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_PIP = re.compile(r"^(?:\S*/)?pip install\s+(?P<rest>.*)$")
_DEPTH = 3  # of module names that are told apart: llama_index.vector_stores.chroma

# Part of a program that has `task`, which names under "denied" the modules that a page does not install.
DENY = """
import os, sys, sysconfig
from importlib.machinery import PathFinder

denied = set(task["denied"])

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name in denied else None
        if spec is None:
            return None
        places = [spec.origin, *(spec.submodule_search_locations or ())]
        own = tuple(os.path.join(sysconfig.get_path(kind), *name.split(".")) for kind in ("purelib", "platlib"))
        if any(place and place.startswith(own) for place in places):  # not a copy that another package brings
            raise ModuleNotFoundError(f"No module named {name!r}: the page does not say to install it", name=name)

sys.meta_path.insert(0, NotInstalled())
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the number of lines above it."""

    language: str
    text: str
    above: int

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, without prompts, comments and output."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        plain = (re.sub(r"\s+#.*$", "", line).strip() for line in lines)
        return [part for line in plain if line and not line.startswith("#") for part in line.split(" && ")]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text = page.read_text("utf-8")
    return [
        Block(found["language"], found["text"], text.count("\n", 0, found.start("text")))
        for found in _BLOCK.finditer(text)
    ]


def installs(command: str) -> list[str]:
    """What a ``pip install`` command names; nothing for another command."""
    found = _PIP.match(command)
    if not found:
        return []
    words = [word.strip("'\"") for word in found["rest"].split()]
    options = {index for index, word in enumerate(words) if word.startswith("-")}
    values = {index + 1 for index in options if words[index] == "--find-links"}
    return [word for index, word in enumerate(words) if index not in options | values]


def requirement(name: str) -> Requirement:
    """A requirement; ``.[media]`` is this repository's folder."""
    return Requirement(OURS + name[1:] if name.startswith(".") else name)


@cache
def _installed() -> dict[str, Distribution]:
    return {canonicalize_name(found.metadata["Name"]): found for found in distributions()}


@cache
def _project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def _requires(name: str, extra: str) -> list[Requirement]:
    """What a distribution needs with an extra, or with none (``""``); ours as it stands in the repository."""
    if name == OURS:
        listed = _project()["optional-dependencies"].get(extra, []) if extra else _project()["dependencies"]
    else:
        listed = _installed()[name].requires or ()
    found = map(Requirement, listed)
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": extra})]


def needed(names: Iterable[str]) -> set[str]:
    """The distributions that an environment has in which these were installed."""
    found: set[str] = set()
    waiting = [requirement(name) for name in names]
    seen: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        found.add(name)
        for extra in ("", *one.extras):
            if (name, extra) in seen or name not in _installed():
                continue
            seen.add((name, extra))
            waiting += _requires(name, extra)
    return found


def missing(name: str) -> str | None:
    """Why a requirement cannot be met here: a package that is not installed, or an extra that it does not have."""
    wanted = requirement(name)
    found = _installed().get(canonicalize_name(wanted.name))
    if found is None:
        return f"{wanted.name} is not installed"
    listed = _project()["optional-dependencies"] if wanted.name == OURS else found.metadata.get_all("Provides-Extra")
    known = {canonicalize_name(extra) for extra in listed or ()}
    unknown = {canonicalize_name(extra) for extra in wanted.extras} - known
    return f"{wanted.name} has no extra {', '.join(sorted(unknown))}" if unknown else None


@cache
def _modules(name: str) -> frozenset[str]:
    """The modules of a distribution, three names deep at most."""
    found: set[str] = set()
    for file in _installed()[name].files or ():
        parts = file.parts[:-1] if file.name == "__init__.py" else (*file.parts[:-1], file.name.split(".")[0])
        if file.suffix in (".py", ".so") and ".." not in parts and all(part.isidentifier() for part in parts):
            found.update(".".join(parts[:depth]) for depth in range(1, min(len(parts), _DEPTH) + 1))
    return frozenset(found)


def denied_modules(names: Iterable[str]) -> list[str]:
    """The modules that would not be there, had only these been installed."""
    kept = needed(names)
    allowed = frozenset().union(*(_modules(name) for name in kept if name in _installed()))
    return sorted(frozenset().union(*(_modules(name) for name in _installed() if name not in kept)) - allowed)
