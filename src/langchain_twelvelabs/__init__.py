"""TwelveLabs' Marengo embeddings for LangChain."""

from .embeddings import TwelveLabsEmbeddings

__all__ = ["TwelveLabsEmbeddings"]
