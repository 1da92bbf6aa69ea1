"""What a loader is pointed at, as single pieces of media: files, folders, globs, URLs and blobs, in a fixed order."""

from __future__ import annotations

import glob as globbing
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from langchain_core.documents.base import Blob

from twelvelabs_core import Audio, Document, Image, InvalidInputError, Media, Video

__all__ = ["SUFFIXES", "Equals", "Found", "Paths", "Suffixes", "find", "is_pdf", "kinds_of", "media_from"]

logger = logging.getLogger("twelvelabs_embeddings")

Paths: TypeAlias = "str | os.PathLike[str] | Blob | Media | Iterable[str | os.PathLike[str] | Blob | Media]"
Suffixes: TypeAlias = "Sequence[str] | Mapping[str, str] | None"

_TYPES: dict[str, type[Media]] = {"image": Image, "audio": Audio, "video": Video, "document": Document}

SUFFIXES: Mapping[str, str] = {
    suffix: kind
    for kind, suffixes in {
        "image": ".jpg .jpeg .png .webp .gif .bmp .tif .tiff .avif .heic",
        "audio": ".wav .mp3 .flac",
        "video": ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .flv",
        "document": ".pdf .txt .md .markdown",
    }.items()
    for suffix in suffixes.split()
}
"""Kind of media by suffix: what the API takes, and pictures that are converted. What a file really holds is looked at
before it is sent.
"""

_MIME_TYPES = {"application/pdf": "document", "text/plain": "document", "text/markdown": "document"}


@dataclass(frozen=True)
class Found:
    """One piece of media to load, or why it cannot be.

    Attributes:
        where: what to call it in documents and messages.
        metadata: what its blob said, for the documents.
    """

    where: str
    media: Media | None
    error: InvalidInputError | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def kinds_of(suffixes: Suffixes) -> dict[str, str]:
    """The table of suffixes to go by.

    Args:
        suffixes: None = all of :data:`SUFFIXES`; a sequence chooses among them; a mapping (``{".ts": "video"}``) is the
            whole table.

    Raises:
        InvalidInputError: a suffix or a kind that is not known.
    """
    if suffixes is None:
        return dict(SUFFIXES)
    if isinstance(suffixes, str):
        suffixes = [suffixes]
    if isinstance(suffixes, Mapping):
        table = {_dotted(suffix): kind for suffix, kind in suffixes.items()}
    else:
        names = [_dotted(suffix) for suffix in suffixes]
        unknown = [name for name in names if name not in SUFFIXES]
        if unknown:
            raise InvalidInputError(
                f"What a {unknown[0]} file holds is not known; say it with suffixes={{{unknown[0]!r}: 'video', …}}. "
                f"Known: {' '.join(SUFFIXES)}."
            )
        table = {name: SUFFIXES[name] for name in names}
    wrong = next((kind for kind in table.values() if kind not in _TYPES), None)
    if wrong is not None:
        raise InvalidInputError(f"{wrong!r} is not a kind of media; the kinds are {', '.join(_TYPES)}.")
    return table


def _dotted(suffix: str) -> str:
    return f".{suffix.lower().lstrip('.')}"


def media_from(source: Any, table: Mapping[str, str] = SUFFIXES) -> Media:
    """A path or URL as media, taken by its suffix; media as it is.

    Raises:
        InvalidInputError: the suffix does not say what it is.
    """
    if isinstance(source, Media):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidInputError(
            f"a {type(source).__name__} does not say what it holds; wrap it: Video(...), Audio(...), Image(...) or "
            "Document(...)."
        )
    kind = table.get(_suffix(source))
    if kind is None:
        raise InvalidInputError(
            f"its suffix {_suffix(source)!r} does not say what it holds; wrap it: Video(...), Audio(...), Image(...) "
            f"or Document(...). Known: {' '.join(table)}.",
            item=_named(source),
        )
    return _TYPES[kind](source)


def is_pdf(media: Media) -> bool:
    """Whether a document is a PDF: by its first bytes where they are at hand, else by its name."""
    source: Any = media.source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source[:5]) == b"%PDF-"
    if isinstance(source, (str, os.PathLike)):
        try:
            with Path(source).expanduser().open("rb") as file:
                return file.read(5) == b"%PDF-"
        except (OSError, ValueError):
            return _suffix(source) == ".pdf"
    return _suffix(media.filename or getattr(source, "name", None) or "") == ".pdf"


def _suffix(source: str | os.PathLike[str]) -> str:
    text = os.fspath(source)
    return Path(urlsplit(text).path if _is_url(text) else text).suffix.lower()


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _named(source: str | os.PathLike[str]) -> str:
    text = os.fspath(source)
    return repr(text.partition("?")[0] if _is_url(text) else text)


# -- what there is -----------------------------------------------------------------------------------------------


def find(paths: Paths, *, glob: str, table: Mapping[str, str], takes: Iterable[str], model: str) -> Iterator[Found]:
    """All media there is, in the order given; inside folders and globs sorted by path.

    What was named itself and cannot be taken is a :class:`Found` with an error. What merely lies in a folder is left
    out, and one line of the log says so.

    Args:
        glob: what to look for in folders.
        table: kinds by suffix.
        takes: the kinds the model takes.
        model: its name, for messages.
    """
    kinds = set(takes)
    left_out: Counter[str] = Counter()
    one = isinstance(paths, (str, os.PathLike, Blob, Media))
    for entry in [paths] if one else paths:  # type: ignore[union-attr]
        if isinstance(entry, (str, os.PathLike)):
            yield from _below(entry, glob, table, kinds, left_out)
        elif hasattr(entry, "yield_blobs"):
            yield from (_from_blob(blob, table) for blob in entry.yield_blobs())
        elif isinstance(entry, Blob):
            yield _from_blob(entry, table)
        else:
            yield _from_media(entry)
    if left_out:
        what = ", ".join(f"{suffix or 'no suffix'} ({count})" for suffix, count in sorted(left_out.items()))
        logger.info(
            "%d files left out, of kinds not asked for or that %s does not take: %s", left_out.total(), model, what
        )


def _below(
    entry: str | os.PathLike[str], glob: str, table: Mapping[str, str], kinds: set[str], left_out: Counter[str]
) -> Iterator[Found]:
    text = os.fspath(entry)
    if _is_url(text):
        yield _by_suffix(text, entry, table)
        return
    path = Path(text).expanduser()
    if path.is_dir():
        files: Iterable[Path] = sorted(p for p in path.glob(glob) if not _hidden(p.relative_to(path)))
    elif isinstance(entry, str) and globbing.has_magic(text) and not path.exists():
        files = [Path(p) for p in sorted(globbing.glob(str(path), recursive=True))]  # noqa: PTH207  # a pattern with a root
        if not files:
            yield Found(text, None, InvalidInputError(f"matches no file (looked in {Path.cwd()}).", item=repr(text)))
    else:
        yield _by_suffix(text, path, table)
        return
    for file in files:
        if not file.is_file():
            continue
        kind = table.get(file.suffix.lower())
        if kind in kinds and kind is not None:
            yield Found(str(file), _TYPES[kind](file))
        else:
            left_out[file.suffix.lower()] += 1


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _by_suffix(where: str, source: Any, table: Mapping[str, str]) -> Found:
    try:
        return Found(where, media_from(source, table))
    except InvalidInputError as error:
        return Found(where, None, error)


def _from_media(media: Any) -> Found:
    if not isinstance(media, Media):
        raise InvalidInputError(f"paths= takes paths, URLs, Blobs and media, got a {type(media).__name__}.")
    source = media.source
    place = isinstance(source, (str, os.PathLike)) and not str(source).startswith("data:")
    return Found(os.fspath(source) if place else media.filename or media.kind, media)  # type: ignore[arg-type]


def _from_blob(blob: Blob, table: Mapping[str, str]) -> Found:
    where = blob.source or ""
    mime = (blob.mimetype or "").partition(";")[0].strip().lower()
    kind = _MIME_TYPES.get(mime) or (mime.partition("/")[0] if mime.partition("/")[0] in _TYPES else None)
    kind = kind or table.get(_suffix(where))
    if kind is None:
        what = f"its type {mime!r}" if mime else "it has no mimetype, and its source"
        why = f"{what} does not say what it holds; give the Blob a mimetype such as 'video/mp4'."
        return Found(where or "blob", None, InvalidInputError(why, item=repr(where or "blob")))
    name = Path(where.partition("?")[0]).name
    if blob.data is None:
        source: Any = str(blob.path)
    else:
        source = blob.data if isinstance(blob.data, bytes) else blob.data.encode(blob.encoding)
        if kind == "document" and not name:
            name = {"application/pdf": "blob.pdf", "text/markdown": "blob.md"}.get(mime, "blob.txt")
    said = {key: value for key, value in blob.metadata.items() if value is not None}
    metadata = {**({"source": where} if where else {}), **said}
    return Found(where or name or kind, _TYPES[kind](source, filename=name or None), metadata=metadata)


class Equals:
    """Tells files of the same content apart from new ones; reads a file only if another has its size."""

    def __init__(self) -> None:
        self._by_size: dict[tuple[Any, ...], list[tuple[Found, bytes | None]]] = {}

    def before(self, found: Found) -> Found | None:
        """The one seen before with the very content, or None and this one is remembered. May read the disk."""
        media = found.media
        size = _size(media)
        if media is None or size is None:
            return None
        key = (media.kind, size, getattr(media, "start_sec", None), getattr(media, "end_sec", None))
        seen = self._by_size.setdefault(key, [])
        if not seen:
            seen.append((found, None))
            return None
        mine = _digest(media)
        for i, (other, digest) in enumerate(seen):
            digest = digest or _digest(other.media)
            seen[i] = (other, digest)
            if mine is not None and digest == mine:
                return other
        seen.append((found, mine))
        return None


def _size(media: Media | None) -> int | str | None:
    if media is None:
        return None
    source: Any = media.source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return len(source)
    if isinstance(source, (str, os.PathLike)):
        if isinstance(source, str) and "://" in source:
            return source
        try:
            return Path(source).expanduser().stat().st_size
        except (OSError, ValueError):
            return None
    return None


def _digest(media: Media | None) -> bytes | None:
    source: Any = None if media is None else media.source
    found = hashlib.blake2b(digest_size=20)
    if isinstance(source, (bytes, bytearray, memoryview)):
        found.update(source)
    elif isinstance(source, str) and "://" in source:
        found.update(b"url" + source.encode())
    else:
        try:
            with Path(source).expanduser().open("rb") as file:
                while block := file.read(1 << 20):
                    found.update(block)
        except (OSError, ValueError, TypeError):
            return None
    return found.digest()
