"""Every setting of the emulator, in one frozen value.

The API's documentation leaves points open. Each of them is a setting here, whose default is the likeliest
reading, so that a client can be tested against the other readings too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    Strict,
    ValidationError,
    model_validator,
)

from .faults import Fault
from .plans import Category


def count_words(text: str) -> int:
    """Count tokens as words between white space. TwelveLabs publishes no tokenizer."""
    return len(text.split())


def _as_list_of_windows(value: Any) -> Any:
    """Wrap a single ``(limit, seconds)`` in a list."""
    single = (
        isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(item, (int, float)) for item in value)
    )
    return [value] if single else value


def _check_retry_after(value: str | float) -> str | float:
    if value in ("seconds", "date", "none") or (isinstance(value, float) and 0 <= value < 1e10):
        return value
    raise ValueError("Input should be 'seconds', 'date', 'none' or a number")


def _check_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
        return value
    raise ValueError("Input should be an https address; the API key is sent there")


def _validated_as(kind: Any) -> GetPydanticSchema:
    """Validate as ``kind``, while type checkers see the wider type that callers may pass."""
    return GetPydanticSchema(lambda _, handler: handler.generate_schema(kind))


_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Centuries: more would leave the calendar.
_Offset = Annotated[float, Field(ge=0, le=1e10, allow_inf_nan=False)]
_Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Window = Annotated[tuple[_Amount, _Length], Strict(False)]
_Windows = Annotated[tuple[_Window, ...], Strict(False), BeforeValidator(_as_list_of_windows)]
_Limits = Annotated[dict[Category, _Windows], Strict(False)]
_Minutes = Annotated[dict[Literal["audio", "video"], _Windows], Strict(False)]
_Faults = Annotated[tuple[Fault, ...], Strict(False)]
_Files = Annotated[dict[str, bytes | Annotated[Path, Strict(False)]], Strict(False)]
_Count = Annotated[int, Field(ge=0)]
_ListOrTuple = list[str] | tuple[str, ...]
_Strings = Annotated[_ListOrTuple, _validated_as(Annotated[tuple[str, ...], Strict(False)])]


class Settings(BaseModel):
    """How the emulator behaves. Frozen: `replace` returns a changed copy; ``Emulator.configure`` applies one.

    Raises ``ValueError`` (pydantic's ``ValidationError``) for an unknown name or a value of the wrong kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    # --- access and timing ---
    #: Accepted API keys. An empty tuple accepts any key that is not empty.
    api_keys: _Strings = ("tlk_emulator",)
    #: Minimum time in seconds from a request's arrival to its response.
    latency_sec: _Amount = 0.0
    #: Seconds that the emulator's clock is ahead. Raise it to let windows and upload URLs expire at once.
    clock_offset_sec: _Offset = 0.0

    # --- rate limits ---
    #: Published limits to start from: fills ``limits`` and ``limit_minutes`` for categories they do not set.
    plan: Literal["free", "tier1", "tier2", "tier3"] | None = None
    #: Requests by category (text, image, audio, video, upload): one ``(count, seconds)`` or a list of them.
    limits: Annotated[Mapping[str, Any], _validated_as(_Limits)] = Field(default_factory=dict)
    #: Minutes of media by category (audio, video): one ``(minutes, seconds)`` or a list of them.
    limit_minutes: Annotated[Mapping[str, Any], _validated_as(_Minutes)] = Field(default_factory=dict)
    #: A sliding window forgets each request as it grows old, a fixed one starts with its first request.
    window: Literal["sliding", "fixed"] = "sliding"
    #: Whether images and texts share one counter and limit (the documentation can be read both ways).
    text_image_share: bool = True
    #: After this many embedding requests in a day, every request is refused until the day is over.
    quota_after: _Count | None = None
    #: ``X-Ratelimit-Dimensions`` and ``X-Ratelimit-Request-…``, the older ``X-Ratelimit-Limit`` …, or none.
    limit_headers: Literal["dimensions", "old", "none"] = "dimensions"
    #: Headers of categories without a limit: those of a limit that is never reached (a million a minute), or none. The
    #: documentation promises them for every response; an account without limits is not documented.
    unlimited_headers: Literal["none", "plenty"] = "plenty"
    #: Whether ``…-Reset`` headers have a fraction of a second, or are rounded up.
    reset_fraction: bool = False
    #: Body of a 429. All three have been reported.
    limit_body: Literal["flat", "nested", "empty"] = "flat"
    #: ``Retry-After`` of a 429: "seconds", "date", "none", or always this number.
    retry_after: Annotated[str | float, AfterValidator(_check_retry_after)] = "seconds"

    # --- faults ---
    #: Rules in order, such as ``{"path": "embed-v2", "every": 10, "kind": "status:503"}``.
    faults: Annotated[Sequence[Any], _validated_as(_Faults)] = ()

    # --- recorded answers ---
    #: A folder of recorded answers, which are given instead of vectors of the emulator's own.
    recording: Annotated[Path, Strict(False)] | None = None
    #: Base address of the service to record, such as ``https://api.twelvelabs.io/v1.3``: every request goes there, with
    #: the client's key, and its answer to ``recording``.
    record_from: Annotated[str, AfterValidator(_check_address)] | None = None
    #: A request whose answer is not recorded: a 400, or served by the emulator.
    unrecorded: Literal["refuse", "emulate"] = "refuse"

    # --- models ---
    #: Models that ``POST /embed`` serves. Remove the first to emulate the service after its sunset.
    v1_models: _Strings = ("Marengo-retrieval-2.7", "marengo3.0")
    #: Models that ``POST /embed-v2`` serves.
    v2_models: _Strings = ("marengo3.0", "marengo3.5")
    #: Whether ``MARENGO3.0`` means ``marengo3.0``.
    model_name_ignores_case: bool = False
    #: A request without ``model_name``: a 400, or marengo3.0 (both are documented).
    missing_model_name: Literal["refuse", "marengo3.0"] = "refuse"

    # --- texts ---
    #: How tokens are counted: a callable from text to number.
    count_tokens: Callable[[str], int] = count_words
    #: marengo3.0 on v2, text of more than 500 tokens.
    over_long_text_v2_marengo30: Literal["refuse", "cut"] = "refuse"
    #: marengo3.0 on v1: cut silently, 400, or 200 with ``text_embedding.error_message``.
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
    #: An empty form field, as the official SDK sends for ``text=None``: not sent, or a value that is not accepted.
    empty_fields: Literal["absent", "refuse"] = "absent"
    #: A text that is sent as a file with a name, as version 0.4 of the official SDK does: taken as text, or a 400.
    text_files: Literal["accept", "refuse"] = "accept"
    #: JSON ``null`` where a field may be left out.
    null_fields: Literal["absent", "refuse"] = "absent"
    #: Status for a path or object that does not exist.
    not_found_status: Literal[404, 400] = 404
    #: Status for marengo3.5 sources over 32 MB, and for documents with too many pages.
    too_large_status: Literal[413, 400] = 413
    #: Status for marengo3.5 audio and video over 30 seconds.
    too_long_media_status: Literal[400, 413] = 400

    # --- media ---
    #: Bytes in what the documentation calls a megabyte (1,000,000 or 1,048,576).
    megabyte: _Count = 1_000_000
    #: Accepted image formats, as Pillow names them.
    image_formats: _Strings = ("JPEG", "PNG")
    #: The orientation in an image's EXIF data: applied, as browsers do, or ignored.
    exif_orientation: Literal["apply", "ignore"] = "apply"
    #: A PDF of 1.2 MB has the page allowance of 2 MB ("counts") or of 1 MB ("ignored").
    pdf_partial_megabyte: Literal["counts", "ignored"] = "counts"
    #: Which URLs are fetched: those of this machine, any, or none. Others get the API's 400.
    fetch_urls: Literal["loopback", "any", "none"] = "loopback"
    #: Content of URLs that are never fetched: ``{"https://example.com/a.png": Path("a.png")}``.
    url_files: Annotated[Mapping[str, bytes | Path], _validated_as(_Files)] = Field(default_factory=dict)
    #: Most megabytes read from a URL, or accepted as the body of a request.
    max_transfer_megabytes: _Count = 300

    # --- assets and uploads ---
    #: How many times ``GET /assets/{id}``, or a list with the asset, returns "processing" before it is ready.
    asset_polls: _Count = 1
    #: Seconds until an asset is ready, at least.
    asset_ready_sec: _Amount = 0.0
    #: Seconds after those from which on it is ready even if nobody has asked; ``None``: polls alone count.
    asset_unasked_sec: _Amount | None = 5.0
    #: An asset that is still processing, in a request: refused (documented), or used.
    unready_asset: Literal["refuse", "accept"] = "refuse"
    #: What is said in every audio and video asset, for ``GET /assets/{id}/transcription``; ``None``: it has none (404).
    asset_transcript: str | None = None
    #: Error messages of the next assets, in order; with an empty one, the asset succeeds.
    asset_failures: _Strings = ()
    #: ``GET`` and ``DELETE`` of an asset that does not exist: 403 ``read_not_allowed`` or 404.
    unknown_asset_status: Literal[403, 404] = 403
    #: Whether assets are in use elsewhere, so that deleting one without ``force`` is a conflict (409).
    assets_in_use: bool = False
    #: Size in bytes of a part of a multipart upload.
    chunk_bytes: _Count = 5_242_880
    #: How many part URLs a new upload comes with.
    first_upload_urls: _Count = 10
    #: Seconds until a part URL expires, and until an upload session expires.
    upload_url_sec: _Amount = 3600.0
    upload_session_sec: _Amount = 86_400.0

    # --- tasks ---
    #: How many times a ``GET`` of a task, of its status, or of a list with it returns "processing" before it is ready.
    task_polls: _Count = 1
    #: Seconds until a task is ready, at least.
    task_sec: _Amount = 0.0
    #: Seconds after those from which on it is ready even if nobody has asked; ``None``: polls alone count.
    task_unasked_sec: _Amount | None = 5.0
    #: Error messages of the next tasks, in order; with an empty one, the task succeeds.
    task_failures: _Strings = ()
    #: Media that cannot be fetched or read, or are too short or long: a 400 at once, or a task that fails later.
    task_media_check: Literal["create", "later"] = "create"
    #: Shortest audio or video of a task, in seconds.
    task_least_sec: _Amount = 4.0
    #: Seconds that a task and its result are kept (a week).
    task_kept_sec: _Amount = 604_800.0
    #: A task that is no longer kept: not found, or failed.
    expired_task: Literal["gone", "failed"] = "gone"
    #: v1 ``video_embedding_scope`` of "video" alone (the documentation offers it together with "clip").
    lone_video_scope: Literal["refuse", "accept"] = "refuse"
    #: v1 ``embedding_option=visual-text`` for a task of marengo3.0, whose option is "visual": no vectors, those of
    #: "visual", or a 400.
    visual_text_marengo30: Literal["none", "visual", "refuse"] = "none"
    #: v1 ``video_clip_length`` written with a decimal point, such as 6.0 (users report a 400).
    fractional_clip_length: Literal["refuse", "accept"] = "refuse"
    #: marengo3.5 video tasks without ``embedding_option``: sources disagree about the default.
    default_video_options_marengo35: Literal["visual_audio", "refuse"] = "visual_audio"
    #: Whether lists of tasks show ``input_filename``, the name that the file was sent or uploaded under.
    task_list_filenames: bool = True
    #: Names of lists in the metadata that ``GET /embed-v2/tasks`` returns: ``…_option`` or ``…_options``.
    task_list_metadata: Literal["singular", "plural"] = "singular"

    # --- responses ---
    #: v1 audio of marengo3.0: two vectors (audio, then transcription) for every six seconds, or one.
    audio_v1_two_vectors: bool = True
    #: Whether v1 audio segments have ``embedding_option`` (older specifications do).
    audio_v1_labels: bool = False
    #: Whether the vectors have length 1.
    unit_length: bool = True
    #: Whether the first 128 or 256 numbers of a marengo3.5 vector are scaled back to length 1.
    normalize_prefix: bool = True
    #: Return v2 ``data`` in random order; the documentation promises none.
    shuffle_segments: bool = False
    #: Drop a last clip of v2 audio and video that is shorter than this, in seconds (v1 tasks drop under 2).
    drop_last_clip_under_sec: _Amount = 0.0
    #: "audio" and "transcription" of a video without audio: left out, or embedded as silence.
    soundless_video: Literal["omit", "embed"] = "omit"

    @model_validator(mode="after")
    def _check_recording(self) -> Settings:
        if self.record_from is not None and self.recording is None:
            raise ValueError("record_from: set recording too, the folder that the answers go to")
        return self

    def replace(self, **changes: Any) -> Settings:
        """Return a changed copy; unchanged values stay the same objects. Raises ``ValueError`` in one line."""
        try:
            checked = Settings(**{"recording": self.recording, "record_from": self.record_from, **changes})
        except ValidationError as error:
            raise ValueError("; ".join(map(_explained, error.errors()))) from None
        return self.model_copy(update={name: getattr(checked, name) for name in changes})

    def as_json(self) -> dict[str, Any]:
        """Return the settings that JSON can represent, without the API keys."""
        return self.model_dump(mode="json", exclude={"api_keys", *_PYTHON_ONLY})

    def now(self) -> float:
        """Return the emulator's clock: seconds since the epoch, plus ``clock_offset_sec``."""
        return time.time() + self.clock_offset_sec


# What neither JSON nor the command line can represent.
_PYTHON_ONLY = {"count_tokens", "url_files"}


#: What no request may change: where the client's key and the answers go.
LOCAL_ONLY = {"recording", "record_from"}


def json_names() -> set[str]:
    """Return the names of the settings that JSON can represent."""
    return set(Settings.model_fields) - _PYTHON_ONLY


def choices(name: str) -> tuple[Any, ...]:
    """Return the values of a setting that has a fixed list of them, otherwise nothing."""
    kind = Settings.model_fields[name].annotation
    return get_args(kind) if get_origin(kind) is Literal else ()


def from_text(name: str, text: str) -> Any:
    """Parse a value from the command line, without validating it. Raises ``ValueError`` for an unknown name.

    Strings stay as they are, lists of strings may be separated by commas, everything else is JSON.
    """
    if name not in json_names():
        raise ValueError(_unknown(name))
    kind = Settings.model_fields[name].annotation
    if kind is str:
        return text
    if kind == _ListOrTuple and not text.startswith("["):
        return tuple(item for item in text.split(",") if item)
    if type(None) in get_args(kind) and text.lower() in ("", "none", "null"):
        return None
    try:
        return json.loads(text.lower() if kind is bool else text)
    except ValueError:
        return text


def _explained(error: Any) -> str:
    path = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return _unknown(path)
    message: str = error["msg"].removeprefix("Value error, ")
    if not path:  # Of several settings, which it names.
        return message
    return f"{path}: {message}; got {error['input']!r}"


def _unknown(name: str) -> str:
    like = [] if "." in name else get_close_matches(name, Settings.model_fields, n=1)
    return f"no such setting: {name}" + (f"; did you mean {like[0]}?" if like else "")
