"""The images, video, audio and text of a folder, and why a file is left out."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import av
from PIL import Image

from twelvelabs_core import DEFAULT_MODEL, MODELS, estimate_tokens
from twelvelabs_core.adapter import SUFFIXES

__all__ = ["HEADINGS", "KINDS", "MOST", "VIDEOS_AT_MOST", "Item", "Kind", "Library", "MediaError", "find", "named"]

Kind = Literal["image", "video", "audio", "text"]
KINDS: tuple[Kind, ...] = ("image", "video", "audio", "text")

MOST = 50
"""Files of a kind that are sent to the real service unless more are asked for; the emulator gets all."""

VIDEOS_AT_MOST = 5
"""The same of videos, which are billed by the minute, any other file by one request."""

# The model of the demo takes no documents: text files are sent as texts, and PDFs are left out.
_SUFFIXES: dict[str, Kind] = {
    suffix: "text" if kind == "document" else kind for suffix, kind in SUFFIXES.items() if suffix != ".pdf"
}
_OTHER_AUDIO = {".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff"}

_MODEL = MODELS[DEFAULT_MODEL]
_LIMITS = _MODEL.media
_TASK_LIMITS = _MODEL.task_media


class MediaError(Exception):
    """The folder cannot be searched; the message is one line for the user."""


@dataclass(frozen=True)
class Item:
    """One file. ``name`` is its path inside the folder; ``text`` the content of a text file."""

    path: Path
    kind: Kind
    name: str
    text: str = ""


@dataclass(frozen=True)
class Library:
    """The files of a folder, sorted by name, and ``notes``: (file, why it is left out or shortened)."""

    folder: Path
    items: tuple[Item, ...]
    notes: tuple[tuple[str, str], ...] = field(default=())

    def of(self, kind: Kind) -> list[Item]:
        """The files of one kind."""
        return [item for item in self.items if item.kind == kind]

    def portions(self, most: int = 50) -> Iterator[tuple[Kind, list[Item]]]:
        """The files by kind, up to ``most`` at once, videos one by one: what is embedded before progress is shown."""
        for kind in KINDS:
            items, step = self.of(kind), 1 if kind == "video" else most
            for start in range(0, len(items), step):
                yield kind, items[start : start + step]

    def named(self, name: str) -> Item:
        """One file by its name; ``KeyError`` if there is none."""
        return {item.name: item for item in self.items}[name]


#: The heading over files of a kind.
HEADINGS: dict[Kind, str] = {"image": "images", "video": "videos", "audio": "audio", "text": "texts"}


def named(kind: Kind, number: int = 2) -> str:
    """Name so many files of a kind: ``image``, ``images``, ``audio file`` …"""
    return ("audio file" if kind == "audio" else kind) + ("" if number == 1 else "s")


def find(
    folder: Path,
    *,
    most: int | None = MOST,
    videos: int | None = VIDEOS_AT_MOST,
    progress: Callable[[int, int], None] | None = None,
) -> Library:
    """Find the files of a folder and its subfolders, except hidden ones.

    Args:
        folder: where to look.
        most: files of a kind taken at most; each is a request, which TwelveLabs bills. None takes all.
        videos: videos taken at most, of up to ten minutes. None takes all.
        progress: called with how many files were looked at, and of how many.

    Raises:
        MediaError: there is no such folder, or nothing in it that can be searched.
    """
    if not folder.exists():
        raise MediaError(f"there is no folder {str(folder)!r}")
    if not folder.is_dir():
        raise MediaError(f"{str(folder)!r} is a file; give the folder it is in")
    items: list[Item] = []
    notes: list[tuple[str, str]] = []
    taken = dict.fromkeys(KINDS, 0)
    all_of_a_kind = sys.maxsize if most is None else most
    room: dict[Kind, int] = {**dict.fromkeys(KINDS, all_of_a_kind), "video": all_of_a_kind}
    if videos is not None:
        room["video"] = min(videos, all_of_a_kind)
    paths = _walk(folder)
    for number, (path, refused) in enumerate(paths, 1):
        if progress:
            progress(number, len(paths))
        name = path.relative_to(folder).as_posix()
        kind = _SUFFIXES.get(path.suffix.lower())
        if not _is_text(name):  # the stores keep names as UTF-8
            notes.append((name.encode("utf-8", "replace").decode(), "skipped: its name is not valid UTF-8"))
        elif refused:
            notes.append((name, f"skipped: {refused}"))
        elif kind is None:
            notes.append((name, f"skipped: {_why_not(path.suffix.lower())}"))
        elif taken[kind] >= room[kind]:
            notes.append((name, f"skipped: the demo takes {_room(kind, room[kind])}"))
        else:
            item, note = _item(path, name, kind)
            taken[kind] += item is not None
            items += [item] if item else []
            notes += [(name, note)] if note else []
    if not items:
        seen = f"; looked at {len(paths)}, first {notes[0][0]!r}: {notes[0][1]}" if notes else ""
        raise MediaError(f"no image, video, audio or text file in {str(folder)!r}{seen}")
    return Library(folder, tuple(items), tuple(notes))


def _room(kind: Kind, most: int) -> str:
    return f"{most} {named(kind, most)} (--videos)" if kind == "video" else f"{most} of a kind (--most)"


def _walk(folder: Path) -> list[tuple[Path, str | None]]:
    """Everything in a folder that is not hidden and no folder, sorted, and why it cannot be opened at all."""
    found: list[tuple[Path, str | None]] = []

    def unreadable(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise MediaError(f"the folder {str(folder)!r} cannot be read: {error.strerror}") from None
        found.append((Path(error.filename), f"the folder cannot be read: {error.strerror}"))

    for inside, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in [*folders, *files]:
            path = Path(inside, name)
            if name.startswith(".") or (path.is_dir() and not path.is_symlink()):
                continue
            found.append((path, _no_file(path)))
    return sorted(found, key=lambda pair: pair[0])


def _no_file(path: Path) -> str | None:
    if path.is_symlink() and not path.exists():
        return f"it is a broken link, to {str(path.readlink())!r}"
    if path.is_dir():
        return "it is a link to a folder; give that folder to search it"
    return None if path.is_file() else "it is no ordinary file"


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _why_not(suffix: str) -> str:
    if suffix in _OTHER_AUDIO:
        return f"{suffix} is not among the audio formats the API takes (WAV, MP3, FLAC); convert it"
    return f"{suffix} is no image, video, audio or text" if suffix else "no suffix tells what it is"


def _item(path: Path, name: str, kind: Kind) -> tuple[Item | None, str | None]:
    """One file and a note about it; no item if the API would refuse it."""
    try:
        if not path.stat().st_size:
            return None, "skipped: it is empty"
        if kind == "text":
            return _text(path, name)
        why = "it is too large a file" if path.stat().st_size > _largest(kind) else _CHECKS[kind](path)
    except OSError as error:
        why = f"it cannot be read: {error.strerror or error}"
    return (None, f"skipped: {why}") if why else (Item(path, kind, name), None)


def _largest(kind: Kind) -> int:
    if kind == "video":  # what does not fit into a request is uploaded
        return _TASK_LIMITS["video"].max_bytes or _TASK_LIMITS["video"].max_inline_bytes
    return _LIMITS["image" if kind == "image" else "audio"].max_inline_bytes


def _text(path: Path, name: str) -> tuple[Item | None, str | None]:
    words = " ".join(path.read_text(encoding="utf-8-sig", errors="replace").split())
    if not words:
        return None, "skipped: there are no words in it"
    start = _start(words)
    cut = f"only its first {len(start)} of {len(words)} characters are searched" if len(start) < len(words) else None
    return Item(path, "text", name, start), cut


def _start(words: str) -> str:
    """As much of a text as the model takes; an application would split the text instead."""
    start = words[: 10 * _MODEL.max_text_tokens]
    while estimate_tokens(start) > _MODEL.max_text_tokens:
        start = start[: int(len(start) * 0.95)]
    # Not in the middle of a word, in scripts that separate words by spaces.
    return start if start == words else start.rpartition(" ")[0] or start


def _image(path: Path) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's warnings about unusual files
            with Image.open(path) as image:
                image.load()
                size = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "it is no image that can be read"
    least = _LIMITS["image"].min_side or 0
    if min(size) < least:
        return f"the API takes images from {least}x{least} pixels; it has {size[0]}x{size[1]}"
    return None


def _audio(path: Path) -> str | None:
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return "there is no audio in it"
            seconds = (container.duration or 0) / av.time_base
    except (av.error.FFmpegError, ValueError):
        return "it is no audio that can be read"
    return _too_long(seconds, _LIMITS["audio"].max_sec)


def _video(path: Path) -> str | None:
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return "there is no video in it"
            track = container.streams.video[0]
            sides = (track.codec_context.width, track.codec_context.height)
            seconds = (container.duration or 0) / av.time_base
    except (av.error.FFmpegError, ValueError):
        return "it is no video that can be read"
    limit = _TASK_LIMITS["video"]
    if min(sides) < (limit.min_side or 0):
        return f"the API takes videos from {limit.min_side}x{limit.min_side} pixels; it has {sides[0]}x{sides[1]}"
    if limit.max_side is not None and max(sides) > limit.max_side:
        return f"the API takes videos of up to {limit.max_side} pixels a side; it has {sides[0]}x{sides[1]}"
    if limit.min_sec is not None and seconds < limit.min_sec:
        return f"the API takes videos from {limit.min_sec:g} seconds; it lasts {seconds:.1f}"
    # As a query it is one vector, made in one request.
    return _too_long(seconds, _LIMITS["video"].max_sec)


def _too_long(seconds: float, most: float | None) -> str | None:
    if most is not None and seconds > most:
        return f"it lasts {seconds / 60:.1f} minutes; one request takes {most / 60:.0f}"
    return None


_CHECKS: dict[Kind, Callable[[Path], str | None]] = {"image": _image, "video": _video, "audio": _audio}
