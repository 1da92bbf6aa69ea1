"""What the files under way are called, so that equal ones are found, though few of them are read for it.

Two files can be equal only if their sizes are. So a file whose size no other has is called by its size, and read once,
when it is sent; only those of one size are read before, to compare their digests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from .._embed.embedder import Embedder
from .._embed.jobs import Job
from .._errors import TwelveLabsError, as_error
from .._inputs import Composed
from .._net.loop import in_thread


class Named:
    """A file under way.

    Attributes:
        shape: all of its key but the content.
        key: its key, once its content was digested; an error if that could not be read.
        name: equal to those of equal files; empty until it has one.
    """

    __slots__ = ("_embedder", "_job", "key", "name", "shape")

    def __init__(self, embedder: Embedder, job: Job, key: str | None = None) -> None:
        self._embedder, self._job = embedder, job
        self.key: str | TwelveLabsError | None = key
        self.name = ""
        self.shape = embedder.key(job, by_size=True)

    @property
    def name_or_error(self) -> str | TwelveLabsError:
        """Its name, or why it has none."""
        return self.key if isinstance(self.key, TwelveLabsError) else self.name

    def read(self) -> None:
        """Digest its content. Blocking."""
        try:
            self.key = self._embedder.key(self._job)
        except Exception as error:
            self.key = as_error(error, self._job.label)

    def call_by_size(self) -> None:
        """Give it the name that no other can have."""
        self.name = self.shape
        if self._job.options is None:  # else a row shows its digest
            for file in self._job.files:
                file.keeps_digest = False


Names: TypeAlias = "dict[str, list[Named]]"
"""The files under way of one account, by shape. On the background loop."""


def is_nameable(job: Job) -> bool:
    """Whether a job is of one file, whose content is here."""
    return job.on_disk and not isinstance(job.item, Composed)


async def give_names(names: Names, new: Sequence[Named]) -> None:
    """Name files, and add them to those under way; the caller removes them by :func:`drop_names`. One that cannot be
    read gets no name, and is not added.
    """
    shapes = Counter(named.shape for named in new)
    unnamed: list[Named] = []
    for named in new:
        if named.key is None and shapes[named.shape] == 1 and named.shape not in names:
            named.call_by_size()
            names[named.shape] = [named]
        else:
            unnamed.append(named)
    while unnamed:
        unread = [named for named in _of_shapes(names, unnamed) if named.key is None]
        if unread:
            await in_thread(True, _read_all, unread)
        again: list[Named] = []  # others of its shape may have come meanwhile
        for named in unnamed:
            if isinstance(named.key, TwelveLabsError):
                continue
            others = names.setdefault(named.shape, [])
            if named.key is None or any(other.key is None for other in others):
                again.append(named)
                continue
            named.name = next((other.name for other in others if other.key == named.key), named.key)
            others.append(named)
        unnamed = again


def drop_names(names: Names, ended: Sequence[Named]) -> None:
    """Remove files that are no longer under way."""
    for named in ended:
        others = names.get(named.shape, [])
        if named in others:
            others.remove(named)
        if not others:
            names.pop(named.shape, None)


def _of_shapes(names: Names, new: Sequence[Named]) -> list[Named]:
    return [*new, *(other for shape in {named.shape for named in new} for other in names.get(shape, ()))]


def _read_all(unread: Sequence[Named]) -> None:
    for named in unread:
        named.read()
