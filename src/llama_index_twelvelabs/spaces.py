"""What space a store's vectors are of: asked before others are put beside them."""

from __future__ import annotations

import logging
from typing import Any

from llama_index.core.vector_stores import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    SimpleVectorStore,
    VectorStoreQuery,
)

from twelvelabs_core import check_space

__all__ = ["check_store"]

logger = logging.getLogger(__name__)

# Nodes without a space of their own (texts embedded by an index) match "another space" too, in some stores.
_LOOKED_AT = 20


def check_store(store: Any, space: str, dimensions: int) -> None:
    """Refuse a vector store, or an index over one, that holds vectors of another space.

    A store that cannot be asked passes: one that is empty and not made yet, or of another vector length, which it
    refuses itself.

    Raises:
        InvalidInputError: naming both spaces.
    """
    store = getattr(store, "vector_store", store)
    if isinstance(store, SimpleVectorStore):
        check_space(store.data.metadata_dict.values(), space)
        return
    query = VectorStoreQuery(
        query_embedding=[dimensions**-0.5] * dimensions,
        similarity_top_k=_LOOKED_AT,
        filters=MetadataFilters(filters=[MetadataFilter(key="space", value=space, operator=FilterOperator.NE)]),
    )
    try:
        found = store.query(query).nodes or []
    except Exception as error:  # every store has errors of its own
        logger.info("Cannot ask %s for the space of its vectors: %s", type(store).__name__, error)
        return
    check_space((node.metadata for node in found), space)
