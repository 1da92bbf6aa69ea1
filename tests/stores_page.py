"""The table of stores in docs/stores.md, made of what the tests open and of the versions that are installed.

python -m tests.stores_page --write
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.langchain.stores import KINDS as LANGCHAIN
from tests.llama_index.stores import KINDS as LLAMA_INDEX
from tests.support.made_part import MadePart
from tests.support.stores import StoreKind

PART = MadePart("stores.md", "python -m tests.stores_page --write")


def table(versions: bool = True) -> str:
    """The table in Markdown, one row a store."""
    lines = ["| store | engine | LangChain | LlamaIndex |", "|---|---|---|---|"]
    for engine in dict.fromkeys(kind.engine for kind in (*LANGCHAIN, *LLAMA_INDEX) if kind.engine):
        mine = [[kind for kind in kinds if kind.engine == engine] for kinds in (LANGCHAIN, LLAMA_INDEX)]
        engines = dict.fromkeys((kind, package) for kinds in mine for kind in kinds for package in kind.packages[1:])
        names = dict.fromkeys(_named(kind, package, versions) for kind, package in engines)
        lines.append(f"| {engine} | {', '.join(names)} | {_cell(mine[0], versions)} | {_cell(mine[1], versions)} |")
    return "\n".join(lines) + "\n"


def _cell(kinds: Iterable[StoreKind], versions: bool) -> str:
    return ", ".join(f"`{kind.shown}` of {_named(kind, kind.packages[0], versions)}" for kind in kinds)


def _named(kind: StoreKind, package: str, versions: bool) -> str:
    return f"{package} {kind.version(package) or '(missing)'}" if versions else package


if __name__ == "__main__":
    PART.main(table, "The table of stores that the tests open.")
