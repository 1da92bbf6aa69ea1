"""A request to the API and the media it carries, for both API versions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from pydantic_core import to_json

from .._limits import Category
from .._models import Kind

# A vector takes about 10 kB as JSON. A request of other kinds, or a task, may have thousands of them: four hours of
# video in clips of 2 s with three options are 150 MB, twice that with their uncertainty.
ONE_VECTOR, MANY_VECTORS = 8_000_000, 600_000_000
ONE_VECTOR_KINDS = frozenset({"text", "image"})
_NO_HEADERS: Mapping[str, str] = {}
_TASKS = ("embed/tasks/", "embed-v2/tasks/")


@dataclass(frozen=True, slots=True, repr=False)
class MediaPayload:
    """Media as a request carries it: a URL for the server to fetch, an uploaded asset, bytes, or a file to stream."""

    kind: Kind
    url: str | None = None
    asset_id: str | None = None
    data: bytes = b""
    stream: SentFile | None = None
    filename: str = "file"
    mime: str = "application/octet-stream"
    name: str | None = None
    start_sec: float | None = None
    end_sec: float | None = None

    def source(self) -> dict[str, str]:
        """v2 ``media_source``: one of ``url``, ``asset_id`` and ``base64_string`` (plain, no ``data:`` prefix)."""
        if self.asset_id is not None:
            return {"asset_id": self.asset_id}
        if self.url is not None:
            return {"url": self.url}
        return {"base64_string": base64.b64encode(self.data).decode("ascii")}


class SentFile(Protocol):
    """A file that is read when it is sent, once for each attempt."""

    def open(self) -> BinaryIO:
        """A new reader of its content."""


@dataclass(frozen=True, slots=True)
class FileRange:
    """A range of bytes of a file, read when they are sent."""

    path: Path
    start: int
    length: int


@dataclass(slots=True, repr=False)  # not frozen, which takes three times as long to make
class Request:
    """One request, relative to the base address.

    Attributes:
        path: ``embed-v2`` and so on, or a whole http(s) address (of an upload's part), which is sent no key.
        kinds: the kinds of input it embeds, for the limits' categories; empty where it embeds nothing.
        json: body of a JSON request.
        form: fields of a multipart request: ``(name, value)`` or ``(name, (filename, bytes or SentFile, mime))``; a
            SentFile is streamed.
        content: body of any other request, with ``headers``; bytes, or a range of a file, which is streamed.
        categories: the limits it counts in, if not those of ``kinds``.
        reads: what to return of the response: its JSON, its headers (names in lower case), or its body, which is JSON
            that the reader parses.
    """

    path: str
    kinds: frozenset[Kind] = frozenset()
    json: bytes | None = None
    form: Sequence[tuple[str, Any]] = ()
    content: bytes | FileRange | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    method: Literal["POST", "GET", "PUT", "DELETE"] = "POST"
    categories: tuple[Category, ...] | None = None
    reads: Literal["json", "headers", "body"] = "json"

    @property
    def is_absolute(self) -> bool:
        """Whether it goes to another service than the API's."""
        return self.path.startswith(("https://", "http://"))

    @property
    def largest_answer(self) -> int:
        """Most bytes of a successful response that is believed to be an answer to this request."""
        many = not self.kinds <= ONE_VECTOR_KINDS or self.path.startswith(_TASKS)
        return MANY_VECTORS if many else ONE_VECTOR


def json_request(path: str, kinds: frozenset[Kind], body: dict[str, Any]) -> Request:
    """A request with a JSON body."""
    return Request(path, kinds, json=to_json(body))
