"""What makes a row the same row: ids of content and place, and what two rows of one segment have in common."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from .._assets import Asset
from .._errors import InvalidInputError, UnexpectedError
from .._inputs import Media
from .._places import place_of, unsigned_url

# Changing it would give every stored row a new id.
_NAMESPACE = uuid.UUID("6c9e2f5e-3b1d-5b52-9d0e-0f2f0d7a3a11")

IdFrom: TypeAlias = Literal["source", "content"] | Callable[[Mapping[str, Any]], str]
"""What the ids of a file's rows are made of, beside its content, which always is a part of them:

- ``"source"`` (the default): its path or URL, however it is spelt, or the file name given for bytes. Copies at two
  places have rows of their own, and a file that was moved has new ones.
- ``"content"``: nothing else. Copies have the same rows, wherever they are.
- a function: a name of your own. It is given the metadata that is known before embedding (``source``, ``file_name``,
  ``media_type``, and what you gave) and returns a ``str`` that is not empty: ``lambda metadata: metadata["video_id"]``.
  Two contents under one name keep their rows apart.
"""


def checked_id_from(id_from: IdFrom) -> IdFrom:
    """``id_from``, or an error if it is none of the choices.

    Raises:
        InvalidInputError: it is neither a word that is known nor callable.
    """
    if id_from not in ("source", "content") and not callable(id_from):
        raise InvalidInputError(
            f"id_from={id_from!r} must be 'source', 'content', or a function from a file's metadata to a name."
        )
    return id_from


def always(name: str | None) -> IdFrom:
    """An ``id_from`` that gives this name, found before by :func:`name_of`."""
    return "content" if name is None else lambda _: name


def source_of(media: Media) -> str | None:
    """The path, URL (without signature), asset (``asset://``) or given file name of media; None if it has none."""
    return _place(media) or media.filename


def _place(media: Media) -> str | None:
    source: Any = media.source
    if isinstance(source, Asset):
        return source.uri
    if isinstance(source, str) and not source.startswith("data:"):
        return unsigned_url(source)
    return os.fsdecode(source) if isinstance(source, os.PathLike) else None


def name_of(media: Media, metadata: Mapping[str, Any], id_from: IdFrom, label: str | None = None) -> str | None:
    """What tells the rows of one file from those of another with the same content; None = nothing does.

    Args:
        media: the file.
        metadata: what is known of it before it is embedded.
        id_from: see :data:`IdFrom`.
        label: what to call it in errors.

    Raises:
        InvalidInputError: ``id_from`` returned something else than a name.
        UnexpectedError: ``id_from`` raised.
    """
    if id_from == "content":
        return None
    if not callable(id_from):
        source = metadata.get("source")
        # A name given to it, or to content in memory, is no place on this machine: it is taken as it is.
        return place_of(source) if source and source == _place(media) else source
    try:
        name = id_from(metadata)
    except Exception as error:
        raise UnexpectedError(f"id_from raised {type(error).__name__}: {error}.", item=label) from error
    if not isinstance(name, str) or not name:
        raise InvalidInputError(f"id_from returned {name!r}; expected a str that is not empty.", item=label)
    return name


def content_id(parts: Sequence[object]) -> str:
    """The id of a row by its content alone: a UUID made of digest, option, scope, position and space."""
    return str(uuid.uuid5(_NAMESPACE, "|".join(map(str, parts))))


def row_id(content: str, name: str | None) -> str:
    """The id of a row: a UUID.

    Args:
        content: its :func:`content_id`.
        name: of its file, see :func:`name_of`.
    """
    if name is None:
        return content
    # A file's name need not be UTF-8, which a UUID is made of.
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
    return str(uuid.uuid5(uuid.UUID(content), digest))


def file_key(metadata: Mapping[str, Any]) -> Hashable | None:
    """The identity of a row's file: its source, however it is spelt, and its content; None if the metadata has neither.

    Two copies are two files, and so are two contents at one place.
    """
    source, digest = metadata.get("source"), metadata.get("content_digest")
    if not source and not digest:
        return None
    return (place_of(source) if isinstance(source, str) else str(source or ""), str(digest or ""))


def segment_key(metadata: Mapping[str, Any]) -> Hashable | None:
    """The identity of a row's segment, equal for its vectors of all options; None if the metadata is not a row's."""
    if "content_digest" not in metadata:
        return None
    position = ("start_sec", "end_sec", "page", "quadrant", "chunk", "embedding_scope")
    return (file_key(metadata), *(metadata.get(name) for name in position))
