"""TwelveLabs' Marengo embeddings for LangChain."""

from typing import TYPE_CHECKING, Any

from .embeddings import TwelveLabsEmbeddings
from .loader import TwelveLabsMediaLoader
from .moments import merge_segments

if TYPE_CHECKING:
    from .retriever import TwelveLabsRetriever

__all__ = ["TwelveLabsEmbeddings", "TwelveLabsMediaLoader", "TwelveLabsRetriever", "merge_segments"]


def __getattr__(name: str) -> Any:
    # LangChain's retrievers take over a second to import: only who uses one shall wait for it.
    if name == "TwelveLabsRetriever":
        from .retriever import TwelveLabsRetriever

        return TwelveLabsRetriever
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
