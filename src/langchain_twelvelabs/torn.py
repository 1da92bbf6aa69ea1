"""Pieces of references: what a text splitter leaves of ``beach.mp4 00:01:12-00:01:18 visual [twelvelabs:…]``.

Each would be embedded as words, and paid for: ``beach.mp4 00:01:12-00:01:18 visual``, ``-a708-70867728950e/1f0c77aa]``.
These functions read pieces; whether one is of a genuine reference is proved elsewhere, by the labels that were written,
by the check at a reference's end, and by joining the neighbours of a list, where splitters put the pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .references import LONGEST, OPENING, one_line

LONGEST_LABEL = 400
LONGEST_END = 60

# What a label ends with, after the file's name; and the last letters of its words, for a quick test.
_LABEL = re.compile(
    r"\s(?:whole|\d\d+:\d\d:\d\d(?:\.\d)?-\d\d+:\d\d:\d\d(?:\.\d)?|page \d+(?: \w+)?|part \d+)"
    r"(?: (?:visual|audio|transcription|text|fused))?\Z"
)
_LAST = {"sual", "udio", "tion", "text", "used", "hole"}
# The rest of a reference, from inside its brackets to its end.
_REST = re.compile(r"[^\n\[\]]{0,260}\]")
_END = re.compile(r"(?P<id>[0-9a-f]{12})/(?P<check>[0-9a-f]{8})(?:/[0-9]{1,9}-[0-9a-f]{6})?\]\Z")


def may_be_piece(text: str) -> bool:
    """A quick test, made for every text that is embedded: False if none of these functions finds anything."""
    last = text[-1:]
    return (
        last.isdigit() or last.isspace() or text[-4:] in _LAST or (("]" in text or "[" in text) and _in_brackets(text))
    )


def _in_brackets(text: str) -> bool:
    """Whether a text ends with what may be an opening, or has a closing bracket before any other."""
    closing = text.find("]", 0, LONGEST)
    return text.find("[", -len(OPENING)) >= 0 or (closing >= 0 and text.find("[", 0, closing) < 0)


def bare_label(text: str) -> str | None:
    """The text as a label, if it has the form of one and holds nothing else but the first characters of a reference."""
    at = text.find("[", -len(OPENING))
    if at >= 0 and OPENING.startswith(text[at:]):
        text = text[:at]
    if len(text) > LONGEST_LABEL or not _LABEL.search(text.rstrip()[-LONGEST_END:]):
        return None
    return one_line(text)


def label_of(text: str) -> str:
    """The words before a text's reference."""
    return text.partition(OPENING)[0]


def label_before_opening(text: str) -> str | None:
    """The label on the line of a reference that is cut off before its end."""
    before, opening, after = text.rpartition(OPENING)
    if not opening or "]" in after:
        return None
    return bare_label(before.rpartition("\n")[2])


def signed_end(text: str) -> tuple[str, str] | None:
    """The last twelve digits of the id, and the check, if the text begins inside a reference and holds both."""
    rest = _REST.match(text)
    found = _END.search(rest[0]) if rest else None
    return (found["id"], found["check"]) if found else None


def joined(texts: Sequence[Any], index: int) -> Iterator[str]:
    """What a text that ends a reference may have been with those before it: each holds a reference's beginning.

    Pieces may overlap by any number of characters, all by the same or each by the most that fits.

    Args:
        texts: pieces in their order.
        index: of the piece that ends the reference.
    """
    rest = _REST.match(texts[index])
    if not rest or index == 0:
        return
    for overlap in _overlaps(texts[index - 1], rest[0]):
        for whole in _growing(_before(texts, index), rest[0], overlap):
            if OPENING in whole:
                yield whole
                break
            if len(whole) > LONGEST:
                break


def labels_joined(texts: Sequence[Any], index: int) -> Iterator[str]:
    """What the words before a whole reference may have been with the texts before it, if these held the label's begin.

    Args:
        texts: pieces in their order.
        index: of the piece with the reference.
    """
    begin = label_of(texts[index]) + OPENING  # neighbours may overlap in the opening too
    if len(begin) > LONGEST or "\n" in begin.strip():
        return
    for overlap, between in ((0, " "), *((overlap, "") for overlap in _overlaps(texts[index - 1], begin))):
        for whole in _growing(_before(texts, index), begin, overlap, between):
            label, _, more = whole.partition(OPENING)
            if more or len(label) > LONGEST_LABEL:
                break
            found = bare_label(label)
            if found:
                yield found


def _overlaps(first: Any, second: str) -> list[int | None]:
    """By how many characters all pieces may overlap, as these two do; None = each by the most that fits."""
    if not isinstance(first, str):
        return []
    return [None, *(n for n in range(min(len(first), len(second))) if first.endswith(second[:n]))]


def _before(texts: Sequence[Any], index: int) -> Iterator[str]:
    """The texts before one, the nearest first, as long as they can be pieces of the same line."""
    for at in range(index - 1, max(-1, index - 1 - LONGEST), -1):
        piece = texts[at]
        if not isinstance(piece, str):
            return
        yield piece[-LONGEST:]


def _growing(pieces: Iterable[str], whole: str, overlap: int | None, between: str = "") -> Iterator[str]:
    """A text with one piece after another put before it; ends where they do not overlap as they should.

    Args:
        pieces: the nearest first.
        whole: the last piece.
        overlap: characters by which neighbours overlap, fewer than a piece has; None = the most that fit.
        between: what stood between the pieces.
    """
    following = whole
    for piece in pieces:
        if not piece:
            return
        shared = overlap
        if shared is None:
            shared = next(
                n for n in range(min(len(piece) - 1, len(following)), -1, -1) if piece.endswith(following[:n])
            )
        elif shared >= len(piece) or not piece.endswith(following[:shared]):
            return
        whole, following = piece + between + whole[shared:], piece
        yield whole
