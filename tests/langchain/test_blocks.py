"""A found moment as LangChain's content blocks."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage

from langchain_twelvelabs import (
    TwelveLabsEmbeddings,
    TwelveLabsMediaLoader,
    amoment_blocks,
    merge_segments,
    moment_blocks,
)
from tests.support import media
from twelvelabs_core import InvalidInputError
from twelvelabs_core.adapter import MomentParts


@pytest.fixture
def hits(langchain: TwelveLabsEmbeddings, tmp_path: Path) -> list[Document]:
    """What the loader makes of a video of twelve seconds, half of it red."""
    (tmp_path / "beach.mp4").write_bytes(media.mp4((("red", 6, 440), ("blue", 6, 880))))
    return [hit for hit in TwelveLabsMediaLoader(tmp_path, langchain).load() if "visual" in hit.page_content]


def test_a_hit_is_standard_content_blocks(hits: list[Document]) -> None:
    text, *rest = moment_blocks(hits[0], frames=2, clip=True)
    assert text["text"].startswith("beach.mp4 00:00:00-00:00:06 visual (frames at ")
    assert "[twelvelabs:" not in text["text"]
    assert [block["type"] for block in rest] == ["image", "image", "audio", "video"]
    assert [block["mime_type"] for block in rest] == ["image/jpeg"] * 2 + ["audio/wav", "video/mp4"]
    starts = [base64.b64decode(block["base64"])[:4] for block in rest]
    assert starts[:3] == [b"\xff\xd8\xff\xe0"] * 2 + [b"RIFF"]


def test_langchain_knows_the_blocks(hits: list[Document]) -> None:
    blocks = moment_blocks(hits[0], frames=1, clip=True)
    known = HumanMessage([*blocks]).content_blocks
    assert [block["type"] for block in known] == ["text", "image", "audio", "video"]


def test_a_merged_range_is_one_moment(hits: list[Document]) -> None:
    [moment] = merge_segments(hits)
    text, *frames = moment_blocks(moment, frames=3, audio=False)
    assert text["text"] == "beach.mp4 00:00:00-00:00:12 visual (frames at 00:00:02, 00:00:06, 00:00:10)"
    assert len(frames) == 3


def test_of_a_text_its_text() -> None:
    assert moment_blocks(Document("A red bike.")) == [{"type": "text", "text": "A red bike."}]


def test_an_image_in_a_store_of_texts() -> None:
    """As Chroma's ``add_images`` stores it."""
    image = media.png("red", (900, 600))
    stored = Document(base64.b64encode(image).decode(), metadata={"file": "bike.png"})
    text, block = moment_blocks(stored, longest=900)
    assert text == {"type": "text", "text": "bike.png"}
    assert block == {"type": "image", "base64": stored.page_content, "mime_type": "image/png"}
    assert moment_blocks(Document("iVBORw0K is no image"))[0]["text"] == "iVBORw0K is no image"


async def test_in_a_thread(hits: list[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    of = MomentParts.of

    def noted(self: MomentParts, *given: Any) -> Any:
        threads.append(threading.current_thread())
        return of(self, *given)

    monkeypatch.setattr(MomentParts, "of", noted)
    assert await amoment_blocks(hits[0], frames=1, audio=False) == moment_blocks(hits[0], frames=1, audio=False)
    assert threads[0] is not threads[1] is threading.current_thread()


def test_outside_of_asyncio_it_says_what_to_do(hits: list[Document]) -> None:
    with pytest.raises(RuntimeError, match="Under trio, call the method without 'a' in a thread"):
        amoment_blocks(hits[0]).send(None)


def test_wrong_arguments(hits: list[Document]) -> None:
    with pytest.raises(InvalidInputError, match=r"takes one document, got .* for document in documents"):
        moment_blocks(hits)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="frame= is no setting"):
        moment_blocks(hits[0], frame=1)  # type: ignore[call-arg]
