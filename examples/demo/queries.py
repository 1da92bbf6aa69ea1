"""The demo's queries, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from sample_media import scene_of
from twelvelabs_core import clock

from .media import KINDS, Item, Kind, Library

__all__ = [
    "DEEP",
    "GAP",
    "NEAR",
    "Answer",
    "Hit",
    "Progress",
    "Query",
    "Search",
    "Span",
    "Stored",
    "file_queries",
    "near_the_best",
    "sample_queries",
    "text_query",
]

Span = tuple[float, float]
"""From when to when, in seconds."""

DEEP = 40
"""Segments of videos to fetch for a query; neighbours among them are merged into moments."""
GAP = 1.0
"""Seconds between two segments of one moment."""
NEAR = 0.75
"""Lowest score to keep, as a share of the best."""

_Found = TypeVar("_Found")

Progress = Callable[[int, int], None]
"""Called with how many files are done, and of how many."""


@dataclass(frozen=True)
class Query:
    """A text, a file, or a text and an image together, and the kinds of files to search.

    ``expected`` names, by kind, the sample that should come first, ``scene`` its time in the video; the search does not
    use them.
    """

    seeks: tuple[Kind, ...]
    text: str | None = None
    file: Item | None = None
    expected: Mapping[Kind, str] = field(default_factory=dict)
    scene: Span | None = None

    @property
    def sort(self) -> str:
        """``text``, ``image``, ``video``, ``audio`` or ``text + image``."""
        return " + ".join(filter(None, ("text" if self.text else "", self.file.kind if self.file else "")))

    @property
    def title(self) -> str:
        """The query in words."""
        return "  +  ".join(filter(None, (self.file.name if self.file else "", f"“{self.text}”" if self.text else "")))


@dataclass(frozen=True)
class Hit:
    """A file that was found, or a moment of a video.

    Attributes:
        score: the cosine of the angle between the two vectors: 1 = the same direction.
        span: from when to when, in seconds; None for what has no duration to search in.
        by: which vectors of the moment were near: ``visual``, ``audio``, ``transcription``, or several.
    """

    item: Item
    score: float
    span: Span | None = None
    by: str = ""

    @property
    def label(self) -> str:
        """The file's name, and the moment: ``video.mp4, 00:00:06–00:00:12``."""
        if self.span is None:
            return self.item.name
        return f"{self.item.name}, {clock(self.span[0])}–{clock(self.span[1])}"


@dataclass(frozen=True)
class Stored:
    """One vector of a store: a file's, or that of a video's segment, with its time and its embedding option."""

    name: str
    vector: Sequence[float]
    span: Span | None = None
    by: str = ""


@dataclass(frozen=True)
class Answer:
    """What one query found, best first, by kind. The queried file itself is left out.

    ``vector`` is the query's, where the framework hands it out.
    """

    query: Query
    hits: Mapping[Kind, list[Hit]]
    vector: Sequence[float] = ()

    def first(self, kind: Kind) -> str | None:
        """Name of the best file of a kind."""
        return self.hits[kind][0].item.name if self.hits.get(kind) else None

    def right(self, kind: Kind) -> bool:
        """Whether the best hit is the expected one: for a video, a moment that is mostly the expected scene."""
        if self.first(kind) != self.query.expected.get(kind):
            return False
        span, scene = self.hits[kind][0].span, self.query.scene
        if span is None or scene is None:
            return span == scene or kind != "video"
        shared = min(span[1], scene[1]) - max(span[0], scene[0])
        return shared > 0.5 * (max(span[1], scene[1]) - min(span[0], scene[0]))


class Search(Protocol):
    """A framework and its store, filled with a library."""

    title: str

    def ask(self, query: Query, most: int = 3) -> Answer:
        """Find up to ``most`` files of each kind that the query searches."""
        ...


def near_the_best(found: Sequence[tuple[_Found, float]]) -> list[tuple[_Found, float]]:
    """Pairs of segment and score without those far below the best: a small collection returns poor segments too, and
    one beside a good segment would lengthen its moment.
    """
    best = max((score for _, score in found), default=0.0)
    least = NEAR * best if best > 0 else best
    return [(segment, score) for segment, score in found if score >= least]


def sample_queries(library: Library) -> list[Query]:
    """The fixed queries about the sample media."""

    def text(words: str, scene: tuple[str, int] | None = None, **expected: str) -> Query:
        named: dict[Kind, str] = {kind: expected[kind] for kind in KINDS if kind in expected}
        if scene is None:
            return Query(tuple(named), text=words, expected=named)
        named["video"] = scene[0]
        return Query(tuple(kind for kind in KINDS if kind in named), words, expected=named, scene=scene_of(*scene))

    def file(name: str, words: str | None = None, scene: tuple[str, int] | None = None, **expected: str) -> Query:
        return replace(text(words or "", scene, **expected), text=words, file=library.named(name))

    sea, picnic, street = "day-at-the-sea.mp4", "picnic.mp4", "across-the-street.mp4"
    return [
        text("an orange and purple sunset sky", (sea, 2), image="sunset.png", text="evening.txt"),
        text("a board of black and white checks", image="chessboard.png", text="game.txt"),
        text("green woods with brown trunks", (picnic, 2), image="forest.png", text="woods.txt"),
        text("white stars in a dark, black night", (sea, 3), image="night-sky.png", text="night.txt"),
        text("a yellow lemon rolls by", (picnic, 1)),
        text("a low, steady hum", (sea, 2), audio="low-hum.wav", text="engine-room.txt"),
        text("a high, steady whistle", (picnic, 1), audio="high-whistle.wav", text="referee.txt"),
        text("a loud, low, pulsing drum", (picnic, 0), audio="drum-beat.wav"),
        text("the steady hiss of a waterfall", (picnic, 2), audio="waterfall.wav"),
        file("sunset.png", scene=(sea, 2), image="dawn.png", text="evening.txt"),
        file("picnic-cloth.png", scene=(picnic, 0), text="picnic.txt"),
        file("zebra.png", scene=(street, 0)),
        file("low-hum.wav", scene=(sea, 2), audio="double-bass.wav", text="engine-room.txt"),
        file("waterfall.wav", audio="surf.wav"),
        file("bird-chirps.wav", scene=(sea, 0)),
        file("chessboard.png", "the same in red", image="picnic-cloth.png", scene=(picnic, 0)),
    ]


def text_query(library: Library, text: str) -> Query:
    """A text that searches every kind in the library."""
    return Query(_present(library), text=text)


def file_queries(library: Library) -> list[Query]:
    """The first file of each kind as a query, unless there is no other file to find."""
    queries = []
    for item in (item for kind in KINDS for item in library.of(kind)[:1]):
        seeks = tuple(kind for kind in _present(library) if kind != item.kind or len(library.of(kind)) > 1)
        queries += [Query(seeks, file=item)] if seeks else []
    return queries


def _present(library: Library) -> tuple[Kind, ...]:
    return tuple(kind for kind in KINDS if library.of(kind))
