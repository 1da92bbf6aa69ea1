"""TwelveLabs' Marengo embeddings for LlamaIndex."""

from .embedding import TwelveLabsEmbedding

__all__ = ["TwelveLabsEmbedding"]
