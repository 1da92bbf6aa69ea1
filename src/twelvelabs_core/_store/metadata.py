"""The metadata keys of rows: which a caller may not use, and the check that vectors are of one space."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._errors import InvalidInputError
from .._places import unsigned_url

RESERVED = frozenset(
    {
        *("media_type", "start_sec", "end_sec", "duration_sec", "embedding_option", "embedding_scope"),
        *("page", "quadrant", "chunk", "content_digest", "space"),
    }
)
"""Keys that say what a row's vector stands for. Those of a row are ``source`` and ``file_name`` too, which a caller may
give: where a file comes from is the caller's to say."""

LONGEST_NAME = 63
"""Characters of a collection's name that every store takes (PostgreSQL, and Chroma before 1.0)."""

_SPACE = re.compile(r"[^\s/]+/[0-9]+(/\S+)?")
_NO_WORD = re.compile(r"[^A-Za-z0-9]+")


def own_metadata(given: Mapping[str, Any] | None, label: str | None = None) -> dict[str, Any]:
    """A copy of the metadata that a caller gives for a file's rows, with the source as text and without signature.

    Raises:
        InvalidInputError: it has a key of :data:`RESERVED`, which the row's own would replace or be replaced by; or
            ``source`` or ``file_name`` is no text.
    """
    found = dict(given or {})
    check_reserved(found, RESERVED, label)
    for name in ("source", "file_name"):
        value = found.get(name)
        if value is None:
            found.pop(name, None)
        elif isinstance(value, (str, os.PathLike)):
            found[name] = unsigned_url(os.fsdecode(value))
        else:
            raise InvalidInputError(
                f"its metadata has a {type(value).__name__} under {name!r}; expected a str.", item=label
            )
    return found


def check_reserved(metadata: Mapping[str, Any], reserved: Iterable[str], label: str | None = None) -> None:
    """Refuse metadata with a key that rows use for something else.

    Raises:
        InvalidInputError: it has one; the message names it.
    """
    wrong = sorted(set(reserved) & set(metadata))
    if wrong:
        raise InvalidInputError(
            f"its metadata has the key {wrong[0]!r}, under which a row keeps what its vector stands for. "
            f"Rename it, for example to 'my_{wrong[0]}'.",
            item=label,
        )


def vector_space(metadata: Mapping[str, Any]) -> str | None:
    """The vector space that a row's metadata names; None if it names none, or if ``space`` is somebody else's key.

    It is a row's if the other keys of rows are there too, or if it has the form ``marengo3.0/512``.
    """
    space = metadata.get("space")
    if space is None:
        return None
    is_row = "content_digest" in metadata or "embedding_option" in metadata
    if is_row or (isinstance(space, str) and _SPACE.fullmatch(space)):
        return str(space)
    return None


def collection_name(name: str, space: str) -> str:
    """The name of a store's collection that is for the vectors of one space: ``videos_marengo3_0_512``.

    Vectors of two models that are equally long meet in one collection unless it is named after their space. What is
    added to ``name`` is letters, digits and underscores, which Chroma, Qdrant, LanceDB, Milvus and PostgreSQL take.

    Args:
        name: what is in the collection: ``videos``.
        space: such as ``marengo3.0/512``.

    Raises:
        InvalidInputError: ``name`` is empty, or the whole is longer than 63 characters, which not every store takes.
    """
    if not isinstance(name, str) or not name:
        raise InvalidInputError(f"A collection's name is a str such as 'videos', got {name!r:.60}.")
    whole = f"{name}_{_NO_WORD.sub('_', space)}"
    if len(whole) > LONGEST_NAME:
        raise InvalidInputError(
            f"The collection's name {whole!r} has {len(whole)} characters; stores take {LONGEST_NAME}. Shorten it."
        )
    return whole


def check_space(metadatas: Iterable[Mapping[str, Any]], space: str | None) -> None:
    """Refuse vectors of another space. If they are equally long, a search would return meaningless results silently.

    Args:
        metadatas: metadata of rows, documents or nodes. Those without a ``space`` are not checked, nor those that use
            this key for something else (``"kitchen"``).
        space: the expected space; None = any, but the same for all.

    Raises:
        InvalidInputError: there is a vector of another space; the message names both.
    """
    for metadata in metadatas:
        other = vector_space(metadata)
        if other is None or other == space:
            continue
        if space is None:
            space = other
            continue
        raise InvalidInputError(
            f"The collection holds vectors of {other}, the embeddings are {space}; the two do not compare. "
            "Use the model it was written with, or embed everything again. (If 'space' in its metadata is a key of "
            "your own, rename it.)"
        )
