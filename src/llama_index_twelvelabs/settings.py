"""The settings of LlamaIndex components."""

from __future__ import annotations

from typing import Any, ClassVar

from twelvelabs_core.adapter import StrictSettings


class ComponentSettings(StrictSettings):
    """Settings of a component. Unknown ones are refused, but for what LlamaIndex and ``to_dict`` write among them."""

    _written: ClassVar[frozenset[str]] = frozenset({"class_name"})

    @classmethod
    def _renamed(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if name not in cls._written}
