"""What can be embedded: a text is a ``str``; media are these types. A string is never opened as a file unless a media
type holds it.

    Image("cat.jpg")   Image("https://…/cat.jpg")   Image(b"…")   Image(pil_image)   Audio(open("a.wav", "rb"))
    Composed("a <@coat> in blue", [Image("coat.jpg", name="coat")])

Inside a media type the scheme of a ``str`` decides: ``http://``/``https://`` is a URL, ``data:`` a data URI,
``asset://`` the id of an uploaded file, ``file://`` or no scheme a path. Nothing is read or checked until it is
embedded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, TypeAlias

from ._assets import Asset, asset_of
from ._errors import InvalidInputError, TwelveLabsError, UnexpectedError
from ._models import Kind
from ._places import bare_url
from ._places import is_url as is_url

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | PILImage | Asset
else:
    Source: TypeAlias = Any


# Longest time in a file, in seconds: thirty years. An int over what a float holds could not even be compared.
MAX_SECONDS = 1e9


@dataclass(frozen=True, repr=False)
class Media:
    """One piece of media.

    Attributes:
        source: path (``str`` or ``pathlib.Path``), URL, data URI, bytes, binary file object, :class:`Asset`; for images
            a PIL image too.
        name: how a :class:`Composed` text refers to it: ``<@name>``.
        filename: file name sent to the server when the source has none (bytes, file object).
        cache_key: name of your own for what is behind a URL, instead of the URL: for an address that changes while the
            content stays (a token that is not a known signature, another mirror). Cache entries and rows' content ids
            are made of it. It is your word that the content is the same wherever the key is: nobody compares. A new
            content needs a new key (``"video-7@2"``).
    """

    kind: ClassVar[Kind]

    source: Source
    name: str | None = None
    filename: str | None = None
    cache_key: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not hasattr(self, "kind"):
            raise InvalidInputError("Media(...) has no kind; use Image, Audio, Video or Document.")
        if isinstance(self.source, Media):
            raise InvalidInputError(f"{type(self).__name__}(...) was given {self.source!r}; pass its source instead.")
        for field_name in ("name", "filename", "cache_key"):
            given = getattr(self, field_name)
            if given is not None and not isinstance(given, str):
                raise InvalidInputError(f"{self!r}: {field_name}={given!r:.60} must be a str.")
        for field_name in ("name", "cache_key"):
            given = getattr(self, field_name)
            if given is not None and not _is_unicode(given):
                raise InvalidInputError(f"{self!r}: {field_name}={given!a:.60} contains broken Unicode.")
        if self.cache_key is not None and not (self.cache_key and is_url(self.source)):
            raise InvalidInputError(
                f"{self!r}: cache_key={self.cache_key!r:.60} must be a name that is not empty, and is for URLs alone: "
                "what is read here is known by its content."
            )
        asset = asset_of(self.source)
        if asset is not None and asset.kind not in (None, self.kind):
            raise InvalidInputError(
                f"{self!r}: {asset} is {asset.kind}; use {str(asset.kind).capitalize()}(...) for it."
            )
        start, end = (self._seconds(field_name) for field_name in ("start_sec", "end_sec"))
        if end is not None and end <= (start or 0):
            raise InvalidInputError(f"{self!r}: end_sec={end:g} must be after start_sec={start or 0:g}.")

    def _seconds(self, field_name: str) -> float | None:
        """A time of :class:`Audio` and :class:`Video`, as a plain number: others cannot be sent."""
        given = getattr(self, field_name, None)
        if given is None:
            return None
        number = isinstance(given, Real) and not isinstance(given, bool)
        if not number or not 0 <= given <= MAX_SECONDS:
            raise InvalidInputError(f"{self!r}: {field_name}={given!r:.60} must be a number of seconds, 0 or more.")
        if type(given) not in (int, float):
            object.__setattr__(self, field_name, float(given))
        return float(given)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({describe(self.source)})"


@dataclass(frozen=True, repr=False)
class Image(Media):
    """An image: JPEG or PNG; other formats and PIL images are converted with Pillow."""

    kind = "image"


@dataclass(frozen=True, repr=False)
class Audio(Media):
    """Audio: WAV, MP3 or FLAC.

    Attributes:
        start_sec: start of the part to embed, in seconds; None = from the beginning (v1: ``audio_start_offset_sec``).
        end_sec: end of the part to embed, in seconds; None = to the end. v2 with marengo3.0 only.
    """

    kind = "audio"

    start_sec: float | None = None
    end_sec: float | None = None


@dataclass(frozen=True, repr=False)
class Video(Media):
    """A video in any container FFmpeg reads.

    Attributes:
        start_sec, end_sec: the part to embed, in seconds; None = from the beginning, to the end.
    """

    kind = "video"

    start_sec: float | None = None
    end_sec: float | None = None


@dataclass(frozen=True, repr=False)
class Document(Media):
    """A document file: ``.pdf``, ``.txt``, ``.md`` (marengo3.5)."""

    kind = "document"


@dataclass(frozen=True)
class Composed:
    """A text and media, or several media, as **one** vector.

    Attributes:
        text: ``<@name>`` in it refers to the media of that name.
        media: up to 10 :class:`Media`. marengo3.0 takes images; marengo3.5 images, audio,
            video and documents.
    """

    kind: ClassVar[Kind] = "composed"

    text: str | None = None
    media: Sequence[Media] = field(default_factory=tuple)

    @classmethod
    def of(
        cls,
        text: str | None = None,
        *,
        images: Sequence[Any] | Mapping[str, Any] = (),
        audio: Sequence[Any] | Mapping[str, Any] = (),
        videos: Sequence[Any] | Mapping[str, Any] = (),
        documents: Sequence[Any] | Mapping[str, Any] = (),
    ) -> Composed:
        """Make one from plain sources: a sequence a kind, or a mapping ``name -> source`` for media the text refers to.

        Sources are used in the order images, audio, videos, documents.
        """
        media: list[Media] = []
        for kind, sources in ((Image, images), (Audio, audio), (Video, videos), (Document, documents)):
            named = sources.items() if isinstance(sources, Mapping) else ((None, s) for s in as_list(sources))
            for name, source in named:
                if not isinstance(source, Media):
                    source = kind(source)
                media.append(source if name is None else replace(source, name=name))
        return cls(text, tuple(media))


Item: TypeAlias = "str | Media | Composed"
"""One item to embed."""


def as_list(sources: Any) -> list[Any]:
    """A list of sources. A single string or path is refused: it would be split into characters."""
    _refuse_one(sources, "sources", "[source]")
    return _taken(sources)


def as_items(items: Any) -> list[Any]:
    """A list of items to embed; a single text is refused."""
    check_many(items)
    return _taken(items)


def check_many(items: Any) -> None:
    """Refuse a single item where many are expected.

    Raises:
        InvalidInputError: it is one item, or cannot be iterated over.
    """
    _refuse_one(items, "items", "[item]")


def _taken(items: Any) -> list[Any]:
    taken: list[Any] = []
    try:
        taken.extend(items)
    except Exception as error:
        raise iterator_error(error, len(taken)) from error
    return taken


def iterator_error(error: Exception, taken: int) -> TwelveLabsError:
    """The error to raise when the iterator of the items raised one, after it gave ``taken`` of them."""
    if isinstance(error, TwelveLabsError):
        return error
    found = UnexpectedError(f"The iterator of the items raised {type(error).__name__} after {taken} of them.")
    found.__cause__ = error
    return found


def as_objects(found: Any, kinds: type | tuple[type, ...], name: str) -> list[Any]:
    """A list of objects of a framework's classes.

    Args:
        found: what was given.
        kinds: the classes.
        name: what the objects are called in errors: ``nodes`` gives ``nodes[3]``.

    Raises:
        InvalidInputError: it is no list, or holds an object of another class.
    """
    objects = as_items(found)
    for index, item in enumerate(objects):
        if not isinstance(item, kinds):
            wanted = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
            raise InvalidInputError(f"expected a {wanted}, got {describe(item)}.", item=f"{name}[{index}]")
    return objects


def _refuse_one(found: Any, what: str, wrapped: str) -> None:
    if found is None:
        raise InvalidInputError(f"Expected a list of {what}, got None.")
    if isinstance(found, Mapping):  # its keys would be embedded
        raise InvalidInputError(f"Expected a list of {what}, got a mapping. Give its values: list(mapping.values()).")
    single = (str, bytes, bytearray, memoryview, os.PathLike, Media, Composed)
    if isinstance(found, single) or hasattr(found, "read") or not _is_iterable(found):
        raise InvalidInputError(f"Expected a list of {what}, got one: {describe(found)}. Wrap it: {wrapped}.")


def _is_iterable(found: Any) -> bool:
    try:
        iter(found)
    except TypeError:  # also of what has the method, such as an array without dimensions
        return False
    return True


def as_media(kind: type[Media], sources: Any, **options: Any) -> list[Media]:
    """Sources as media of one kind; media of that kind stay as they are."""
    return [s if isinstance(s, kind) else kind(s, **options) for s in as_list(sources)]


def _is_unicode(text: str) -> bool:
    """Whether a text can be encoded: half of a surrogate pair (a broken emoji) cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def file_name(place: str) -> str:
    """The last part of a path or URL, without a URL's query."""
    if "://" not in place:
        return Path(place).name
    return PurePosixPath(bare_url(place).partition("://")[2].partition("/")[2]).name


def describe(source: Any) -> str:
    """Describe a source for messages: without its content, and without a URL's query, which may be a signature."""
    try:
        return _describe(source)
    except Exception:  # an object's name or size may raise anything
        return f"a {type(source).__name__}"


def _describe(source: Any) -> str:
    if isinstance(source, Media):
        return describe(source.source)
    if isinstance(source, Composed):
        return "a Composed"
    if isinstance(source, Asset):
        return str(source)
    if isinstance(source, str):
        if source.startswith("data:"):
            return f"data URI of {len(source)} characters"
        return repr(bare_url(source) if "://" in source else source[:200])
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"{len(source)} bytes"
    if isinstance(source, os.PathLike):
        return repr(os.fspath(source))
    if hasattr(source, "read"):
        name = getattr(source, "name", "")
        shown = bare_url(name) if isinstance(name, str) and "://" in name else name
        return f"file object {shown!r}" if shown else "file object"
    if hasattr(source, "size") and hasattr(source, "mode"):
        return f"PIL image {source.size[0]}x{source.size[1]}"
    return f"a {type(source).__name__}"
