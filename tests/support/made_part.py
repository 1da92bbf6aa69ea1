"""The part of a page that a program writes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_END = "<!-- end -->\n"


@dataclass(frozen=True)
class MadePart:
    """What stands between two comments in a page.

    Attributes:
        page: its file in docs/.
        command: what writes the part; the first comment names it.
    """

    page: str
    command: str

    @property
    def path(self) -> Path:
        """The page."""
        return DOCS / self.page

    def read(self) -> str:
        """The part as it stands in the page."""
        return self._split()[1]

    def write(self, text: str) -> None:
        """Replace the part."""
        before, _, after = self._split()
        self.path.write_text(before + self._begin + text + _END + after, "utf-8")

    def main(self, made: Callable[[], str], about: str) -> None:
        """A command's main function: print what is made, or with ``--write`` put it into the page."""
        parser = argparse.ArgumentParser(description=about)
        parser.add_argument("--write", action="store_true", help=f"into docs/{self.page}")
        if parser.parse_args().write:
            self.write(made())
        else:
            print(made(), end="")

    @property
    def _begin(self) -> str:
        return f"<!-- made by {self.command} -->\n"

    def _split(self) -> tuple[str, str, str]:
        before, _, rest = self.path.read_text("utf-8").partition(self._begin)
        part, _, after = rest.partition(_END)
        return before, part, after
