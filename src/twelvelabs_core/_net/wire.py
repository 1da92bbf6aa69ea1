"""From a :class:`Request` to httpx's. Imports httpx: see :mod:`.transport`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from multidict import CIMultiDict

from .._api.requests import FileRange, Request
from .._errors import InvalidInputError
from .._version import __version__
from .deadline import Deadline, NotTaken
from .key import Headers, Key

# A larger body is sent in chunks: in one piece it would block every other request on the loop.
LARGE_BODY = 256 * 1024
CHUNK = 64 * 1024
# Bytes a second, about half a megabit: a body may take its time at this rate beside ``total_timeout``, so that an
# upload over a slow line, of which parallel parts have a quarter each, is not cut.
LOWEST_RATE = 64_000
MAX_KNOWN_URLS = 1000  # paths contain ids, so there is no end to them


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
        with _open(self._body.path) as file:
            file.seek(self._body.start)
            remaining = self._body.length
            while remaining > 0:
                chunk = await asyncio.to_thread(file.read, min(CHUNK, remaining))
                if not chunk:
                    raise InvalidInputError("The file has become shorter while it was being sent. Embed it again.")
                remaining -= len(chunk)
                yield chunk


def seconds_to_send(size: int) -> float:
    """What a body of so many bytes takes over a slow line."""
    return size / LOWEST_RATE


def watch(written: httpx.Request, deadline: Deadline, seconds: float, then: float) -> None:
    """Have a streamed request fail when the connection takes nothing of its body for so many seconds.

    Args:
        then: seconds that the response may take to begin; inf = somebody else looks at that.
    """
    body = written.stream
    if isinstance(body, httpx.AsyncByteStream) and not isinstance(body, httpx.ByteStream):
        written.stream = _WatchedBody(body, deadline, seconds, then)


class _WatchedBody(httpx.AsyncByteStream):
    def __init__(self, body: httpx.AsyncByteStream, deadline: Deadline, seconds: float, then: float) -> None:
        self._body, self._deadline, self._seconds, self._then = body, deadline, seconds, then

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            self._deadline.within(self._seconds + seconds_to_send(len(chunk)), NotTaken)
            yield chunk
        self._deadline.within(self._then)


class _HttpxHeaders(httpx.Headers):
    """Headers as httpx keeps them, so that they are not read anew for each request; their ``repr`` has no values."""

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"


class _AiohttpHeaders(CIMultiDict[str]):
    """The same for aiohttp."""

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"


class RequestWriter:
    """Writes requests as httpx's, with the account's headers and timeouts.

    Attributes:
        json_headers, aiohttp_json_headers: headers of a request with a JSON body; as aiohttp keeps them.
    """

    def __init__(self, base_url: str, key: Key, timeout: httpx.Timeout) -> None:
        self._base_url = base_url
        own = {
            "user-agent": f"twelvelabs-embeddings/{__version__}",
            "accept": "application/json",
            "accept-encoding": "gzip, deflate",
        }
        self._headers = key.headers(own)
        self.json_headers = key.headers({**own, "content-type": "application/json"})
        self.aiohttp_json_headers = _AiohttpHeaders(self.json_headers)
        self._httpx_json_headers = _HttpxHeaders(self.json_headers)
        self._extensions = {"timeout": timeout.as_dict()}
        self._urls: dict[str, httpx.URL] = {}

    def write(self, request: Request, files: contextlib.ExitStack) -> httpx.Request:
        """A new httpx request, for one attempt: a streamed body can be read only once.

        Args:
            files: closes the files that the request opens.
        """
        url = self._url(request)
        if request.form:
            return self._write_form(url, request, files)
        if request.json is not None and len(request.json) <= LARGE_BODY:
            return httpx.Request(
                request.method,
                url,
                headers=self._httpx_json_headers,
                content=request.json,
                extensions=self._extensions,
            )
        body: bytes | FileRange
        if request.json is not None:
            headers, body = self.json_headers, request.json
        else:
            headers, body = self._headers_for(request), request.content or b""
        if isinstance(body, bytes) and len(body) <= LARGE_BODY:
            return httpx.Request(request.method, url, headers=headers, content=body, extensions=self._extensions)
        length = len(body) if isinstance(body, bytes) else body.length
        # httpx adds no header of its own to a request with a stream.
        headers = Headers({"host": url.netloc.decode("ascii"), **headers, "content-length": str(length)})
        return httpx.Request(
            request.method, url, headers=headers, stream=ChunkedBody(body), extensions=self._extensions
        )

    @staticmethod
    def for_aiohttp(written: httpx.Request) -> tuple[CIMultiDict[str], bytes | AsyncIterator[bytes] | None]:
        """The headers and the body of a written request, as aiohttp takes them."""
        headers = CIMultiDict([(k.decode("ascii"), v.decode("latin-1")) for k, v in written.headers.raw])
        try:
            return headers, written.content or None
        except httpx.RequestNotRead:
            return headers, written.stream  # type: ignore[return-value]  # of our requests, it is asynchronous

    def _write_form(self, url: httpx.URL, request: Request, files: contextlib.ExitStack) -> httpx.Request:
        form = [(name, _form_value(value, files)) for name, value in request.form]
        written = httpx.Request("POST", url, headers=self._headers, files=form, extensions=self._extensions)
        if all(isinstance(value, str) for _, value in request.form):
            written.read()
        return written

    def _headers_for(self, request: Request) -> Headers:
        """Headers of a request without JSON or form. A part of an upload goes to another service, without the key."""
        account = {} if request.is_absolute else self._headers
        return Headers({**account, **request.headers})

    def _url(self, request: Request) -> httpx.URL:
        if request.is_absolute:
            return httpx.URL(request.path)
        url = self._urls.get(request.path)
        if url is None:
            if len(self._urls) >= MAX_KNOWN_URLS:
                self._urls.clear()
            url = self._urls[request.path] = httpx.URL(f"{self._base_url}/{request.path}")
        return url


def _form_value(value: Any, files: contextlib.ExitStack) -> Any:
    """A form field for httpx. Text is passed as a file part without a name: a form without files would otherwise be
    sent url-encoded.
    """
    if isinstance(value, str):
        return (None, value)
    filename, content, mime = value
    return filename, content if isinstance(content, bytes) else files.enter_context(content.open()), mime


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInputError(f"cannot be read any more: {error.strerror or error}.") from error
