"""Qdrant's client, without the connection that it leaves open."""

from __future__ import annotations

import gc
import tempfile
import warnings

from qdrant_client import QdrantClient, models

__all__ = ["QdrantClient"]

# The first local folder that a process opens makes qdrant-client ask SQLite how it was built, by a connection that it
# never closes. Python 3.13 reports that in whatever test runs when it is collected; so it is collected here.
with warnings.catch_warnings(), tempfile.TemporaryDirectory() as _folder:
    warnings.simplefilter("ignore", ResourceWarning)
    _client = QdrantClient(path=_folder)
    _client.create_collection("first", models.VectorParams(size=1, distance=models.Distance.COSINE))
    _client.close()
    gc.collect()
