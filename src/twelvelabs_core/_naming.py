"""Which errors are about an item, and carry its name."""

from __future__ import annotations

from ._errors import InvalidInputError, MalformedResponseError, TwelveLabsError

__all__ = ["named"]


def named(error: TwelveLabsError, label: str) -> TwelveLabsError:
    """Give an error the name of the item it is about, unless it has one, or is about the account or the connection."""
    if error.item is None and isinstance(error, (InvalidInputError, MalformedResponseError)):
        error.item = label
    return error
