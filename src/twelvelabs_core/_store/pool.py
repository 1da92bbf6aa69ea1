"""Several vectors as one: of a whole video by option, of the scenes that another program has found, of liked items."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Literal, TypeAlias

from .._errors import InvalidInputError, as_error
from .._inputs import as_items, as_objects
from .._results import Embedding, Segment
from .._vectors import normalize as scaled
from .._vectors import weighted_sum

By: TypeAlias = Literal["option", "midpoint", "all"] | Callable[[Segment], Hashable]
Range: TypeAlias = tuple[float, float]
_WAYS = "'option', 'midpoint', 'all' or a function of a segment"


def pool(
    vectors: Iterable[Segment | Embedding],
    by: By = "option",
    *,
    ranges: Iterable[Range] = (),
    normalize: bool = True,
) -> list[Segment]:
    """Mean vectors of groups of segments, in the order in which the groups begin.

    .. code-block:: python

        pool(segments)                                              # a visual, an audio … vector of a whole video
        pool(segments, by="midpoint", ranges=[(0, 12.5), (12.5, 40)])   # of each scene, by option
        pool(client.embed_many(liked), by="all")                    # one vector of a user's taste
        pool(segments, by=lambda segment: segment.start_sec // 60)  # of each minute, all options together

    Each vector counts by the seconds of its segment, or equally where some have no times.

    Args:
        vectors: segments, or embeddings, of one space.
        by: what makes a group: ``option`` = what the vectors were made from (``visual``, ``audio`` …); ``midpoint`` =
            the option and the first of ``ranges`` that holds the middle of the segment, so that no segment counts
            twice; ``all`` = one group; or a function of a segment, for which None leaves it out.
        ranges: start (included) and end (excluded) of each, in seconds; for ``midpoint``.
        normalize: scale each vector to unit length before, and the mean after: its direction alone counts. False = the
            plain mean.

    Returns:
        A segment for each group that is not empty: the mean vector, with the time from its first start to its last end
        (``midpoint``: the range) and the options, joined by commas. Its ``scope`` is None. A whole-file vector (scope
        ``asset``) beside clips of the same option is left out, as it stands for them already.

    Raises:
        InvalidInputError: the vectors are of several lengths or spaces, or cancel out to zero; ``by`` or ``ranges`` is
            not what it may be.
        UnexpectedError: ``by`` raised.
    """
    given = as_objects(vectors, (Segment, Embedding), "vectors")
    _check_comparable(given)
    bounds = _checked_ranges(ranges, by)
    segments = [item if isinstance(item, Segment) else Segment(item.vector) for item in given]
    clips = {segment.option for segment in segments if segment.scope != "asset"}
    groups: dict[tuple[int, Hashable], list[Segment]] = {}
    for index, segment in enumerate(segments):
        if segment.scope == "asset" and segment.option in clips:
            continue
        key = _group_of(segment, by, bounds, f"vectors[{index}]")
        if key is not None:
            groups.setdefault(key, []).append(segment)
    in_order = sorted(groups, key=lambda key: key[0])
    return [_mean(groups[key], normalize, bounds[key[0]] if bounds else None) for key in in_order]


def _check_comparable(given: Sequence[Segment | Embedding]) -> None:
    lengths = {len(item.vector) for item in given}
    if len(lengths) > 1:
        raise InvalidInputError(f"Vectors of {' and '.join(map(str, sorted(lengths)))} numbers cannot be pooled.")
    spaces = sorted({item.space for item in given if isinstance(item, Embedding)})
    if len(spaces) > 1:
        raise InvalidInputError(f"Vectors of {' and '.join(spaces)} do not compare, and cannot be pooled.")


def _checked_ranges(ranges: Iterable[Range], by: By) -> list[Range]:
    if by not in ("option", "midpoint", "all") and not callable(by):
        raise InvalidInputError(f"by={by!r} is not {_WAYS}.")
    bounds = as_items(ranges)
    if (by == "midpoint") != bool(bounds):
        raise InvalidInputError("ranges=[(start, end), …] in seconds and by='midpoint' belong together.")
    for index, bound in enumerate(bounds):
        try:
            start, end = bound
            is_range = start < end
        except (TypeError, ValueError):
            is_range = False
        if not is_range:
            raise InvalidInputError(
                f"{bound!r:.80} is not a start and a later end, in seconds.", item=f"ranges[{index}]"
            )
    return bounds


def _group_of(segment: Segment, by: By, bounds: Sequence[Range], label: str) -> tuple[int, Hashable] | None:
    """The group of a segment, and the place of its range among ``bounds``; None = it is in none."""
    if callable(by):
        try:
            group = by(segment)
            hash(group)
        except Exception as error:
            ours = as_error(error, label)
            raise ours from ours.__cause__
        return None if group is None else (0, group)
    if by != "midpoint":
        return (0, segment.option if by == "option" else "all")
    if segment.start_sec is None or segment.end_sec is None:
        return None
    middle = (segment.start_sec + segment.end_sec) / 2
    place = next((place for place, (start, end) in enumerate(bounds) if start <= middle < end), None)
    return None if place is None else (place, segment.option)


def _mean(group: Sequence[Segment], normalize: bool, bound: Range | None) -> Segment:
    spans = [
        None if s.start_sec is None or s.end_sec is None else (float(s.start_sec), float(s.end_sec)) for s in group
    ]
    times = [span for span in spans if span is not None]
    timed = len(times) == len(group)
    seconds = [end - start for start, end in times]
    weights = seconds if timed and min(seconds) > 0 else [1.0] * len(group)
    vectors = [scaled(s.vector) for s in group] if normalize else [s.vector for s in group]
    total = sum(weights)
    mean = weighted_sum(vectors, [weight / total for weight in weights])
    if not any(mean):
        raise InvalidInputError("The vectors of a group cancel out to zero; they have no mean direction.")
    if bound is None and timed:
        bound = min(start for start, _ in times), max(end for _, end in times)
    options = sorted({s.option for s in group if s.option})
    start, end = bound or (None, None)
    return Segment(scaled(mean) if normalize else mean, start, end, ",".join(options) or None)
