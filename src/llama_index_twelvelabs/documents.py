"""A file as a LlamaIndex document, and how such a document's text is recognised.

LlamaIndex's splitters and stores drop the media resources of a ``Document``, and its caches are keyed by text. So a
file's document has the file's name as text, and flat metadata: its path or URL, its kind and a digest of its content.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from llama_index.core.schema import BaseNode, Document

from twelvelabs_core import IdFrom, Media
from twelvelabs_core.adapter import (
    MEDIA_TYPES,
    RESERVED,
    MediaKind,
    check_reserved,
    describe,
    file_name,
    name_for_ids,
    own_metadata,
    unsigned_url,
)

# Must not change: every file in an existing docstore would get a new id.
NAMESPACE = uuid.UUID("b1f7a6c2-5d0e-5a54-8f35-2a3a0f6f9c11")

# Metadata that LlamaIndex leaves out of the text it embeds. media_type and content_digest stay in: media_text
# recognises the text by them.
HIDDEN_FROM_EMBEDDING = (
    *("source", "file_name", "start_sec", "end_sec", "duration_sec", "embedding_option", "embedding_scope"),
    *("page", "quadrant", "chunk", "space"),
)
# Metadata that LlamaIndex leaves out of the text for language models.
HIDDEN_FROM_LLM = ("media_type", "content_digest", "duration_sec", "embedding_scope", "space")

_MEDIA_TEXT = re.compile(
    r"\A(?=(?:.*\n)*?media_type: (?:image|audio|video|document)$)"
    r"(?=(?:.*\n)*?content_digest: (?P<digest>[0-9a-f]{40})$)",
    re.MULTILINE,
)


class SignedUrl(str):
    """A URL whose text has no signature, and which knows the whole address.

    A document's ``source`` must not hold a signature, as documents are stored; but the file is fetched later, from
    what the document says. In every form that is written down (JSON, a store) only the text is left.

    Attributes:
        full: the address with its signature.
    """

    full: str

    def __new__(cls, url: str) -> SignedUrl:
        """The text of ``url`` without its signature."""
        made = super().__new__(cls, unsigned_url(url))
        made.full = url
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        # Documents are copied, and sent to worker processes.
        return SignedUrl, (self.full,)


def fetched_from(source: Any) -> str:
    """The path or whole URL that a document's ``source`` stands for."""
    return source.full if isinstance(source, SignedUrl) else str(source)


def file_document(
    source: str,
    kind: MediaKind,
    content_digest: str,
    extra: Mapping[str, Any],
    *,
    id_from: IdFrom = "source",
    in_memory: bool = False,
) -> Document:
    """The document of a file: its name as text, flat metadata, and an id made from its path or URL.

    The id does not depend on the content, so that in a docstore a changed file replaces its earlier version.

    Args:
        source: path or URL. A signature is not in the metadata.
        kind: ``image``, ``audio``, ``video`` or ``document``.
        content_digest: 40 hexadecimal digits, which change with the content.
        extra: further metadata; ``file_name`` in it replaces the file's.
        id_from: what the id is made of: ``source``, ``content``, or a function from the metadata to a name.
        in_memory: the source is not a path on this machine.

    Raises:
        InvalidInputError: ``extra`` has a key that rows use, or ``id_from`` returned no name.
        UnexpectedError: ``id_from`` raised.
    """
    label = describe(source)
    check_reserved(extra, {*RESERVED, "source"}, label)
    own = own_metadata(extra, label)
    name = own.pop("file_name", None) or file_name(source) or kind
    media = MEDIA_TYPES[kind](b"" if in_memory else source)
    known = {**own, "file_name": name, "source": source}
    place = name_for_ids(media, known, id_from, label) or content_digest
    metadata = {
        "source": source if unsigned_url(source) == source else SignedUrl(source),
        "file_name": name,
        "media_type": kind,
        "content_digest": content_digest,
    }
    return Document(
        text=name,
        # A path need not be UTF-8, which a UUID is made of.
        id_=str(uuid.uuid5(NAMESPACE, place.encode("utf-8", "backslashreplace").decode())),
        metadata=metadata | own,
        excluded_embed_metadata_keys=list(HIDDEN_FROM_EMBEDDING),
        excluded_llm_metadata_keys=list(HIDDEN_FROM_LLM),
    )


def is_file_document(node: BaseNode) -> bool:
    """Whether a node has the metadata of a file's document, or was made from one by a splitter."""
    metadata = node.metadata
    return (
        metadata.get("media_type") in MEDIA_TYPES
        and isinstance(metadata.get("source"), str)
        and "content_digest" in metadata
    )


def media_text(text: str) -> tuple[str, str] | None:
    """Whether a text is what LlamaIndex would embed of a file or segment: its name and metadata, not its content.

    Returns:
        The file's digest and the name of the file or segment, the text's last line; None if it is any other text.
    """
    if not isinstance(text, str):  # refused later, by the client
        return None
    found = _MEDIA_TEXT.match(text.partition("\n\n")[0])
    return (found["digest"], text.rpartition("\n")[2]) if found else None


# The least that the formats' first 64 characters have; one in a text is nothing but odd.
_BINARY_NULS = 4


def is_file_content(text: Any) -> bool:
    """Whether a text, as LlamaIndex embeds it, begins as PDF, image, audio, video and office files do.

    ``SimpleDirectoryReader`` reads what it has no reader for as text, without the bytes that are none.
    """
    if not isinstance(text, str):
        return False
    head, _, body = text.partition("\n\n")  # metadata stand before the text
    return any(part[:64].count("\0") >= _BINARY_NULS or part.startswith("%PDF-") for part in (head, body))


def row_metadata(node: BaseNode, media: Media, space: str) -> dict[str, Any]:
    """What a node's metadata adds to the rows of its media: all of it but what says the same as the rows themselves.

    Args:
        node: a file's document, or any node that holds media.
        media: the node's, as the node names it.
        space: of the rows.

    Raises:
        InvalidInputError: it has a key that rows use for something else.
    """
    metadata = dict(node.metadata)
    if is_file_document(node):
        # The reader's keys; and of an image's node that is embedded again, all that its row wrote.
        written_before = metadata.get("space") == space and "embedding_option" in metadata
        for name in RESERVED if written_before else ("media_type", "content_digest"):
            metadata.pop(name, None)
    elif isinstance(media.source, str) and "://" in media.source:
        metadata.setdefault("source", media.source)  # it may be read into memory before it is embedded
    return own_metadata(metadata, f"node {node.node_id}")


def check_text_metadata(node: BaseNode, space: str) -> None:
    """Refuse a text's metadata that has another value under a key that :func:`~.nodes.text_node` writes.

    Raises:
        InvalidInputError: it has.
    """
    written = {"embedding_option": "text", "space": space}
    other = [name for name, value in written.items() if node.metadata.get(name, value) != value]
    check_reserved(node.metadata, other, f"node {node.node_id}")


def has_room_for_space(node: BaseNode) -> bool:
    """Whether a text's metadata can name its vector's space: it does so already, or the keys for it are unused."""
    metadata = node.metadata
    return metadata.get("embedding_option") == "text" or not {"embedding_option", "space"} & set(metadata)


def id_from_name(id_from: IdFrom) -> str:
    """``id_from`` as LlamaIndex writes settings down, and keys its pipeline cache: a function by its name."""
    if not callable(id_from):
        return id_from
    return f"{id_from.__module__}.{getattr(id_from, '__qualname__', type(id_from).__qualname__)}"
