"""Items become jobs: checked against what the model takes, their files opened, before the first is sent."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from .._api.v2 import check_composed
from .._assets import asset_of
from .._errors import InvalidInputError, TwelveLabsError, as_error, with_item
from .._inputs import Audio, Composed, Item, Media, Video, describe, is_url
from .._media.file import MediaFile, open_media
from .._media.kinds import MEDIA_TYPES
from .._models import Kind, models_that
from .._net.loop import in_thread
from .._options import OptionsByKind, SegmentOptions, check_options, with_defaults
from .._stats import Stats
from .settings import EmbedSettings
from .truncate import TextPlan, too_long

# The caller's name of an item. Name and index are joined only for an error, not for each of ten thousand texts.
Label: TypeAlias = "str | tuple[str, int]"


def label_text(label: Label) -> str:
    """``texts[3]``."""
    return label if isinstance(label, str) else f"{label[0]}[{label[1]}]"


def numbered(name: str) -> Iterable[Label]:
    """Labels ``name[0]``, ``name[1]`` …; each is made a string only where an error needs it."""
    return zip(itertools.repeat(name), itertools.count(), strict=False)


class Job:
    """One checked item and what to embed of it.

    Attributes:
        item: a text, media or a :class:`Composed`.
        files: its media, opened.
        options: which segments of a file are wanted; None = one vector of the item.
        plan: how a text is sent first, once that is known.
    """

    __slots__ = ("_label", "files", "item", "options", "plan")

    def __init__(
        self, item: Item, label: Label, files: tuple[MediaFile, ...] = (), options: SegmentOptions | None = None
    ) -> None:
        self.item, self._label, self.files, self.options = item, label, files, options
        self.plan: TextPlan | None = None

    @property
    def label(self) -> str:
        """The caller's name for it, for errors."""
        return label_text(self._label)

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of input it counts as, for rate limits."""
        kinds: set[Kind] = {file.kind for file in self.files}
        if isinstance(self.item, str) or (isinstance(self.item, Composed) and self.item.text):
            kinds.add("text")
        return frozenset(kinds)

    @property
    def minutes(self) -> float | None:
        """Minutes of media in it; None if unknown."""
        total = 0.0
        for file in self.files:
            if file.kind in ("audio", "video"):
                if file.range_sec is None:
                    return None
                total += file.range_sec / 60
        return total

    @property
    def on_disk(self) -> bool:
        """Whether it has media that are read on this machine, not fetched by the server from a URL or had already."""
        return any(file.is_here for file in self.files)


class Checker:
    """Checks items against what the model takes."""

    def __init__(self, settings: EmbedSettings) -> None:
        self._settings = settings
        self._model = settings.model
        self._takes_any_text = "text" in settings.model.inputs[settings.api_version] and settings.truncate != "none"

    async def check_all(
        self,
        items: Sequence[Item],
        labels: Iterable[Label],
        options: OptionsByKind | None = None,
        stats: Stats | None = None,
    ) -> list[Job]:
        """The jobs of some items, all of which can be sent.

        Args:
            items, labels, options: as for :meth:`check_each`.
            stats: where items that cannot be sent are counted.

        Raises:
            InvalidInputError, TextTooLongError: an item cannot be sent; ``item`` names it.
            UnexpectedError: an item, or the token counter, raised something else.
        """
        found = await self.check_each(items, labels, options)
        jobs = [job for job in found if isinstance(job, Job)]
        if len(jobs) < len(found):
            if stats is not None:
                stats.failed += len(found) - len(jobs)
            raise next(error for error in found if not isinstance(error, Job))
        return jobs

    async def check_each(
        self, items: Sequence[Item], labels: Iterable[Label], options: OptionsByKind | None = None
    ) -> list[Job | TwelveLabsError]:
        """The job of each item, or why it cannot be sent. Files are opened in a thread; texts and URLs need none.

        Args:
            options: the segments wanted of each; None = one vector each.
        """
        pairs = zip(items, labels, strict=False)
        if all(type(item) is str for item in items) and options is None:
            return [self._attempt(item, label, None) for item, label in pairs]
        return await in_thread(
            any(map(_needs_disk, items)), lambda: [self._attempt(item, label, options) for item, label in pairs]
        )

    def _attempt(self, item: Item, label: Label, options: OptionsByKind | None) -> Job | TwelveLabsError:
        try:
            return self.check(item, label) if options is None else self.check_segments(item, options, label_text(label))
        except Exception as error:  # also what a PIL image, a file object or a token counter raises
            return as_error(error, label_text(label))

    def check(self, item: Item, label: Label) -> Job:
        """The job of embedding one item to one vector.

        Raises:
            InvalidInputError, TextTooLongError: it cannot be sent; ``item`` is ``label``.
        """
        if type(item) is str and self._takes_any_text and not item.isspace() and item:
            if not item.isascii():
                _check_unicode(item, label)
            return Job(item, label)  # the common case, kept short
        return self._check(item, label_text(label))

    def _check(self, item: Item, label: str) -> Job:
        kind = _kind(item)
        if kind is None:
            hint = " Wrap a path in one of them: Image(path)." if isinstance(item, os.PathLike) else ""
            raise InvalidInputError(
                f"expected a str, Image, Audio, Video, Document or Composed, got {describe(item)}.{hint}", item=label
            )
        if kind not in self._model.inputs[self._settings.api_version]:
            raise InvalidInputError(self._not_taken(kind), item=label)
        if isinstance(item, str):
            return self._check_text(str.__str__(item), label)  # a subclass may print, compare or hash as it likes
        if isinstance(item, Composed):
            return self._check_composed(item, label)
        _check_address(item, label)
        self._check_v1(item, label)
        may_task = self._settings.api_version == "v2" and item.kind != "document"
        file = open_media(item, self._model, label, may_task=may_task)
        return Job(item, file.label, (file,))

    def check_segments(self, media: Any, options: OptionsByKind, label: str) -> Job:
        """The job of embedding one file to its segments. Reads its header.

        Raises:
            InvalidInputError: it cannot be embedded with these options; ``item`` is ``label``.
        """
        if not isinstance(media, Media):
            raise InvalidInputError(f"expected Video, Audio, Image or Document, got {describe(media)}.", item=label)
        if isinstance(options, Mapping) and options.keys() <= MEDIA_TYPES.keys():
            options = options.get(media.kind, SegmentOptions())
        if not isinstance(options, SegmentOptions):
            raise InvalidInputError(f"options must be SegmentOptions, got a {type(options).__name__}.", item=label)
        _check_address(media, label)
        for note in options.time_based_metadata:
            _check_unicode(note.text, label, "a text of time_based_metadata ")
        check_options(options, self._model, media.kind, label, self._settings.api_version)
        self._check_v1(media, label)
        file = open_media(media, self._model, label, may_task=True)
        return Job(media, file.label, (file,), with_defaults(options, media.kind, is_text=file.is_text))

    def _check_text(self, text: str, label: str) -> Job:
        _check_unicode(text, label)
        if not text.strip():
            raise InvalidInputError("is an empty text; leave it out, the API takes no empty texts.", item=label)
        settings = self._settings
        if settings.truncate == "none" and self._model.truncation is None and settings.is_over_limit(text):
            raise with_item(too_long(self._model, settings.count(text)), label)  # the server might cut it silently
        return Job(text, label)

    def _check_composed(self, item: Composed, label: str) -> Job:
        if not isinstance(item.text, (str, type(None))) or not isinstance(item.media, Sequence):
            raise InvalidInputError("expected Composed(text, [media, …]): a str or None, and a list.", item=label)
        if item.text is not None:
            item = Composed(str.__str__(item.text), item.media)
            _check_unicode(str(item.text), label)
        for i, media in enumerate(item.media):
            _check_address(media, f"{label}.media[{i}]")
            if isinstance(media, (Audio, Video)) and (media.start_sec is not None or media.end_sec is not None):
                raise InvalidInputError("start_sec and end_sec cannot be composed; cut the file first.", item=label)
        files = tuple(
            open_media(media, self._model, f"{label}.media[{i}]")
            for i, media in enumerate(item.media)
            if isinstance(media, Media)
        )
        check_composed(item, self._model, is_pdf=[file.mime == "application/pdf" for file in files], label=label)
        if item.text is not None and not item.media:
            return self._check_text(item.text, label)  # marengo3.0 composes nothing without media
        if item.text and self._model.truncation is None and self._settings.is_over_limit(item.text):
            # Cutting could lose a <@name>; only a model that cuts by itself (3.5) may be sent it.
            raise with_item(too_long(self._model, self._settings.count(item.text)), label)
        return Job(item, label, files)

    def _check_v1(self, media: Media, label: str) -> None:
        if self._settings.api_version != "v1":
            return
        if isinstance(media, Audio) and media.end_sec is not None:
            raise InvalidInputError("v1 has no end_sec for audio; use v2, or cut the file.", item=label)
        if asset_of(media.source) is not None:
            raise InvalidInputError("v1 takes no assets; use v2, or pass the file.", item=label)

    def _not_taken(self, kind: Kind) -> str:
        model, version = self._model, self._settings.api_version
        other = [v for v in model.api_versions if kind in model.inputs[v]]
        if other:
            return f"{model.name} takes {kind} by api_version={other[0]!r}, not {version!r}."
        return f"{model.name} does not take {kind} input. " + models_that(
            f"take {kind}", lambda m: any(kind in kinds for kinds in m.inputs.values())
        )


def _check_unicode(text: str, label: Label, what: str = "") -> None:
    """A lone half of a surrogate pair (a broken emoji) cannot be encoded.

    Args:
        what: which of the item's texts it is, if it has others.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"{what}contains broken Unicode at index {error.start}; clean it first.", item=label_text(label)
        ) from None


def _check_address(media: Media, label: str) -> None:
    """Check the address of a file behind a URL. A path may be of any bytes."""
    if isinstance(media, Media) and is_url(media.source):
        _check_unicode(str(media.source), label, "its address ")


def _needs_disk(item: Any) -> bool:
    if isinstance(item, Composed):
        media: Any = item.media if isinstance(item.media, Sequence) else ()
        return any(map(_needs_disk, media))
    return isinstance(item, Media) and not is_url(item.source) and asset_of(item.source) is None


def _kind(item: Any) -> Kind | None:
    if isinstance(item, str):
        return "text"
    return item.kind if isinstance(item, (Media, Composed)) else None
