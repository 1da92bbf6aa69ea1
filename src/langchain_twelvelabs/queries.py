"""What a search of the retriever asks, and the settings it may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from typing_extensions import TypedDict

from twelvelabs_core import Composed, Media
from twelvelabs_core.adapter import FOR_TEXT, Fusion, as_media, describe, options_for


class SearchSettings(TypedDict, total=False):
    """The settings of :class:`TwelveLabsRetriever` that one call may change."""

    k: int
    fuse: Literal["rrf"] | dict[str, float] | None
    fusion: Fusion
    fetch_k: int | None
    merge_gap: float | None
    pad: float
    score_cutoff: float | None
    with_scores: bool
    filter: Any
    search_kwargs: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a search asks.

    Attributes:
        queries: texts and media, by option; ``""`` for all options.
        options: what ``fuse="rrf"`` searches.
        vector: of the query for all options, if it is known.
    """

    queries: Mapping[str, Any]
    options: Sequence[str] = FOR_TEXT
    vector: list[float] | None = None

    def __str__(self) -> str:
        """For traces: texts as they are, media by their name."""
        if self.vector is not None:
            return f"vector of {len(self.vector)} numbers"
        return ", ".join(f"{name}: {_shown(query)}".removeprefix(": ") for name, query in self.queries.items())


def media_query(kind: type[Media], source: Any) -> Asked:
    """A query by media."""
    (media,) = as_media(kind, [source])
    return Asked({"": media}, options_for(media))


def _shown(query: str | Media | Composed) -> str:
    if isinstance(query, Composed):
        return " + ".join([*([query.text] if query.text else []), *map(_shown, query.media)])
    return query if isinstance(query, str) else f"{query.kind} {describe(query)}"
