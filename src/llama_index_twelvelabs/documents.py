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

from twelvelabs_core.adapter import MEDIA_TYPES, MediaKind, file_name

# Must not change: every file in an existing docstore would get a new id.
NAMESPACE = uuid.UUID("b1f7a6c2-5d0e-5a54-8f35-2a3a0f6f9c11")

# Metadata that LlamaIndex leaves out of the text it embeds. media_type and content_digest stay in: stands_for_media
# recognises the text by them.
HIDDEN_FROM_EMBEDDING = (
    *("source", "file_name", "start_sec", "end_sec", "duration_sec", "embedding_option", "embedding_scope"),
    *("page", "quadrant", "chunk", "space"),
)
# Metadata that LlamaIndex leaves out of the text for language models.
HIDDEN_FROM_LLM = ("media_type", "content_digest", "duration_sec", "embedding_scope", "space")

_MEDIA_TEXT = re.compile(
    r"\A(?=(?:.*\n)*?media_type: (?:image|audio|video|document)$)(?=(?:.*\n)*?content_digest: [0-9a-f]{40}$)",
    re.MULTILINE,
)


def file_document(source: str, kind: MediaKind, content_digest: str, extra: Mapping[str, Any]) -> Document:
    """The document of a file: its name as text, flat metadata, and an id made from its path or URL.

    The id does not depend on the content, so that in a docstore a changed file replaces its earlier version.

    Args:
        source: path or URL.
        kind: ``image``, ``audio``, ``video`` or ``document``.
        content_digest: 40 hexadecimal digits, which change with the content.
        extra: further metadata; does not replace that of the file.
    """
    name = file_name(source) or kind
    metadata = {"source": source, "file_name": name, "media_type": kind, "content_digest": content_digest}
    return Document(
        text=name,
        id_=str(uuid.uuid5(NAMESPACE, source)),
        metadata=metadata | {key: value for key, value in extra.items() if key not in metadata},
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


def stands_for_media(text: str) -> bool:
    """Whether a text is what LlamaIndex would embed of a file or segment: its name and metadata, not its content."""
    # Anything but a str is refused later, by the client.
    return isinstance(text, str) and _MEDIA_TEXT.match(text.partition("\n\n")[0]) is not None
