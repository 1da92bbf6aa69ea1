"""Public names: what ``__all__`` says is what there is, each with a docstring; and who imports whom."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import langchain_twelvelabs
import llama_index_twelvelabs
import ray_twelvelabs
import twelvelabs_core
import twelvelabs_core.adapter

PACKAGES = [twelvelabs_core, langchain_twelvelabs, llama_index_twelvelabs, ray_twelvelabs]
MODULES = [*PACKAGES, twelvelabs_core.adapter]


def is_package(module: ModuleType) -> bool:
    return hasattr(module, "__path__")


@pytest.mark.parametrize("package", MODULES, ids=lambda p: p.__name__)
def test_all_lists_every_public_name(package: ModuleType) -> None:
    names = set(package.__all__)
    assert len(names) == len(package.__all__)
    there = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and not hasattr(typing, name)
        # A module also imports for its own use.
        if is_package(package) or getattr(value, "__module__", None) == package.__name__
    }
    assert there <= names, "public by accident"
    # What is promised and not there yet is imported when it is asked for.
    assert all(getattr(package, name) is not None for name in names - there)


def own_members(cls: type[Any]) -> Iterator[tuple[str, Any]]:
    """The public functions and properties that a class of ours defines, its private bases of ours included."""
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] in {p.__name__ for p in PACKAGES}:
            for name, value in vars(base).items():
                if name.startswith("_"):
                    continue
                if isinstance(value, (classmethod, staticmethod)):
                    value = value.__func__
                if inspect.isfunction(value) or isinstance(value, property):
                    yield f"{base.__name__}.{name}", value


def documented() -> Iterator[Any]:
    for package in MODULES:
        yield pytest.param(package, id=package.__name__)
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isclass(value):
                yield pytest.param(value, id=f"{package.__name__}.{name}")
                for full_name, member in own_members(value):
                    yield pytest.param(member, id=full_name)
            elif inspect.isfunction(value):
                yield pytest.param(value, id=f"{package.__name__}.{name}")


@pytest.mark.parametrize("value", list(documented()))
def test_every_public_name_has_a_docstring(value: Any) -> None:
    doc = value.__doc__
    assert doc is not None
    assert doc.strip()
    assert not doc.startswith(f"{getattr(value, '__name__', '')}("), "a dataclass's own signature is no docstring"


def test_an_unknown_name_is_an_attribute_error() -> None:
    for package in PACKAGES:
        with pytest.raises(AttributeError, match="no_such_name"):
            _ = package.no_such_name


# -- who imports whom ----------------------------------------------------------------------------------------------

CORE, CHAIN, INDEX, RAY, EMULATOR = (
    "twelvelabs_core",
    "langchain_twelvelabs",
    "llama_index_twelvelabs",
    "ray_twelvelabs",
    "twelvelabs_emulator",
)
FRAMEWORKS = {"langchain", "langchain_core", "llama_index", "llama_index_instrumentation", "workflows", "ray"}
EXTRAS = {"PIL", "av", "tqdm", "redis", "orjson", "twelvelabs", "ray", "opentelemetry"}  # never at import time


def imports(package: str, *, at_once: bool) -> set[str]:
    """The top-level names a package's files import: all of them, or those that importing it imports."""
    found: set[str] = set()
    root = importlib.util.find_spec(package)
    assert root is not None
    assert root.submodule_search_locations
    for path in Path(root.submodule_search_locations[0]).rglob("*.py"):
        for node in _statements(ast.parse(path.read_text(encoding="utf-8")), at_once=at_once):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found


def _statements(tree: ast.AST, *, at_once: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        later = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if at_once and (later or for_types):
            continue
        yield node
        yield from _statements(node, at_once=at_once)


@pytest.mark.parametrize(
    ("package", "never"),
    [
        (CORE, {CHAIN, INDEX, RAY, EMULATOR, *FRAMEWORKS}),
        (CHAIN, {INDEX, RAY, EMULATOR, "llama_index", "ray"}),
        (INDEX, {CHAIN, RAY, EMULATOR, "langchain", "langchain_core", "ray"}),
        (RAY, {CHAIN, INDEX, EMULATOR, *FRAMEWORKS - {"ray"}}),
        (EMULATOR, {CORE, CHAIN, INDEX, RAY, *FRAMEWORKS}),  # a fault it shared with the client would hide there
    ],
)
def test_imports_between_packages(package: str, never: set[str]) -> None:
    found = imports(package, at_once=False)
    assert "__future__" in found  # something was read
    assert not found & never


@pytest.mark.parametrize("package", [CORE, CHAIN, INDEX, RAY])
def test_extras_are_imported_when_they_are_needed(package: str) -> None:
    assert not imports(package, at_once=True) & EXTRAS
