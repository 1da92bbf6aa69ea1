"""Words that a loader writes before a reference (``text=``), and what a text splitter leaves of them.

Without its reference a piece of such words would be embedded as words, beside the metadata of a segment. So the
reference says how many letters stand before it, and has a digest of the first: ``[twelvelabs:<space>/<id>/<check>/
<count>-<digest>]``. A text that has lost some of them was cut, if a text before it begins with those words; else its
user has changed it, which is fine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Letters that are digested: fewer than the shortest piece that leaves the reference (90 characters) whole.
_FIRST = 12


@dataclass(frozen=True, slots=True)
class Words:
    """What is known of the words before a reference.

    Attributes:
        count: letters; white space, which splitters change, does not count.
        digest: six hexadecimal digits, of the first twelve letters.
    """

    count: int
    digest: str

    @classmethod
    def of(cls, text: str) -> Words:
        """Of the text before a reference."""
        found = letters(text)
        return cls(len(found), _digest(found))

    def __str__(self) -> str:
        return f"{self.count}-{self.digest}"

    def end(self, before: str) -> bool:
        """Whether they are the end of the letters before a reference."""
        return len(before) >= self.count and self.begin(before[len(before) - self.count :])

    def begin(self, found: str) -> bool:
        """Whether some letters begin as they do."""
        return len(found) >= min(self.count, _FIRST) and _digest(found) == self.digest

    def first_piece(self, texts: Sequence[Any], first: int, index: int) -> int | None:
        """The index of the text that begins with them; None if there is none.

        Args:
            texts: pieces in their order.
            first: index of the first text that can be one.
            index: of the piece with the reference.
        """
        for at in range(index - 1, first - 1, -1):
            if isinstance(texts[at], str) and any(map(self.begin, _joined(texts, at, index))):
                return at
        return None


def letters(text: str) -> str:
    """A text without white space."""
    return "".join(text.split())


def _joined(texts: Sequence[Any], at: int, index: int) -> list[str]:
    """What a piece may have begun with: its letters; if they are few, with those of the next ones.

    A short piece may stand in the next one again, whole (``chunk_overlap``).
    """
    whole = repeated = letters(texts[at])
    for following in texts[at + 1 : index + 1]:
        if len(repeated) >= _FIRST or not isinstance(following, str):
            break
        found = letters(following)
        whole += found
        repeated = found if found.startswith(repeated) else repeated + found
    return [whole, repeated]


def _digest(found: str) -> str:
    return hashlib.blake2b(found[:_FIRST].encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
