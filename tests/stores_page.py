"""The table of stores in docs/stores.md, made of what the tests open and of the versions that are installed.

python -m tests.stores_page --write
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from tests.langchain.stores import KINDS as LANGCHAIN
from tests.llama_index.stores import KINDS as LLAMA_INDEX
from tests.support.stores import StoreKind

PAGE = Path(__file__).parents[1] / "docs" / "stores.md"
BEGIN, END = "<!-- made by python -m tests.stores_page --write -->\n", "<!-- end -->\n"


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


def shown() -> str:
    """The table as it stands in the page."""
    return PAGE.read_text("utf-8").split(BEGIN)[1].split(END)[0]


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description="The table of stores that the tests open.")
    parser.add_argument("--write", action="store_true", help="into docs/stores.md")
    if parser.parse_args().write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], "utf-8")
    else:
        print(table(), end="")


if __name__ == "__main__":
    main()
