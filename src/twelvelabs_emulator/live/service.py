"""Requests to a service, as many as the budget allows."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import urlencode

from ..protocol.sending import Answer, send

#: A part of a form: its filename, or ``None`` for a field, and its content.
Part = tuple[str | None, str | bytes]

_TIMEOUT_SEC = 120.0


class Stopped(Exception):
    """Nothing more can be asked: the message says why."""


class NotAnswered(Exception):
    """The service did not answer this question."""


class Service:
    """The API at an address.

    Args:
        base_url: with the version, such as ``https://api.twelvelabs.io/v1.3``.
        key: the API key. It goes into the header of each request, and nowhere else.
        most_requests: after these, `Stopped` is raised.
        most_media_sec: seconds of audio and video, likewise.

    Attributes:
        requests: how many have been sent.
        media_sec: seconds of audio and video in them.
        left: ids of assets that could not be deleted.
    """

    def __init__(self, base_url: str, key: str, *, most_requests: int = 80, most_media_sec: float = 120.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"x-api-key": key}
        self._most_requests, self._most_media_sec = most_requests, most_media_sec
        self.requests = 0
        self.media_sec = 0.0
        self.left: list[str] = []

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        form: dict[str, Part] | None = None,
        query: dict[str, str] | None = None,
        media_sec: float = 0.0,
        then: int = 0,
    ) -> Answer:
        """Send a request, with a JSON ``body`` or a ``form``, and ``media_sec`` seconds of audio or video in it.

        The budget must suffice for the requests that come ``then``.

        Raises:
            Stopped: the budget is used up, or the account's limit is, or the key is refused.
            NotAnswered: the server failed, or could not be reached.
        """
        if self.requests + then >= self._most_requests:
            raise Stopped(f"the budget of {self._most_requests} requests is used up")
        if self.media_sec + media_sec > self._most_media_sec:
            raise Stopped(f"the budget of {self._most_media_sec:g} seconds of media is used up")
        self.requests += 1
        self.media_sec += media_sec
        url = f"{self._base_url}/{path}" + (f"?{urlencode(query)}" if query else "")
        content_type, content = _encoded(form) if form is not None else ("application/json", _json(body))
        headers = self._headers | ({"content-type": content_type} if content else {})
        try:
            answer = send(method, url, headers, content, timeout_sec=_TIMEOUT_SEC)
        except OSError as error:
            raise NotAnswered(type(error).__name__) from None
        if answer.status == 429:
            raise Stopped("the account's rate limit or quota is used up")
        if answer.status == 401:
            raise Stopped("the key is refused")
        if answer.status >= 500:
            raise NotAnswered(f"status {answer.status}")
        return answer


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def _encoded(form: dict[str, Part]) -> tuple[str, bytes]:
    """Return a multipart form and its content type."""
    boundary = secrets.token_hex(16)
    pieces = []
    for name, (filename, value) in form.items():
        file = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: application/octet-stream'
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        pieces += [head.encode(), value if isinstance(value, bytes) else value.encode(), b"\r\n"]
    return f"multipart/form-data; boundary={boundary}", b"".join([*pieces, f"--{boundary}--\r\n".encode()])
