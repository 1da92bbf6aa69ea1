"""The options of a request for segments: how a file is divided and what is embedded of it; with their checks.

Facts: API pages of /embed-v2 and /embed-v2/tasks, official SDK 1.3.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeAlias

from ._errors import InvalidInputError
from ._models import ApiVersion, Kind, Model


@dataclass(frozen=True)
class Fixed:
    """Segments of equal length.

    Attributes:
        duration_sec: length of a segment, 2 to 10 whole seconds.
    """

    duration_sec: int = 6


@dataclass(frozen=True)
class Dynamic:
    """Segments by shot boundaries; video only on marengo3.0.

    Attributes:
        min_duration_sec: shortest length of a segment, 2 to 5 whole seconds.
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
    """Every page of a PDF, and each quarter of it (marengo3.5): five vectors a page."""


Scope: TypeAlias = Literal["clip", "asset"]
EmbeddingType: TypeAlias = Literal["separate_embedding", "fused_embedding"]
Segmentation: TypeAlias = Fixed | Dynamic | Sentences | Quadrants
Refuse: TypeAlias = Callable[[str], InvalidInputError]


@dataclass(frozen=True)
class TimedText:
    """Text about a time range, for fused vectors of marengo3.5 (``time_based_metadata``).

    Attributes:
        start, end: seconds; equal for a single point in time.
        text: what happens there.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class SegmentOptions:
    """What to embed of a file.

    Attributes:
        segmentation: how it is divided; None = the model's default (3.0: video dynamic 4 s, audio fixed 6 s; 3.5:
            dynamic 2 s; text documents 5 sentences with an overlap of 1).
        embedding_option: ``visual``, ``audio``, ``transcription``; None = every option the model has for the kind.
        embedding_scope: ``clip`` (segments) and ``asset`` (the whole file).
        embedding_type: ``separate_embedding`` and ``fused_embedding`` (all options in one vector).
        time_based_metadata: timed text for fused vectors; marengo3.5.
        embedding_uncertainty: ask for an uncertainty vector beside each; marengo3.5, not with scope ``asset``.
    """

    segmentation: Segmentation | None = None
    embedding_option: Sequence[str] | None = None
    embedding_scope: Scope | Sequence[Scope] = ("clip",)
    embedding_type: EmbeddingType | Sequence[EmbeddingType] | None = None
    time_based_metadata: Sequence[TimedText] = ()
    embedding_uncertainty: bool = False

    def __post_init__(self) -> None:
        for name in ("embedding_option", "embedding_scope", "embedding_type"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, (value,))
            elif value is not None:
                object.__setattr__(self, name, tuple(value))


# The API has no default segmentation for text documents and refuses a request without one (API page).
DEFAULT_SENTENCES = Sentences(5, overlap_sentences=1)

_OWN_OPTION = {"audio": "audio", "video": "visual", "image": "visual", "document": "visual"}


def own_option(kind: Kind, *, is_text: bool = False) -> str:
    """The ``embedding_option`` of a whole-file vector: ``text`` for text documents, else by kind.

    Args:
        is_text: a document is ``.txt`` or ``.md``, not PDF.
    """
    return "text" if is_text else _OWN_OPTION[kind]


# One for every file, or by the kind of file; a kind without any has the model's own segments.
OptionsByKind: TypeAlias = "SegmentOptions | Mapping[str, SegmentOptions]"


def whole_file(kind: Kind, *, is_text: bool = False) -> SegmentOptions:
    """Options of one vector for a whole file: the segment of scope ``asset``."""
    return SegmentOptions(embedding_option=(own_option(kind, is_text=is_text),), embedding_scope=("asset",))


def is_whole_file(options: SegmentOptions, model: Model, kind: Kind, *, is_text: bool = False) -> bool:
    """Whether the options ask for the one vector of :func:`whole_file` and nothing else."""
    if kind == "image":  # an image is not divided: the whole is its only segment
        return not options.embedding_uncertainty
    own = own_option(kind, is_text=is_text)
    asked = options.embedding_option or ((own,) if kind == "document" else model.segment_options.get(kind))
    return replace(options, embedding_option=asked) == whole_file(kind, is_text=is_text)


def with_defaults(options: SegmentOptions, kind: Kind, *, is_text: bool) -> SegmentOptions:
    """The options, with :data:`DEFAULT_SENTENCES` for clips of a text document without a segmentation."""
    if kind == "document" and is_text and options.segmentation is None and "clip" in options.embedding_scope:
        return replace(options, segmentation=DEFAULT_SENTENCES)
    return options


def check_options(options: SegmentOptions, model: Model, kind: Kind, label: str, api_version: ApiVersion) -> None:
    """Refuse options that the model does not have.

    Args:
        label: the item's name in errors.

    Raises:
        InvalidInputError: the message says what is wrong and what the model has.
    """
    refuse = partial(InvalidInputError, item=label)

    has = model.segment_options.get(kind)
    if not has:
        kinds = ", ".join(model.segment_options) or "nothing"
        raise refuse(f"{model.name} divides {kinds} into segments, not {kind}.")
    for option in options.embedding_option or ():
        if option not in has:
            raise refuse(f"{model.name} has no option {option!r} for {kind}; it has {', '.join(has)}.")
    _check_scope_and_type(options, has, refuse)
    if (options.time_based_metadata or options.embedding_uncertainty) and model.request_form != "multi_input":
        raise refuse(f"{model.name} has neither time_based_metadata nor embedding_uncertainty; marengo3.5 has both.")
    for note in options.time_based_metadata:
        if note.start < 0 or note.end < note.start or not note.text.strip():
            raise refuse(f"the timed text {note.start}-{note.end} s needs 0 <= start <= end and a text.")
    _check_segmentation(options.segmentation, model, kind, refuse)
    if api_version == "v1":
        _check_v1(options, kind, refuse)


def _check_scope_and_type(options: SegmentOptions, has: Sequence[str], refuse: Refuse) -> None:
    if not options.embedding_scope or not set(options.embedding_scope) <= {"clip", "asset"}:
        raise refuse(f"embedding_scope={list(options.embedding_scope)} must be 'clip', 'asset' or both.")
    types = options.embedding_type or ()
    if not set(types) <= {"separate_embedding", "fused_embedding"}:
        raise refuse(f"embedding_type={list(types)} must be 'separate_embedding', 'fused_embedding' or both.")
    if "fused_embedding" in types and len(options.embedding_option or has) < 2 and not options.time_based_metadata:
        raise refuse("a fused vector needs two options or more to fuse.")
    if options.time_based_metadata and "fused_embedding" not in types:
        raise refuse("time_based_metadata changes fused vectors only: add embedding_type=['fused_embedding'].")
    if options.embedding_uncertainty and "asset" in options.embedding_scope:
        raise refuse("embedding_uncertainty is for clips only: use embedding_scope=['clip'].")


def _check_v1(options: SegmentOptions, kind: Kind, refuse: Refuse) -> None:
    """v1 divides video by a task with options, audio into fixed segments without any, and nothing else."""
    if kind == "document":
        raise refuse("v1 divides audio and video only; leave api_version out.")
    if kind != "audio":
        return
    if (
        options.segmentation is not None
        or options.embedding_option is not None
        or "clip" not in options.embedding_scope
    ):
        raise refuse("v1 offers no options for segments of audio; leave api_version out to choose.")


def _check_segmentation(segmentation: Segmentation | None, model: Model, kind: Kind, refuse: Refuse) -> None:
    if segmentation is None:
        return
    if kind == "image":
        raise refuse("an image is not divided; leave segmentation out.")
    timed = kind in ("audio", "video")
    if isinstance(segmentation, (Fixed, Dynamic)) != timed:
        fitting = "Fixed or Dynamic" if timed else "Sentences (text) or Quadrants (PDF)"
        raise refuse(f"{type(segmentation).__name__} does not divide {kind}; use {fitting}.")
    if isinstance(segmentation, Dynamic) and kind == "audio" and model.request_form == "typed":
        raise refuse(f"{model.name} divides audio by Fixed only.")
    length = {Fixed: "duration_sec", Dynamic: "min_duration_sec"}.get(type(segmentation))
    if length is not None:
        low, high = (2, 10) if isinstance(segmentation, Fixed) else (2, 5)
        value = getattr(segmentation, length)
        if not low <= value <= high:
            raise refuse(f"{length}={value} must be {low} to {high} seconds.")
    if isinstance(segmentation, Sentences) and not 0 <= segmentation.overlap_sentences < segmentation.max_sentences:
        raise refuse("overlap_sentences must be 0 or more, and less than max_sentences.")
