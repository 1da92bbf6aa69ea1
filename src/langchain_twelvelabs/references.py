"""References: texts that stand for vectors already made, so that every LangChain store takes media.

LangChain's stores take texts and have them embedded; few take vectors, each by a method of its own. So a video's
segment is stored as a document whose text names it, ``beach.mp4 00:01:12-00:01:18 visual
[twelvelabs:marengo3.0/512/<uuid>]``, and ``embed_documents`` answers that text with the segment's vector.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twelvelabs_core import InvalidInputError
from twelvelabs_core.adapter import Adapter

_OPENING = "[twelvelabs:"
_FORM = re.compile(
    r"[^\n]*\[twelvelabs:(?P<space>[^\[\]\n]+)/(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\]"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference.

    Attributes:
        space: the vector space of the vector it stands for.
        id: UUID of the segment.
    """

    space: str
    id: str

    @classmethod
    def parse(cls, text: Any) -> Reference | None:
        """Parse a text; None if it is not a reference, which is one line that ends with the closing bracket."""
        if not isinstance(text, str) or _OPENING not in text:
            return None
        found = _FORM.fullmatch(text.strip())
        return cls(found["space"], found["id"]) if found else None


def reference_to(id: str, space: str, description: str) -> str:
    """The text of a document: a readable description, then the reference."""
    return f"{' '.join(description.split())} {_OPENING}{space}/{id}]"


async def vectors_of_references(adapter: Adapter, texts: Sequence[Any], name: str) -> dict[int, list[float]]:
    """The vectors of those texts that are references, by index.

    Args:
        adapter: keeps the vectors.
        texts: references and plain texts.
        name: what the texts are called in errors: ``texts`` or ``text``.

    Raises:
        InvalidInputError: a reference is of another space, or its vector is not kept here.
    """
    references = {i: found for i, text in enumerate(texts) if (found := Reference.parse(text)) is not None}
    if not references:
        return {}
    for i, reference in references.items():
        if reference.space != adapter.space:
            raise InvalidInputError(
                f"{texts[i].strip()!r} stands for a vector of {reference.space}, which does not compare with "
                f"these embeddings' {adapter.space}. Load the media again with these embeddings, or use the embeddings "
                "it was loaded with.",
                item=_label(name, i),
            )
    kept = await adapter._kept_vectors(reference.id for reference in references.values())
    for i, reference in references.items():
        if reference.id not in kept:
            raise InvalidInputError(
                f"{texts[i].strip()!r} stands for a vector that these embeddings do not hold; it is not "
                "embedded as text. Give the store the embeddings object that the media was loaded with, or give both "
                "the same cache=, or load the media again.",
                item=_label(name, i),
            )
    return {i: kept[reference.id] for i, reference in references.items()}


def _label(name: str, index: int) -> str:
    return f"{name}[{index}]" if name.endswith("s") else name
