"""Requests to the real service, by the standard library: for the record mode and for `live`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A response; ``headers`` with names in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        """Return the body. Raises ``ValueError`` if it is not JSON."""
        return json.loads(self.content)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would take the key to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def send(method: str, url: str, headers: dict[str, str], body: bytes, *, timeout_sec: float) -> Answer:
    """Send a request. Slow: call it in a thread. Raises ``OSError`` if there is no whole response."""
    request = urllib.request.Request(url, data=body or None, headers=headers, method=method)
    opener = urllib.request.build_opener(_NoRedirects())
    try:
        with _opened(opener, request, timeout_sec) as response:
            found = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, found, response.read())
    except HTTPException as error:
        raise OSError(type(error).__name__) from None


def _opened(opener: urllib.request.OpenerDirector, request: urllib.request.Request, timeout_sec: float) -> Any:
    try:
        return opener.open(request, timeout=timeout_sec)
    except urllib.error.HTTPError as error:
        return error
