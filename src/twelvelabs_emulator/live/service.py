"""Requests to a service, as many as the budget allows."""

from __future__ import annotations

from typing import Any

import httpx


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
    """

    def __init__(self, base_url: str, key: str, *, most_requests: int = 80, most_media_sec: float = 120.0) -> None:
        self._client = httpx.Client(base_url=base_url.rstrip("/") + "/", headers={"x-api-key": key}, timeout=120)
        self._most_requests, self._most_media_sec = most_requests, most_media_sec
        self.requests = 0
        self.media_sec = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, method: str, path: str, *, media_sec: float = 0.0, **sent: Any) -> httpx.Response:
        """Send a request; ``sent`` as httpx takes it (``json``, ``files``, ``params``).

        Raises:
            Stopped: the budget is used up, or the account's limit is, or the key is refused.
            NotAnswered: the server failed, or could not be reached.
        """
        if self.requests >= self._most_requests:
            raise Stopped(f"the budget of {self._most_requests} requests is used up")
        if self.media_sec + media_sec > self._most_media_sec:
            raise Stopped(f"the budget of {self._most_media_sec:g} seconds of media is used up")
        self.requests += 1
        self.media_sec += media_sec
        try:
            response = self._client.request(method, path, **sent)
        except httpx.HTTPError as error:
            raise NotAnswered(type(error).__name__) from None
        if response.status_code == 429:
            raise Stopped("the account's rate limit or quota is used up")
        if response.status_code == 401:
            raise Stopped("the key is refused")
        if response.status_code >= 500:
            raise NotAnswered(f"status {response.status_code}")
        return response
