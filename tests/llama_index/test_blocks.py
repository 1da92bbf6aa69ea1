"""A found moment as LlamaIndex's content blocks."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from llama_index.core.base.llms.types import AudioBlock, ImageBlock, TextBlock, VideoBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import ImageNode, NodeWithScore, TextNode

from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentPostprocessor,
    amoment_blocks,
    moment_blocks,
)
from tests.support import media
from twelvelabs_core import InvalidInputError
from twelvelabs_core.adapter import MomentParts


@pytest.fixture
def hits(llama: TwelveLabsEmbedding, tmp_path: Path) -> list[NodeWithScore]:
    """What the embedder makes of a video of twelve seconds, half of it red, and of an image."""
    (tmp_path / "beach.mp4").write_bytes(media.mp4((("red", 6, 440), ("blue", 6, 880))))
    (tmp_path / "poster.png").write_bytes(media.png("red", (900, 600)))
    nodes = TwelveLabsMediaEmbedder(embed_model=llama)(TwelveLabsMediaReader().load_data(tmp_path))
    wanted = [node for node in nodes if node.metadata.get("embedding_option") not in ("audio", "transcription")]
    return [NodeWithScore(node=node, score=0.9) for node in wanted]


def test_a_hit_is_content_blocks(hits: list[NodeWithScore]) -> None:
    text, first, second, audio, video = moment_blocks(hits[0], frames=2, clip=True)
    assert isinstance(text, TextBlock)
    assert text.text.startswith("beach.mp4 00:00:00-00:00:06 visual (frames at ")
    for block in (first, second):
        assert isinstance(block, ImageBlock)
        assert block.image_mimetype == "image/jpeg"
        assert PIL.Image.open(io.BytesIO(block.resolve_image().read())).size == (480, 360)
    assert isinstance(audio, AudioBlock)
    assert audio.format == "wav"
    assert audio.resolve_audio().read(4) == b"RIFF"
    assert isinstance(video, VideoBlock)
    assert video.video_mimetype == "video/mp4"
    assert b"ftyp" in video.resolve_video().read(12)


def test_a_message_takes_them(hits: list[NodeWithScore]) -> None:
    message = ChatMessage(blocks=[TextBlock(text="What is this?"), *moment_blocks(hits[0].node, frames=1)])
    assert [block.block_type for block in message.blocks] == ["text", "text", "image", "audio"]


def test_an_image_is_itself_sized(hits: list[NodeWithScore]) -> None:
    text, image = moment_blocks(hits[-1], longest=300)
    assert isinstance(text, TextBlock) and text.text.startswith("poster.png")
    assert isinstance(image, ImageBlock)
    assert PIL.Image.open(io.BytesIO(image.resolve_image().read())).size == (300, 200)


def test_a_merged_range_is_one_moment(hits: list[NodeWithScore]) -> None:
    moment, *_ = TwelveLabsMomentPostprocessor().postprocess_nodes(hits)
    text, *frames = moment_blocks(moment, frames=3, audio=False)
    assert isinstance(text, TextBlock)
    assert text.text == "beach.mp4 00:00:00-00:00:12 visual (frames at 00:00:02, 00:00:06, 00:00:10)"
    assert len(frames) == 3


def test_of_a_text_its_text() -> None:
    [block] = moment_blocks(TextNode(text="A red bike."))
    assert isinstance(block, TextBlock) and block.text == "A red bike."


def test_an_image_node_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "bike.png").write_bytes(media.png("red", (90, 60)))
    by_path = ImageNode(image_path=str(tmp_path / "bike.png"), metadata={"file_name": "bike.png"})
    by_content = ImageNode(image=media.b64(media.png("red", (90, 60))))
    for node, name in ((by_path, "bike.png"), (by_content, "image")):
        text, image = moment_blocks(NodeWithScore(node=node))
        assert isinstance(text, TextBlock) and text.text == name
        assert isinstance(image, ImageBlock) and image.image_mimetype == "image/png"
    with pytest.raises(InvalidInputError, match="not fetched unless you say so"):
        moment_blocks(ImageNode(image_url="https://example.com/bike.png"))


async def test_in_a_thread(hits: list[NodeWithScore], monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    of = MomentParts.of

    def noted(self: MomentParts, *given: Any) -> Any:
        threads.append(threading.current_thread())
        return of(self, *given)

    monkeypatch.setattr(MomentParts, "of", noted)
    assert await amoment_blocks(hits[0], frames=1, audio=False) == moment_blocks(hits[0], frames=1, audio=False)
    assert threads[0] is not threads[1] is threading.current_thread()


def test_outside_of_asyncio_it_says_what_to_do(hits: list[NodeWithScore]) -> None:
    with pytest.raises(RuntimeError, match="Under trio, call the method without 'a' in a thread"):
        amoment_blocks(hits[0]).send(None)


def test_wrong_arguments(hits: list[NodeWithScore]) -> None:
    with pytest.raises(InvalidInputError, match=r"takes one node, got .* for node in nodes"):
        moment_blocks(hits)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="frame= is no setting"):
        moment_blocks(hits[0], frame=1)  # type: ignore[call-arg]
