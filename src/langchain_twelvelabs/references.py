"""References: texts that stand for vectors already made, so that every LangChain store takes media.

LangChain's stores take texts and have them embedded; few take vectors, each by a method of its own. So a video's
segment is stored as a document whose text names it, ``beach.mp4 00:01:12-00:01:18 visual
[twelvelabs:marengo3.0/512/<uuid>/<check>]``, and ``embed_documents`` answers that text with the segment's vector.

A loader with ``text=`` puts a caption before that line, and the reference says how many letters it has (see
:mod:`~.words`). The words around a reference do not change its vector. A reference must never be embedded as words:
beside the metadata of a segment that vector would be a wrong one. A text from outside must not be able to stop a batch
by looking like a reference. So only a *genuine* reference is answered or refused: one whose vector is held here, or
whose check shows that it was written with this API key. Everything else is embedded as the text that it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twelvelabs_core.adapter import Adapter

from .words import Words, letters

OPENING = "[twelvelabs:"

LONGEST = 400
"""Characters in which a reference must end; a longer one is none."""

_FORM = re.compile(
    r"\[twelvelabs:(?P<space>[^\[\]\n]{1,200}?)"
    r"/(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"(?:/(?P<check>[0-9a-f]{8})(?:/(?P<count>[0-9]{1,9})-(?P<digest>[0-9a-f]{6}))?)?\]"
)
# What line wrapping and Markdown escaping put into a reference.
_BROKEN = re.compile(r"\s*\n\s*|\\")


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference read from a text.

    Attributes:
        space: the vector space of the vector it stands for.
        id: UUID of the segment.
        check: eight hexadecimal digits, see :func:`check_of`; None in references of earlier versions.
        words: what a loader wrote before it, its label included; None if there is the label alone.
    """

    space: str
    id: str
    check: str | None = None
    words: Words | None = None

    def is_signed(self, adapter: Adapter) -> bool:
        """Whether it was written with the adapter's API key."""
        return self.check is not None and self.check == check_of(adapter, self.space, self.id)


def check_of(adapter: Adapter, space: str, id: str) -> str:
    """The check of a reference: 32 bits of a signature under the API key.

    They cannot be guessed from outside (a forged reference passes once in four billion), and say nothing about the key,
    of which they are a keyed hash: a random key is far longer, and every key guessed fits 32 bits once in four billion.
    Only the id's last twelve digits are signed, so that the end of a reference that was cut in two still proves where
    it comes from.
    """
    return adapter._signature(f"twelvelabs reference\n{space}\n{id[-12:]}")[:8]


def reference_to(adapter: Adapter, id: str, description: str, words: str = "") -> str:
    """The text of a document: words, a readable description, then the reference to a vector of the adapter's space."""
    return _written(f"{OPENING}{adapter.space}/{id}", check_of(adapter, adapter.space, id), description, words)


def with_reference_of(text: str, description: str, words: str = "") -> str:
    """The text of another document that stands for the same vector, if ``text`` ends with a reference.

    Args:
        text: of a document.
        description: what stands before the reference instead.
        words: what stands before that, such as captions.
    """
    at = text.rfind(OPENING)
    match = _FORM.match(text, at) if at >= 0 else None
    if match is None:
        return f"{words}\n{one_line(description)}" if words else one_line(description)
    return _written(f"{OPENING}{match['space']}/{match['id']}", match["check"], description, words)


def _written(reference: str, check: str | None, description: str, words: str) -> str:
    before = f"{words}\n{one_line(description)} " if words else f"{one_line(description)} "
    signed = f"/{check}" if check else ""
    mark = f"/{Words.of(before)}" if words and check else ""
    return f"{before}{reference}{signed}{mark}]"


def words_of(text: str) -> str:
    """The words that a loader wrote before the line with a reference; empty if it wrote none."""
    at = text.rfind(OPENING)
    match = _FORM.match(text, at) if at >= 0 else None
    return text[:at].rpartition("\n")[0] if match and match["count"] else ""


def one_line(text: str) -> str:
    """A text with single spaces between its words."""
    return " ".join(text.split())


def references_in(text: str) -> list[Reference]:
    """The references in a text, each vector once, in the order of their place."""
    found: dict[tuple[str, str], Reference] = {}
    at = text.find(OPENING)
    while at >= 0:
        match = _FORM.match(text, at) or _FORM.match(_BROKEN.sub("", text[at : at + LONGEST]))
        if match:
            words = Words(int(match["count"]), match["digest"]) if match["count"] else None
            reference = Reference(match["space"], match["id"], match["check"], words)
            found.setdefault((reference.space, reference.id), reference)
        at = text.find(OPENING, at + 1)
    return list(found.values())


def letters_before(text: str, reference: Reference) -> str:
    """The letters that stand before a reference in a text; all of it if line breaks or escapes are in the reference."""
    return letters(text).partition(letters(f"{OPENING}{reference.space}/{reference.id}"))[0]


def has_other_words(text: str, reference: Reference) -> bool:
    """Whether a text with a reference is more than what was written: the words, and the line that ends with it."""
    text = text.strip()
    if not text.endswith("]"):
        return True
    if "\n" not in text:
        return False
    words = reference.words
    before = letters_before(text, reference)
    return words is None or len(before) != words.count or not words.begin(before)
