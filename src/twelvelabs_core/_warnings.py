"""Warnings that name the caller's line, however many frames of this package stand between."""

from __future__ import annotations

import sys
import warnings

# An adapter is made by its framework's and by pydantic's code.
_BETWEEN = frozenset(
    {
        *("twelvelabs_core", "langchain_twelvelabs", "llama_index_twelvelabs", "ray_twelvelabs"),
        *("pydantic", "langchain_core", "llama_index"),
    }
)


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn about the line that called into this package, as ``stacklevel`` cannot know it beforehand."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
