"""The scenarios, by what they attack. :func:`load` registers them all."""

from __future__ import annotations

from importlib import import_module

__all__ = ["load"]

_MODULES = ("faults", "flight", "disk", "clock", "memory", "crashes", "processes", "files", "fuzzing")


def load() -> None:
    """Import every module of this folder."""
    for name in _MODULES:
        import_module(f"{__name__}.{name}")
