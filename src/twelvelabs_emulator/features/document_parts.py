"""Documents as vectors: page by page, in chunks of sentences, or as a whole."""

from __future__ import annotations

import re

from ..protocol.errors import ApiError
from ..protocol.models import Model
from ..protocol.settings import Settings
from .cancellation import check_cancelled
from .media.document import Document
from .requests import DocumentRequest
from .truncation import fit_text
from .vectors import Embedding, embed_text, embed_words
from .words.text import text_words
from .words.weights import KIND_WEIGHT, Words

QUADRANTS = ("top_left", "top_right", "bottom_left", "bottom_right")
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|\n\s*\n")


def document_words(document: Document) -> Words:
    """Describe a PDF: its words, and how many pages it has."""
    return _described(document.text, f"~pages:{document.pages}")


def embed_pdf(document: Document, request: DocumentRequest, model: Model) -> list[Embedding]:
    """Embed a PDF by pages ("local") and as a whole ("asset")."""
    found: list[Embedding] = []
    whole = embed_words(document_words(document), model)
    for scope in request.scopes:
        for option in request.options:
            if scope == "local":
                found += _pages(document, request.quadrants, model)
            elif option == "text":
                vector = embed_text(document.text, model) if document.text.strip() else whole
                found.append(Embedding(vector, "text", "asset"))
            else:
                found.append(Embedding(whole, "visual", "asset"))
    return found


def embed_text_document(
    document: Document, request: DocumentRequest, model: Model, settings: Settings
) -> tuple[list[Embedding], int]:
    """Embed a txt or md file by chunks ("local") and as a whole ("asset"); also return its tokens.

    Raises `ApiError` for a part that is too long, with whose message the task fails.
    """
    found: list[Embedding] = []
    tokens = 0
    for scope in request.scopes:
        local = scope == "local"
        parts = chunks(document.text, request.sentences, request.overlap) if local else [document.text]
        for number, part in enumerate(parts):
            check_cancelled()
            try:
                fitted = fit_text(part, "document", model, settings, "refuse")
            except ApiError as error:
                raise ApiError(400, error.code, "The content exceeds the model's context window.") from None
            tokens += fitted.tokens
            place: dict[str, int | str | None] = {"chunk_index": number} if local else {}
            vector = embed_text(fitted.text, model)
            found.append(Embedding(vector, "text", "chunk" if local else "asset", place=place))
    return found, tokens


def chunks(text: str, most: int, overlap: int) -> list[str]:
    """Divide a text into chunks of ``most`` sentences, of which ``overlap`` are those of the chunk before."""
    sentences = [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence.strip()]
    last = max(1, len(sentences) - overlap)
    return [" ".join(sentences[start : start + most]) for start in range(0, last, most - overlap)]


def _pages(document: Document, quadrants: bool, model: Model) -> list[Embedding]:
    found = []
    for page, text in enumerate(document.page_texts, start=1):
        check_cancelled()
        place: dict[str, int | str | None] = {"start_page_number": page, "end_page_number": page, "quadrant": None}
        found.append(Embedding(embed_words(_described(text, f"~page:{page}"), model), "visual", "page", place=place))
        words = text.split()
        for number, name in enumerate(QUADRANTS if quadrants else ()):
            # A quarter of the words, in reading order: their positions on the page are not known.
            quarter = " ".join(words[len(words) * number // 4 : len(words) * (number + 1) // 4])
            vector = embed_words(_described(quarter, f"~page:{page}:{name}"), model)
            found.append(Embedding(vector, "visual", "page", place={**place, "quadrant": name}))
    return found


def _described(text: str, mark: str) -> Words:
    return (text_words(text) if text.strip() else {}) | {"document": KIND_WEIGHT, mark: 0.1}
