"""One search of an index."""

from __future__ import annotations

from llama_index.core.retrievers import VectorIndexRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle


class IndexSearch(VectorIndexRetriever):
    """LlamaIndex' retriever, for which finding nothing is no error.

    The LanceDB integration raises a ``Warning`` where other stores return nothing, as for an embedding option that no
    node has (``LanceDBVectorStore.query``, version 0.6.0).
    """

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        try:
            return super()._retrieve(query_bundle)
        except Warning as error:
            return _nothing(error)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        try:
            return await super()._aretrieve(query_bundle)
        except Warning as error:
            return _nothing(error)


def _nothing(error: Warning) -> list[NodeWithScore]:
    if "results are empty" not in str(error):
        raise error
    return []
