"""What happens to a text before it is embedded: checked, counted, and cut or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..protocol.errors import invalid
from ..protocol.models import Model
from ..protocol.settings import Settings
from .tokens import cut

__all__ = ["FittedText", "fitted"]


@dataclass(frozen=True)
class FittedText:
    """A text that fits the model: what is left of it, its tokens, and whether anything was cut off."""

    text: str
    tokens: int
    truncated: bool


def fitted(
    text: str,
    parameter: str,
    model: Model,
    settings: Settings,
    *,
    over_long: Literal["end", "start", "refuse"],
) -> FittedText:
    """Cut a text to the model's limit at the given side, or raise the API's 400."""
    if not text or (settings.blank_text == "refuse" and not text.strip()):
        raise invalid(parameter, "It must not be empty.")
    tokens = settings.count_tokens(text)
    if tokens <= model.text_tokens:
        return FittedText(text, tokens, False)
    if over_long == "refuse":
        raise invalid(
            parameter,
            f"The token length of `{parameter}` must be less than or equal to {model.text_tokens}; it is {tokens}.",
            code=settings.over_long_text_code,
        )
    kept = cut(text, model.text_tokens, settings.count_tokens, over_long)
    return FittedText(kept, settings.count_tokens(kept), True)
