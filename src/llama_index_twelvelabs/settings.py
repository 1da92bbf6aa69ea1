"""The settings of LlamaIndex components."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import field_validator

from twelvelabs_core.adapter import Adapter, StrictSettings, checked_adapter

from .embedding import TwelveLabsEmbedding


class ComponentSettings(StrictSettings):
    """Settings of a component. Unknown ones are refused, but for what LlamaIndex and ``to_dict`` write among them."""

    _written: ClassVar[frozenset[str]] = frozenset({"class_name"})

    @field_validator("embed_model", mode="before", check_fields=False)
    @classmethod
    def _own_model(cls, given: Any) -> Any:
        """Refuse the embeddings of another framework, which pydantic would ask to be a dictionary."""
        return checked_adapter(given, TwelveLabsEmbedding, "embed_model=") if isinstance(given, Adapter) else given

    @classmethod
    def _renamed(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if name not in cls._written}
