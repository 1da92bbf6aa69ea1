"""Every switch of the emulator, in one frozen value.

The API's documentation leaves points open. For each of them there is a switch here, whose default is the
likeliest reading, so that a client can be tried against the other readings too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .setting_values import checked, plain, read_text

__all__ = ["Settings", "choices", "count_words", "from_text", "plain_names"]


def count_words(text: str) -> int:
    """Count tokens as words between white space. TwelveLabs publishes no tokenizer."""
    return len(text.split())


@dataclass(frozen=True)
class Settings:
    """How the emulator behaves. Frozen: change it with `replace`, or on a running server with ``configure``.

    Raises ``ValueError`` when a value is not one of those named in the field's type.
    """

    # --- who may call, how fast we answer ---
    #: Keys let in. An empty tuple lets in any key that is not empty.
    api_keys: tuple[str, ...] = ("tlk_emulator",)
    #: Least time in seconds from the request's arrival to its answer.
    latency_sec: float = 0.0

    #: How many seconds the emulator's clock is ahead. Raise it to let windows and addresses run out at once.
    clock_offset_sec: float = 0.0

    # --- rate limits ---
    #: Published limits to start from: fills ``limits`` and ``limit_minutes`` where they say nothing.
    plan: Literal["free", "tier1", "tier2", "tier3"] | None = None
    #: Requests by category (text, image, audio, video, upload): one ``(count, seconds)`` or a list of them.
    limits: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    #: Minutes of media by category (audio, video): one ``(minutes, seconds)`` or a list of them.
    limit_minutes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    #: A sliding window forgets each request as it grows old, a fixed one starts with its first request.
    window: Literal["sliding", "fixed"] = "sliding"
    #: Whether pictures are counted, and limited, together with texts (the documentation can be read both ways).
    text_image_share: bool = True
    #: After so many embedding requests in a day, everything is refused until the day is over.
    quota_after: int | None = None
    #: Headers: ``X-Ratelimit-Dimensions`` and ``X-Ratelimit-Request-…``, the older ``X-Ratelimit-Limit`` …, or none.
    limit_headers: Literal["dimensions", "old", "none"] = "dimensions"
    #: Whether ``…-Reset`` headers have a fraction of a second, or are rounded up.
    reset_fraction: bool = False
    #: Body of a 429. All three are on record.
    limit_body: Literal["flat", "nested", "empty"] = "flat"
    #: ``Retry-After`` of a 429: "seconds", "date", "none", or always this number.
    retry_after: str | float = "seconds"

    # --- faults ---
    #: Rules in order, such as ``{"path": "embed-v2", "every": 10, "kind": "status:503"}``.
    faults: Sequence[Any] = ()

    # --- models ---
    #: Models that ``POST /embed`` serves. Take the first out to see the service after its sunset.
    v1_models: tuple[str, ...] = ("Marengo-retrieval-2.7", "marengo3.0")
    #: Models that ``POST /embed-v2`` serves.
    v2_models: tuple[str, ...] = ("marengo3.0", "marengo3.5")
    #: Whether ``MARENGO3.0`` is taken for ``marengo3.0``.
    model_name_ignores_case: bool = False
    #: What a request without ``model_name`` gets: a 400, or marengo3.0 (both are documented).
    missing_model_name: Literal["refuse", "marengo3.0"] = "refuse"

    # --- texts ---
    #: How tokens are counted: a callable from text to number.
    count_tokens: Callable[[str], int] = count_words
    #: marengo3.0 on v2, text of more than 500 tokens.
    over_long_text_v2_marengo30: Literal["refuse", "cut"] = "refuse"
    #: marengo3.0 on v1: cut without a word, 400, or 200 with ``text_embedding.error_message``.
    over_long_text_v1_marengo30: Literal["cut", "refuse", "part_error"] = "cut"
    #: Error code of a 400 for a text that is too long.
    over_long_text_code: str = "parameter_invalid"
    #: A text of white space alone. (An empty one is always refused.)
    blank_text: Literal["refuse", "embed"] = "refuse"

    # --- requests and errors ---
    #: Body of 400, 413, 429 and 500 on ``/embed-v2``: ``{"error": {"code", …}}`` or ``{"code", …}``.
    v2_error_shape: Literal["nested", "flat"] = "nested"
    #: Codes on ``/embed-v2``: as elsewhere, or those of the specification's examples (``VALIDATION_ERROR`` …).
    v2_error_codes: Literal["lower", "upper"] = "lower"
    #: Keys and form fields that the API does not know.
    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    #: JSON ``null`` where a field may be left out.
    null_fields: Literal["absent", "refuse"] = "absent"
    #: Status of a path or thing that does not exist.
    not_found_status: Literal[404, 400] = 404
    #: Status of marengo3.5 sources over 32 MB, and of documents with too many pages.
    too_large_status: Literal[413, 400] = 413
    #: Status of marengo3.5 audio and video over 30 seconds.
    too_long_media_status: Literal[400, 413] = 400

    # --- media ---
    #: Bytes in what the documentation calls a megabyte (1,000,000 or 1,048,576).
    megabyte: int = 1_000_000
    #: Picture formats taken, as Pillow names them.
    image_formats: tuple[str, ...] = ("JPEG", "PNG")
    #: A PDF of 1.2 MB has the page allowance of 2 MB ("counts") or of 1 MB ("ignored").
    pdf_partial_megabyte: Literal["counts", "ignored"] = "counts"
    #: Which URLs are really read: those of this machine, any, or none. Others get the API's 400.
    fetch_urls: Literal["loopback", "any", "none"] = "loopback"
    #: Content of URLs that are never fetched: ``{"https://example.com/a.png": Path("a.png")}``.
    url_files: Mapping[str, bytes | Path] = field(default_factory=lambda: MappingProxyType({}))
    #: Most megabytes read from a URL, or taken as the body of a request.
    max_transfer_megabytes: int = 300

    # --- assets and uploads ---
    #: How often ``GET /assets/{id}`` says "processing" before an asset is ready …
    asset_polls: int = 1
    #: … and how many seconds it takes at least.
    asset_ready_sec: float = 0.0
    #: Messages with which new assets fail, one after the other; an empty one lets its asset be.
    asset_failures: tuple[str, ...] = ()
    #: ``GET`` and ``DELETE`` of an asset that is not there: 403 ``read_not_allowed`` or 404.
    unknown_asset_status: Literal[403, 404] = 403
    #: Whether assets are in use elsewhere, so that deleting one without ``force`` is a conflict (409).
    assets_in_use: bool = False
    #: Size in bytes of a part of a multipart upload.
    chunk_bytes: int = 5_242_880
    #: How many addresses for parts a new upload comes with.
    first_upload_urls: int = 10
    #: Seconds that an address for a part lasts, and an upload as a whole.
    upload_url_sec: float = 3600.0
    upload_session_sec: float = 86_400.0

    # --- tasks ---
    #: How often a task's status, or the task, is "processing" before it is ready …
    task_polls: int = 1
    #: … and how many seconds it takes at least.
    task_sec: float = 0.0
    #: Messages with which new tasks fail, one after the other; an empty one lets its task be.
    task_failures: tuple[str, ...] = ()
    #: Media that cannot be fetched, read or are too short or long: a 400 at once, or a task that fails later.
    task_media_check: Literal["create", "later"] = "create"
    #: Shortest audio or video of a task, in seconds.
    task_least_sec: float = 4.0
    #: Seconds that a task and its result are kept (a week) …
    task_kept_sec: float = 604_800.0
    #: … and what it is then: not there any more, or failed.
    expired_task: Literal["gone", "failed"] = "gone"
    #: v1 ``video_clip_length`` written with a point, such as 6.0 (users report a 400).
    fractional_clip_length: Literal["refuse", "accept"] = "refuse"
    #: marengo3.5 video tasks without ``embedding_option``: sources disagree about the default.
    default_video_options_marengo35: Literal["visual_audio", "refuse"] = "visual_audio"
    #: Names of lists in the metadata that ``GET /embed-v2/tasks`` shows: ``…_option`` or ``…_options``.
    task_list_metadata: Literal["singular", "plural"] = "singular"

    # --- answers ---
    #: v1 audio of marengo3.0: two vectors (sound, then speech) for every span of six seconds, or one.
    audio_v1_two_vectors: bool = True
    #: Whether v1 audio segments say ``embedding_option`` (older specifications do).
    audio_v1_labels: bool = False
    #: Whether the vectors have length 1.
    unit_length: bool = True
    #: Whether the 128 or 256 first numbers of marengo3.5 are scaled back to length 1.
    normalize_prefix: bool = True
    #: Hand out v2 ``data`` in random order; the documentation promises none.
    shuffle_segments: bool = False
    #: Drop a last clip of v2 audio and video that is shorter than this, in seconds (v1 tasks drop under 2).
    drop_last_clip_under_sec: float = 0.0
    #: "audio" and "transcription" of a film without sound: left out, or embedded as silence.
    soundless_video: Literal["omit", "embed"] = "omit"

    def __post_init__(self) -> None:
        for name, hint in _hints().items():
            object.__setattr__(self, name, checked(name, hint, getattr(self, name)))

    def replace(self, **changes: Any) -> Settings:
        """Return a copy with some values changed. Raises ``ValueError`` for a name that is no setting."""
        unknown = sorted(set(changes) - set(_hints()))
        if unknown:
            raise ValueError(f"no such setting: {', '.join(unknown)}")
        return dataclasses.replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """Return the settings that JSON can say; the keys themselves are left out."""
        return {name: plain(getattr(self, name)) for name in plain_names() if name != "api_keys"}


def plain_names() -> list[str]:
    """Name the settings that JSON can say."""
    return [name for name in _hints() if name not in ("count_tokens", "url_files")]


def choices(name: str) -> tuple[Any, ...]:
    """Return what a setting may be, or nothing if that is not a short list."""
    hint = _hints()[name]
    return get_args(hint) if get_origin(hint) is Literal else ()


def from_text(name: str, text: str) -> Any:
    """Return what a setting's value on the command line stands for. Raises ``ValueError``."""
    if name not in plain_names():
        raise ValueError(f"no such setting: {name}")
    return read_text(_hints()[name], text)


_HINTS: dict[str, Any] = {}


def _hints() -> dict[str, Any]:
    if not _HINTS:
        _HINTS.update(get_type_hints(Settings))
    return _HINTS
