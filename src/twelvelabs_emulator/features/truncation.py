"""Texts before they are embedded: checked, counted in tokens, and truncated or refused."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..protocol.errors import invalid
from ..protocol.models import Model
from ..protocol.settings import Settings

#: What happens to a text that is too long: its end or start is removed, or it is refused.
OverLong = Literal["end", "start", "refuse"]


@dataclass(frozen=True)
class FittedText:
    """A text that fits the model, its tokens, and whether anything was removed."""

    text: str
    tokens: int
    truncated: bool = False


def fit_text(text: str, parameter: str, model: Model, settings: Settings, over_long: OverLong) -> FittedText:
    """Truncate a text to the model's limit. Raises the API's 400 for a blank text, or a long one to be refused."""
    if not text or (settings.blank_text == "refuse" and not text.strip()):
        raise invalid(parameter, "It must not be empty.")
    tokens = settings.count_tokens(text)
    if tokens <= model.text_tokens:
        return FittedText(text, tokens)
    if over_long == "refuse":
        raise invalid(
            parameter,
            f"The token length of `{parameter}` must be less than or equal to {model.text_tokens}; it is {tokens}.",
            code=settings.over_long_text_code,
        )
    kept = truncate(text, model.text_tokens, settings.count_tokens, over_long)
    return FittedText(kept, settings.count_tokens(kept), truncated=True)


def truncate(text: str, limit: int, count: Callable[[str], int], side: Literal["end", "start"] = "end") -> str:
    """Return the longest run of whole words that has at most ``limit`` tokens.

    ``side`` is where words are removed. A single word that is too long is truncated by characters.
    """
    if count(text) <= limit:
        return text
    words = text.split()
    kept = _longest(words, limit, count, side, " ")
    if kept or not words:
        return kept
    return _longest(list(words[0] if side == "end" else words[-1]), limit, count, side, "")


def _longest(parts: list[str], limit: int, count: Callable[[str], int], side: str, separator: str) -> str:
    def joined(length: int) -> str:
        return separator.join(parts[:length] if side == "end" else parts[len(parts) - length :])

    # Tokens grow with every part, so the first length that is too long can be found by bisection.
    too_long = bisect.bisect_right(range(len(parts) + 1), limit, key=lambda length: count(joined(length)))
    return joined(max(0, too_long - 1))
