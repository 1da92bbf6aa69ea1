"""Opening documents: the pages of a PDF, or the text of a txt or md file."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from ...protocol.errors import ApiError
from ...protocol.models import Model
from ...protocol.settings import Settings
from ..cancellation import check_cancelled
from .checks import check_size, refused
from .source import Source

TASK_MEGABYTES = 512
# Pages of a PDF for each of its megabytes: in a synchronous request, in a task.
_PAGES_PER_MEGABYTE = {False: 16, True: 64}
# What pypdf raises for files that are damaged, encrypted, or no PDF at all.
_PDF_ERRORS = (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError)


@dataclass(frozen=True)
class Document:
    """A document: its text, and the text of each page if it is a PDF."""

    text: str
    page_texts: tuple[str, ...] = ()

    @property
    def pages(self) -> int:
        """Number of pages; 0 for txt and md files."""
        return len(self.page_texts)


def open_document(
    source: Source, model: Model, settings: Settings, *, in_task: bool = False, vectors_per_page: int = 1
) -> Document:
    """Read a PDF, txt or md file. Raises the API's 400, or 413 for too many megabytes or pages.

    Tasks allow more of both. ``vectors_per_page`` is 5 with quadrants, which count as pages.
    """
    check_size(source, TASK_MEGABYTES if in_task else model.media_megabytes, model, settings)
    if not source.is_pdf:
        return Document(_text(source))
    megabytes = source.size / settings.megabyte
    whole = math.ceil(megabytes) if settings.pdf_partial_megabyte == "counts" else math.floor(megabytes)
    allowed = _PAGES_PER_MEGABYTE[in_task] * max(1, whole)
    try:
        with source.open() as stream:
            reader = PdfReader(stream)
            pages = len(reader.pages) * vectors_per_page
            if pages > allowed:
                why = f"Document ({pages} pages) exceeds maximum limit of {allowed} pages."
                raise refused(source, why, status=settings.too_large_status)
            page_texts = _page_texts(reader)
    except _PDF_ERRORS:
        page_texts = ()
    if not page_texts:
        raise refused(source, "The document could not be read, or has no pages.")
    return Document("\n".join(page_texts), page_texts)


def _page_texts(reader: PdfReader) -> tuple[str, ...]:
    """Return the text of each page. Nothing is recognised in scans."""
    texts = []
    for page in reader.pages:
        check_cancelled()
        texts.append(page.extract_text())
    return tuple(texts)


def _text(source: Source) -> str:
    try:
        text = source.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _not_a_document(source) from None
    if "\0" in text:
        raise _not_a_document(source)
    if not text.strip():
        raise refused(source, "The document has no content to embed.")
    return text


def _not_a_document(source: Source) -> ApiError:
    return refused(source, "The document must be a .pdf, .txt or .md file.")
