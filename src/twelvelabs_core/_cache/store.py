"""Stores of bytes by key: what the user's must have, and what ours have beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

# Keys asked for in one statement.
READ_AT_ONCE = 500


class Store(Protocol):
    """A store of bytes by key. Blocking; called in a thread."""

    def mget(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """The values of some keys in order, None for a missing one."""

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep some values durably."""


class ClaimingStore(ABC):
    """A :class:`Store` that holds claims too: who is about to obtain the value of a key, so that no other process does.

    A claim ends with the value, with :meth:`release`, with its owner's process where that can be told, or when it is
    not renewed in time. Every method raises :class:`CacheError` if the store cannot be read or written.
    """

    @abstractmethod
    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """See :class:`Store`."""

    @abstractmethod
    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """See :class:`Store`. Ends the claims of the keys."""

    @abstractmethod
    def claim(
        self,
        keys: Sequence[str],
        owner: str,
        lease_sec: float,
        usable: Callable[[str, bytes], bool] = lambda _key, value: bool(value),
        *,
        wait: bool = True,
    ) -> list[bytes | bool]:
        """For each key, in order: its value if there is one by now; True = claimed now, by ``owner``; False = another
        claim holds it.

        Args:
            owner: see :func:`~.owners.new_owner`.
            lease_sec: seconds after which the claim ends if it is not renewed.
            usable: whether a value counts; one that does not is as good as none.
            wait: False = try once where another process has locked the store.
        """

    @abstractmethod
    def renew(self, keys: Iterable[str], owner: str, lease_sec: float) -> None:
        """Let the owner's claims last ``lease_sec`` seconds from now; those that others have are left alone."""

    @abstractmethod
    def release(self, keys: Iterable[str], owner: str) -> None:
        """End the owner's claims, without a value."""


def portions(keys: Sequence[str], size: int = READ_AT_ONCE) -> Iterable[Sequence[str]]:
    """Keys in portions, by default for one statement each."""
    return (keys[start : start + size] for start in range(0, len(keys), size))
