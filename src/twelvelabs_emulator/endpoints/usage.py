"""What ``usage`` says. How many tokens media count for is not published: these numbers stand in."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["IMAGE_TOKENS", "PAGE_TOKENS", "sound_tokens", "usage_of", "video_tokens"]

IMAGE_TOKENS = PAGE_TOKENS = 258


def sound_tokens(seconds: float) -> int:
    """Return the tokens of so many seconds of sound: 25 a second."""
    return math.ceil(25 * seconds)


def video_tokens(seconds: float) -> int:
    """Return the tokens of so many seconds of film: 258 a second."""
    return math.ceil(258 * seconds)


def usage_of(counted: dict[str, int], truncated: bool = False) -> dict[str, Any]:
    """Return an answer's ``usage``."""
    usage: dict[str, Any] = {"input_tokens": counted, "truncated": truncated}
    if truncated:
        usage["truncation_reason"] = "model_context_window"
    return usage
