"""A found moment as content blocks of a message: what a chat model can look at and listen to."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import Any

from langchain_core.documents import Document
from typing_extensions import Unpack

from twelvelabs_core import Image, InvalidInputError
from twelvelabs_core.adapter import MomentPart, MomentParts, MomentSettings, callers_loop, describe, kind_of

_REFERENCE = re.compile(r"\s*\[twelvelabs:[^\[\]\n]+\]")


def moment_blocks(document: Document, **settings: Unpack[MomentSettings]) -> list[dict[str, Any]]:
    """A hit as LangChain's standard content blocks, for any chat model that takes images, audio or video.

    .. code-block:: python

        hits = retriever.invoke("a red bike")
        blocks = [block for hit in hits for block in moment_blocks(hit, frames=4, audio=False)]
        model.invoke([HumanMessage([{"type": "text", "text": "What happens here?"}, *blocks])])

    First a text that says what the hit is and what follows (``beach.mp4 00:01:12-00:01:18 visual (frames at
    00:01:12.8, …)``), without the reference that ``page_content`` ends with; then ``image`` blocks of the frames, one
    ``audio`` block (WAV, 16 kHz, mono) if there is audio, and with ``clip`` one ``video`` block (MP4). A hit that is an
    image is that image, also one of Chroma's ``add_images``; one that is a text or a document is its text. The file is
    read where ``metadata["source"]`` says. Needs PyAV and Pillow (``twelvelabs-embeddings[media]``).

    Args:
        document: a hit of any store or retriever, or of :func:`merge_segments`, that was loaded by
            :class:`TwelveLabsMediaLoader`.
        settings: ``frames=4`` (0 = none), ``audio=True``, ``clip=False``, ``longest=768`` (side of a frame or image, in
            pixels), ``choose="even"`` (``"sharpest"``, ``"best-lit"``), ``max_sec=300`` (of a longer range neither
            audio nor clip is given, and the text says so); ``media=``, where the file is read instead: a path, a URL,
            bytes, ``Video(...)``, or a function from ``metadata["source"]`` to one of these. A URL in the metadata is
            fetched only so, as whoever writes into the store chose it: ``media=sign``, ``media=lambda source: source``.

    Raises:
        InvalidInputError: a setting is unknown or out of its range; the file cannot be found, fetched or decoded, or
            ends before the moment begins. ``item`` names the file.
    """
    parts = MomentParts.checked(settings)
    if not isinstance(document, Document):
        raise InvalidInputError(
            f"moment_blocks() takes one document, got {describe(document)}. Of several: "
            "[block for document in documents for block in moment_blocks(document)]."
        )
    image = None if "media_type" in document.metadata else _image_in(document.page_content)
    if image is not None:
        return [_block(part) for part in parts.of_media(image, document.metadata, _about(document))]
    text = _REFERENCE.sub("", document.page_content).strip()
    return [_block(part) for part in parts.of(document.metadata, text)]


async def amoment_blocks(document: Document, **settings: Unpack[MomentSettings]) -> list[dict[str, Any]]:
    """:func:`moment_blocks`, in a thread."""
    callers_loop()
    return await asyncio.to_thread(moment_blocks, document, **settings)


def _image_in(text: str) -> Image | None:
    """The image that a text is in base64, as Chroma's ``add_images`` stores it; None if it is none."""
    try:
        if kind_of("", base64.b64decode(text[:64], validate=True)) != "image":
            return None
        return Image(base64.b64decode(text, validate=True))
    except ValueError:
        return None


def _about(document: Document) -> str:
    """What an image is called: by its metadata, which is all that is known of it."""
    known = (document.metadata.get(name) for name in ("file_name", "file", "source", "uri"))
    return next((str(name) for name in known if name), "image")


def _block(part: MomentPart) -> dict[str, Any]:
    if part.kind == "text":
        return {"type": "text", "text": part.text}
    return {"type": part.kind, "base64": base64.b64encode(part.data).decode(), "mime_type": part.mime}
