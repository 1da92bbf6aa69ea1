"""Which room of the core imports which: the arrows, read from the source, and no circle between two modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import twelvelabs_core

ROOT = Path(twelvelabs_core.__file__).parent
VALUES = {
    "_assets",
    "_config",
    "_errors",
    "_extras",
    "_inputs",
    "_lanes",
    "_limits",
    "_models",
    "_options",
    "_places",
    "_renumber",
    "_results",
    "_sqlite",
    "_stats",
    "_strict",
    "_tracing",
    "_version",
    "_vectors",
    "_warnings",
}

# Room -> what it may import beside itself and the modules of values. A module named with its room: that one alone.
ARROWS: dict[str, set[str]] = {
    **{module: set() for module in VALUES},
    "_media": {"_net.forks"},
    "_api": set(),
    "_store": set(),
    "_clips": {"_media", "_store", "_net.forks"},
    "_net": {"_api"},
    "_cache": {"_media", "_net.loop", "_net.forks"},
    "_embed": {"_media", "_api", "_net", "_cache"},
    "_batch": {"_net", "_cache", "_embed"},
    "_client": {"_media", "_api", "_net", "_cache", "_embed", "_batch", "_store"},
    "adapter": {"_media", "_net", "_cache", "_embed", "_store", "_clips", "_client"},
    "__init__": {"_net", "_embed", "_batch", "_store", "_clips", "_client"},
}


def modules() -> dict[str, Path]:
    """Every module by its dotted name inside the package; a folder's ``__init__`` by the folder's."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports(module: str) -> set[str]:
    """The modules of the package that a module imports, also inside functions and for types alone."""
    folder = MODULES[module].relative_to(ROOT).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
            name = ".".join(part for part in base if part)
            found |= {inner for alias in node.names if (inner := f"{name}.{alias.name}".strip(".")) in MODULES} or {
                name
            }
    return found


def room(module: str) -> str:
    return module.partition(".")[0]


def edges() -> Iterator[tuple[str, str]]:
    for module in MODULES:
        for imported in sorted(imports(module)):
            yield module, imported


def test_every_room_has_its_arrows() -> None:
    assert {room(module) for module in MODULES} == set(ARROWS)


@pytest.mark.parametrize("name", ARROWS)
def test_a_room_imports_what_its_arrows_allow(name: str) -> None:
    allowed = VALUES | ARROWS[name]
    wrong = {
        f"{module} -> {imported}"
        for module, imported in edges()
        if room(module) == name and room(imported) != name and not {room(imported), imported} & allowed
    }
    assert not wrong


@pytest.mark.parametrize("name", ARROWS)
def test_every_arrow_is_used(name: str) -> None:
    used = {imported for module, imported in edges() if room(module) == name}
    assert {arrow for arrow in ARROWS[name] if not any(arrow in (found, room(found)) for found in used)} == set()


def test_no_module_imports_itself_through_another() -> None:
    graph = {module: imports(module) for module in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)  # raises CycleError, naming the circle


@pytest.mark.parametrize("name", [name for name, path in MODULES.items() if path.name == "__init__.py"])
def test_the_docstring_of_a_room_says_what_it_imports(name: str) -> None:
    doc = ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))
    assert doc
    if name != "__init__":
        assert all(f"``{arrow}``" in doc for arrow in ARROWS[room(name)]), f"{name} may import {ARROWS[room(name)]}"
