"""One search of a collection, as both frameworks' retrievers make it: which embedding options are searched, how many
hits are fetched, and how these become one list."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from .._errors import InvalidInputError
from .._inputs import Audio, Composed, Item, Media, describe
from .fusion import Fused, fuse_ranks, fuse_scores
from .identity import segment_key
from .order import id_of, number, order_of, order_ties

T = TypeVar("T")

Fuse: TypeAlias = Literal["rrf"] | Mapping[str, float] | None
Fusion: TypeAlias = Literal["rank", "score"]

_KEY = "embedding_option"
MEDIA_OPTIONS = ("visual", "audio", "transcription", "fused")
"""Values of ``embedding_option`` of vectors that were made from media."""
OPTIONS = (*MEDIA_OPTIONS, "text", "other")
"""What a search can be limited to. ``text``: everything with none of :data:`MEDIA_OPTIONS`, such as texts that the
framework embedded itself, which have no ``embedding_option``. ``other``: ``text`` and ``fused`` together."""
_EXCLUDED = {"text": MEDIA_OPTIONS, "other": ("visual", "audio", "transcription")}

FOR_TEXT = (*MEDIA_OPTIONS, "text")
"""What ``fuse="rrf"`` searches for a text, and for a text and media together."""


def options_for(media: Media) -> tuple[str, ...]:
    """What ``fuse="rrf"`` searches for a query by media."""
    return "audio" if isinstance(media, Audio) else "visual", "fused", "text"


@dataclass(frozen=True)
class OptionFilter:
    """Selects rows by their embedding option.

    Attributes:
        name: the option to select; not used with ``excluded``.
        excluded: if given, every row that has none of these options is selected.
    """

    name: str
    excluded: tuple[str, ...] = ()

    def matches(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a row with this metadata is selected."""
        option = metadata.get(_KEY)
        return option not in self.excluded if self.excluded else option == self.name


_WITHOUT_OPTION = OptionFilter("", (*MEDIA_OPTIONS, "text"))


def option_filter(name: str) -> OptionFilter:
    """The filter for one of :data:`OPTIONS`."""
    return OptionFilter(name, _EXCLUDED.get(name, ()))


@dataclass(frozen=True)
class Step:
    """One search of the store.

    Attributes:
        query: which query: an option's, or ``""`` for the one of all options.
        option: what the store filters by; None = it searches everything.
        count: hits to fetch.
    """

    query: str
    option: OptionFilter | None
    count: int


@dataclass(frozen=True)
class Plan:
    """The searches that a query needs.

    Attributes:
        steps: the searches; they may run at the same time.
        weights: of the rankings; empty = the hits of the only step are the result.
        parts: by ranking: the steps whose hits it is made of, and which of them.
    """

    steps: tuple[Step, ...]
    weights: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, tuple[tuple[int, OptionFilter], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Search:
    """The settings of a search.

    Attributes:
        k: results wanted. With ``merge_gap`` that many are merged, so that fewer may be returned.
        fuse: which options are searched, each separately; ``rrf`` = those that fit the query, with equal weights; None
            = one search over everything.
        fusion: how the options' hits become one list: by ``rank`` (reciprocal rank fusion) or by ``score`` (weighted
            mean of the similarities).
        fetch_k: hits of each option; by default four times ``k``, at least 20.
        merge_gap: longest time in seconds between two hits of one range; None = do not merge.
        pad: seconds added on both sides of a range.
        score_cutoff: hits whose similarity is lower are left out, before fusing; None = none is.
        with_scores: each result's metadata says its scores and ranks.

    Raises:
        InvalidInputError: a setting is out of its range, or an option is unknown.
    """

    k: int = 4
    fuse: Fuse = None
    fusion: Fusion = "rank"
    fetch_k: int | None = None
    merge_gap: float | None = None
    pad: float = 0.0
    score_cutoff: float | None = None
    with_scores: bool = False

    def __post_init__(self) -> None:
        for count in (self.k, self.fetch_k):
            if count is not None and not (isinstance(count, numbers.Integral) and count >= 1):
                raise InvalidInputError("k (similarity_top_k) and fetch_k must be 1 or more.")
        for seconds in (self.merge_gap, self.pad):
            if seconds is not None and not (_is_number(seconds) and seconds >= 0):
                raise InvalidInputError("merge_gap and pad must be 0 or more seconds.")
        if self.score_cutoff is not None and not _is_number(self.score_cutoff):
            raise InvalidInputError(f"score_cutoff={self.score_cutoff!r} must be a number.")
        if self.fusion not in ("rank", "score"):
            raise InvalidInputError(f"fusion={self.fusion!r} must be 'rank' or 'score'.")
        self._check_fuse()

    def _check_fuse(self) -> None:
        if isinstance(self.fuse, Mapping):
            check_options(self.fuse, "fuse=")
            weights = list(self.fuse.values())
            if not all(map(_is_number, weights)) or min(weights, default=0.0) < 0 or not any(weights):
                raise InvalidInputError(f"fuse={dict(self.fuse)} needs weights of 0 or more, one of them above 0.")
        elif self.fuse is not None and self.fuse != "rrf":
            raise InvalidInputError(f"fuse={self.fuse!r} must be 'rrf', weights by option, or None.")
        elif self.fuse == "rrf" and self.fusion == "score":
            raise InvalidInputError(
                "fuse='rrf' is fusion by rank; with fusion='score' give weights: fuse={'visual': 1, 'audio': 0.5}."
            )

    # -- before the search --------------------------------------------------------------------------------------------

    def plan(
        self,
        queries: Collection[str] = ("",),
        options: Sequence[str] = FOR_TEXT,
        filters: Literal["any", "equal", "none"] = "any",
    ) -> Plan:
        """The searches of a store.

        Args:
            queries: the options that have a query of their own; ``("",)`` = one query for all.
            options: what ``fuse="rrf"`` searches.
            filters: what the store can filter by: ``any`` option filter, one that is ``equal`` to a value, ``none``.
                What it cannot is selected from five times as many hits.

        Raises:
            InvalidInputError: an option is unknown, or has a query and no weight.
        """
        weights = self._weights(queries, options)
        if not weights:
            return Plan((Step("", None, self.k),))
        fetch = self.fetch_k or max(20, 4 * self.k)
        steps: dict[Step, int] = {}
        parts: dict[str, tuple[tuple[int, OptionFilter], ...]] = {}
        for name in weights:
            query, wanted = name if name in queries else "", option_filter(name)
            everything = Step(query, None, 5 * fetch)
            if filters == "none":
                chosen = [(everything, wanted)]
            elif filters == "any":
                chosen = [(Step(query, wanted, fetch), wanted)]
            else:
                values = [value for value in (*MEDIA_OPTIONS, "text") if wanted.matches({_KEY: value})]
                chosen = [(Step(query, only, fetch), only) for only in map(OptionFilter, values)]
                chosen += [(everything, _WITHOUT_OPTION)] if wanted.excluded else []
            parts[name] = tuple((steps.setdefault(step, len(steps)), part) for step, part in chosen)
        return Plan(tuple(steps), weights, parts)

    def _weights(self, queries: Collection[str], options: Sequence[str]) -> dict[str, float]:
        own = {name: float(weight) for name, weight in self.fuse.items()} if isinstance(self.fuse, Mapping) else None
        if "" not in queries:
            lacking = [] if own is None else [name for name in queries if name not in own]
            if lacking:
                raise InvalidInputError(f"fuse={self.fuse} has no weight for {lacking[0]!r}, which has a query.")
            weights = {name: 1.0 if own is None else own[name] for name in queries}
        elif own is not None:
            weights = own
        else:
            check_options(options, "options=")
            weights = {} if self.fuse is None else dict.fromkeys(options, 1.0)
        return {name: weight for name, weight in weights.items() if weight > 0}

    # -- after the search ---------------------------------------------------------------------------------------------

    def results(
        self, plan: Plan, lists: Sequence[Sequence[tuple[T, float]]], metadata_of: Callable[[T], Mapping[str, Any]]
    ) -> list[Fused[T]]:
        """The ``k`` best results, best first. With ``fuse`` each segment is one, whatever options it was found in.

        Equal scores are ordered by source, time and id. Hits whose similarity is not a number are left out: the cosine
        of a vector of zeros, which is not ours, is NaN.

        Args:
            plan: of :meth:`plan`.
            lists: what each of its steps found: hits with their similarity, higher is better.
            metadata_of: a hit's metadata.
        """

        def order(hit: T) -> Any:
            return order_of(metadata_of(hit), hit)

        def segment(hit: T) -> Hashable:
            return segment_key(metadata_of(hit)) or id_of(hit)

        kept = [[hit for hit in hits if self._keeps(hit[1])] for hits in lists]
        if not plan.weights:
            return [Fused((hit,), score) for hit, score in order_ties(kept[0], order)][: self.k]
        rankings = {
            name: [hit for index, part in parts for hit in kept[index] if part.matches(metadata_of(hit[0]))]
            for name, parts in plan.parts.items()
        }
        fuse = fuse_scores if self.fusion == "score" else fuse_ranks
        return fuse(rankings, plan.weights, key=segment, order=order)[: self.k]

    def _keeps(self, score: float) -> bool:
        return not math.isnan(score) and (self.score_cutoff is None or score >= self.score_cutoff)

    def check_scored(self, scored: bool, store: str) -> None:
        """Refuse settings that need similarities, if there are none.

        Args:
            scored: whether the store returns scores.
            store: its name.

        Raises:
            InvalidInputError: it does not, and ``score_cutoff`` or ``fusion="score"`` is set.
        """
        for name, used in (("score_cutoff", self.score_cutoff is not None), ("fusion='score'", self.fusion == "score")):
            if used and not scored:
                raise InvalidInputError(f"{store} returns no scores, which {name} needs. Leave it out.")


def checked_queries(queries: Any) -> dict[str, Item]:
    """Queries by option: ``{"visual": "a red bike", "audio": Audio("bell.wav")}``.

    Raises:
        InvalidInputError: there is none, one is no text or media, or an option is unknown.
    """
    if not isinstance(queries, Mapping) or not queries:
        raise InvalidInputError(
            f"queries= takes queries by option, such as {{'visual': 'a red bike'}}, got {describe(queries)}."
        )
    check_options(queries, "queries=")
    for name, query in queries.items():
        if not isinstance(query, (str, Media, Composed)):
            raise InvalidInputError(
                f"expected a text, or Image(...), Audio(...), Video(...), got {describe(query)}.",
                item=f"queries[{name!r}]",
            )
    return dict(queries)


def check_options(names: Iterable[str], where: str) -> None:
    """Refuse what is none of :data:`OPTIONS`.

    Raises:
        InvalidInputError: there is such a name; the message says which ones there are.
    """
    for name in names:
        if name not in OPTIONS:
            raise InvalidInputError(f"{where} names the option {name!r}; the options are {', '.join(OPTIONS)}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and number(value) is not None
