"""What can be searched: the pictures, sounds and texts of a folder, and why a file is not among them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import av
from PIL import Image

from twelvelabs_core import DEFAULT_MODEL, MODELS, estimate_tokens

__all__ = ["KINDS", "Item", "Kind", "Library", "MediaError", "find"]

Kind = Literal["picture", "sound", "text"]
KINDS: tuple[Kind, ...] = ("picture", "sound", "text")

# Formats besides JPEG and PNG are converted by the library before they are sent.
_SUFFIXES: dict[str, Kind] = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"), "picture"),
    **dict.fromkeys((".wav", ".mp3", ".flac"), "sound"),
    **dict.fromkeys((".txt", ".md"), "text"),
}
_FILMS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"}
_OTHER_SOUNDS = {".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff"}

_MODEL = MODELS[DEFAULT_MODEL]
_LIMITS = _MODEL.media


class MediaError(Exception):
    """The folder cannot be searched; the message is one line for the user."""


@dataclass(frozen=True)
class Item:
    """One file. ``name`` is its path inside the folder; ``text`` the words of a text file."""

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

    def named(self, name: str) -> Item:
        """One file by its name; ``KeyError`` if there is none."""
        return {item.name: item for item in self.items}[name]


def find(folder: Path, *, most: int = 50) -> Library:
    """Look through a folder and those inside it; hidden files are passed over.

    Args:
        folder: where to look.
        most: files of a kind taken at most: each costs a request, on the real service a paid one.

    Raises:
        MediaError: there is no such folder, or nothing in it that can be searched.
    """
    if not folder.exists():
        raise MediaError(f"there is no folder {str(folder)!r}")
    if not folder.is_dir():
        raise MediaError(f"{str(folder)!r} is a file; give the folder it is in")
    items: list[Item] = []
    notes: list[tuple[str, str]] = []
    beyond: dict[Kind, int] = {}
    try:
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder))
    except OSError as error:
        raise MediaError(f"the folder {str(folder)!r} cannot be read: {error.strerror}") from None
    for path in paths:
        name = path.relative_to(folder).as_posix()
        kind = _SUFFIXES.get(path.suffix.lower())
        if not _is_text(name):  # the stores keep names as UTF-8
            notes.append((name.encode("utf-8", "replace").decode(), "skipped: its name is not valid UTF-8"))
        elif kind is None:
            notes.append((name, f"skipped: {_why_not(path.suffix.lower())}"))
        elif sum(item.kind == kind for item in items) >= most:
            beyond[kind] = beyond.get(kind, 0) + 1
        else:
            item, note = _item(path, name, kind)
            items += [item] if item else []
            notes += [(name, note)] if note else []
    notes += [
        (f"{number} more {kind}s", f"skipped: the demo takes {most} of a kind") for kind, number in beyond.items()
    ]
    if not items:
        seen = f"; looked at {len(paths)}, first {notes[0][0]!r}: {notes[0][1]}" if notes else ""
        raise MediaError(f"no picture, sound or text file in {str(folder)!r}{seen}")
    return Library(folder, tuple(items), tuple(notes))


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _why_not(suffix: str) -> str:
    if suffix in _FILMS:
        return "the demo takes no films (the library does: embed_video)"
    if suffix in _OTHER_SOUNDS:
        return f"{suffix} is not among the sound formats the API takes: WAV, MP3, FLAC"
    return f"{suffix} is neither a picture, a sound nor a text" if suffix else "no suffix tells what it is"


def _item(path: Path, name: str, kind: Kind) -> tuple[Item | None, str | None]:
    """One file and a remark on it; no item if the API would refuse it, and with it the batch it is in."""
    try:
        if not path.stat().st_size:
            return None, "skipped: it is empty"
        if kind == "text":
            return _text(path, name)
        too_big = path.stat().st_size > _LIMITS["image" if kind == "picture" else "audio"].max_inline_bytes
        why = "it is too large a file" if too_big else _picture(path) if kind == "picture" else _sound(path)
    except OSError as error:
        why = f"it cannot be read: {error.strerror or error}"
    return (None, f"skipped: {why}") if why else (Item(path, kind, name), None)


def _text(path: Path, name: str) -> tuple[Item | None, str | None]:
    words = " ".join(path.read_text(encoding="utf-8-sig", errors="replace").split())
    if not words:
        return None, "skipped: there are no words in it"
    start = _start(words)
    cut = f"only its first {len(start)} of {len(words)} characters are searched" if len(start) < len(words) else None
    return Item(path, "text", name, start), cut


def _start(words: str) -> str:
    """As much of a text as the model takes, which would cut off the rest; an application would split it."""
    start = words[: 10 * _MODEL.max_text_tokens]
    while estimate_tokens(start) > _MODEL.max_text_tokens:
        start = start[: int(len(start) * 0.95)]
    # Not in the middle of a word, in scripts that part them.
    return start if start == words else start.rpartition(" ")[0] or start


def _picture(path: Path) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files
            with Image.open(path) as image:
                image.load()
                size = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "it is no picture that can be read"
    least = _LIMITS["image"].min_side or 0
    if min(size) < least:
        return f"the API takes pictures from {least}x{least} pixels; it has {size[0]}x{size[1]}"
    return None


def _sound(path: Path) -> str | None:
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return "there is no sound in it"
            seconds = (container.duration or 0) / av.time_base
    except (av.error.FFmpegError, ValueError):
        return "it is no sound that can be read"
    most = _LIMITS["audio"].max_sec
    if most is not None and seconds > most:
        return f"it lasts {seconds / 60:.0f} minutes; one request takes {most / 60:.0f}"
    return None
