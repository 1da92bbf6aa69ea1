"""Answers as tables for a terminal: at most 100 columns, colours only where there is a terminal."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

from .media import HEADINGS, KINDS, Kind, Library, named
from .queries import Answer, Hit

__all__ = ["WIDTH", "Terminal", "by_reason", "columns", "counted", "fitted"]

WIDTH = 100
_BAR = 20
_NAME = 20


class Terminal:
    """Prints to a stream, with the colours and characters that it supports."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self._colors = self.stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._full, self._empty = ("█", "░") if self._can_show("█░") else ("#", "-")

    def line(self, text: str = "") -> None:
        """Print a line; characters that the stream cannot encode become question marks."""
        encoding = self.stream.encoding or "utf-8"
        print(text.encode(encoding, "replace").decode(encoding), file=self.stream, flush=True)

    def heading(self, text: str) -> None:
        """Print a title with a line under it."""
        self.line()
        self.line(self._styled(text, "1"))
        self.line(("─" if self._can_show("─") else "-") * WIDTH)

    def library(self, library: Library) -> None:
        """Print which files are searched, and which are left out."""
        self.line(f"In {library.folder}: {counted(library)}.")
        for why, names in by_reason(library).items():
            self._wrapped(f"{why}: {', '.join(names)}")

    def progress(self, doing: str, done: int, of: int) -> None:
        """Tell how far a long piece of work is: in place on a terminal, else a line for every 500 files."""
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{doing}: {done} of {of}" if done < of else "\r\x1b[K")
            self.stream.flush()
        elif done % 500 == 0 and done < of:
            self.line(f"{doing}: {done} of {of}")

    def _wrapped(self, text: str) -> None:
        """Print a text in full, in lines of the width; a word that is longer is broken."""
        line = " "
        for word in _printable(text).split(" "):
            while columns(line) + 1 + columns(word) > WIDTH:
                if line.strip():
                    self.line(line)
                line = "   "
                if columns(word) <= WIDTH - 4:
                    break
                part = word[: next(end for end in range(len(word), 0, -1) if columns(word[:end]) <= WIDTH - 4)]
                self.line(f"    {part}")
                word = word[len(part) :]
            line += f" {word}"
        self.line(line)

    def answers(self, answers: Iterable[Answer]) -> None:
        """Print what each query found."""
        for answer in answers:
            self.line()
            about = f"{answer.query.sort:<8}  "
            self.line(self._styled(about, "2") + self._styled(_shortened(answer.query.title, WIDTH - len(about)), "1"))
            for kind, hits in answer.hits.items():
                self._hits(kind, hits)

    def _hits(self, kind: Kind, hits: Sequence[Hit]) -> None:
        for place, hit in enumerate(hits):
            arrow = "→" if self._can_show("→") else " "
            label = f"{arrow} {HEADINGS[kind]}" if place == 0 else ""
            filled = round(max(0.0, min(1.0, hit.score)) * _BAR)
            bar = self._full * filled + self._styled(self._empty * (_BAR - filled), "2")
            row = f"  {label:<11} {bar} {hit.score:5.2f}  "
            left = WIDTH - len(f"  {label:<11} ") - _BAR - len(" 0.00  ") - 1
            if hit.item.text:
                quoted = _shortened(f"“{hit.item.text}”", left - _NAME - 1)
                self.line(f"{row}{fitted(hit.item.name, _NAME)} {self._styled(quoted, '2')}")
            else:
                by = f"  ({hit.by})" if hit.by else ""
                name = _shortened(hit.item.name, left - columns(hit.label) + columns(hit.item.name) - len(by))
                self.line(row + _shortened(name + hit.label[len(hit.item.name) :], left) + self._styled(by, "2"))

    def _styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colors and text else text

    def _can_show(self, characters: str) -> bool:
        try:
            characters.encode(self.stream.encoding or "utf-8")
        except UnicodeEncodeError:
            return False
        return True


def by_reason(library: Library) -> dict[str, list[str]]:
    """The names of the files that are left out or shortened, by why."""
    reasons: dict[str, list[str]] = {}
    for name, why in library.notes:
        reasons.setdefault(why, []).append(name)
    return reasons


def counted(library: Library) -> str:
    """``3 images, 1 audio file`` …"""
    numbers = {kind: len(library.of(kind)) for kind in KINDS}
    return ", ".join(f"{number} {named(kind, number)}" for kind, number in numbers.items() if number)


def fitted(text: str, width: int) -> str:
    """A text shortened or padded to so many columns; letters of East Asian scripts take two."""
    text = _shortened(text, width)
    return text + " " * (width - columns(text))


def _shortened(text: str, width: int) -> str:
    text = _printable(text)
    if columns(text) <= width:
        return text
    while columns(text) > width - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "·" for char in text)


def columns(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
