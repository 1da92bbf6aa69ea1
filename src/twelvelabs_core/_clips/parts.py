"""One hit of a search as what a language model takes: text, images, audio, video. Both frameworks make their content
blocks of these.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypedDict

from .._errors import InvalidInputError
from .._inputs import Media, describe, is_url
from .._media.file import locate
from .._store.order import number, time_range
from .._store.rows import clock
from .audio import wav_of
from .container import OpenedMedia, opened
from .cut import clip_of
from .frames import Frame, frames_of, image_frame
from .moment import media_at
from .times import CHOICES, Choice, checked_count, checked_seconds, one_of, range_within

Place: TypeAlias = "Media | str | os.PathLike[str] | bytes"
"""Where the file of a hit is read."""

MEDIA_OF_HITS = ("image", "video", "audio")


@dataclass(frozen=True)
class MomentPart:
    """A part of a message to a language model.

    Attributes:
        kind: ``text``, ``image``, ``audio``, ``video``.
        text: of a ``text``.
        data: the bytes of a file, of the others.
        mime: of ``data``: ``image/jpeg``, ``audio/wav``, ``video/mp4``.
    """

    kind: Literal["text", "image", "audio", "video"]
    text: str = ""
    data: bytes = field(default=b"", repr=False)
    mime: str = ""


class MomentSettings(TypedDict, total=False):
    """The keyword arguments of each adapter's ``moment_blocks``, for type checkers: the fields of
    :class:`MomentParts`.
    """

    media: Place | Callable[[Any], Place] | None
    frames: int
    audio: bool
    clip: bool
    longest: int
    choose: Choice
    max_sec: float


@dataclass(frozen=True)
class MomentParts:
    """What is to be made of a hit.

    Attributes:
        media: where the file is read, if not at the metadata's ``source``: a path, a URL, bytes, ``Video(...)``; or a
            function from the ``source`` to one of these, such as one that signs an address.
        frames: how many frames of a video; 0 = none.
        audio: whether its audio is given, as WAV of 16 kHz, mono.
        clip: whether the clip itself is given, for models that take video.
        longest: longest side of a frame or image, in pixels.
        choose: which frames, as for :func:`twelvelabs_core.frames`.
        max_sec: of a longer range neither audio nor clip is given, which the text says: half an hour is 60 MB of WAV.

    Raises:
        InvalidInputError: a setting is out of its range.
    """

    media: Place | Callable[[Any], Place] | None = None
    frames: int = 4
    audio: bool = True
    clip: bool = False
    longest: int = 768
    choose: Choice = "even"
    max_sec: float = 300.0

    def __post_init__(self) -> None:
        checked_count(self.frames, "frames", least=0)
        checked_count(self.longest, "longest", least=16)
        one_of(self.choose, "choose", CHOICES)
        if checked_seconds(self.max_sec, "max_sec") is None:
            raise InvalidInputError("max_sec=None must be a number of seconds.")
        for name in ("audio", "clip"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidInputError(f"{name}={describe(getattr(self, name))} must be True or False.")

    @classmethod
    def checked(cls, settings: MomentSettings) -> MomentParts:
        """From the keyword arguments of a caller.

        Raises:
            InvalidInputError: a setting is unknown or out of its range.
        """
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise InvalidInputError(f"{name}= is no setting of moment_blocks(); there are {', '.join(known)}.")
        return cls(**settings)

    def of_media(self, media: Media, metadata: Mapping[str, Any], text: str) -> list[MomentPart]:
        """:meth:`of` a hit that holds its file itself: a framework's own image node, or an image in a store's text.

        Args:
            media: the file. If it is an address out of a store, that is not fetched, as for :meth:`of`.
            metadata, text: as for :meth:`of`.
        """
        known = {**metadata, "media_type": media.kind}
        if isinstance(media.source, str) and is_url(media.source):
            return self.of({**known, "source": media.source}, text)
        return (self if self.media is not None else replace(self, media=media)).of(known, text)

    def of(self, metadata: Mapping[str, Any], text: str) -> list[MomentPart]:
        """The parts of one hit: a text that says what follows, then images, audio and video, in this order. Of a hit
        that is a text, or a document, the text alone. Reads the file: call it off the event loop.

        Args:
            metadata: of the document or node, as this package writes it.
            text: its readable text.

        Raises:
            InvalidInputError: the file cannot be found, fetched or decoded, or ends before the moment begins.
        """
        kind = metadata.get("media_type")
        if kind not in MEDIA_OF_HITS:
            return [MomentPart("text", text)]
        media = media_at(self.media, metadata.get("source"), kind)
        if kind == "image":
            image = image_frame(locate(media), self.longest)
            return [MomentPart("text", text), MomentPart("image", data=image.data, mime=image.mime)]
        with opened(media) as file:
            made = list(self._timed(file, metadata))
        notes = "; ".join(note for note, _ in made)
        about = MomentPart("text", f"{text} ({notes})" if notes else text)
        return [about, *(part for _, parts in made for part in parts)]

    def _timed(self, file: OpenedMedia, metadata: Mapping[str, Any]) -> Iterator[tuple[str, list[MomentPart]]]:
        """Parts of a video or audio file, each with a note about it for the text."""
        start, end = time_range(metadata) or (None, number(metadata.get("duration_sec")))
        begin, stop = range_within(start, end, file.duration_sec, file.label)
        shown = (
            frames_of(file, begin, stop, n=self.frames, longest=self.longest, choose=self.choose) if self.frames else []
        )
        if shown:
            yield _frame_note(shown), [MomentPart("image", data=frame.data, mime=frame.mime) for frame in shown]
        if stop - begin > self.max_sec:
            if self.audio or self.clip:
                yield f"audio and clip left out: longer than {clock(self.max_sec)}", []
            return
        if stop <= begin:
            return
        wav = wav_of(file, begin, stop, rate=16_000, mono=True) if self.audio else None
        if wav is not None:
            yield f"audio {clock(begin)}-{clock(stop)}", [MomentPart("audio", data=wav, mime="audio/wav")]
        cut = clip_of(file, begin, stop) if self.clip else None
        if cut is not None:
            note = f"clip {clock(cut.start_sec)}-{clock(cut.end_sec)}"
            yield note, [MomentPart("video", data=cut.data, mime=cut.mime)]


def _frame_note(shown: list[Frame]) -> str:
    times = ", ".join(clock(frame.at_sec or 0.0) for frame in shown)
    return f"frame{'s' if len(shown) > 1 else ''} at {times}"
