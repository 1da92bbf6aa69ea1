"""docs/errors.md names every error, where it belongs in the tree, and the attributes it has."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import twelvelabs_core
from twelvelabs_core import TwelveLabsError

PAGE = (Path(__file__).parents[1] / "docs" / "errors.md").read_text("utf-8")


def below(cls: type[TwelveLabsError], depth: int = 0) -> Iterator[tuple[type[TwelveLabsError], int]]:
    """An error's class and those below it that are public, each with its depth."""
    yield cls, depth
    for child in cls.__subclasses__():
        if child.__module__.startswith("twelvelabs_core"):
            yield from below(child, depth + 1)


TREE = {cls.__name__: depth for cls, depth in below(TwelveLabsError)}


def own_attributes(cls: type[TwelveLabsError]) -> set[str]:
    """What its constructors and those above it set, beside what every error has."""
    source = "".join(inspect.getsource(one) for one in cls.__mro__ if one.__module__ == TwelveLabsError.__module__)
    return {*re.findall(r"self\.(\w+)(?:: [^=]+)? =", source)} - vars(TwelveLabsError("")).keys()


def test_every_error_is_public() -> None:
    assert {*TREE} <= {*twelvelabs_core.__all__}


def test_the_tree() -> None:
    drawn = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert drawn
    found = {}
    for line in drawn[1].splitlines():
        name = re.search(r"\w+", line)
        assert name
        found[name[0]] = name.start() // 4
    assert found == TREE


def test_each_has_a_row_with_its_attributes() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", PAGE, re.MULTILINE))
    assert [*rows] == [name for name in TREE if name != "TwelveLabsError"]
    for name, attributes in rows.items():
        expected = own_attributes(getattr(twelvelabs_core, name))
        assert {*re.findall(r"`\.(\w+)`", attributes)} == expected, name


def test_what_every_error_has() -> None:
    line = re.search(r"^Each has (.*\n.*)", PAGE, re.MULTILINE)
    assert line
    assert {*re.findall(r"`\.(\w+)`", line[1])} == vars(TwelveLabsError("")).keys()
