"""From a :class:`Request` to httpx's, and from httpx's errors to ours. Imports httpx: see :mod:`.transport`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from .._api.requests import FileRange, Request
from .._errors import ConnectionFailedError, InvalidInputError, TwelveLabsError
from .._version import __version__

# A larger body is sent in chunks: in one piece it would block every other request on the loop.
LARGE_BODY = 256 * 1024
CHUNK = 64 * 1024
MAX_KNOWN_URLS = 1000  # paths contain ids, so there is no end to them
NETWORK_ERRORS = (httpx.TransportError, OSError, asyncio.TimeoutError)


class ChunkedBody(httpx.AsyncByteStream):
    """A large body, in chunks between which other requests run. A range of a file is never held whole."""

    def __init__(self, body: bytes | FileRange) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._body, bytes):
            view = memoryview(self._body)
            for start in range(0, len(view), CHUNK):
                yield bytes(view[start : start + CHUNK])
            return
        with self._body.path.open("rb") as file:
            file.seek(self._body.start)
            remaining = self._body.length
            while remaining > 0:
                chunk = await asyncio.to_thread(file.read, min(CHUNK, remaining))
                if not chunk:
                    raise InvalidInputError("The file has become shorter while it was being sent. Embed it again.")
                remaining -= len(chunk)
                yield chunk


class RequestWriter:
    """Writes requests as httpx's, with the account's headers and timeouts.

    Attributes:
        json_headers: headers of a request with a JSON body.
    """

    def __init__(self, base_url: str, api_key: str, timeout: httpx.Timeout) -> None:
        self._base_url = base_url
        self._headers = httpx.Headers(
            {
                "x-api-key": api_key,
                "user-agent": f"twelvelabs-embeddings/{__version__}",
                "accept": "application/json",
                "accept-encoding": "gzip, deflate",
            }
        )
        self.json_headers = {**self._headers, "content-type": "application/json"}
        self._httpx_json_headers = httpx.Headers(self.json_headers)
        self._extensions = {"timeout": timeout.as_dict()}
        self._urls: dict[str, httpx.URL] = {}

    def write(self, request: Request, files: contextlib.ExitStack) -> httpx.Request:
        """A new httpx request, for one attempt: a streamed body can be read only once.

        Args:
            files: closes the files that the request opens.
        """
        url = self._url(request.path)
        if request.form:
            return self._write_form(url, request, files)
        body: bytes | FileRange
        if request.json is not None:
            headers, body = self._httpx_json_headers, request.json
        else:
            headers, body = self._headers_for(request), request.content or b""
        if isinstance(body, bytes) and len(body) <= LARGE_BODY:
            return httpx.Request(request.method, url, headers=headers, content=body, extensions=self._extensions)
        headers = headers.copy()
        headers["content-length"] = str(len(body) if isinstance(body, bytes) else body.length)
        return httpx.Request(
            request.method, url, headers=headers, stream=ChunkedBody(body), extensions=self._extensions
        )

    def _write_form(self, url: httpx.URL, request: Request, files: contextlib.ExitStack) -> httpx.Request:
        form = [(name, _form_value(value, files)) for name, value in request.form]
        written = httpx.Request("POST", url, headers=self._headers, files=form, extensions=self._extensions)
        if all(isinstance(value, str) for _, value in request.form):
            written.read()
        return written

    def _headers_for(self, request: Request) -> httpx.Headers:
        """Headers of a request without JSON or form. A part of an upload goes to another service, without the key."""
        account = {} if "://" in request.path else self._headers
        return httpx.Headers({**account, **request.headers})

    def _url(self, path: str) -> httpx.URL:
        url = self._urls.get(path)
        if url is None:
            if len(self._urls) >= MAX_KNOWN_URLS:
                self._urls.clear()
            url = self._urls[path] = httpx.URL(path if "://" in path else f"{self._base_url}/{path}")
        return url


def _form_value(value: Any, files: contextlib.ExitStack) -> Any:
    """A form field for httpx. Text is passed as a file part without a name: a form without files would otherwise be
    sent url-encoded.
    """
    if isinstance(value, str):
        return (None, value)
    filename, content, mime = value
    return filename, content if isinstance(content, bytes) else files.enter_context(content.open()), mime


def connection_error(error: BaseException, base_url: str, timeout: float) -> TwelveLabsError:
    """Our error for one of ``NETWORK_ERRORS``.

    Returns:
        ConnectionFailedError, with the code ``unreachable`` if no connection was made; InvalidInputError for a request
        that no connection could carry.
    """
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return InvalidInputError(f"The request cannot be sent to {base_url}: {error}.")
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, ConnectionRefusedError)):
        return ConnectionFailedError(f"Cannot reach {base_url}: {error}.", code="unreachable")
    if isinstance(error, (httpx.TimeoutException, asyncio.TimeoutError)):
        return ConnectionFailedError(f"No response from {base_url} within {timeout:g} s.")
    return ConnectionFailedError(f"The connection to {base_url} failed: {str(error) or type(error).__name__}.")
