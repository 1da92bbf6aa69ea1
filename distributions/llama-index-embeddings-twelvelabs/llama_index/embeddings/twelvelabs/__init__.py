"""TwelveLabs' Marengo embeddings, where LlamaIndex' users look: all public names of ``llama_index_twelvelabs``.

.. code-block:: python

    from llama_index.embeddings.twelvelabs import TwelveLabsEmbedding

    model = TwelveLabsEmbedding(model_name="marengo3.0")      # key from TWELVELABS_API_KEY
"""

from llama_index_twelvelabs import *  # noqa: F403
from llama_index_twelvelabs import __all__ as __all__
