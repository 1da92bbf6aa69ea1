"""The check that a vector store holds no vectors of another space."""

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

from twelvelabs_core import InvalidInputError, check_space
from twelvelabs_core.adapter import checked_adapter, describe

from .embedding import TwelveLabsEmbedding

logger = logging.getLogger(__name__)

# More than one: nodes whose "space" is somebody else's key match the filter too, and in some stores nodes without one
# (texts that an index embedded). If these fill the first answer, more are asked for once.
_NODES_CHECKED = (20, 1000)
_SAMPLE = 20


def check_store(store: Any, model: TwelveLabsEmbedding) -> None:
    """Refuse a vector store, or an index over one, that holds vectors of another space than the model's.

    Vectors of two models can be equally long, and no store notices; a search would answer with nonsense. The embedder
    and the reader (with ``vector_store=``) and the moment retriever make this check at their first use.

    Seen are the nodes whose metadata name their ``space``: all that the embedder, the reader or the model as a pipeline
    step made. Texts that an index embedded by itself name none. Of a store that cannot leave out the nodes of one
    space, the 20 nearest to an arbitrary vector are looked at. One that cannot be queried passes, with a line in the
    log: it is still empty, or its vectors have another length and it will refuse these itself.

    Args:
        store: a LlamaIndex vector store, or an index.
        model: the model that is to embed for it.

    Raises:
        InvalidInputError: it holds vectors of another space; the message names both.
    """
    check_queried(store, model)


def check_queried(store: Any, model: TwelveLabsEmbedding) -> bool:
    """:func:`check_store`; whether the store could be queried."""
    model = checked_adapter(model, TwelveLabsEmbedding, "model=")
    space, dimensions = model.space, model.client.dimensions
    store = getattr(store, "vector_store", store)
    if not hasattr(store, "query"):
        raise InvalidInputError(f"store= takes a LlamaIndex vector store, or an index over one, got {describe(store)}.")
    if isinstance(store, SimpleVectorStore):
        check_space(store.data.metadata_dict.values(), space)
        return True
    others = MetadataFilters(filters=[MetadataFilter(key="space", value=space, operator=FilterOperator.NE)])
    failure: Exception | None = None
    for counts, filters in ((_NODES_CHECKED, others), ((_SAMPLE,), None)):
        for count in counts:
            query = VectorStoreQuery([dimensions**-0.5] * dimensions, similarity_top_k=count, filters=filters)
            try:
                found = store.query(query).nodes or []
            except Exception as error:  # each store raises its own
                failure = error
                break
            check_space((node.metadata for node in found), space)
            if len(found) < count:
                return True
        else:
            return True
    logger.info("The space of the vectors in %s could not be checked: %s", type(store).__name__, failure)
    return False
