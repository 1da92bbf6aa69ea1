"""Documents in tasks of marengo3.5: page by page, in chunks of sentences, or as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..endpoints.usage import PAGE_TOKENS
from ..protocol.errors import ApiError, invalid
from ..protocol.fields import Fields
from ..protocol.models import Model
from ..protocol.settings import Settings
from .media.document import Document, open_document, words_of_pdf
from .media.source import Source
from .segments import Row
from .truncation import fitted
from .vectors import Vector, text_vector, vector
from .words.text import Words, of_text

__all__ = ["DocumentRequest", "document_rows", "is_pdf", "read_document_request"]

_QUADRANTS = ("top_left", "top_right", "bottom_left", "bottom_right")
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|\n\s*\n")
_PAIRS = {
    True: {("visual", "local"), ("visual", "asset"), ("text", "asset")},
    False: {("text", "asset"), ("text", "local")},
}


@dataclass(frozen=True)
class DocumentRequest:
    """What is asked about a document. ``sentences`` and ``overlap`` are those of a chunk."""

    options: list[str]
    scopes: list[str]
    quadrants: bool = False
    sentences: int = 0
    overlap: int = 0


def is_pdf(source: Source) -> bool:
    """Tell a PDF from a text."""
    return b"%PDF-" in source.head(1024)


def read_document_request(fields: Fields, pdf: bool) -> DocumentRequest:
    """Read the options of ``document``, whose defaults depend on what it is. Raises the API's 400."""
    options = fields.strings("embedding_option", ("visual", "text"), ("visual",) if pdf else ("text",))
    scopes = fields.strings("embedding_scope", ("local", "asset"), ("local",) if pdf else ("asset",))
    fields.strings("embedding_type", ("separate_embedding",), ("separate_embedding",))
    what = "a PDF" if pdf else "a text document"
    for option in options:
        for scope in scopes:
            if (option, scope) not in _PAIRS[pdf]:
                why = f"The option {option} with the scope {scope} is not available for {what}."
                raise invalid(fields.path("embedding_scope"), why)
    quadrants, sentences, overlap = _read_segmentation(fields.child("segmentation"), options, scopes)
    if not pdf and "local" in scopes and not sentences:
        raise invalid(fields.path("segmentation"), "The scope local of a text document needs `sequential`.")
    return DocumentRequest(options, scopes, quadrants, sentences, overlap)


def _read_segmentation(given: Fields | None, options: list[str], scopes: list[str]) -> tuple[bool, int, int]:
    if given is None:
        return False, 0, 0
    spatial, sequential = given.child("spatial"), given.child("sequential")
    given.done()
    if (spatial is None) == (sequential is None):
        raise invalid(given.path("spatial|sequential"), "Provide exactly one of them.")
    wanted = "visual" if sequential is None else "text"
    if wanted not in options or "local" not in scopes:
        raise invalid(given.path("spatial|sequential"), f"It needs the option {wanted} and the scope local.")
    if spatial is not None:
        strategy = spatial.string("strategy", required=True, choices=("standard", "quadrants"))
        spatial.done()
        return strategy == "quadrants", 0, 0
    assert sequential is not None  # exactly one
    sequential.string("strategy", required=True, choices=("sentence",))
    most = sequential.integer("max_sentences", low=1, required=True) or 0
    overlap = sequential.integer("overlap_sentences", low=0) or 0
    sequential.done()
    if overlap >= most:
        raise invalid(sequential.path("overlap_sentences"), "It must be less than `max_sentences`.")
    return False, most, overlap


def document_rows(
    source: Source, asked: DocumentRequest, model: Model, settings: Settings
) -> tuple[list[Row], dict[str, int]]:
    """Embed a document; also return its tokens. Raises an `ApiError`, with whose message the task fails."""
    each = 5 if asked.quadrants else 1
    document = open_document(source, model, settings, in_task=True, each_page_counts=each)
    if document.is_text:
        return _text_rows(document, asked, model, settings)
    rows: list[Row] = []
    whole = vector(words_of_pdf(document), model)
    for scope in asked.scopes:
        for option in asked.options:
            if scope == "local":
                rows += _page_rows(document, asked.quadrants, model)
            elif option == "text":
                said = text_vector(document.text, model) if document.text.strip() else whole
                rows.append(Row(said, "text", "asset"))
            else:
                rows.append(Row(whole, "visual", "asset"))
    return rows, {"document": PAGE_TOKENS * document.pages}


def _page_rows(document: Document, quadrants: bool, model: Model) -> list[Row]:
    rows = []
    for page, text in enumerate(document.page_texts, start=1):
        place: dict[str, int | str | None] = {"start_page_number": page, "end_page_number": page}
        rows.append(Row(_page(text, page, model), "visual", "page", place=place | {"quadrant": None}))
        words = text.split()
        for number, name in enumerate(_QUADRANTS if quadrants else ()):
            # A quarter of the words, in the order in which they are written: positions are not read.
            quarter = " ".join(words[len(words) * number // 4 : len(words) * (number + 1) // 4])
            found = vector(_words(quarter, f"~page:{page}:{name}"), model)
            rows.append(Row(found, "visual", "page", place=place | {"quadrant": name}))
    return rows


def _page(text: str, page: int, model: Model) -> Vector:
    return vector(_words(text, f"~page:{page}"), model)


def _words(text: str, mark: str) -> Words:
    return (of_text(text) if text.strip() else {}) | {"document": 0.35, mark: 0.1}


def _text_rows(
    document: Document, asked: DocumentRequest, model: Model, settings: Settings
) -> tuple[list[Row], dict[str, int]]:
    rows: list[Row] = []
    tokens = 0
    for scope in asked.scopes:
        pieces = [document.text] if scope == "asset" else _chunks(document.text, asked.sentences, asked.overlap)
        for number, piece in enumerate(pieces):
            try:
                kept = fitted(piece, "document", model, settings, over_long="refuse")
            except ApiError as error:
                raise ApiError(400, error.code, "The content exceeds the model's context window.") from None
            tokens += kept.tokens
            place: dict[str, int | str | None] = {} if scope == "asset" else {"chunk_index": number}
            rows.append(
                Row(text_vector(kept.text, model), "text", "asset" if scope == "asset" else "chunk", place=place)
            )
    return rows, {"text": tokens}


def _chunks(text: str, most: int, overlap: int) -> list[str]:
    sentences = [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence.strip()]
    last = max(1, len(sentences) - overlap)
    return [" ".join(sentences[start : start + most]) for start in range(0, last, most - overlap)]
