"""The request log, which tests can read."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import threading
from dataclasses import dataclass, field
from typing import Any

# Beyond this many the oldest are dropped, so that a long benchmark does not fill the memory.
_MAX_REQUESTS = 200_000


@dataclass
class RecordedRequest:
    """One request to the API.

    ``headers`` has lower-case names and never the key. ``body`` is the JSON value or the dict of form fields;
    files and base64 data in it are replaced by ``{filename, content_type, size, sha256}`` (base64:
    ``{size, sha256}``). ``status`` and ``duration`` (seconds) are ``None`` until the response starts;
    ``received`` is seconds since the epoch.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    status: int | None = None
    received: float = 0.0
    duration: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return dataclasses.asdict(self)


class RequestLog:
    """Requests in the order of arrival. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[RecordedRequest] = []
        self._open = 0
        self.most_at_once = 0

    def opened(self, request: RecordedRequest) -> None:
        """Add a request that has arrived."""
        with self._lock:
            self._requests.append(request)
            if len(self._requests) > _MAX_REQUESTS:
                del self._requests[: _MAX_REQUESTS // 10]
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)

    def closed(self) -> None:
        """Count a request as finished, with or without a response."""
        with self._lock:
            self._open -= 1

    def all(self) -> list[RecordedRequest]:
        """Return a copy of the list."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Remove every request."""
        with self._lock:
            self._requests.clear()
            self.most_at_once = self._open


def json_summary(value: Any) -> Any:
    """Return a JSON value with base64 data replaced by the decoded size and digest."""
    if isinstance(value, list):
        return [json_summary(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _base64(item) if key == "base64_string" else json_summary(item) for key, item in value.items()}


def _base64(value: Any) -> Any:
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return value
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
