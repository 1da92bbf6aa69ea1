"""What is asked, and what an answer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from .media import KINDS, Item, Kind, Library

__all__ = ["Answer", "Hit", "Query", "Search", "file_queries", "sample_queries", "text_query"]


@dataclass(frozen=True)
class Query:
    """A text, a file, or a text and a picture together, and the kinds of files it shall find.

    ``expected`` names, by kind, the sample that was made to be found; it plays no part in the search.
    """

    seeks: tuple[Kind, ...]
    text: str | None = None
    file: Item | None = None
    expected: Mapping[Kind, str] = field(default_factory=dict)

    @property
    def sort(self) -> str:
        """``text``, ``picture``, ``sound`` or ``text + picture``."""
        return " + ".join(filter(None, ("text" if self.text else "", self.file.kind if self.file else "")))

    @property
    def title(self) -> str:
        """The query in words."""
        return "  +  ".join(filter(None, (self.file.name if self.file else "", f"“{self.text}”" if self.text else "")))


@dataclass(frozen=True)
class Hit:
    """A file that was found. ``score`` is the cosine of the angle between the two vectors: 1 = the same direction."""

    item: Item
    score: float


@dataclass(frozen=True)
class Answer:
    """What one query found, best first, by kind. The queried file itself is left out."""

    query: Query
    hits: Mapping[Kind, list[Hit]]

    def first(self, kind: Kind) -> str | None:
        """Name of the best file of a kind."""
        return self.hits[kind][0].item.name if self.hits.get(kind) else None


class Search(Protocol):
    """A framework and its store, filled with a library."""

    title: str

    def ask(self, query: Query, most: int = 3) -> Answer:
        """Find up to ``most`` files of each kind the query seeks."""
        ...


def sample_queries(library: Library) -> list[Query]:
    """The fixed questions about the sample media."""

    def text(words: str, **expected: str) -> Query:
        named: dict[Kind, str] = {kind: expected[kind] for kind in KINDS if kind in expected}
        return Query(tuple(named), text=words, expected=named)

    def file(name: str, words: str | None = None, **expected: str) -> Query:
        return replace(text(words or "", **expected), text=words, file=library.named(name))

    return [
        text("an orange and purple sunset sky", picture="sunset.png", text="evening.txt"),
        text("a board of black and white checks", picture="chessboard.png", text="game.txt"),
        text("green woods with brown trunks", picture="forest.png", text="woods.txt"),
        text("white stars in a dark, black night", picture="night-sky.png", text="night.txt"),
        text("a low, steady hum", sound="low-hum.wav", text="engine-room.txt"),
        text("a high, steady whistle", sound="high-whistle.wav", text="referee.txt"),
        text("a loud, low, pulsing drum", sound="drum-beat.wav"),
        text("the steady hiss of a waterfall", sound="waterfall.wav"),
        file("sunset.png", picture="dawn.png", text="evening.txt"),
        file("picnic-cloth.png", text="picnic.txt"),
        file("low-hum.wav", sound="double-bass.wav", text="engine-room.txt"),
        file("waterfall.wav", sound="surf.wav"),
        file("chessboard.png", "the same in red", picture="picnic-cloth.png"),
    ]


def text_query(library: Library, text: str) -> Query:
    """A text that seeks every kind there is."""
    return Query(_present(library), text=text)


def file_queries(library: Library) -> list[Query]:
    """The first file of each kind as a query; not if there is nothing else for it to find."""
    queries = []
    for item in (item for kind in KINDS for item in library.of(kind)[:1]):
        seeks = tuple(kind for kind in _present(library) if kind != item.kind or len(library.of(kind)) > 1)
        queries += [Query(seeks, file=item)] if seeks else []
    return queries


def _present(library: Library) -> tuple[Kind, ...]:
    return tuple(kind for kind in KINDS if library.of(kind))
