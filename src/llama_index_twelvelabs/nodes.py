"""Files as documents, segments as nodes: the forms that survive LlamaIndex's splitters, docstores, caches and stores.

LlamaIndex drops the media resources of a ``Document`` at the first splitter and store, and keys its caches by text. So
a file is a text (its name) with flat metadata: where it is, what kind, and a digest of its content. A segment is a
``TextNode``, a picture a plain ``Node``: both come back from every store as what they were. (An ``ImageNode`` would
too, but one of them in a ``VectorStoreIndex`` over a store that keeps texts makes its retrievers find pictures alone.)
"""

from __future__ import annotations

import base64
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    MediaResource,
    Node,
    NodeRelationship,
    ObjectType,
    RelatedNodeInfo,
    TextNode,
)

from twelvelabs_core import Audio, Image, InvalidInputError, Media, Row, Video
from twelvelabs_core import Document as Paper
from twelvelabs_core._inputs import describe
from twelvelabs_core._media.formats import MIME, detect_format

__all__ = [
    "MEDIA",
    "SUFFIXES",
    "MediaKind",
    "file_document",
    "head_of",
    "is_address",
    "kind_of",
    "local_path",
    "media_from",
    "media_in",
    "stands_for_media",
    "text_node",
    "vector_nodes",
]

MediaKind: TypeAlias = Literal["image", "audio", "video", "document"]

MEDIA: Mapping[str, type[Media]] = {"image": Image, "audio": Audio, "video": Video, "document": Paper}
SUFFIXES: Mapping[MediaKind, tuple[str, ...]] = {
    "image": (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic"),
    "audio": (".wav", ".mp3", ".flac"),
    "video": (
        *(".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".mts", ".m2ts"),
        *(".3gp", ".ogv"),
    ),
    "document": (".pdf",),
}
_KINDS: Mapping[str, MediaKind] = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes} | {
    ".txt": "document",
    ".md": "document",
}
_NAMESPACE = uuid.UUID("b1f7a6c2-5d0e-5a54-8f35-2a3a0f6f9c11")

# Keys of a row. Hidden from an embedding model, but for two: by those it knows a text that stands for media.
_ROW_KEYS = (
    *("source", "file_name", "start_sec", "end_sec", "duration_sec", "embedding_option", "embedding_scope"),
    *("page", "quadrant", "chunk", "space"),
)
# Of no use to a language model.
_TECHNICAL_KEYS = ("media_type", "content_digest", "duration_sec", "embedding_scope", "space")
_MARK = re.compile(
    r"\A(?=(?:.*\n)*?media_type: (?:image|audio|video|document)$)(?=(?:.*\n)*?content_digest: [0-9a-f]{40}$)",
    re.MULTILINE,
)


def stands_for_media(text: str) -> bool:
    """Whether a text is what LlamaIndex shows an embedding model of a file or segment: words about it, not itself."""
    # What is no text at all is refused later, with its place.
    return isinstance(text, str) and _MARK.match(text.partition("\n\n")[0]) is not None


# -- what a file is ------------------------------------------------------------------------------------------------


def is_address(source: str) -> bool:
    """Whether it has a scheme (``https://``, ``s3://``, ``data:``), unlike a path."""
    return "://" in source or source.startswith("data:")


def kind_of(name: str, head: bytes = b"") -> MediaKind | None:
    """What a file is: by its suffix, else by its first bytes; None if it is no media."""
    path = urlsplit(name).path if "://" in name else name
    known = _KINDS.get(PurePosixPath(path).suffix.lower())
    if known is not None:
        return known
    found = detect_format(head)
    kind = "document" if found == "pdf" else MIME[found].partition("/")[0] if found else None
    return kind if kind in MEDIA else None  # type: ignore[return-value]  # its keys are the kinds


def local_path(source: str) -> Path | None:
    """Where it is on this machine; None if it is elsewhere."""
    if source.startswith("file://"):
        return Path(url2pathname(urlsplit(source).path))
    return None if is_address(source) else Path(source).expanduser()


def head_of(path: Path | None) -> bytes:
    """A local file's first bytes; none if it is elsewhere or cannot be read (that is told later, with the reason)."""
    try:
        with (path or Path(os.devnull)).open("rb") as file:
            return file.read(32)
    except OSError:
        return b""


def media_from(source: Any) -> Media:
    """A path or URL as the media its suffix, or else its content, says; :class:`Media` stays as it is.

    Raises:
        InvalidInputError: neither says what it is.
    """
    if isinstance(source, Media):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidInputError(
            f"Expected a path or URL, or Video(...), Audio(...), Image(...), Document(...); got {describe(source)}."
        )
    where = os.fspath(source)
    path = local_path(where)
    kind = kind_of(where, head_of(path))
    if kind is None:
        if path is not None and not path.exists():
            raise InvalidInputError(f"no such file (looked in {Path.cwd()}).", item=describe(source))
        raise InvalidInputError(
            "neither its name nor its content says what it is. Say it: Video(...), Audio(...), Image(...) or "
            "Document(...).",
            item=describe(source),
        )
    return MEDIA[kind](source)


# -- a file as a document ------------------------------------------------------------------------------------------


def file_document(source: str, kind: MediaKind, content_digest: str, extra: Mapping[str, Any]) -> Document:
    """A file as LlamaIndex keeps it: its name as text, flat metadata, an id of its own place.

    The id is made from the place and not from the content, so that a changed file replaces what was made of it before.
    """
    name = Path(urlsplit(source).path if "://" in source else source).name or kind
    metadata = {"source": source, "file_name": name, "media_type": kind, "content_digest": content_digest}
    return Document(
        text=name,
        id_=str(uuid.uuid5(_NAMESPACE, source)),
        metadata=metadata | {key: value for key, value in extra.items() if key not in metadata},
        excluded_embed_metadata_keys=list(_ROW_KEYS),
        excluded_llm_metadata_keys=list(_TECHNICAL_KEYS),
    )


def media_in(node: BaseNode) -> list[Media]:
    """The media a node stands for: a file the reader found, an ``ImageNode``'s picture, the ``…_resource``s of a
    ``Node``; none if it is text.

    Raises:
        InvalidInputError: it is a segment whose vector got lost (docstores do not keep vectors).
    """
    kind, source = node.metadata.get("media_type"), node.metadata.get("source")
    named = _names_a_file(node)
    if named and kind != "image" and "embedding_option" in node.metadata:
        raise InvalidInputError(
            f"is a segment of {describe(source)} that has lost its vector. Give the file itself, as "
            "TwelveLabsMediaReader loads it, or the nodes as they were made.",
            item=f"node {node.node_id}",
        )
    if isinstance(node, ImageNode):
        found = _pictured(node)
        if found is not None:
            return [found]
    if named:
        return [MEDIA[str(kind)](str(source))]
    resources = ("image", "audio", "video")
    given = [(kind, getattr(node, f"{kind}_resource", None)) for kind in resources]
    return [MEDIA[kind](_content(resource)) for kind, resource in given if _content(resource) is not None]


def _names_a_file(node: BaseNode) -> bool:
    about = node.metadata
    return about.get("media_type") in MEDIA and isinstance(about.get("source"), str) and "content_digest" in about


def _pictured(node: ImageNode) -> Media | None:
    if node.image:
        return Image(base64.b64decode(node.image))
    where = node.image_path or node.image_url
    return Image(str(where)) if where else None


def _content(resource: MediaResource | None) -> Any:
    if resource is None:
        return None
    if resource.data:
        return base64.b64decode(resource.data)  # LlamaIndex keeps it so
    where = resource.path or resource.url
    return str(where) if where else None


# -- vectors as nodes ----------------------------------------------------------------------------------------------


def vector_nodes(origin: BaseNode, media: Media, rows: Iterable[Row], seen: set[str]) -> Iterator[BaseNode]:
    """The nodes of one file's rows, with their vectors and everything the origin's metadata says.

    Args:
        origin: the document or node the file came as; deleting it from an index deletes these.
        seen: ids given out so far in this call; a copy of a file gets ids of its own.
    """
    relationships = _descent(origin)
    owner = relationships[NodeRelationship.SOURCE].node_id
    caption = "" if _names_a_file(origin) else origin.get_content()
    source = origin.metadata.get("source") if _names_a_file(origin) else None
    for row in rows:
        own = dict(row.metadata)
        if isinstance(source, str):
            own["source"] = source
        id_ = row.id if row.id not in seen else str(uuid.uuid5(_NAMESPACE, f"{row.id}|{owner}"))
        seen.add(id_)
        made: dict[str, Any] = {
            "id_": id_,
            "text": f"{caption}\n{row.text}" if caption else row.text,
            "embedding": row.vector,
            "metadata": own | {k: v for k, v in origin.metadata.items() if k not in own},
            "excluded_embed_metadata_keys": _united(_ROW_KEYS, origin.excluded_embed_metadata_keys),
            "excluded_llm_metadata_keys": _united(_TECHNICAL_KEYS, origin.excluded_llm_metadata_keys),
            "relationships": relationships,
        }
        picture = _picture_at(media)
        text = made.pop("text") if picture is not None else ""
        yield (
            Node(text_resource=MediaResource(text=text), image_resource=picture, **made)
            if picture
            else TextNode(**made)
        )


def _picture_at(media: Media) -> MediaResource | None:
    """Where a multi-modal language model finds the picture itself, as far as a store can keep that."""
    if media.kind != "image" or not isinstance(media.source, (str, os.PathLike)):
        return None
    where = os.fspath(media.source)
    path = local_path(where)
    if path is not None:
        return MediaResource(path=path)
    return MediaResource(url=where) if where.startswith(("http://", "https://")) else None  # type: ignore[arg-type]


def text_node(node: BaseNode, vector: list[float], space: str) -> BaseNode:
    """A text's node with its vector, as a copy: LlamaIndex hashes the original afterwards, to know it again."""
    update: dict[str, Any] = {
        "embedding": vector,
        "metadata": {**node.metadata, "embedding_option": "text", "space": space},
        "excluded_embed_metadata_keys": _united(node.excluded_embed_metadata_keys, ("embedding_option", "space")),
        "excluded_llm_metadata_keys": _united(node.excluded_llm_metadata_keys, ("embedding_option", "space")),
    }
    if not isinstance(node, Document):
        return node.model_copy(update=update)
    # A Document alone in a store has no source, and so could not be deleted or replaced by its id.
    return TextNode(
        id_=node.id_,
        text=node.get_content(),
        relationships=_descent(node),
        metadata_template=node.metadata_template,
        metadata_separator=node.metadata_separator,
        text_template=node.text_template,
        **update,
    )


def _descent(node: BaseNode) -> dict[NodeRelationship, Any]:
    source = node.source_node or RelatedNodeInfo(node_id=node.node_id, node_type=_object_type(node), hash=node.hash)
    return {NodeRelationship.SOURCE: source}


def _object_type(node: BaseNode) -> ObjectType:
    return ObjectType(node.get_type())


def _united(*keys: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(key for some in keys for key in some))
