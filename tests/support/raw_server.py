"""A server that writes bytes as they are: for answers that no HTTP library would write."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Writer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """A running server.

    Attributes:
        requests: the first line and the headers of each request.
    """

    port: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1.3"


@contextmanager
def raw_server(handle: Writer, *, read_body: bool = True) -> Iterator[RawServer]:
    """Serve with a handler for each request, on a loop in a thread of its own.

    Args:
        handle: called after the request has been read; what it does not end itself is closed after it.
        read_body: read the body before the handler is called.
    """
    server = RawServer()
    started, stop = threading.Event(), asyncio.Event()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            server.requests.append(head)
            if read_body:
                length = next(
                    (ln[15:] for ln in head.lower().split(b"\r\n") if ln.startswith(b"content-length:")), b"0"
                )
                await reader.readexactly(int(length))
            await handle(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        listening = await asyncio.start_server(serve_one, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        listening.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop: asyncio.AbstractEventLoop | None = None
    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield server
    finally:
        assert loop is not None
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


def answering(content: bytes, *, hold: bool = False) -> Writer:
    """A handler that writes these bytes.

    Args:
        hold: keep the connection open instead of closing it.
    """

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        if hold:
            await asyncio.sleep(60)

    return handle


def response(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole response; ``content_encoding="gzip"`` is a header."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
