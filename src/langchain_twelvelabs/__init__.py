"""TwelveLabs' Marengo embeddings for LangChain."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .blocks import amoment_blocks, moment_blocks
    from .embeddings import TwelveLabsEmbeddings
    from .loader import TwelveLabsMediaLoader
    from .moments import merge_segments
    from .retriever import TwelveLabsRetriever
    from .store_check import TwelveLabsSpaceTransformer, acheck_store, check_store

__all__ = [
    "TwelveLabsEmbeddings",
    "TwelveLabsMediaLoader",
    "TwelveLabsRetriever",
    "TwelveLabsSpaceTransformer",
    "acheck_store",
    "amoment_blocks",
    "check_store",
    "merge_segments",
    "moment_blocks",
]

# Name -> module, imported on first use, as LangChain's own packages do: the retriever's base class alone takes over a
# second to import.
_MODULES = {
    "TwelveLabsEmbeddings": "embeddings",
    "TwelveLabsMediaLoader": "loader",
    "TwelveLabsRetriever": "retriever",
    "TwelveLabsSpaceTransformer": "store_check",
    "acheck_store": "store_check",
    "amoment_blocks": "blocks",
    "check_store": "store_check",
    "merge_segments": "moments",
    "moment_blocks": "blocks",
}

if not TYPE_CHECKING:  # to a type checker it would make every misspelt name an object

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from twelvelabs_core.adapter import needs_extra

        with needs_extra("langchain", "langchain_core"):
            found: object = getattr(_import_module(f".{_MODULES[name]}", __name__), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
