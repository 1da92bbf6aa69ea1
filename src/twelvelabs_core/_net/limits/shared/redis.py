"""A shared limit in Redis, for the processes of several machines.

A report is one script inside Redis, and Redis' own TIME is the clock. Redis 5 or newer.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from pydantic import SecretStr

from ...._redis import EXTRA, is_read_only, is_refused, remedy, said, without_password
from ...forks import uncut
from .decision import Grant, Report
from .store import StoreError

# A script takes less than a millisecond. While Redis does not answer, requests wait.
TIMEOUT_SEC = 1.0
_COMMANDS = "EVALSHA, SCRIPT LOAD, TIME, GET and SET"
_PREFIX = "twelvelabs:limits:"


class RedisStore:
    """A Redis database of shared limits. On the background loop only."""

    def __init__(self, url: SecretStr) -> None:
        self.shown = without_password(url.get_secret_value())
        try:
            with uncut():
                from redis.asyncio import Redis
                from redis.asyncio.retry import Retry
                from redis.backoff import NoBackoff
                from redis.exceptions import RedisError
        except ImportError as error:
            raise StoreError(f"shared={self.shown!r} {EXTRA}") from error
        self._errors = (RedisError, OSError, ValueError)
        # Once more after an error: a connection that was idle may have been closed. A report may come twice.
        self._redis: Redis = Redis.from_url(
            url.get_secret_value(),
            socket_timeout=TIMEOUT_SEC,
            socket_connect_timeout=TIMEOUT_SEC,
            retry=Retry(NoBackoff(), 1),
        )
        self._script = self._redis.register_script(_script())

    async def report(self, name: str, report: Report) -> Grant:
        """Take a report into the state of the limit ``name``.

        Raises:
            StoreError: Redis cannot be reached, or refuses.
        """
        try:
            reply = await self._script(keys=[_PREFIX + name], args=[json.dumps(report)])
            grant: Grant = json.loads(reply)
        except self._errors as error:
            if is_read_only(error):
                await self._redis.connection_pool.disconnect(inuse_connections=False)  # the next report makes another
            failure = StoreError(
                f"The shared limits at {self.shown} cannot be used: {said(error)}. {remedy(error, _COMMANDS)}",
                passing=not is_refused(error),
            )
        else:
            if not report["windows"]:
                grant["free"] = []  # Lua cannot tell an empty list from an empty object
            return grant
        raise failure  # not inside the handler: frames of the original hold the password

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def close(self) -> None:
        """Before a fork nothing is to be done: the child does not use this."""


@cache
def _script() -> str:
    return resources.files(__package__).joinpath("decision.lua").read_text(encoding="utf-8")
