"""The two halves of a request that both endpoint generations share: one piece of media ready to be written, and the
request.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from .._models import Kind

__all__ = ["Content", "Request", "json_request"]


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """Media as it goes on the wire: a URL for the server to fetch, or bytes."""

    kind: Kind
    url: str | None = None
    data: bytes = b""
    filename: str = "file"
    mime: str = "application/octet-stream"
    name: str | None = None
    start_sec: float | None = None
    end_sec: float | None = None

    def source(self) -> dict[str, str]:
        """v2 ``media_source``: exactly one of ``url`` and ``base64_string`` (plain base64, no ``data:`` prefix)."""
        if self.url is not None:
            return {"url": self.url}
        return {"base64_string": base64.b64encode(self.data).decode("ascii")}


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One request, relative to the base address.

    Attributes:
        path: ``embed`` or ``embed-v2``.
        json: body of a JSON request.
        form: fields of a multipart request: ``(name, value)`` or ``(name, (filename, bytes, mime))``.
        kinds: what it embeds, for the limits' categories.
    """

    path: str
    kinds: frozenset[Kind]
    json: bytes | None = None
    form: Sequence[tuple[str, Any]] = ()


def json_request(path: str, kinds: frozenset[Kind], body: dict[str, Any]) -> Request:
    """A request with a JSON body."""
    return Request(path, kinds, json=to_json(body))
