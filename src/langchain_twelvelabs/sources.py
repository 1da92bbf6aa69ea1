"""What a loader's ``paths`` stand for: files, folders, globs, URLs and blobs become single media, in a fixed order."""

from __future__ import annotations

import glob as globbing
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from langchain_core.document_loaders.blob_loaders import BlobLoader
from langchain_core.documents.base import Blob

from twelvelabs_core import Asset, InvalidInputError, Media, TwelveLabsError
from twelvelabs_core.adapter import (
    MEDIA_TYPES,
    SUFFIXES,
    MediaKind,
    as_items,
    asset_of,
    describe,
    file_name,
    is_source_code,
    is_url,
    kind_of,
    kind_of_mime,
    local_path,
    media_from,
    not_there,
    unsigned_url,
)

logger = logging.getLogger("twelvelabs_embeddings")

Entry: TypeAlias = "str | os.PathLike[str] | Blob | BlobLoader | Media | Asset"
Paths: TypeAlias = "Entry | Iterable[Entry]"
Suffixes: TypeAlias = "Sequence[str] | Mapping[str, str] | None"


@dataclass(frozen=True)
class Found:
    """One piece of media to load, or the reason why it cannot be.

    Attributes:
        name: what messages call it: its path or URL where it has one, without signature.
        media: None if there is an error.
        error: why it cannot be loaded.
        metadata: of its blob, for the documents.
        id_name: what the ids of its documents are made of beside its content.
        number: its place among all that were found.
        copy_of: number of an earlier file with the same content.
        digest: of that content.
        listed: it was found in a folder or by a glob, not named.
    """

    name: str
    media: Media | None
    error: TwelveLabsError | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    id_name: str | None = None
    number: int = 0
    copy_of: int | None = None
    digest: str | None = None
    listed: bool = False

    @property
    def label(self) -> str:
        """The name for messages and logs: without a URL's query, which may be a signature."""
        return self.name.partition("?")[0] if "://" in self.name else self.name


def kinds_by_suffix(suffixes: Suffixes) -> Mapping[str, MediaKind]:
    """Which suffixes to load, and the kind each stands for.

    Args:
        suffixes: None = all of :data:`SUFFIXES`; a sequence selects among them; a mapping (``{".ts": "video"}``)
            replaces them.

    Raises:
        InvalidInputError: a suffix or a kind is unknown.
    """
    if suffixes is None:
        return SUFFIXES
    if isinstance(suffixes, Mapping):
        wrong = next((kind for kind in suffixes.values() if kind not in MEDIA_TYPES), None)
        if wrong is not None:
            raise InvalidInputError(f"{wrong!r} is not a kind of media; the kinds are {', '.join(MEDIA_TYPES)}.")
        return {_dotted(suffix): kind for suffix, kind in suffixes.items()}  # type: ignore[misc]  # checked above
    names = [_dotted(suffix) for suffix in ([suffixes] if isinstance(suffixes, str) else as_items(suffixes))]
    unknown = next((name for name in names if name not in SUFFIXES), None)
    if unknown is not None:
        raise InvalidInputError(
            f"The kind of a {unknown} file is unknown; give it: suffixes={{{unknown!r}: 'video', …}}. "
            f"Known: {' '.join(SUFFIXES)}."
        )
    return {name: SUFFIXES[name] for name in names}


def _dotted(suffix: Any) -> str:
    if not isinstance(suffix, str):
        raise InvalidInputError(f"suffixes= takes suffixes such as '.mp4', got {describe(suffix)}.")
    return f".{suffix.lower().lstrip('.')}"


def find_media(
    paths: Paths, *, glob: str, suffixes: Mapping[str, MediaKind], kinds: Iterable[str], model: str
) -> Iterator[Found]:
    """All media, in the order given; inside folders and globs sorted by path.

    A file that was named and cannot be loaded is a :class:`Found` with an error. A file in a folder that is not asked
    for or not supported is left out, with one line in the log for all of them: a warning, if folders had nothing else.

    Args:
        paths: as given to the loader.
        glob: what to look for in folders.
        suffixes: suffix -> kind.
        kinds: the kinds that the model takes.
        model: its name, for messages.

    Raises:
        InvalidInputError: an entry is neither a path, URL, blob nor media.
    """
    search = _Search(glob, suffixes, frozenset(kinds))
    nothing = True
    for entry in _each(paths):
        for found in search.media_of(entry):
            nothing = False
            yield found
    if search.left_out:
        what = ", ".join(f"{suffix or 'no suffix'} ({count})" for suffix, count in sorted(search.left_out.items()))
        logger.log(
            logging.WARNING if nothing else logging.INFO,
            "%d files left out, of kinds not asked for or that %s does not take: %s",
            search.left_out.total(),
            model,
            what,
        )
    elif nothing and search.folders:
        logger.warning("There is nothing to load: no file in %s matches glob=%r.", ", ".join(search.folders), glob)


def count_media(
    paths: Paths, *, glob: str, suffixes: Mapping[str, MediaKind], kinds: Iterable[str], model: str
) -> int | None:
    """How many :func:`find_media` finds; None if they can be listed only once: of a blob loader, or a generator.

    Args:
        paths, glob, suffixes, kinds, model: as for :func:`find_media`, which raises the errors too.
    """
    if isinstance(paths, Iterator):
        return None
    entries = list(_each(paths))
    if any(hasattr(entry, "yield_blobs") for entry in entries):
        return None
    search = _Search(glob, suffixes, frozenset(kinds))
    return sum(1 for entry in entries for _ in search.media_of(entry))


def _each(paths: Any) -> Iterator[Any]:
    if isinstance(paths, (str, os.PathLike, Blob, Media, Asset)) or hasattr(paths, "yield_blobs"):
        yield paths
        return
    if isinstance(paths, (bytes, bytearray, memoryview, Mapping)) or hasattr(paths, "read"):
        raise InvalidInputError(_TAKES.format(type(paths).__name__))
    try:
        entries = iter(paths)
    except TypeError:
        raise InvalidInputError(_TAKES.format(type(paths).__name__)) from None
    yield from entries


_TAKES = "paths= takes paths, URLs, Blobs, assets and media, got a {}."


@dataclass
class _Search:
    """What to look for in folders, which were looked in, and how many files were left out, by suffix."""

    glob: str
    suffixes: Mapping[str, MediaKind]
    kinds: frozenset[str]
    left_out: Counter[str] = field(default_factory=Counter)
    folders: list[str] = field(default_factory=list)

    def media_of(self, entry: Any) -> Iterator[Found]:
        if asset_of(entry) is not None:
            yield self._from_name(_place_of(entry), entry)
        elif isinstance(entry, (str, os.PathLike)):
            yield from self._from_place(entry)
        elif hasattr(entry, "yield_blobs"):
            yield from (self._from_blob(blob) for blob in entry.yield_blobs())
        elif isinstance(entry, Blob):
            yield self._from_blob(entry)
        elif isinstance(entry, Media):
            yield Found(_name_of(entry), entry)
        else:
            raise InvalidInputError(_TAKES.format(type(entry).__name__))

    def _from_place(self, place: str | os.PathLike[str]) -> Iterator[Found]:
        text = os.fspath(place)
        if is_url(text):
            yield self._from_name(unsigned_url(text), text)
            return
        try:
            path = local_path(text) or Path(text)
        except ValueError as why:  # an address that cannot be parsed
            yield Found(text, None, InvalidInputError(f"cannot be used: {why}.", item=repr(text)))
            return
        try:
            files = self._listed(path, is_text=isinstance(place, str))
        except OSError as why:  # a name that is too long, a folder that may not be read
            yield Found(text, None, InvalidInputError(f"cannot be read: {why.strerror or why}.", item=describe(text)))
            return
        if files is None:
            yield self._from_name(text, path)
        elif not files and not path.is_dir():
            yield Found(text, None, InvalidInputError(f"{not_there(path, 'matches no file')}.", item=repr(text)))
        else:
            if path.is_dir():
                self.folders.append(repr(text))
            yield from self._selected(files)

    def _listed(self, path: Path, *, is_text: bool) -> list[Path] | None:
        """The files of a folder or a glob, sorted; None if it names one file."""
        if path.is_dir():
            return [file for file in sorted(path.glob(self.glob)) if not _is_hidden(file.relative_to(path))]
        if is_text and globbing.has_magic(str(path)) and not path.exists():
            matches = globbing.glob(str(path), recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern
            return [Path(match) for match in sorted(matches)]
        return None

    def _selected(self, files: Iterable[Path]) -> Iterator[Found]:
        for file in files:
            if not file.is_file():
                if file.is_symlink() and not file.exists():
                    self.left_out["broken link"] += 1
                continue
            kind = self.suffixes.get(file.suffix.lower())
            if kind is not None and kind in self.kinds and not is_source_code(file):
                yield Found(str(file), MEDIA_TYPES[kind](file), listed=True)
            else:
                self.left_out[file.suffix.lower()] += 1

    def _from_name(self, name: str, source: Any) -> Found:
        try:
            return Found(name, media_from(source, self.suffixes))
        except InvalidInputError as error:
            return Found(name, None, error)

    def _from_blob(self, blob: Blob) -> Found:
        place = _text_of(blob.source)
        mime = (blob.mimetype or "").partition(";")[0].strip().lower()
        kind = kind_of_mime(mime) or kind_of(place, suffixes=self.suffixes)
        if kind is None:
            what = f"its mimetype {mime!r} names no kind of media" if mime else "it has no mimetype"
            why = f"{what}, and its source has no known suffix; give the Blob a mimetype such as 'video/mp4'."
            name = unsigned_url(place) or "blob"
            return Found(name, None, InvalidInputError(why, item=repr(name)))
        name = file_name(place)
        if blob.data is None:
            source: Any = str(blob.path)
        else:
            source = blob.data if isinstance(blob.data, bytes) else blob.data.encode(blob.encoding)
            if kind == "document" and not name:
                name = {"application/pdf": "blob.pdf", "text/markdown": "blob.md"}.get(mime, "blob.txt")
        given = {key: value for key, value in blob.metadata.items() if value is not None}
        if place and blob.data is not None:
            given.setdefault("source", place)
        return Found(
            unsigned_url(place) or name or kind, MEDIA_TYPES[kind](source, filename=name or None), metadata=given
        )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _name_of(media: Media) -> str:
    return _place_of(media.source) or media.filename or media.kind


def _place_of(source: Any) -> str:
    """The path, URL (without signature) or asset that a source is; empty if it is content."""
    if isinstance(source, Asset):
        return source.uri
    if isinstance(source, (str, os.PathLike)) and not str(source).startswith("data:"):
        return unsigned_url(os.fspath(source))
    return ""


def _text_of(source: Any) -> str:
    """A Blob's source; empty if it has none, or one that is no text, which is refused with its other metadata."""
    return os.fsdecode(source) if isinstance(source, (str, os.PathLike)) else ""
