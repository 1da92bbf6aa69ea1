"""A found moment as content blocks of a message: what a language model can look at and listen to."""

from __future__ import annotations

import asyncio

from llama_index.core.base.llms.types import AudioBlock, ContentBlock, ImageBlock, TextBlock
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore
from typing_extensions import Unpack

from twelvelabs_core import InvalidInputError
from twelvelabs_core.adapter import MomentPart, MomentParts, MomentSettings, callers_loop, describe

from .nodes import media_in


def moment_blocks(node: NodeWithScore | BaseNode, **settings: Unpack[MomentSettings]) -> list[ContentBlock]:
    """A hit as content blocks of a ``ChatMessage``, for any language model that takes images, audio or video.

    .. code-block:: python

        hits = retriever.retrieve("a red bike")
        blocks = [block for hit in hits for block in moment_blocks(hit, frames=4, audio=False)]
        llm.chat([ChatMessage(blocks=[TextBlock(text="What happens here?"), *blocks])])

    First a ``TextBlock`` that says what the hit is and what follows (``beach.mp4 00:01:12-00:01:18 visual (frames at
    00:01:12.8, …)``); then an ``ImageBlock`` for each frame, one ``AudioBlock`` (WAV, 16 kHz, mono) if there is audio,
    and with ``clip`` one ``VideoBlock`` (MP4). A hit that is an image is that image, also an ``ImageNode`` of your own;
    one that is a text or a document is its text. The file is read where ``metadata["source"]`` says. Needs PyAV and
    Pillow (``twelvelabs-embeddings[media]``).

    Args:
        node: a hit of any retriever or postprocessor, whose node was made by :class:`TwelveLabsMediaEmbedder`; or a
            node.
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
    found = node.node if isinstance(node, NodeWithScore) else node
    if not isinstance(found, BaseNode):
        raise InvalidInputError(
            f"moment_blocks() takes one node, got {describe(node)}. Of several: "
            "[block for node in nodes for block in moment_blocks(node)]."
        )
    text = found.get_content(MetadataMode.NONE)
    held = [] if "media_type" in found.metadata else media_in(found)  # an ImageNode of one's own
    if held:
        name = found.metadata.get("file_name") or held[0].kind
        return [_block(part) for part in parts.of_media(held[0], found.metadata, text or str(name))]
    return [_block(part) for part in parts.of(found.metadata, text)]


async def amoment_blocks(node: NodeWithScore | BaseNode, **settings: Unpack[MomentSettings]) -> list[ContentBlock]:
    """:func:`moment_blocks`, in a thread."""
    callers_loop()
    return await asyncio.to_thread(moment_blocks, node, **settings)


def _block(part: MomentPart) -> ContentBlock:
    if part.kind == "text":
        return TextBlock(text=part.text)
    if part.kind == "image":
        return ImageBlock(image=part.data, image_mimetype=part.mime)
    if part.kind == "audio":
        return AudioBlock(audio=part.data, format="wav")
    from llama_index.core.base.llms.types import VideoBlock  # not in every release that is supported

    return VideoBlock(video=part.data, video_mimetype=part.mime)
