"""A Redis database of results and claims, for the processes of several machines. Redis 5 or newer, no Redis Cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from .._errors import CacheError, InvalidInputError
from .._net import loop
from .._net.forks import PerLoop, uncut
from .._redis import EXTRA, is_read_only, remedy, said, without_password
from .owners import is_dead
from .store import READ_AT_ONCE, ClaimingStore, portions

if TYPE_CHECKING:
    from redis import Redis

T = TypeVar("T")

TIMEOUT_SEC = 10.0
_COMMANDS = "EVALSHA, SCRIPT LOAD, GET, MGET, SET, DEL, PEXPIRE, MULTI and EXEC"
_VALUE, _CLAIM = "twelvelabs:cache:", "twelvelabs:claim:"

# KEYS: of each key the value and the claim. ARGV: the owner, the lease in ms; then of each key the SHA-1 of a value
# that counts as none, and a holder that is dead. Returns of each key the value, and who else holds it; both empty =
# claimed.
# One step, so that no value comes between a look and a claim.
_CLAIM_SCRIPT = """
local found = {}
for i = 1, #KEYS, 2 do
    local value, holder = redis.call('GET', KEYS[i]) or '', ''
    if value ~= '' and ARGV[i + 2] ~= '' and redis.sha1hex(value) == ARGV[i + 2] then
        value = ''
    end
    if value == '' then
        holder = redis.call('GET', KEYS[i + 1]) or ''
        if holder == '' or holder == ARGV[1] or holder == ARGV[i + 3] then
            redis.call('SET', KEYS[i + 1], ARGV[1], 'PX', ARGV[2])
            holder = ''
        end
    end
    found[i], found[i + 1] = value, holder
end
return found
"""

# KEYS: claims. ARGV: the owner, and how long they last from now, in ms; 0 ends them. One that nobody has any more (it
# was evicted, or lost in a failover) is made again.
_RENEW_SCRIPT = """
for _, claim in ipairs(KEYS) do
    local holder = redis.call('GET', claim)
    if holder == ARGV[1] then
        redis.call('PEXPIRE', claim, ARGV[2])
    elseif not holder and ARGV[2] ~= '0' then
        redis.call('SET', claim, ARGV[1], 'PX', ARGV[2])
    end
end
"""


class _Connection:
    """The connections to one address, shared by all stores of it in this process, and the scripts."""

    def __init__(self, url: SecretStr) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.redis: Redis = Redis.from_url(
            url.get_secret_value(),
            socket_timeout=TIMEOUT_SEC,
            socket_connect_timeout=TIMEOUT_SEC,
            retry=Retry(NoBackoff(), 0),
        )
        self.redis.connection_pool.connection_kwargs["decode_responses"] = False  # which a URL may ask for
        self.claim = self.redis.register_script(_CLAIM_SCRIPT)
        self.renew = self.redis.register_script(_RENEW_SCRIPT)


# Not carried over a fork: a child has its own.
_connections: PerLoop[dict[SecretStr, _Connection]] = PerLoop(dict)


class RedisStore(ClaimingStore):
    """A Redis database. Values have no expiry; claims have Redis' own, whose clock all machines share.

    Raises:
        InvalidInputError: the package redis is missing, or the URL is none.
    """

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        self.shown = without_password(url.get_secret_value())
        try:
            with uncut():  # the import
                from redis.exceptions import ConnectionError as Lost
                from redis.exceptions import RedisError
        except ImportError as error:
            raise InvalidInputError(f"cache={self.shown!r} {EXTRA}") from error
        self._errors, self._lost = (RedisError, OSError, ValueError), Lost
        if self.shown.endswith("…") or not self._is_address():
            raise InvalidInputError(
                f"cache={self.shown!r} is no URL of Redis, such as redis://user:password@host:6379/0; special "
                "characters of a password must be percent-encoded."
            )

    def __repr__(self) -> str:
        return f"RedisStore({self.shown!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return RedisStore, (self._url,)

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """See :class:`Store`."""
        found: list[bytes | None] = []
        for part in portions(keys):
            found += self._do(partial(_values, part), "read")
        return found

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """See :class:`Store`. Ends the claims of the keys."""
        for start in range(0, len(key_value_pairs), READ_AT_ONCE):
            part = key_value_pairs[start : start + READ_AT_ONCE]
            self._do(partial(_write, part), "written")

    def claim(
        self,
        keys: Sequence[str],
        owner: str,
        lease_sec: float,
        usable: Callable[[str, bytes], bool] = lambda _key, value: bool(value),
        *,
        wait: bool = True,
    ) -> list[bytes | bool]:
        """See :class:`ClaimingStore`. Nothing locks Redis: ``wait`` changes nothing."""
        found: list[bytes | bool] = []
        for part in portions(keys):
            found += self._claim(part, owner, lease_sec, usable)
        return found

    def renew(self, keys: Iterable[str], owner: str, lease_sec: float) -> None:
        """See :class:`ClaimingStore`."""
        self._renew(keys, owner, _milliseconds(lease_sec))

    def release(self, keys: Iterable[str], owner: str) -> None:
        """See :class:`ClaimingStore`."""
        self._renew(keys, owner, 0)

    def _claim(
        self, keys: Sequence[str], owner: str, lease_sec: float, usable: Callable[[str, bytes], bool]
    ) -> list[bytes | bool]:
        found: dict[str, bytes | bool] = {}
        # For the keys that are tried again: the digest of the value that is no use, the holder that is dead.
        todo: dict[str, list[str | bytes]] = {key: ["", ""] for key in keys}
        while todo:
            names = [prefix + key for key in todo for prefix in (_VALUE, _CLAIM)]
            known = [argument for arguments in todo.values() for argument in arguments]
            step = partial(_run_claim, names, [owner, _milliseconds(lease_sec), *known])
            reply = self._do(step, "written")
            again: dict[str, list[str | bytes]] = {}
            for (key, arguments), value, holder in zip(todo.items(), reply[::2], reply[1::2], strict=True):
                if value and not usable(key, value):
                    again[key] = [hashlib.sha1(value, usedforsecurity=False).hexdigest(), arguments[1]]
                elif value:
                    found[key] = value
                elif holder and is_dead(holder.decode(errors="replace")):
                    again[key] = [arguments[0], holder]
                else:
                    found[key] = not holder
            todo = again
        return [found[key] for key in keys]

    def _renew(self, keys: Iterable[str], owner: str, lease_ms: int) -> None:
        for part in portions(list(keys)):
            self._do(partial(_run_renew, [_CLAIM + key for key in part], [owner, lease_ms]), "written")

    def _is_address(self) -> bool:
        try:
            self._connection()
        except ValueError:  # whose text may hold a part of the password
            return False
        return True

    def _connection(self) -> _Connection:
        connections = _connections.get()
        if self._url not in connections:
            with uncut():
                made = _Connection(self._url)
            connections.setdefault(self._url, made)
        return connections[self._url]

    def _do(self, step: Callable[[_Connection], T], what: str) -> T:
        """A step, and once more by a new connection if the one it had was lost (an idle one may have been closed) or
        leads to a replica. Every step may be done twice.
        """
        failure = None
        for is_last in (False, True):
            try:
                return step(self._connection())
            except self._errors as error:
                if is_read_only(error):
                    self._connection().redis.connection_pool.disconnect(inuse_connections=False)
                if is_last or not (isinstance(error, self._lost) or is_read_only(error)):
                    failure = CacheError(f"The cache at {self.shown} cannot be {what}: {said(error)}. {_remedy(error)}")
                    break
        assert failure is not None
        raise failure  # not inside the handler: frames of the original hold the password


def _values(keys: Sequence[str], connection: _Connection) -> list[bytes | None]:
    values: Any = connection.redis.mget([_VALUE + key for key in keys])
    found: list[bytes | None] = values
    return found


def _write(pairs: Sequence[tuple[str, bytes]], connection: _Connection) -> None:
    with connection.redis.pipeline(transaction=True) as transaction:
        for key, value in pairs:
            transaction.set(_VALUE + key, value)
        transaction.delete(*(_CLAIM + key for key, _ in pairs))
        transaction.execute()


def _run_claim(names: list[str], arguments: list[Any], connection: _Connection) -> list[bytes]:
    found: list[bytes] = connection.claim(names, arguments)
    return found


def _run_renew(names: list[str], arguments: list[Any], connection: _Connection) -> None:
    connection.renew(names, arguments)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _remedy(error: Exception) -> str:
    text = f"{type(error).__name__} {error}"
    if "OutOfMemory" in text or "OOM" in text:
        return "Give Redis more memory (maxmemory), or delete entries."
    if is_read_only(error):
        return "Name the primary, which may be written."
    return remedy(error, _COMMANDS)


def _close_all() -> None:
    for connection in list(_connections.get().values()):
        connection.redis.close()


loop.at_exit(_close_all)
