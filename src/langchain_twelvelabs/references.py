"""References: texts that stand for vectors already made. They are what lets *every* LangChain store take media.

LangChain's stores ask for texts and have them embedded; few take vectors, each in a way of its own. So a segment of a
film goes to a store as a document whose text names it, ``film.mp4 00:01:12-00:01:18 visual
[twelvelabs:marengo3.0/512/<uuid>]``, and ``embed_documents`` answers that text with the vector the segment already has.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from twelvelabs_core import BatchError, EmbeddingClient, InvalidInputError, TwelveLabsError
from twelvelabs_core._config import PUBLIC_BASE_URL
from twelvelabs_core._embed.cache import READ_AT_ONCE, Store, _doubles, _floats

__all__ = ["Reference", "References", "mentions", "reference_to", "spread"]

logger = logging.getLogger("twelvelabs_embeddings")

_OPENING = "[twelvelabs:"
_FORM = re.compile(
    r"[^\n]*\[twelvelabs:(?P<space>[^\[\]\n]+)/(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\]"
)
_MAGIC = b"TLR1"


@dataclass(frozen=True, slots=True)
class Reference:
    """What a reference says.

    Attributes:
        space: the vector space of the vector it stands for.
        id: UUID of the segment.
    """

    space: str
    id: str

    @classmethod
    def read(cls, text: Any) -> Reference | None:
        """The reference that a text is: one line with nothing after the bracket. Any other text is just a text."""
        if not isinstance(text, str) or _OPENING not in text:
            return None
        found = _FORM.fullmatch(text.strip())
        return cls(found["space"], found["id"]) if found else None


def reference_to(id: str, space: str, words: str) -> str:
    """The text of a document: what a person reads, then what is answered."""
    return f"{' '.join(words.split())} {_OPENING}{space}/{id}]"


def mentions(texts: Sequence[Any]) -> bool:
    """Whether any of the texts is a reference."""
    return any(Reference.read(text) is not None for text in texts)


class References:
    """The vectors that references stand for: in the client's cache where it has one, else in memory.

    In memory a vector takes 8 bytes a number (4 kB on marengo3.0) and stays until :meth:`clear`. A deep copy shares
    them; pickling leaves them out, as it does everything but configuration.
    """

    def __init__(self) -> None:
        self._vectors: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return len(self._vectors)

    def __deepcopy__(self, memo: dict[int, Any]) -> References:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return References, ()

    def clear(self) -> None:
        """Forget what is held in memory. What is in a cache stays."""
        self._vectors.clear()

    def hold(self, id: str, vector: Sequence[float]) -> None:
        """Keep one in memory."""
        self._vectors[id] = array("d", vector)

    def drop(self, id: str) -> None:
        """Forget one."""
        self._vectors.pop(id, None)

    async def keep(self, client: EmbeddingClient, vectors: Mapping[str, Sequence[float]]) -> None:
        """Keep vectors by their segments' ids; returns when references to them will be answered."""
        store = _store(client)
        if store is None:
            for id, vector in vectors.items():
                self.hold(id, vector)
            return
        pairs = {_key(client, id): _MAGIC + _doubles(vector) for id, vector in vectors.items()}
        try:
            # A second run finds them all there: reading is cheaper than writing them again.
            there = await asyncio.to_thread(_read, store, list(pairs))
            new = [(key, value) for key, value in pairs.items() if there.get(key) != value]
            if new:
                await asyncio.to_thread(store.mset, new)
        except Exception as error:  # whatever a user's store raises: the vectors are paid for and must not be lost
            logger.error("%d references could not be written to the cache and stay in memory: %s", len(pairs), error)
            for id, vector in vectors.items():
                self.hold(id, vector)

    async def find(self, client: EmbeddingClient, texts: Sequence[Any], name: str) -> dict[int, list[float]]:
        """The vectors of those texts that are references, by place.

        Raises:
            InvalidInputError: a reference of another space, or one whose vector nobody here holds.
        """
        asked = {i: found for i, text in enumerate(texts) if (found := Reference.read(text)) is not None}
        for i, reference in asked.items():
            if reference.space != client.space:
                raise InvalidInputError(
                    f"{texts[i].strip()!r} stands for a vector of {reference.space}; these embeddings make "
                    f"{client.space}, and the two do not compare. Load the media again with these embeddings, or use "
                    "those it was loaded with.",
                    item=_label(name, i, texts),
                )
        held = {
            reference.id: self._vectors[reference.id] for reference in asked.values() if reference.id in self._vectors
        }
        store = _store(client)
        away = [] if store is None else [r.id for r in asked.values() if r.id not in held]
        stored: dict[str, bytes] = {}
        if store is not None and away:
            stored = await asyncio.to_thread(_read, store, [_key(client, id) for id in away])
        vectors: dict[int, list[float]] = {}
        for i, reference in asked.items():
            value = stored.get(_key(client, reference.id))
            if reference.id in held:
                vectors[i] = held[reference.id].tolist()
            elif value is not None and value.startswith(_MAGIC) and len(value) == len(_MAGIC) + 8 * client.dimensions:
                vectors[i] = _floats(value[len(_MAGIC) :])
            else:
                raise InvalidInputError(
                    f"{texts[i].strip()!r} stands for a vector that these embeddings do not hold; its words are not "
                    "embedded instead. Give the store the very embeddings object the media was loaded with, or give "
                    "both the same cache=, or load the media again.",
                    item=_label(name, i, texts),
                )
        return vectors


def _label(name: str, index: int, texts: Sequence[Any]) -> str:
    return f"{name}[{index}]" if len(texts) > 1 or name.endswith("s") else name


def _store(client: EmbeddingClient) -> Store | None:
    return None if client._cache is None else client._cache.store


def _key(client: EmbeddingClient, id: str) -> str:
    """Another address is another service: an emulator's vectors must never answer for the real one's."""
    service = ""
    if client.base_url != PUBLIC_BASE_URL:
        service = hashlib.blake2b(client.base_url.encode(), digest_size=6).hexdigest() + "/"
    return f"{client.space}/reference/{service}{id}"


def _read(store: Store, keys: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start in range(0, len(keys), READ_AT_ONCE):
        part = keys[start : start + READ_AT_ONCE]
        pairs = zip(part, store.mget(part), strict=True)
        found.update((key, value) for key, value in pairs if isinstance(value, bytes))
    return found


@contextmanager
def spread(known: Mapping[int, list[float]], places: Sequence[int], name: str) -> Iterator[None]:
    """Errors of a call for the items at ``places`` speak of the whole list, in which the others are ``known``."""
    try:
        yield
    except TwelveLabsError as error:
        results: list[Any] = [known.get(i) for i in range(len(known) + len(places))]
        for place, result in zip(places, error.results, strict=False):
            results[place] = result
        if isinstance(error, BatchError):
            errors = {places[i]: _renamed(e, places, name) for i, e in error.errors.items()}
            raise BatchError(results, errors) from error.__cause__
        error.results = results if error.results else []
        raise _renamed(error, places, name) from error.__cause__


def _renamed(error: TwelveLabsError, places: Sequence[int], name: str) -> TwelveLabsError:
    def place(found: re.Match[str]) -> str:
        return f"{name}[{places[int(found[1])]}]"

    if error.item is not None:
        error.item = re.sub(rf"^{re.escape(name)}\[(\d+)\]", place, error.item)
    return error
