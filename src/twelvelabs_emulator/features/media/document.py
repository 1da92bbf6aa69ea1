"""Documents: how many pages a PDF has, and what text is in it."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ...protocol.models import Model
from ...protocol.settings import Settings
from ..words.text import Words, of_text
from .checks import check_size, refused
from .source import Source

__all__ = ["Document", "open_document", "words_of_pdf"]

#: Pages of a PDF for each of its megabytes: in a synchronous request, in a task.
_PAGES_PER_MEGABYTE = {False: 16, True: 64}
_TASK_MEGABYTES = 512
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_COUNT = re.compile(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d+)|/Count\s+(\d+)[^>]*?/Type\s*/Pages\b")
_STREAM = re.compile(rb"(<<(?:[^<>]|<<[^<>]*>>|<[^<>]*>)*>>)\s*stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"\(((?:\\.|[^\\()])*)\)\s*(?:Tj|'|\")|\[((?:\\.|[^\]])*)\]\s*TJ", re.DOTALL)
_STRING = re.compile(rb"\(((?:\\.|[^\\()])*)\)", re.DOTALL)
_OBJECT = re.compile(rb"\b(\d+)\s+\d+\s+obj\b(.*?)\bendobj\b", re.DOTALL)
_CONTENTS = re.compile(rb"/Contents\s*(\[[^\]]*\]|\d+\s+\d+\s+R)")
_REFERENCE = re.compile(rb"(\d+)\s+\d+\s+R")
_MOST_INFLATED = 64_000_000


@dataclass(frozen=True)
class Document:
    """A document: its text, and its pages if it is a PDF (0 for txt and md, which are embedded as text).

    ``page_texts`` is the text page by page, as far as it can be told which is on which.
    """

    text: str
    pages: int
    page_texts: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Tell a txt or md document from a PDF."""
        return self.pages == 0


def open_document(
    source: Source, model: Model, settings: Settings, *, in_task: bool = False, each_page_counts: int = 1
) -> Document:
    """Read a PDF, txt or md; raise the API's 400, or 413 for too many megabytes or pages.

    Tasks allow more of both. ``each_page_counts`` is 5 where its quarters are embedded, too.
    """
    check_size(source, _TASK_MEGABYTES if in_task else model.media_megabytes, model, settings)
    if b"%PDF-" not in source.head(1024):
        try:
            text = source.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise refused(source, "The document must be a .pdf, .txt or .md file.")
        if not text.strip():
            raise refused(source, "The document has no content to embed.")
        return Document(text, 0)
    content = source.content
    pages = _pages(content)
    if pages == 0:
        raise refused(source, "The document could not be read, or has no pages.")
    megabytes = source.size / settings.megabyte
    whole = math.ceil(megabytes) if settings.pdf_partial_megabyte == "counts" else math.floor(megabytes)
    allowed = _PAGES_PER_MEGABYTE[in_task] * max(1, whole)
    if pages * each_page_counts > allowed:
        why = f"Document ({pages * each_page_counts} pages) exceeds maximum limit of {allowed} pages."
        raise refused(source, why, status=settings.too_large_status)
    return Document(_text(content), pages, _page_texts(content, pages))


def words_of_pdf(document: Document) -> Words:
    """Measure a PDF: the words that can be read in it, and that it is a document."""
    words = of_text(document.text) if document.text.strip() else {}
    return words | {"document": 0.35, f"~pages:{document.pages}": 0.1}


def _inflated(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each stream's dictionary and content, unpacked where it is packed in the usual way."""
    left = _MOST_INFLATED
    for found in _STREAM.finditer(content):
        dictionary, packed = found.groups()
        if b"/FlateDecode" not in dictionary:
            yield dictionary, packed
            continue
        try:
            plain = zlib.decompressobj().decompress(packed, left)
        except zlib.error:
            continue
        left -= len(plain)
        yield dictionary, plain
        if left <= 0:
            return


def _pages(content: bytes) -> int:
    """Count page objects, also those in object streams; else believe the page tree's own count."""
    outside = _STREAM.sub(rb"\1", content)
    inside = b" ".join(plain for dictionary, plain in _inflated(content) if b"/ObjStm" in dictionary)
    both = outside + b" " + inside
    counts = [int(first or second) for first, second in _COUNT.findall(both)]
    return len(_PAGE.findall(both)) or max(counts, default=0)


def _page_texts(content: bytes, pages: int) -> tuple[str, ...]:
    """Return each page's text, where pages point to their contents plainly; else every page has all of it."""
    objects = {int(number): body for number, body in _OBJECT.findall(content)}
    found: list[str] = []
    for body in objects.values():
        if _PAGE.search(_STREAM.sub(rb"\1", body)):
            numbers = _REFERENCE.findall((_CONTENTS.search(body) or [b""])[0])
            found.append(_text(b"\n".join(objects.get(int(number), b"") for number in numbers)))
    return tuple(found) if len(found) == pages else (_text(content),) * pages


def _text(content: bytes) -> str:
    """Collect the strings that page contents show. Enough for simple fonts; nothing is recognised in scans."""
    shown: list[bytes] = []
    for dictionary, plain in _inflated(content):
        if b"/ObjStm" in dictionary or b"/Image" in dictionary or b"/FontFile" in dictionary:
            continue
        for string, array in _SHOWN.findall(plain):
            shown.append(string or b"".join(_STRING.findall(array)))
    unescaped = re.sub(rb"\\([()\\])", rb"\1", b" ".join(shown))
    return unescaped.decode("latin-1")
