"""A request to the API and the media it carries, for both API versions."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic_core import to_json

from .._limits import Category
from .._models import Kind

# A vector takes about 10 kB as JSON. A request of other kinds, or a task, may have thousands of them: four hours of
# video in clips of 2 s with three options are 150 MB, twice that with their uncertainty.
ONE_VECTOR, MANY_VECTORS = 8_000_000, 600_000_000
ONE_VECTOR_KINDS = frozenset({"text", "image"})
_NO_HEADERS: Mapping[str, str] = {}
_LONG_LISTS = ("embed/tasks/", "embed-v2/tasks/", "indexes/")  # of vectors


def new_mark() -> str:
    """A text that is nowhere else, which needs no escape in JSON."""
    return secrets.token_hex(16)


# Bytes of a file, read and sent at a time; base64 makes a megabyte of them. A multiple of three, so that base64 has no
# padding between blocks.
BLOCK = 3 * 256 * 1024


class SentReader(Protocol):
    """Reads a content from its beginning to its end, in a thread.

    Attributes:
        size: bytes of the whole content.
    """

    size: int

    def read(self, size: int, /) -> bytes | memoryview:
        """The next bytes, exactly so many: never more than are left."""

    def close(self) -> None:
        """End it; may be called twice."""


class SentFile(Protocol):
    """A content that is read when it is sent, anew for each attempt.

    Attributes:
        size: bytes; on the high side where the content is made when it is opened.
        memory: bytes that opening it takes, beside the blocks that are read of it.
    """

    @property
    def size(self) -> int: ...

    @property
    def memory(self) -> int: ...

    def open(self) -> SentReader:
        """A new reader. Blocking.

        Raises:
            InvalidInputError: it cannot be read, or is not what it was.
        """


@dataclass(frozen=True, slots=True, repr=False)
class MediaPayload:
    """Media as a request carries it: a URL for the server to fetch, an uploaded asset, or the content.

    Attributes:
        mark: stands for the content in a request that is written without it.
    """

    kind: Kind
    url: str | None = None
    asset_id: str | None = None
    content: SentFile | None = None
    filename: str = "file"
    mime: str = "application/octet-stream"
    name: str | None = None
    start_sec: float | None = None
    end_sec: float | None = None
    mark: str = field(default_factory=new_mark)

    def source(self) -> dict[str, str]:
        """v2 ``media_source``: one of ``url``, ``asset_id`` and ``base64_string`` (plain, no ``data:`` prefix)."""
        if self.asset_id is not None:
            return {"asset_id": self.asset_id}
        if self.url is not None:
            return {"url": self.url}
        return {"base64_string": self.mark}

    @property
    def marked(self) -> tuple[str, SentFile] | None:
        """The content, if it is in the request, and its mark there."""
        return None if self.content is None or self.asset_id is not None else (self.mark, self.content)


@dataclass(frozen=True, slots=True, repr=False)
class StreamedBody:
    """A body with contents that are read while it is sent, and never held whole.

    Attributes:
        pieces: in order; bytes are sent as they are.
        base64: the contents are written in base64.
        content_type: empty = the request's own headers say it.
    """

    pieces: Sequence[bytes | SentFile]
    base64: bool = False
    content_type: str = ""

    @classmethod
    def around(
        cls, written: bytes, contents: Iterable[tuple[str, SentFile]], *, base64: bool, content_type: str
    ) -> StreamedBody:
        """The body that was written with marks in place of the contents.

        Args:
            contents: with their marks, in the order of these.
        """
        pieces: list[bytes | SentFile] = []
        for mark, content in contents:
            before, _, written = written.partition(mark.encode())
            pieces += [before, content]
        return cls([*pieces, written], base64, content_type)


@dataclass(slots=True, repr=False)  # not frozen, which takes three times as long to make
class Request:
    """One request, relative to the base address.

    Attributes:
        path: ``embed-v2`` and so on, or a whole http(s) address (of an upload's part), which is sent no key.
        kinds: the kinds of input it embeds, for the limits' categories; empty where it embeds nothing.
        json: body of a JSON request.
        streamed: body of a JSON request with media.
        form: fields of a multipart request: ``(name, value)`` or ``(name, (filename, SentFile, mime))``, streamed.
        content: body of any other request, with ``headers``; bytes, or a file's, which is streamed.
        categories: the limits it counts in, if not those of ``kinds``.
        reads: what to return of the response: its JSON, its headers (names in lower case), or its body, which is JSON
            that the reader parses.
    """

    path: str
    kinds: frozenset[Kind] = frozenset()
    json: bytes | None = None
    streamed: StreamedBody | None = None
    form: Sequence[tuple[str, Any]] = ()
    content: bytes | SentFile | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    method: Literal["POST", "GET", "PUT", "DELETE"] = "POST"
    categories: tuple[Category, ...] | None = None
    reads: Literal["json", "headers", "body"] = "json"

    @property
    def is_absolute(self) -> bool:
        """Whether it goes to another service than the API's."""
        return self.path.startswith(("https://", "http://"))

    @property
    def contents(self) -> list[SentFile]:
        """What is read when it is sent."""
        if self.streamed is not None:
            return [piece for piece in self.streamed.pieces if not isinstance(piece, bytes)]
        if self.form:
            return [value[1] for _, value in self.form if not isinstance(value, str)]
        return [] if self.content is None or isinstance(self.content, bytes) else [self.content]

    @property
    def memory(self) -> int:
        """Most bytes that one attempt to send it holds of its contents; 0 without any."""
        contents = self.contents
        if not contents:
            return 0
        size = sum(content.size for content in contents)
        encoded = (4 * min(size, BLOCK)) // 3
        # A block is read while the one before is sent, and is held in both forms while it is encoded.
        blocks = size + encoded if size <= BLOCK else BLOCK + 2 * encoded
        return blocks + sum(content.memory for content in contents)

    @property
    def largest_answer(self) -> int:
        """Most bytes of a successful response that is believed to be an answer to this request."""
        many = not self.kinds <= ONE_VECTOR_KINDS or self.path.startswith(_LONG_LISTS)
        return MANY_VECTORS if many else ONE_VECTOR


def json_request(
    path: str, kinds: frozenset[Kind], body: dict[str, Any], payloads: Sequence[MediaPayload] = ()
) -> Request:
    """A request with a JSON body.

    Args:
        payloads: those that ``body`` has the sources of, in its order.
    """
    written = to_json(body)
    contents = [payload.marked for payload in payloads if payload.marked is not None]
    if not contents:
        return Request(path, kinds, json=written)
    streamed = StreamedBody.around(written, contents, base64=True, content_type="application/json")
    return Request(path, kinds, streamed=streamed)
