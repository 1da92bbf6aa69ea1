"""From a :class:`Request` to httpx's. Imports httpx: see :mod:`.transport`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
from multidict import CIMultiDict

from .._api.requests import Request, SentFile, StreamedBody, new_mark
from .._version import __version__
from .key import Headers, Key

# A larger body is sent in chunks: in one piece it would block every other request on the loop.
LARGE_BODY = 256 * 1024
_JSON = "application/json"
MAX_KNOWN_URLS = 1000  # paths contain ids, so there is no end to them


class ChunkedBody(httpx.AsyncByteStream):
    """A streamed body as httpx takes it."""

    def __init__(self, chunks: AsyncIterator[bytes | memoryview]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            yield bytes(chunk)


class _HttpxHeaders(httpx.Headers):
    """Headers as httpx keeps them, so that they are not read anew for each request; their ``repr`` has no values."""

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"


class AiohttpHeaders(CIMultiDict[str]):
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
        self.json_headers = key.headers({**own, "content-type": _JSON})
        self.aiohttp_json_headers = AiohttpHeaders(self.json_headers)
        self._httpx_json_headers = _HttpxHeaders(self.json_headers)
        self._extensions = {"timeout": timeout.as_dict()}
        self._urls: dict[str, httpx.URL] = {}

    def streamed(self, request: Request) -> StreamedBody | None:
        """The body of a request that is sent in chunks: a large one, or one with contents that are read meanwhile."""
        if request.streamed is not None:
            return request.streamed
        if request.json is not None:
            return StreamedBody((request.json,), content_type=_JSON) if len(request.json) > LARGE_BODY else None
        if request.form:
            return self._streamed_form(request)
        content = request.content
        if content is None or (isinstance(content, bytes) and len(content) <= LARGE_BODY):
            return None
        return StreamedBody((content,))

    def write(self, request: Request) -> httpx.Request:
        """A new httpx request for one that is not :meth:`streamed`, for one attempt."""
        url = self.url(request)
        if request.form:
            form = [(name, (None, value)) for name, value in request.form]
            written = httpx.Request("POST", url, headers=self._headers, files=form, extensions=self._extensions)
            written.read()
            return written
        headers: httpx.Headers | Headers
        if request.json is not None:
            headers, content = self._httpx_json_headers, request.json
        else:
            assert request.content is None or isinstance(request.content, bytes)
            headers, content = self._headers_for(request), request.content or b""
        return httpx.Request(request.method, url, headers=headers, content=content, extensions=self._extensions)

    def head(self, request: Request, body: StreamedBody, size: int) -> Headers:
        """The headers of a streamed request.

        Args:
            size: of the body, in bytes.
        """
        headers = self._headers_for(request)
        if body.content_type:
            headers["content-type"] = body.content_type
        headers["content-length"] = str(size)
        return headers

    def write_streamed(
        self, request: Request, headers: Headers, chunks: AsyncIterator[bytes | memoryview]
    ) -> httpx.Request:
        """A new httpx request for one attempt: its body can be read only once."""
        url = self.url(request)
        # httpx adds no header of its own to a request with a stream.
        headers = Headers({"host": url.netloc.decode("ascii"), **headers})
        return httpx.Request(
            request.method, url, headers=headers, stream=ChunkedBody(chunks), extensions=self._extensions
        )

    @staticmethod
    def for_aiohttp(written: httpx.Request) -> tuple[CIMultiDict[str], bytes | None]:
        """The headers and the body of a written request, as aiohttp takes them."""
        headers = CIMultiDict([(k.decode("ascii"), v.decode("latin-1")) for k, v in written.headers.raw])
        return headers, written.content or None

    def _streamed_form(self, request: Request) -> StreamedBody | None:
        """The body of a form with contents: httpx writes it with marks in their place."""
        contents: list[tuple[str, SentFile]] = []
        form: list[tuple[str, Any]] = []
        for name, value in request.form:
            if isinstance(value, str):
                form.append((name, (None, value)))
            else:
                filename, content, mime = value
                contents.append((new_mark(), content))
                form.append((name, (filename, contents[-1][0].encode(), mime)))
        if not contents:
            return None
        written = httpx.Request("POST", self.url(request), files=form)
        body, content_type = written.read(), written.headers["content-type"]
        return StreamedBody.around(body, contents, base64=False, content_type=content_type)

    def _headers_for(self, request: Request) -> Headers:
        """Headers of a request without JSON or form. A part of an upload goes to another service, without the key."""
        account = {} if request.is_absolute else self._headers
        return Headers({**account, **request.headers})

    def url(self, request: Request) -> httpx.URL:
        """Its address."""
        if request.is_absolute:
            return httpx.URL(request.path)
        url = self._urls.get(request.path)
        if url is None:
            if len(self._urls) >= MAX_KNOWN_URLS:
                self._urls.clear()
            url = self._urls[request.path] = httpx.URL(f"{self._base_url}/{request.path}")
        return url
