"""TwelveLabs' Marengo embeddings for LlamaIndex: text, images, audio, video and documents in any of its indexes.

.. code-block:: python

    from llama_index.core import VectorStoreIndex
    from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMediaEmbedder, TwelveLabsMediaReader

    model = TwelveLabsEmbedding(model="marengo3.0")                   # key from TWELVELABS_API_KEY
    files = TwelveLabsMediaReader().load_data("holiday/")
    nodes = TwelveLabsMediaEmbedder(embed_model=model)(files)
    index = VectorStoreIndex(nodes, embed_model=model)
"""

from twelvelabs_core.adapter import needs_extra as _needs_extra

with _needs_extra("llama-index", "llama_index"):
    from .blocks import amoment_blocks, moment_blocks
    from .embedder import TwelveLabsMediaEmbedder
    from .embedding import TwelveLabsEmbedding
    from .postprocessor import TwelveLabsMomentPostprocessor
    from .reader import TwelveLabsMediaReader
    from .retriever import TwelveLabsMomentRetriever
    from .store_check import check_store

__all__ = [
    "TwelveLabsEmbedding",
    "TwelveLabsMediaEmbedder",
    "TwelveLabsMediaReader",
    "TwelveLabsMomentPostprocessor",
    "TwelveLabsMomentRetriever",
    "amoment_blocks",
    "check_store",
    "moment_blocks",
]
