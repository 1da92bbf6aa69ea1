"""The media that a node holds, and nodes with vectors for segments, images and texts.

All of them are ``TextNode``s, images too: LlamaIndex's evaluators, recursive retrievers and ``hit.text`` refuse plain
``Node``s, and a single ``ImageNode`` in a ``VectorStoreIndex`` over a store that keeps texts makes the index's
retrievers find only images.
"""

from __future__ import annotations

import base64
import os
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    MediaResource,
    NodeRelationship,
    ObjectType,
    RelatedNodeInfo,
    TextNode,
)

from twelvelabs_core import Document as Text
from twelvelabs_core import IdFrom, Image, InvalidInputError, Media, Row
from twelvelabs_core.adapter import MEDIA_TYPES, describe, is_url, local_path, name_for_ids, unsigned_url

from .documents import HIDDEN_FROM_EMBEDDING, HIDDEN_FROM_LLM, NAMESPACE, fetched_from, is_file_document

# -- media of nodes ------------------------------------------------------------------------------------------------


def media_in(node: BaseNode) -> list[Media]:
    """The media that a node holds; empty if it is a text.

    That is the file of a reader's document, the image of an ``ImageNode``, or the ``…_resource``s of a ``Node``.

    Raises:
        InvalidInputError: the node is a segment without its vector (docstores do not keep vectors).
    """
    kind, source = node.metadata.get("media_type"), node.metadata.get("source")
    is_file = is_file_document(node)
    if is_file and kind != "image" and "embedding_option" in node.metadata:
        raise InvalidInputError(
            f"is a segment of {describe(source)} that has lost its vector. Give the file itself, as "
            "TwelveLabsMediaReader loads it, or the nodes as they were made.",
            item=f"node {node.node_id}",
        )
    if isinstance(node, ImageNode):
        image = _image_of(node)
        if image is not None:
            return [image]
    if is_file:
        return [MEDIA_TYPES[kind](fetched_from(source))]  # type: ignore[index]  # is_file_document: it is a kind
    resources = [
        (kind, _content(getattr(node, f"{kind}_resource", None))) for kind in MEDIA_TYPES if kind != "document"
    ]
    return [MEDIA_TYPES[kind](content) for kind, content in resources if content is not None]


def _image_of(node: ImageNode) -> Media | None:
    if node.image:
        return Image(base64.b64decode(node.image))
    place = node.image_path or node.image_url
    return Image(str(place)) if place else None


def _content(resource: MediaResource | None) -> Any:
    if resource is None:
        return None
    if resource.data:
        return base64.b64decode(resource.data)  # LlamaIndex keeps data as base64
    place = resource.path or resource.url
    return str(place) if place else None


# -- nodes with vectors --------------------------------------------------------------------------------------------


def vector_nodes(
    origin: BaseNode, media: Media, rows: Iterable[Row], seen: set[str], *, image_nodes: bool = False
) -> Iterator[BaseNode]:
    """The nodes of one file's rows, with their vectors.

    Args:
        origin: the document or node that held the file. Deleting it from an index deletes these nodes.
        media: the file.
        rows: its segments, with the node's metadata.
        seen: ids used so far in this call, which this one adds to; a copy of a file gets other ids.
        image_nodes: an image becomes an ``ImageNode``, whose text is the caption alone: a multi-modal index puts those
            with a text among its texts too.
    """
    relationships = _relationships(origin)
    owner = relationships[NodeRelationship.SOURCE].node_id
    caption = "" if is_file_document(origin) else origin.get_content()
    image = _image_fields(media) if image_nodes else None
    for row in rows:
        id_ = row.id if row.id not in seen else str(uuid.uuid5(NAMESPACE, f"{row.id}|{owner}"))
        seen.add(id_)
        text = f"{caption}\n{row.text}" if caption else row.text
        common: dict[str, Any] = {
            "id_": id_,
            "embedding": row.vector,
            "metadata": row.metadata,
            "excluded_embed_metadata_keys": _union(HIDDEN_FROM_EMBEDDING, origin.excluded_embed_metadata_keys),
            "excluded_llm_metadata_keys": _union(HIDDEN_FROM_LLM, origin.excluded_llm_metadata_keys),
            "relationships": relationships,
        }
        yield TextNode(text=text, **common) if image is None else ImageNode(text=caption, **image, **common)


def _image_fields(media: Media) -> dict[str, str] | None:
    """The image as an ``ImageNode`` holds it: path, URL or content; None if it is no image, or a stream."""
    if media.kind != "image":
        return None
    if isinstance(media.source, bytes):
        return {"image": base64.b64encode(media.source).decode()}
    if not isinstance(media.source, (str, os.PathLike)):
        return None
    place = os.fspath(media.source)
    path = local_path(place)
    if path is not None:
        return {"image_path": str(path)}
    return {"image_url": unsigned_url(place)} if is_url(place) else None


def stable_ids(nodes: Iterable[BaseNode], space: str, id_from: IdFrom) -> dict[str, str]:
    """For texts of files whose ids are LlamaIndex's own, UUIDs that are the same in every run.

    They are made of the file's path (unless ``id_from`` is ``content``), the text, its place among equal ones, and the
    space.

    Returns:
        Their ids, by those they have.
    """
    ids: dict[str, str] = {}
    counted: Counter[str] = Counter()
    for node in nodes:
        path = node.metadata.get("file_path")
        if not isinstance(path, str) or not path or not _is_llama_indexs(node.node_id, path):
            continue
        place = "" if id_from == "content" else name_for_ids(Text(path), None, "source", describe(path))
        name = f"{place}|{node.get_content()}|{space}"
        made = f"{name}|{counted[name]}".encode("utf-8", "backslashreplace").decode()
        ids[node.node_id] = str(uuid.uuid5(NAMESPACE, made))
        counted[name] += 1
    return ids


def _is_llama_indexs(id_: str, path: str) -> bool:
    """Whether an id was drawn at random, or is a file's path: ``SimpleDirectoryReader(filename_as_id=True)``."""
    if id_ == path or (id_.startswith(f"{path}_part_") and id_.rpartition("_")[2].isdecimal()):
        return True
    try:
        return uuid.UUID(id_).version == 4
    except ValueError:
        return False


def text_node(node: BaseNode, vector: list[float], space: str, ids: Mapping[str, str] | None = None) -> BaseNode:
    """A copy of a text's node with its vector. The original must not change: LlamaIndex hashes it afterwards.

    Args:
        ids: other ids for this node, and for those before and after it in the file, by their present ones.
    """
    hidden = ("embedding_option", "space")
    ids = ids or {}
    update: dict[str, Any] = {
        "id_": ids.get(node.node_id, node.node_id),
        "embedding": vector,
        "metadata": {**node.metadata, "embedding_option": "text", "space": space},
        "excluded_embed_metadata_keys": _union(node.excluded_embed_metadata_keys, hidden),
        "excluded_llm_metadata_keys": _union(node.excluded_llm_metadata_keys, hidden),
    }
    if not isinstance(node, Document):
        update["relationships"] = {name: _renamed(found, ids) for name, found in node.relationships.items()}
        return node.model_copy(update=update)
    # Stored as a Document it would have no SOURCE, and could not be deleted or replaced by its id.
    return TextNode(
        text=node.get_content(),
        relationships=_relationships(node),
        metadata_template=node.metadata_template,
        metadata_separator=node.metadata_separator,
        text_template=node.text_template,
        **update,
    )


def _renamed(related: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(related, list):
        return [_renamed(one, ids) for one in related]
    return related.model_copy(update={"node_id": ids.get(related.node_id, related.node_id)})


def _relationships(node: BaseNode) -> dict[NodeRelationship, Any]:
    own = RelatedNodeInfo(node_id=node.node_id, node_type=ObjectType(node.get_type()), hash=node.hash)
    return {NodeRelationship.SOURCE: node.source_node or own}


def _union(*keys: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(key for some in keys for key in some))
