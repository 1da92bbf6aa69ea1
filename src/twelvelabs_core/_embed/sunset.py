"""Refusals of a model that was switched off: with when that was, and what moving to another one takes."""

from __future__ import annotations

import re

from .._errors import InvalidInputError, TextTooLongError, TwelveLabsError
from .._models import Model, switched_off

_ABOUT_MODEL = re.compile(
    r"\bmodel_name\b|\bmodel\b[^.]*\b(not|no longer|unknown|invalid|unsupported|deprecated|retired)\b", re.IGNORECASE
)


def explain_sunset(error: TwelveLabsError, model: Model) -> TwelveLabsError:
    """The error of an item; if the server refused a model that was switched off, the message says so.

    Args:
        error: changed in place.
    """
    refused = isinstance(error, InvalidInputError) and not isinstance(error, TextTooLongError)
    if model.sunset is None or not refused or error.status is None or not _ABOUT_MODEL.search(error.message):
        return error
    error.message = f"{switched_off(model)} The server said: {error.message}"
    error.args = (error.message, *error.args[1:])
    return error
