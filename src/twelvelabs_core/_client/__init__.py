"""The client: settings, and a sync and an async method for each job. Each pair shares one coroutine.

One class for each job, in a file of its name; :class:`EmbeddingClient` inherits them all. Imports ``_media``, ``_api``,
``_net``, ``_cache``, ``_embed``, ``_batch`` and ``_store``.
"""

from .client import EmbeddingClient

__all__ = ["EmbeddingClient"]
