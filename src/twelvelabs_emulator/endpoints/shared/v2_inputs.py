"""The JSON bodies of ``/embed-v2`` and its tasks: which fields they have, and which values are accepted."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, Strict, ValidationInfo, field_validator, model_validator

from ...features.requests import DocumentRequest, Note, TimeRequest
from ...protocol.errors import invalid, missing
from ...protocol.json_bodies import Body, Choices, Integer, parse, refused, required
from ...protocol.models import Model
from ...protocol.settings import Settings

Seconds = Annotated[float, Field(ge=0)]
Separate = Choices[Literal["separate_embedding"]]


# --- top level --------------------------------------------------------------------------------------------


class V2Request(Body):
    """What both requests share. The input itself is parsed once the model is known."""

    inputs: ClassVar[tuple[str, ...]]

    input_type: str
    model_name: str | None = None
    embedding_uncertainty: bool = False
    embedding_dimension: Integer | None = None

    def input_for(self, model: Model, accepted: tuple[str, ...]) -> Any:
        """Return the input that ``input_type`` names. Raises the API's 400 for what the model does not accept."""
        if self.input_type not in accepted:
            raise invalid("input_type", f"{model.name} accepts on this endpoint: {', '.join(accepted)}.")
        for name in self.inputs:
            if name != self.input_type and getattr(self, name) is not None:
                raise invalid(name, f"`input_type` is {self.input_type}.")
        if not model.dimensions:
            for name in ("auto_truncate", "embedding_uncertainty", "embedding_dimension"):
                if name in self.model_fields_set:
                    raise invalid(name, f"{model.name} does not accept it.")
        if self.embedding_dimension is not None and self.embedding_dimension not in model.dimensions:
            raise invalid("embedding_dimension", f"It must be one of: {', '.join(map(str, model.dimensions))}.")
        value = getattr(self, self.input_type)
        if value is None:
            raise missing(self.input_type)
        return value


class EmbedRequest(V2Request):
    """``POST /embed-v2``."""

    inputs = ("text", "image", "text_image", "audio", "video", "multi_input")

    input_type: Literal["text", "image", "text_image", "audio", "video", "multi_input"]
    text: Any = None
    image: Any = None
    text_image: Any = None
    audio: Any = None
    video: Any = None
    multi_input: Any = None
    auto_truncate: bool = False


class TaskRequest(V2Request):
    """``POST /embed-v2/tasks``."""

    inputs = ("audio", "video", "image", "document")

    input_type: Literal["audio", "video", "image", "document"]
    audio: Any = None
    video: Any = None
    image: Any = None
    document: Any = None


# --- texts, images and sources ----------------------------------------------------------------------------


class MediaSource(Body):
    """Where media come from: exactly one of three fields."""

    url: str | None = None
    base64_string: str | None = None
    asset_id: str | None = None

    @model_validator(mode="after")
    def _check_one(self) -> MediaSource:
        given = [value for value in (self.url, self.base64_string, self.asset_id) if value is not None]
        if not given:
            raise required()
        if len(given) > 1:
            raise refused("Provide exactly one of url, base64_string, asset_id.")
        return self


class TextInput(Body):
    """``text``."""

    input_text: str


class MediaInput(Body):
    """``image`` of a synchronous request, and the base of all other media."""

    media_source: MediaSource


class TextImageInput(MediaInput, TextInput):
    """``text_image``."""


class ImageTaskInput(MediaInput):
    """``image`` of a task, whose options have one value each."""

    embedding_option: Choices[Literal["visual"]] = ("visual",)
    embedding_scope: Choices[Literal["asset"]] = ("asset",)
    embedding_type: Separate = ("separate_embedding",)


class MultiInputSource(MediaSource):
    """One item of ``multi_input.media_sources``."""

    media_type: Literal["image", "video", "audio", "document"]
    name: str | None = None


class MultiInput(Body):
    """``multi_input``."""

    input_text: Annotated[str, Field(min_length=1)] | None = None
    media_sources: Annotated[tuple[MultiInputSource, ...], Strict(False), Field(max_length=10)] = ()


# --- audio and video --------------------------------------------------------------------------------------


class FixedClips(Body):
    """``segmentation.fixed``."""

    duration_sec: Annotated[float, Field(ge=2, le=10)]


class DynamicClips(Body):
    """``segmentation.dynamic``."""

    min_duration_sec: Annotated[float, Field(ge=2, le=5)]


class Segmentation(Body):
    """A strategy, and the field of its name."""

    strategy: Literal["fixed", "dynamic"]
    fixed: FixedClips | None = Field(None, validate_default=True)
    dynamic: DynamicClips | None = Field(None, validate_default=True)

    @field_validator("fixed", "dynamic")
    @classmethod
    def _check_strategy(cls, value: Body | None, info: ValidationInfo) -> Body | None:
        chosen = info.data.get("strategy")
        if value is None and chosen == info.field_name:
            raise required()
        if value is not None and chosen != info.field_name:
            raise refused(f"The strategy is {chosen}.")
        return value

    @property
    def clip_sec(self) -> float:
        """Length of clips in seconds; the least length for "dynamic"."""
        if self.fixed is not None:
            return self.fixed.duration_sec
        assert self.dynamic is not None  # Validated.
        return self.dynamic.min_duration_sec


class FixedSegmentation(Segmentation):
    """The only strategy of marengo3.0 audio."""

    strategy: Literal["fixed"]


class TemporalSegmentation(Body):
    """``segmentation`` of marengo3.5."""

    temporal: Segmentation


class TimedInput(MediaInput):
    """``audio`` or ``video``."""

    #: Strategy and clip length without ``segmentation``.
    default_clips: ClassVar[tuple[str, float]]

    embedding_option: tuple[str, ...]
    embedding_scope: tuple[str, ...]
    embedding_type: Choices[Literal["separate_embedding", "fused_embedding"]] = ("separate_embedding",)
    start_sec: Seconds = 0.0
    end_sec: Seconds | None = None
    segmentation: Any = None

    @field_validator("end_sec")
    @classmethod
    def _check_span(cls, end: float | None, info: ValidationInfo) -> float | None:
        if end is not None and end <= info.data.get("start_sec", 0.0):
            raise refused("It must be greater than `start_sec`.")
        return end

    def time_request(self, kind: str) -> TimeRequest:
        """Return what is requested of ``audio`` or ``video``."""
        clips = self.segmentation
        if isinstance(clips, TemporalSegmentation):
            clips = clips.temporal
        strategy, clip_sec = self.default_clips if clips is None else (clips.strategy, clips.clip_sec)
        scopes = dict.fromkeys("clip" if scope == "local" else scope for scope in self.embedding_scope)
        return TimeRequest(
            options=self.embedding_option,
            scopes=tuple(scopes),
            types=self.embedding_type,
            strategy=strategy,
            clip_sec=clip_sec,
            start=self.start_sec,
            end=self.end_sec,
            notes=self._notes(),
            parameters=(f"{kind}.start_sec", f"{kind}.end_sec"),
        )

    def _notes(self) -> list[Note]:
        return []


class _Input30(TimedInput):
    embedding_scope: Choices[Literal["clip", "asset"]] = ("clip", "asset")

    @field_validator("embedding_type")
    @classmethod
    def _check_fused(cls, types: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "fused_embedding" in types and len(info.data.get("embedding_option", ())) < 2:
            raise refused("A fused embedding needs at least two embedding options.")
        return types


class AudioInput30(_Input30):
    """``audio`` of marengo3.0."""

    default_clips = ("fixed", 6.0)
    embedding_option: Choices[Literal["audio", "transcription"]] = ("audio", "transcription")
    segmentation: FixedSegmentation | None = None


class VideoInput30(_Input30):
    """``video`` of marengo3.0."""

    default_clips = ("dynamic", 4.0)
    embedding_option: Choices[Literal["visual", "audio", "transcription"]] = ("visual", "audio", "transcription")
    segmentation: Segmentation | None = None


class NoteInput(Body):
    """One item of ``time_based_metadata``."""

    start: Seconds
    end: Seconds
    text: str

    @field_validator("end")
    @classmethod
    def _check_end(cls, end: float, info: ValidationInfo) -> float:
        if end < info.data.get("start", 0.0):
            raise refused("It must not be less than `start`.")
        return end

    @field_validator("text")
    @classmethod
    def _check_text(cls, text: str) -> str:
        if not text.strip():
            raise refused("It must not be empty.")
        return text


class _Input35(TimedInput):
    default_clips = ("dynamic", 2.0)
    embedding_scope: Choices[Literal["clip", "local", "asset"]] = ("clip", "asset")
    segmentation: TemporalSegmentation | None = None
    time_based_metadata: Annotated[tuple[NoteInput, ...], Strict(False)] = Field((), validate_default=True)

    @field_validator("time_based_metadata")
    @classmethod
    def _check_fused(cls, notes: tuple[NoteInput, ...], info: ValidationInfo) -> tuple[NoteInput, ...]:
        if bool(notes) != ("fused_embedding" in info.data.get("embedding_type", ())):
            raise refused("It needs the embedding type fused_embedding, and a fused embedding needs it.")
        return notes

    def _notes(self) -> list[Note]:
        return [Note(note.start, note.end, note.text) for note in self.time_based_metadata]


class AudioInput35(_Input35):
    """``audio`` of a marengo3.5 task."""

    embedding_option: Choices[Literal["audio"]] = ("audio",)


class VideoInput35(_Input35):
    """``video`` of a marengo3.5 task."""

    embedding_option: Choices[Literal["visual", "audio"]] = ("visual", "audio")


def parse_timed_input(kind: Literal["audio", "video"], value: Any, model: Model, settings: Settings) -> TimedInput:
    """Parse ``audio`` or ``video`` as the model has it. Raises the API's 400."""
    classes: dict[tuple[str, bool], type[TimedInput]] = {
        ("audio", False): AudioInput30,
        ("video", False): VideoInput30,
        ("audio", True): AudioInput35,
        ("video", True): VideoInput35,
    }
    is_35 = bool(model.dimensions)
    body = parse(classes[kind, is_35], value, settings, kind)
    unset = "embedding_option" not in body.model_fields_set
    if kind == "video" and is_35 and unset and settings.default_video_options_marengo35 == "refuse":
        why = "Its default contains transcription, which marengo3.5 does not have. Set it."
        raise invalid("video.embedding_option", why)
    return body


# --- documents --------------------------------------------------------------------------------------------


class Spatial(Body):
    """``segmentation.spatial``."""

    strategy: Literal["standard", "quadrants"]


class Sequential(Body):
    """``segmentation.sequential``."""

    strategy: Literal["sentence"]
    max_sentences: Annotated[Integer, Field(ge=1)]
    overlap_sentences: Annotated[Integer, Field(ge=0)] = 0

    @field_validator("overlap_sentences")
    @classmethod
    def _check_overlap(cls, overlap: int, info: ValidationInfo) -> int:
        if overlap >= info.data.get("max_sentences", overlap + 1):
            raise refused("It must be less than `max_sentences`.")
        return overlap


class DocumentSegmentation(Body):
    """``segmentation`` of documents: one of two fields."""

    spatial: Spatial | None = None
    sequential: Sequential | None = None

    @model_validator(mode="after")
    def _check_one(self) -> DocumentSegmentation:
        if (self.spatial is None) == (self.sequential is None):
            raise refused("Provide exactly one of spatial, sequential.")
        return self


class DocumentInput(MediaInput):
    """``document`` of a task. Its defaults depend on the file."""

    embedding_option: Choices[Literal["visual", "text"]] | None = None
    embedding_scope: Choices[Literal["local", "asset"]] | None = None
    embedding_type: Separate = ("separate_embedding",)
    segmentation: DocumentSegmentation | None = None

    def document_request(self, is_pdf: bool) -> DocumentRequest:
        """Return what is requested. Raises the API's 400 for what this kind of document does not have."""
        options = self.embedding_option or (("visual",) if is_pdf else ("text",))
        scopes = self.embedding_scope or (("local",) if is_pdf else ("asset",))
        for option in options:
            for scope in scopes:
                if (option, scope) not in _DOCUMENT_VECTORS[is_pdf]:
                    what = "a PDF" if is_pdf else "a text document"
                    why = f"The option {option} with the scope {scope} is not available for {what}."
                    raise invalid("document.embedding_scope", why)
        spatial = self.segmentation and self.segmentation.spatial
        sequential = self.segmentation and self.segmentation.sequential
        needed = "visual" if spatial else "text"
        if self.segmentation and (needed not in options or "local" not in scopes):
            raise invalid("document.segmentation", f"It needs the option {needed} and the scope local.")
        if not is_pdf and "local" in scopes and not sequential:
            raise invalid("document.segmentation", "The scope local of a text document needs `sequential`.")
        if sequential:
            return DocumentRequest(options, scopes, False, sequential.max_sentences, sequential.overlap_sentences)
        return DocumentRequest(options, scopes, bool(spatial and spatial.strategy == "quadrants"))


# Options and scopes that go together, for PDFs and for texts.
_DOCUMENT_VECTORS = {
    True: {("visual", "local"), ("visual", "asset"), ("text", "asset")},
    False: {("text", "asset"), ("text", "local")},
}
