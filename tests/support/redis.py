"""A Redis of the tests' own: Debian's ``redis-server`` on a free port, without persistence."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from types import TracebackType

MISSING = (
    "needs redis-server: apt-get install redis-server (it is started and ended by the test itself; by hand: "
    "redis-server --port 6380 --save '' --appendonly no)"
)


def is_installed() -> bool:
    return shutil.which("redis-server") is not None


class RedisServer:
    """A running server, as a context manager. It can be stopped and started again, with nothing kept."""

    def __init__(self, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._options = options
        self._folder = tempfile.TemporaryDirectory()
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = f"{self._folder.name}/redis.sock"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.socket),
                *("--save", "", "--appendonly", "no", "--dir", self._folder.name, "--loglevel", "warning"),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )
        give_up_at = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > give_up_at or self._process.poll() is not None:
                    raise
                time.sleep(0.01)

    def stop(self) -> None:
        """End it; what it knows is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Have it answer nothing, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End :meth:`freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()


def fail_over(primary: RedisServer, replica: RedisServer) -> None:
    """Let ``replica`` take over what ``primary`` has, and its part; connections to the old primary stay open."""
    from redis import Redis

    with Redis.from_url(primary.url) as old, Redis.from_url(replica.url) as new:
        new.replicaof("127.0.0.1", primary.port)
        while new.info("replication")["master_link_status"] != "up":
            time.sleep(0.02)
        new.replicaof("NO", "ONE")
        old.replicaof("127.0.0.1", replica.port)
        while old.info("replication")["master_link_status"] != "up":
            time.sleep(0.02)


class RedisName:
    """An address that leads to one server now and to another later, as a name in DNS does after a failover.
    Connections stay with the server that they were made to.
    """

    def __init__(self, server: RedisServer) -> None:
        self.leads_to = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def close(self) -> None:
        for end in [self._listener, *self._ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.leads_to.port))
                self._ends += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
