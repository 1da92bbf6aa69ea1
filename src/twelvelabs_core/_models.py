"""What each Marengo model accepts: one table, and the functions that read it.

Facts come from the API's documentation and specification (v1.3) and the official SDK 1.3.6; where those are silent a
comment says so. A newer model is described with :class:`Model` and passed as ``model=``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ._errors import InvalidInputError

ApiVersion = Literal["v1", "v2"]
Kind = Literal["text", "image", "audio", "video", "document", "composed"]

# Whether the API's megabyte is 10^6 or 2^20 bytes is not documented; the smaller one is safe.
MB = 1_000_000


@dataclass(frozen=True)
class MediaLimit:
    """What one synchronous request takes of one kind of media.

    Attributes:
        formats: accepted file formats, by content (``jpeg``, ``png``, ``wav`` …); empty = anything.
        max_inline_bytes: largest file sent inside the request.
        max_bytes: largest file at all (uploaded first), None = as inline.
        max_sec: longest duration of a synchronous request, None = not limited or no duration.
        min_side, max_side: smallest and largest width and height in pixels, None = no limit.
        min_sec: shortest duration, None = no limit.
    """

    formats: frozenset[str]
    max_inline_bytes: int
    max_bytes: int | None = None
    max_sec: float | None = None
    min_side: int | None = None
    max_side: int | None = None
    min_sec: float | None = None


@dataclass(frozen=True)
class Model:
    """One embedding model, as data.

    Attributes:
        name: exact ``model_name`` of the API.
        dimensions: vector lengths it can return; the first is the default.
        max_text_tokens: longest text, in the model's tokens (its tokenizer is not published).
        api_versions: endpoints that serve it, ``v1`` = ``/embed``, ``v2`` = ``/embed-v2``; the first is the default.
        request_form: body of a v2 request: ``typed`` (one object an input type) or ``multi_input`` (3.5).
        truncation: the API's own control of over-long texts: ``text_truncate``, ``auto_truncate`` or None.
        inputs: kinds that can be embedded alone, by endpoint.
        composed_media: kinds of media that can be fused with a text or each other into one vector.
        media: limits by kind, for synchronous requests.
        task_media: limits by kind, for tasks.
        segment_options: what can be embedded of a file's segments (``visual``, ``audio`` …), by kind of file.
        sunset: the date on which TwelveLabs switched it off, or None.
    """

    name: str
    dimensions: tuple[int, ...]
    max_text_tokens: int
    api_versions: tuple[ApiVersion, ...] = ("v2",)
    request_form: Literal["typed", "multi_input"] = "multi_input"
    truncation: Literal["text_truncate", "auto_truncate"] | None = None
    inputs: Mapping[ApiVersion, frozenset[Kind]] = field(
        default_factory=lambda: {"v2": frozenset({"text", "image", "audio", "video", "document", "composed"})}
    )
    composed_media: frozenset[Kind] = frozenset()
    media: Mapping[Kind, MediaLimit] = field(default_factory=dict)
    task_media: Mapping[Kind, MediaLimit] = field(default_factory=dict)
    segment_options: Mapping[Kind, tuple[str, ...]] = field(default_factory=dict)
    sunset: str | None = None

    def __post_init__(self) -> None:
        if not self.dimensions or not self.api_versions:
            raise InvalidInputError(f"Model {self.name!r} needs at least one dimension and one API version.")

    def space(self, dimensions: int) -> str:
        """Name of the vector space. Vectors compare only within one; 3.0 and 3.5 have equal lengths in two spaces."""
        return f"{self.name}/{dimensions}"

    def limit(self, kind: Kind, *, may_task: bool) -> MediaLimit | None:
        """The limits of a file of this kind: a task's if ``may_task`` and there are any, else a request's."""
        task = self.task_media.get(kind) if may_task and kind != "image" else None
        return task or self.media.get(kind)


_IMAGE_FORMATS = frozenset({"jpeg", "png"})
_AUDIO_FORMATS = frozenset({"wav", "mp3", "flac"})
_DOCUMENT_FORMATS = frozenset({"pdf", "txt", "md"})

GB = 1000 * MB
# Tasks: 4 seconds to 4 hours, up to 4 GB (API page). 3.5's own numbers are not published; 3.0's are taken.
_TASK_AUDIO = MediaLimit(_AUDIO_FORMATS, 36 * MB, max_bytes=4 * GB, max_sec=14_400, min_sec=4)
_TASK_VIDEO = MediaLimit(frozenset(), 36 * MB, max_bytes=4 * GB, max_sec=14_400, min_sec=4, min_side=360, max_side=5184)

_MARENGO_27 = Model(
    name="Marengo-retrieval-2.7",
    dimensions=(1024,),
    max_text_tokens=77,
    api_versions=("v1",),
    request_form="typed",
    truncation="text_truncate",
    inputs={"v1": frozenset[Kind]({"text", "image", "audio"})},
    media={
        "image": MediaLimit(_IMAGE_FORMATS, 5 * MB, min_side=64),
        "audio": MediaLimit(_AUDIO_FORMATS, 32 * MB, max_sec=600),
    },
    segment_options={"audio": ("audio",)},
    sunset="2026-03-30",
)

_MARENGO_30 = Model(
    name="marengo3.0",
    dimensions=(512,),
    max_text_tokens=500,
    api_versions=("v2", "v1"),
    request_form="typed",
    truncation=None,
    inputs={
        "v1": frozenset[Kind]({"text", "image", "audio"}),
        "v2": frozenset[Kind]({"text", "image", "audio", "video", "composed"}),
    },
    composed_media=frozenset[Kind]({"image"}),
    media={
        "image": MediaLimit(_IMAGE_FORMATS, 32 * MB, min_side=128),
        "audio": MediaLimit(_AUDIO_FORMATS, 36 * MB, max_sec=600),
        "video": MediaLimit(frozenset(), 36 * MB, max_sec=600, min_side=360, max_side=5184),
    },
    task_media={"audio": _TASK_AUDIO, "video": _TASK_VIDEO},
    segment_options={
        "video": ("visual", "audio", "transcription"),
        "audio": ("audio", "transcription"),
        "image": ("visual",),
    },
)

_MARENGO_35 = Model(
    name="marengo3.5",
    dimensions=(512, 256, 128),
    max_text_tokens=2000,
    api_versions=("v2",),
    request_form="multi_input",
    truncation="auto_truncate",
    inputs={"v2": frozenset[Kind]({"text", "image", "audio", "video", "document", "composed"})},
    composed_media=frozenset[Kind]({"image", "audio", "video", "document"}),
    media={
        # The 3.5 pages name no pixel limit for images; the server may apply 3.0's.
        "image": MediaLimit(_IMAGE_FORMATS, 32 * MB),
        "audio": MediaLimit(_AUDIO_FORMATS, 32 * MB, max_sec=30),
        "video": MediaLimit(frozenset(), 32 * MB, max_sec=30, min_side=360, max_side=5184),
        "document": MediaLimit(_DOCUMENT_FORMATS, 32 * MB),
    },
    task_media={
        "audio": _TASK_AUDIO,
        "video": _TASK_VIDEO,
        "image": MediaLimit(_IMAGE_FORMATS, 32 * MB),
        "document": MediaLimit(_DOCUMENT_FORMATS, 36 * MB, max_bytes=512 * MB),
    },
    segment_options={
        "video": ("visual", "audio"),
        "audio": ("audio",),
        "image": ("visual",),
        "document": ("visual", "text"),
    },
)

DEFAULT_MODEL = "marengo3.0"
"""The model of a client that is given none."""

MODELS: Mapping[str, Model] = {m.name: m for m in (_MARENGO_30, _MARENGO_35, _MARENGO_27)}
"""The models this version knows, by exact name."""


def find_model(model: str | Model) -> Model:
    """The model of a name; a :class:`Model` is returned as it is.

    Raises:
        InvalidInputError: unknown name; the message lists close matches and the known models.
    """
    if isinstance(model, Model):
        return model
    if model in MODELS:
        return MODELS[model]
    close = close_names(str(model))
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise InvalidInputError(
        f"Unknown model {model!r}. {hint}Known: {', '.join(MODELS)}. Describe a newer one with Model(...)."
    )


def close_names(name: str) -> list[str]:
    """The known models that a name may stand for, the likeliest first.

    One that was switched off is named only if it is the likeliest.
    """
    known = {_letters(model): model for model in MODELS}
    if _letters(name) in known:
        return [known[_letters(name)]]
    close = [known[found] for found in difflib.get_close_matches(_letters(name), known, n=3, cutoff=0.4)]
    return [model for place, model in enumerate(close) if place == 0 or MODELS[model].sunset is None]


def _letters(name: str) -> str:
    """A name as people remember it: ``marengo-3.0`` and ``Marengo 3.0`` are ``marengo30``."""
    return "".join(char for char in name.lower() if char.isalnum())


def switched_off(model: Model) -> str:
    """What to know of a model that was switched off, for messages: when, and what moving to the default one takes."""
    new = MODELS[DEFAULT_MODEL]
    return (
        f"{model.name} was switched off by TwelveLabs on {model.sunset}; use {new.name}. Vectors of the two do not "
        f"compare ({model.space(model.dimensions[0])}, {new.space(new.dimensions[0])}): embed everything again, into "
        "a new collection. plan() of a client counts what that takes."
    )


def models_that(can: str, fits: Callable[[Model], bool]) -> str:
    """A sentence for error messages: the known models that can do what the chosen one cannot.

    Args:
        can: what they can do: ``return 256 dimensions``.
        fits: whether a model can. Models that were switched off are not asked.
    """
    names = [m.name for m in MODELS.values() if m.sunset is None and fits(m)]
    return f"{' and '.join(names)} can {can}." if names else f"No known model can {can}."


def resolve_dimensions(model: Model, dimensions: int | None) -> int:
    """The vector length to request: ``dimensions``, or the model's default if None.

    Raises:
        InvalidInputError: the model cannot return that length; the message names the models that can.
    """
    if dimensions is None:
        return model.dimensions[0]
    if dimensions in model.dimensions:
        return dimensions
    has = ", ".join(map(str, sorted(model.dimensions)))
    raise InvalidInputError(
        f"{model.name} returns {has} dimensions, not {dimensions}. "
        + models_that(f"return {dimensions} dimensions", lambda m: dimensions in m.dimensions)
    )


def resolve_api_version(model: Model, api_version: str | None) -> ApiVersion:
    """The API version to use: ``api_version``, or the model's default if None.

    Raises:
        InvalidInputError: unknown version, or one that does not serve the model.
    """
    if api_version is None:
        return model.api_versions[0]
    for version in model.api_versions:
        if version == api_version:
            return version
    raise InvalidInputError(
        f"{model.name} is served by {' and '.join(model.api_versions)}, not by api_version={api_version!r}."
    )
