"""Results: vectors and what the API says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ._models import Kind
from ._options import own_option


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request used (marengo3.5 only).

    Attributes:
        input_tokens: tokens by kind of input, as far as the server reports them.
        truncated: the server cut the input.
        truncation_reason: the server's reason.
    """

    input_tokens: Mapping[str, int] = field(default_factory=dict)
    truncated: bool = False
    truncation_reason: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Segment:
    """One vector and the part of the source it stands for.

    Attributes:
        vector: floats. The API does not document whether it has unit length, so compare by cosine.
        start_sec, end_sec: the time range, in seconds; None for texts, images and whole files.
        option: what it was made from: ``visual``, ``audio``, ``transcription``, ``text``, ``fused``; None where
            unlabelled.
        scope: ``clip``, ``asset``, ``page``, ``chunk``; None where the API names none.
        page: first page of a document's segment, from 1.
        quadrant: part of a page, or None for all of it.
        chunk: index of a text document's chunk.
        uncertainty: one number for each of the vector's, where asked for.
    """

    # Pickles and checkpoints name the class so: by its public place, which does not change.
    __module__ = "twelvelabs_core"

    vector: list[float]
    start_sec: float | None = None
    end_sec: float | None = None
    option: str | None = None
    scope: str | None = None
    page: int | None = None
    quadrant: str | None = None
    chunk: int | None = None
    uncertainty: list[float] | None = None

    def __repr__(self) -> str:
        at = "" if self.start_sec is None else f", {self.start_sec:g}-{self.end_sec or 0:g} s"
        labels = "".join(f", {x}" for x in (self.option, self.scope) if x)
        return f"Segment({len(self.vector)} floats{at}{labels})"


@dataclass(frozen=True, slots=True, repr=False)
class Embedding:
    """One item's vector.

    Attributes:
        vector: Python floats, as many as the model's ``dimensions``.
        space: the vector space it belongs to, for example ``marengo3.0/512``; vectors of two spaces do not compare.
        truncated: the text was over the limit, so the vector stands for a part of it, or may: marengo3.0 does not
            report its own cuts. False for ``truncate="average"``, which uses the whole text.
        pooled: vectors averaged into this one: chunks of a text, or segments of audio on v1; 1 = not averaged.
        usage: tokens and truncation as the server reports them, or None.
        cached: it came from the cache; nothing was sent.
    """

    __module__ = "twelvelabs_core"

    vector: list[float]
    space: str
    truncated: bool = False
    pooled: int = 1
    usage: Usage | None = None
    cached: bool = False

    def __repr__(self) -> str:
        return f"Embedding({len(self.vector)} floats, {self.space}{', truncated' if self.truncated else ''})"


@dataclass(frozen=True, slots=True)
class Parts:
    """Result of one v1 call that embeds several kinds at once: separate vectors, not fused.

    Attributes:
        text: the text's vector, if one was sent.
        image: the image's vector, if one was sent.
        audio: the audio's segments, in order of time. On marengo3.0 one time span gives two vectors, without labels.
        metadata: by part (``image``, ``audio``): ``input_filename`` or ``input_url``.
    """

    text: Embedding | None = None
    image: Embedding | None = None
    audio: tuple[Segment, ...] = ()
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """A task on the server: the embedding of a longer file, begun by any client of the account.

    Attributes:
        id: the service's id of it.
        status: ``processing``, ``ready`` or ``failed``. The service keeps a task for 7 days.
        kind: ``audio``, ``video``, ``image`` or ``document``; None where the service does not say.
        model: name of the model, where the service says it.
        created_at: when it was created (aware datetime, UTC).
        filename: name of its file, without the part that tells this package's uploads apart.
        url: where the service fetched its file from, if it did.
        error: why it failed.
        segments: its vectors, sorted by time; empty until it is ready, and in lists.
        space: the vector space of its segments, for example ``marengo3.0/512``.
    """

    id: str
    status: str
    kind: Kind | None = None
    model: str | None = None
    created_at: datetime | None = None
    filename: str | None = None
    url: str | None = None
    error: str | None = None
    segments: tuple[Segment, ...] = field(default=(), repr=False)
    space: str | None = field(default=None, repr=False)

    @property
    def embedding(self) -> Embedding | None:
        """The one vector of the whole file, as ``client.embed`` gives it: the segment of scope ``asset`` of the file's
        own option. None if the task was not asked for it, or is not ready.
        """
        whole = [segment for segment in self.segments if segment.scope == "asset"]
        own = [s for s in whole if self.kind is None or s.option in (None, "text", own_option(self.kind))]
        if len(own) != 1 or self.space is None:
            return None
        return Embedding(own[0].vector, self.space)
