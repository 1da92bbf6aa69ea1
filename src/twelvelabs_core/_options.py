"""How a file is divided and what of it is embedded: the options of a request for segments, checked before it is sent.

Facts: API pages of /embed-v2 and /embed-v2/tasks, official SDK 1.3.6. marengo3.0 takes the segmentation at the top
level, marengo3.5 inside ``temporal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ._errors import InvalidInputError
from ._models import Kind, Model

__all__ = [
    "Dynamic",
    "Fixed",
    "Quadrants",
    "SegmentOptions",
    "Segmentation",
    "Sentences",
    "TimedText",
    "check_options",
    "option_fields",
]


@dataclass(frozen=True)
class Fixed:
    """Segments of equal length.

    Attributes:
        duration_sec: 2 to 10 seconds, whole ones.
    """

    duration_sec: int = 6


@dataclass(frozen=True)
class Dynamic:
    """Segments by shot boundaries; films only on marengo3.0.

    Attributes:
        min_duration_sec: no segment is shorter: 2 to 5 seconds.
    """

    min_duration_sec: int = 4


@dataclass(frozen=True)
class Sentences:
    """Chunks of a text document (marengo3.5).

    Attributes:
        max_sentences: sentences in a chunk.
        overlap_sentences: sentences shared with the chunk before; fewer than ``max_sentences``.
    """

    max_sentences: int
    overlap_sentences: int = 0


@dataclass(frozen=True)
class Quadrants:
    """A PDF's pages whole, and each quarter of them too (marengo3.5): five vectors a page."""


Segmentation: TypeAlias = Fixed | Dynamic | Sentences | Quadrants


@dataclass(frozen=True)
class TimedText:
    """A note on a stretch of time, for fused vectors of marengo3.5 (``time_based_metadata``).

    Attributes:
        start, end: seconds; equal for a moment.
        text: what is to be known about it.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class SegmentOptions:
    """What to embed of a file.

    Attributes:
        segmentation: how it is divided; None = the model's default (3.0: films dynamic 4 s, sounds fixed 6 s; 3.5:
            dynamic 2 s).
        embedding_option: ``visual``, ``audio``, ``transcription``; None = all the model has for the kind.
        embedding_scope: ``clip`` (segments) and ``asset`` (the whole file).
        embedding_type: ``separate_embedding`` and ``fused_embedding`` (all options in one vector).
        time_based_metadata: notes for fused vectors; marengo3.5.
        embedding_uncertainty: ask for an uncertainty vector beside each; marengo3.5, not with scope ``asset``.
    """

    segmentation: Segmentation | None = None
    embedding_option: Sequence[str] | None = None
    embedding_scope: Sequence[Literal["clip", "asset"]] = ("clip",)
    embedding_type: Sequence[Literal["separate_embedding", "fused_embedding"]] | None = None
    time_based_metadata: Sequence[TimedText] = ()
    embedding_uncertainty: bool = False

    def __post_init__(self) -> None:
        for name in ("embedding_option", "embedding_scope", "embedding_type"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, (value,))
            elif value is not None:
                object.__setattr__(self, name, tuple(value))


def check_options(options: SegmentOptions, model: Model, kind: Kind, label: str) -> None:
    """Refuse what the model would refuse.

    Raises:
        InvalidInputError: naming the item, what is wrong, and what would do.
    """

    def refuse(why: str) -> InvalidInputError:
        return InvalidInputError(why, item=label)

    has = model.segment_options.get(kind)
    if not has:
        kinds = ", ".join(model.segment_options) or "nothing"
        raise refuse(f"{model.name} divides {kinds} into segments, not {kind}.")
    for option in options.embedding_option or ():
        if option not in has:
            raise refuse(f"{model.name} has no option {option!r} for {kind}; it has {', '.join(has)}.")
    if not options.embedding_scope or not set(options.embedding_scope) <= {"clip", "asset"}:
        raise refuse(f"embedding_scope={list(options.embedding_scope)} must be 'clip', 'asset' or both.")
    types = options.embedding_type or ()
    if not set(types) <= {"separate_embedding", "fused_embedding"}:
        raise refuse(f"embedding_type={list(types)} must be 'separate_embedding', 'fused_embedding' or both.")
    if "fused_embedding" in types and len(options.embedding_option or has) < 2 and not options.time_based_metadata:
        raise refuse("a fused vector needs two options or more to fuse.")
    newest = model.request_form == "multi_input"
    if (options.time_based_metadata or options.embedding_uncertainty) and not newest:
        raise refuse(f"{model.name} knows neither time_based_metadata nor embedding_uncertainty; marengo3.5 does.")
    if options.time_based_metadata and "fused_embedding" not in types:
        raise refuse("time_based_metadata changes fused vectors only: add embedding_type=['fused_embedding'].")
    if options.embedding_uncertainty and "asset" in options.embedding_scope:
        raise refuse("embedding_uncertainty is for clips only: use embedding_scope=['clip'].")
    for note in options.time_based_metadata:
        if note.start < 0 or note.end < note.start or not note.text.strip():
            raise refuse(f"the note {note.start}-{note.end} s needs start <= end and a text.")
    _check_segmentation(options.segmentation, model, kind, refuse)


def _check_segmentation(segmentation: Segmentation | None, model: Model, kind: Kind, refuse: Any) -> None:
    if segmentation is None:
        return
    timed = kind in ("audio", "video")
    if isinstance(segmentation, (Fixed, Dynamic)) != timed:
        fitting = "Fixed or Dynamic" if timed else "Sentences (text) or Quadrants (PDF)"
        raise refuse(f"{type(segmentation).__name__} does not divide {kind}; use {fitting}.")
    if isinstance(segmentation, Dynamic) and kind == "audio" and model.request_form == "typed":
        raise refuse(f"{model.name} divides sounds by Fixed only.")
    length = {Fixed: "duration_sec", Dynamic: "min_duration_sec"}.get(type(segmentation))
    if length is not None:
        low, high = (2, 10) if isinstance(segmentation, Fixed) else (2, 5)
        value = getattr(segmentation, length)
        if not low <= value <= high:
            raise refuse(f"{length}={value} must be {low} to {high} seconds.")
    if isinstance(segmentation, Sentences) and not 0 <= segmentation.overlap_sentences < segmentation.max_sentences:
        raise refuse("overlap_sentences must be 0 or more, and less than max_sentences.")


def option_fields(options: SegmentOptions, model: Model, kind: Kind, *, is_text: bool = False) -> dict[str, Any]:
    """The options as fields of the ``audio``, ``video``, ``image`` or ``document`` object of a v2 request.

    Args:
        is_text: a document is ``.txt`` or ``.md``, not PDF.
    """
    fields: dict[str, Any] = {}
    segmentation = _segmentation_field(options.segmentation, nested=model.request_form == "multi_input")
    if segmentation is not None:
        fields["segmentation"] = segmentation
    # Always sent: what the API takes for default differs between its own pages (3.5 and transcription).
    default = ("text",) if is_text else ("visual",) if kind == "document" else model.segment_options[kind]
    fields["embedding_option"] = list(options.embedding_option or default)
    scopes = ["asset"] if kind == "image" else list(options.embedding_scope)
    fields["embedding_scope"] = ["local" if s == "clip" and kind == "document" else s for s in scopes]
    if options.embedding_type:
        fields["embedding_type"] = list(options.embedding_type)
    if options.time_based_metadata:
        fields["time_based_metadata"] = [
            {"start": note.start, "end": note.end, "text": note.text} for note in options.time_based_metadata
        ]
    return fields


def _segmentation_field(segmentation: Segmentation | None, *, nested: bool) -> dict[str, Any] | None:
    if segmentation is None:
        return None
    if isinstance(segmentation, Sentences):
        how = {"strategy": "sentence", "max_sentences": segmentation.max_sentences}
        return {"sequential": {**how, "overlap_sentences": segmentation.overlap_sentences}}
    if isinstance(segmentation, Quadrants):
        return {"spatial": {"strategy": "quadrants"}}
    if isinstance(segmentation, Fixed):
        timed: dict[str, Any] = {"strategy": "fixed", "fixed": {"duration_sec": segmentation.duration_sec}}
    else:
        timed = {"strategy": "dynamic", "dynamic": {"min_duration_sec": segmentation.min_duration_sec}}
    return {"temporal": timed} if nested else timed
