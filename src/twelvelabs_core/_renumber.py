"""Errors of a call that embeds some items of a list, renumbered for the whole list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ._errors import BatchError, TwelveLabsError


@contextmanager
def renumber_errors(known: Mapping[int, list[float]], indices: Sequence[int], name: str) -> Iterator[None]:
    """Make errors of the ``with`` block name items, and hold results, by their index in the whole list.

    Args:
        known: results of the items that the block does not embed, by index in the whole list.
        indices: index in the whole list of each item that the block embeds.
        name: what the items are called in errors: ``texts`` for ``texts[3]``.

    Raises:
        TwelveLabsError: the block's error, of the same class.
    """
    try:
        yield
    except TwelveLabsError as error:
        results: list[Any] = [known.get(i) for i in range(len(known) + len(indices))]
        for index, result in zip(indices, error.results, strict=False):
            results[index] = result
        if isinstance(error, BatchError):
            errors = {indices[i]: _renumbered(e, indices, name) for i, e in error.errors.items()}
            raise BatchError(results, errors) from error.__cause__
        error.results = results if error.results else []
        raise _renumbered(error, indices, name) from error.__cause__


def _renumbered(error: TwelveLabsError, indices: Sequence[int], name: str) -> TwelveLabsError:
    def renumber(found: re.Match[str]) -> str:
        return f"{name}[{indices[int(found[1])]}]"

    if error.item is not None:
        error.item = re.sub(rf"^{re.escape(name)}\[(\d+)\]", renumber, error.item)
    return error
