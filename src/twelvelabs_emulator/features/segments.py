"""Audio and video over time: which spans are embedded, with which option and scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from ..protocol.errors import invalid
from ..protocol.fields import Fields
from ..protocol.models import Model
from ..protocol.settings import Settings
from .media.audio import TOLERANCE_SEC, Sound, changes, words_of_sound, words_of_speech
from .media.cancellation import check_halt
from .media.video import Film, shots, words_of_film
from .vectors import Vector, fused, text_vector, vector

__all__ = [
    "Note",
    "Row",
    "TimeRequest",
    "film_rows",
    "fixed_spans",
    "read_time_request",
    "read_time_request_35",
    "sound_rows",
    "span_of",
]

_OPTIONS = {"audio": ("audio", "transcription"), "video": ("visual", "audio", "transcription")}
_OPTIONS_35 = {"audio": ("audio",), "video": ("visual", "audio")}
_SCOPES = ("clip", "asset")
_TYPES = ("separate_embedding", "fused_embedding")


@dataclass(frozen=True)
class Note:
    """Words about a stretch of time (or a moment), in seconds; they go into the fused vectors around it."""

    start: float
    end: float
    text: str

    def touches(self, start: float, end: float) -> bool:
        """Tell whether it is about any of a span."""
        return self.start < end and (self.end > start or self.start >= start)


@dataclass(frozen=True)
class TimeRequest:
    """What is asked about audio or video. Times in seconds; ``end`` None is the end of the file."""

    options: list[str]
    scopes: list[str]
    types: list[str]
    strategy: str
    clip_sec: float
    start: float
    end: float | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Row:
    """One vector of an answer, and what it is the vector of: a time in seconds, or a place in a document."""

    vector: Vector
    option: str | None
    scope: str
    start: float | None = None
    end: float | None = None
    place: Mapping[str, int | str | None] = field(default_factory=dict)


def read_time_request(fields: Fields, kind: Literal["audio", "video"]) -> TimeRequest:
    """Read the marengo3.0 options of ``audio`` or ``video``. Raises the API's 400."""
    options = fields.strings("embedding_option", _OPTIONS[kind], _OPTIONS[kind])
    scopes = fields.strings("embedding_scope", _SCOPES, _SCOPES)
    types = fields.strings("embedding_type", _TYPES, _TYPES[:1])
    if "fused_embedding" in types and len(options) < 2:
        raise invalid(fields.path("embedding_type"), "A fused embedding needs at least two embedding options.")
    start, end = _read_span(fields)
    segmentation = fields.child("segmentation")
    if segmentation is None:
        strategy, clip_sec = ("fixed", 6.0) if kind == "audio" else ("dynamic", 4.0)
    else:
        strategy, clip_sec = _read_strategy(segmentation, ("fixed",) if kind == "audio" else ("fixed", "dynamic"))
    return TimeRequest(options, scopes, types, strategy, clip_sec, start, end)


def read_time_request_35(fields: Fields, kind: Literal["audio", "video"], settings: Settings) -> TimeRequest:
    """Read the marengo3.5 options of a task's ``audio`` or ``video``. Raises the API's 400."""
    if kind == "video" and not fields.has("embedding_option") and settings.default_video_options_marengo35 == "refuse":
        why = "Its default contains transcription, which marengo3.5 does not have. Set it."
        raise invalid(fields.path("embedding_option"), why)
    options = fields.strings("embedding_option", _OPTIONS_35[kind], _OPTIONS_35[kind])
    asked = fields.strings("embedding_scope", ("clip", "local", "asset"), _SCOPES)
    scopes = list(dict.fromkeys("clip" if scope == "local" else scope for scope in asked))
    types = fields.strings("embedding_type", _TYPES, _TYPES[:1])
    notes = tuple(_read_note(item) for item in fields.children("time_based_metadata"))
    if "fused_embedding" in types and not notes:
        raise invalid(fields.path("embedding_type"), "A fused embedding needs `time_based_metadata`.")
    if notes and "fused_embedding" not in types:
        raise invalid(fields.path("time_based_metadata"), "It needs the embedding type fused_embedding.")
    start, end = _read_span(fields)
    segmentation = fields.child("segmentation")
    strategy, clip_sec = "dynamic", 2.0
    if segmentation is not None:
        strategy, clip_sec = _read_strategy(segmentation.needed("temporal"), ("fixed", "dynamic"))
        segmentation.done()
    return TimeRequest(options, scopes, types, strategy, clip_sec, start, end, notes)


def _read_note(item: Fields) -> Note:
    start = item.number("start", low=0, required=True) or 0.0
    end = item.number("end", low=0, required=True) or 0.0
    text = item.string("text", required=True) or ""
    item.done()
    if end < start:
        raise invalid(item.path("end"), "It must not be less than `start`.")
    if not text.strip():
        raise invalid(item.path("text"), "It must not be empty.")
    return Note(start, end, text)


def _read_span(fields: Fields) -> tuple[float, float | None]:
    start = fields.number("start_sec", low=0) or 0.0
    end = fields.number("end_sec", low=0)
    if end is not None and end <= start:
        raise invalid(fields.path("end_sec"), "It must be greater than `start_sec`.")
    return start, end


def _read_strategy(segmentation: Fields, strategies: tuple[str, ...]) -> tuple[str, float]:
    strategy = segmentation.string("strategy", required=True, choices=strategies) or ""
    details = segmentation.needed(strategy)
    if strategy == "fixed":
        clip_sec = details.number("duration_sec", low=2, high=10, required=True)
    else:
        clip_sec = details.number("min_duration_sec", low=2, high=5, required=True)
    details.done()
    segmentation.done()
    assert clip_sec is not None  # required
    return strategy, clip_sec


def span_of(request: TimeRequest, duration: float, parameter: str) -> tuple[float, float]:
    """Return where embedding starts and ends. Raises the API's 400 for times outside the media."""
    if request.start >= duration:
        raise invalid(f"{parameter}.start_sec", f"It must be less than the duration of {duration:.1f} seconds.")
    if request.end is not None and request.end > duration + TOLERANCE_SEC:
        raise invalid(f"{parameter}.end_sec", f"It must not exceed the duration of {duration:.1f} seconds.")
    return request.start, min(request.end or duration, duration)


def fixed_spans(start: float, end: float, length: float, drop_under: float = 0.0) -> list[tuple[float, float]]:
    """Cut a span into pieces of one length; the last may be shorter.

    A rest of under a tenth of a second is an encoder's padding and stays with the piece before it.
    """
    edges = [start]
    while edges[-1] + length < end - TOLERANCE_SEC:
        edges.append(edges[-1] + length)
    spans = list(pairwise([*edges, end]))
    if len(spans) > 1 and spans[-1][1] - spans[-1][0] < drop_under:
        spans.pop()
    return spans


def sound_rows(
    sound: Sound, request: TimeRequest, span: tuple[float, float], model: Model, settings: Settings
) -> list[Row]:
    """Embed a sound, span by span. Measures; call it off the event loop."""
    embed = {
        "audio": lambda start, end: vector(words_of_sound(sound.part(start, end)), model),
        "transcription": lambda start, end: vector(words_of_speech(sound.part(start, end)), model),
    }
    if request.strategy == "fixed":
        clips = fixed_spans(*span, request.clip_sec, settings.drop_last_clip_under_sec)
    else:
        clips = changes(sound, *span, request.clip_sec)
    return _rows(embed, request, clips, span, model)


def film_rows(
    film: Film, request: TimeRequest, span: tuple[float, float], model: Model, settings: Settings
) -> list[Row]:
    """Embed a film, span by span. Measures; call it off the event loop.

    Without a sound track there is nothing to embed as audio or transcription, unless the settings say so.
    """
    sound = film.sound
    if sound is None and settings.soundless_video == "embed":
        sound = Sound.silence(film.duration)
    embed: dict[str, Callable[[float, float], Vector]] = {
        "visual": lambda start, end: vector(words_of_film(film, start, end), model)
    }
    if sound is not None:
        heard = sound
        embed["audio"] = lambda start, end: vector(words_of_sound(heard.part(start, end)), model)
        embed["transcription"] = lambda start, end: vector(words_of_speech(heard.part(start, end)), model)
    if request.strategy == "fixed":
        clips = fixed_spans(*span, request.clip_sec, settings.drop_last_clip_under_sec)
    else:
        clips = shots(film, *span, request.clip_sec)
    return _rows(embed, request, clips, span, model)


def _rows(
    embed: dict[str, Callable[[float, float], Vector]],
    request: TimeRequest,
    clips: list[tuple[float, float]],
    whole: tuple[float, float],
    model: Model,
) -> list[Row]:
    rows: list[Row] = []
    options = [option for option in request.options if option in embed]
    spans = [("clip", clip) for clip in clips] if "clip" in request.scopes else []
    spans += [("asset", whole)] if "asset" in request.scopes else []
    for scope, (start, end) in spans if options else []:
        check_halt()
        vectors = [embed[option](start, end) for option in options]
        if "separate_embedding" in request.types:
            rows += [Row(found, option, scope, start, end) for option, found in zip(options, vectors, strict=True)]
        if "fused_embedding" in request.types:
            said = [text_vector(note.text, model) for note in request.notes if note.touches(start, end)]
            rows.append(Row(fused([*vectors, *said]), "fused", scope, start, end))
    return rows
