"""The vectors of media nodes that are in use in this process, by the text that LlamaIndex embeds of them.

A ``PropertyGraphIndex`` asks for embeddings of its nodes' texts, though the nodes have vectors. The text of a segment
names its file's digest and the segment; as long as the node that it is of is in use, its vector is found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from llama_index.core.schema import BaseNode, TextNode

from twelvelabs_core import EmbeddingClient, InvalidInputError

from .documents import is_file_content, media_text

# Address of the server, space, digest of the file, name of the segment.
_Key: TypeAlias = "tuple[str, str, str, str]"
_nodes: WeakValueDictionary[_Key, BaseNode] = WeakValueDictionary()

# Stands for nodes of equal names and different vectors, such as part 3 of a text that was divided in two ways.
_SEVERAL = TextNode()
# The service may answer the same request with slightly different numbers.
_ROUNDING = 1e-3


def remember(nodes: Iterable[BaseNode], client: EmbeddingClient) -> None:
    """Find the vectors of these nodes, those of media among them, as long as they are in use."""
    place = (client.base_url, client.space)
    for node in nodes:
        digest = node.metadata.get("content_digest")
        if digest is None or node.embedding is None:
            continue
        key = (*place, str(digest), node.get_content().rpartition("\n")[2])
        before = _nodes.get(key)
        _nodes[key] = node if before is None or _equal(before.embedding, node.embedding) else _SEVERAL


def known_vectors(texts: Sequence[str], client: EmbeddingClient, labels: Sequence[str] = ()) -> dict[int, list[float]]:
    """The vectors of those texts that stand for media, by index.

    Args:
        texts: as LlamaIndex embeds them.
        client: that embeds them.
        labels: what errors call the texts; by default ``texts[3]``.

    Raises:
        InvalidInputError: one stands for media, and no node in use has its vector. Embedded as a text it would be found
            by its file's name, which is meaningless. Or one is the bytes of a file that is no text.
    """
    known = {}
    for index, text in enumerate(texts):
        named = media_text(text)
        label = labels[index] if labels else f"texts[{index}]"
        if named is None:
            if is_file_content(text):
                raise InvalidInputError(
                    "is the bytes of a file, read as text. For media: SimpleDirectoryReader(…, file_extractor="
                    "TwelveLabsMediaReader().file_extractor()); for PDF and office files install "
                    "llama-index-readers-file.",
                    item=label,
                )
            continue
        node = _nodes.get((client.base_url, client.space, *named))
        if node is None or node.embedding is None:
            raise InvalidInputError(
                f"{named[1]!r} stands for a media file, and would be embedded as this text. "
                "Put TwelveLabsMediaEmbedder(embed_model=...) before the index: transformations=[...], or "
                "VectorStoreIndex(embedder(documents)). A PropertyGraphIndex embeds texts of nodes that have vectors: "
                "give it the nodes that the embedder returned in this process, or embed_kg_nodes=False.",
                item=label,
            )
        known[index] = list(node.embedding)
    return known


def _equal(one: Any, other: Any) -> bool:
    return bool(one) and len(one) == len(other) and max(abs(a - b) for a, b in zip(one, other, strict=True)) < _ROUNDING
