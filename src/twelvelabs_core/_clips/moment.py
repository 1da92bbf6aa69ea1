"""What is to be looked at: a file and a range of time, from a path, media, or a :class:`Moment`."""

from __future__ import annotations

import os
from typing import Any, TypeAlias

from .._errors import InvalidInputError
from .._inputs import Audio, Media, Video, describe, is_url
from .._media.kinds import MEDIA_TYPES, media_from, not_there
from .._places import bare_url, local_path
from .._store.moments import Moment
from .times import checked_seconds

MomentSource: TypeAlias = "Media | Moment | str | os.PathLike[str]"


def ranged(media: MomentSource, start_sec: Any, end_sec: Any) -> tuple[Media, float | None, float | None]:
    """The file, and the range in seconds: as given, else that of ``media``; None = from its beginning, to its end.

    Raises:
        InvalidInputError: the kind of the file is unknown, or a time is no number of seconds.
    """
    start, end = checked_seconds(start_sec, "start_sec"), checked_seconds(end_sec, "end_sec")
    source: Media
    if isinstance(media, Moment):
        source = stored_media(media.source, media.metadata.get("media_type"))
        own: tuple[float | None, float | None] = (media.start_sec, media.end_sec)
    else:
        source = media_from(media)
        own = (source.start_sec, source.end_sec) if isinstance(source, (Audio, Video)) else (None, None)
    return source, own[0] if start is None else start, own[1] if end is None else end


def stored_media(source: Any, kind: Any = None) -> Media:
    """The file that a store's metadata names.

    An address from a store is not fetched: whoever writes into the store could have this machine ask any server that it
    reaches. Nor would it often succeed, as stores hold no signatures.

    Raises:
        InvalidInputError: it names none, or a URL.
    """
    if not isinstance(source, str) or not source:
        raise InvalidInputError(
            "The hit names no file (its metadata has no 'source'): it was embedded from bytes. Pass media=."
        )
    if is_url(source):
        raise InvalidInputError(
            "is an address out of a store, which is not fetched unless you say so, and has no signature. Pass the "
            "address: media=url, or media=lambda source: source for those that you trust; in frames(), audio_wav() and "
            "clip() Video(url) with the times.",
            item=bare_url(source),
        )
    return MEDIA_TYPES[kind](source) if kind in MEDIA_TYPES else media_from(source)


def media_at(given: Any, source: Any, kind: Any) -> Media:
    """The file of a hit: where the caller says, else where its metadata says.

    Args:
        given: None, media, a path, a URL, bytes; or a function from the metadata's ``source`` to one of these.
        source, kind: of the metadata.

    Raises:
        InvalidInputError: as :func:`stored_media`.
    """
    if callable(given):
        given = given(source)
    if given is None:
        media = stored_media(source, kind)
        path = local_path(source)
        if path is not None and not path.exists():
            remedy = "If it has moved, say where it is: media=path, or media= a function from the hit's source to it."
            raise InvalidInputError(f"{not_there(path)}. {remedy}", item=describe(source))
        return media
    if isinstance(given, Media):
        return given
    if kind in MEDIA_TYPES:
        return MEDIA_TYPES[kind](given)
    if isinstance(given, (str, os.PathLike)):
        return media_from(given)
    raise InvalidInputError(f"media={describe(given)} does not say what it holds; wrap it: Video(...), Audio(...).")
