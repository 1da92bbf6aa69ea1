"""Files and texts that fail are left out with ``on_error="skip"``; what concerns all of them is not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import BaseNode, TextNode

from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMediaEmbedder, TwelveLabsMediaReader
from twelvelabs_core import (
    AuthenticationError,
    BatchError,
    InvalidInputError,
    RateLimitError,
    TextTooLongError,
    TwelveLabsError,
)
from twelvelabs_emulator import Emulator
from twelvelabs_emulator.protocol.faults import Fault


@pytest.fixture
def broken(files: Path, tmp_path: Path) -> Path:
    """A video that only the server finds to be none."""
    path = tmp_path / "broken.mp4"
    path.write_bytes((files / "red.mp4").read_bytes()[:64])
    return path


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """An image that is refused before anything is sent."""
    path = tmp_path / "damaged.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 40)
    return path


def mixed(files: Path, broken: Path, damaged: Path) -> list[BaseNode]:
    paths = [files / "red.png", damaged, broken, files / "low.wav"]
    lost = TextNode(text="x", id_="lost", metadata={"embedding_option": "all"})
    texts = [TextNode(text="beans", id_="beans"), TextNode(text="", id_="empty"), lost]
    return [*TwelveLabsMediaReader().load_data(paths), *texts]


@pytest.mark.parametrize("is_async", [False, True])
async def test_what_fails_is_named_and_left_out(
    llama: TwelveLabsEmbedding,
    files: Path,
    broken: Path,
    damaged: Path,
    caplog: pytest.LogCaptureFixture,
    is_async: bool,
) -> None:
    embedder = TwelveLabsMediaEmbedder(embed_model=llama, on_error="skip")
    nodes = mixed(files, broken, damaged)
    made = await embedder.acall(nodes) if is_async else embedder(nodes)
    good = TwelveLabsMediaEmbedder(embed_model=llama)([nodes[0], nodes[3], nodes[4]])
    assert [node.to_dict() for node in made] == [node.to_dict() for node in good]
    skipped = [line.split(" was skipped: ") for line in caplog.messages]
    assert [label for label, _ in skipped] == [str(damaged), str(broken), "node empty", "node lost"]
    assert all(reason for _, reason in skipped)


async def test_without_it_they_are_raised(
    llama: TwelveLabsEmbedding, files: Path, broken: Path, damaged: Path, emulator: Emulator
) -> None:
    embedder = TwelveLabsMediaEmbedder(embed_model=llama)
    for nodes in (mixed(files, broken, damaged), [TextNode(text="")]):
        with pytest.raises(InvalidInputError):
            embedder(nodes)
        with pytest.raises(InvalidInputError):
            await embedder.acall(nodes)
    assert not emulator.requests
    with pytest.raises(BatchError, match=r"broken\.mp4"):
        embedder(TwelveLabsMediaReader().load_data([files / "red.mp4", broken]))


@pytest.mark.parametrize("bad", ["image", "video", "text"])
async def test_nothing_is_sent_of_any_kind_if_one_cannot_be(
    llama: TwelveLabsEmbedding, emulator: Emulator, files: Path, damaged: Path, tmp_path: Path, bad: str
) -> None:
    """Without a cache, what had been sent before the refusal would be paid again in every run."""
    empty = tmp_path / "not.mp4"
    empty.write_bytes(b"no video at all")
    paths = [files / "red.png", files / "low.wav", files / "red.mp4"]
    paths += {"image": [damaged], "video": [empty], "text": []}[bad]
    text = TextNode(text="" if bad == "text" else "beans")
    nodes = [TextNode(text="a red bike"), *TwelveLabsMediaReader().load_data(paths), text]
    embedder = TwelveLabsMediaEmbedder(embed_model=llama)
    before = len(emulator.requests)
    with pytest.raises(InvalidInputError):
        embedder(nodes)
    with pytest.raises(InvalidInputError):
        await embedder.acall(nodes)
    assert len(emulator.requests) == before


def test_an_error_of_a_text_names_its_file(llama: TwelveLabsEmbedding, emulator: Emulator) -> None:
    node = TextNode(text="beans " * 600, metadata={"file_path": "notes/day.txt"})
    strict = TwelveLabsEmbedding(api_key=emulator.api_key, base_url=emulator.base_url, truncate="none")
    with pytest.raises(TextTooLongError, match=r"texts\[1\] 'notes/day.txt'"):
        TwelveLabsMediaEmbedder(embed_model=strict)([TextNode(text="a"), node])
    emulator.configure(faults=[Fault(kind="status:400")])
    with pytest.raises(BatchError, match=r"texts\[0\] 'notes/day.txt'"):
        TwelveLabsMediaEmbedder(embed_model=llama)([node, TextNode(text="a")])


def test_progress_is_shown(
    llama: TwelveLabsEmbedding, files: Path, damaged: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    embedder = TwelveLabsMediaEmbedder(embed_model=llama, on_error="skip", show_progress=True)
    assert len(embedder(TwelveLabsMediaReader().load_data([files / "red.png", damaged]))) == 1
    assert "1/2 [" in capfd.readouterr().err


def test_nothing_but_what_fails(llama: TwelveLabsEmbedding, broken: Path, caplog: pytest.LogCaptureFixture) -> None:
    embedder = TwelveLabsMediaEmbedder(embed_model=llama, on_error="skip")
    assert embedder([TextNode(text="", id_="empty")]) == []
    assert embedder(TwelveLabsMediaReader().load_data(broken)) == []
    assert [line.partition(" was skipped")[0] for line in caplog.messages] == ["node empty", str(broken)]


@pytest.mark.parametrize(("status", "expected"), [(401, AuthenticationError), (429, RateLimitError)])
def test_what_concerns_every_file_is_raised(
    emulator: Emulator, files: Path, status: int, expected: type[TwelveLabsError]
) -> None:
    key = f"tlk_refused_{status}"
    emulator.configure(api_keys=(key,), faults=(Fault(kind=f"status:{status}"),))
    model = TwelveLabsEmbedding(api_key=key, base_url=emulator.base_url, max_retries=0)
    embedder = TwelveLabsMediaEmbedder(embed_model=model, on_error="skip")
    with pytest.raises(expected):
        embedder(TwelveLabsMediaReader().load_data(files / "red.png"))


def test_another_space_is_raised(llama: TwelveLabsEmbedding) -> None:
    embedder = TwelveLabsMediaEmbedder(embed_model=llama, on_error="skip")
    with pytest.raises(InvalidInputError, match="do not compare"):
        embedder([TextNode(text="beans", metadata={"space": "marengo3.5/512"})])


def test_a_pipeline_tries_a_skipped_file_again(
    llama: TwelveLabsEmbedding, files: Path, broken: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its cache would keep the result without that file."""
    pipeline = IngestionPipeline(transformations=[TwelveLabsMediaEmbedder(embed_model=llama, on_error="skip")])
    documents = TwelveLabsMediaReader().load_data([files / "red.png", broken])
    assert len(pipeline.run(documents=documents)) == 1
    assert len(pipeline.run(documents=documents)) == 1
    assert len([line for line in caplog.messages if "was skipped" in line]) == 2


def test_the_reader_skips_what_it_cannot_read(
    llama: TwelveLabsEmbedding, files: Path, broken: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone, unknown = tmp_path / "gone.mp4", tmp_path / "unknown"
    unknown.write_bytes(b"beans")
    paths = [gone, files / "red.png", broken, unknown]
    with pytest.raises(InvalidInputError, match="no such file"):
        TwelveLabsMediaReader().load_data(paths)
    reader = TwelveLabsMediaReader(on_error="skip")
    assert [document.text for document in reader.load_data(paths)] == ["red.png", "broken.mp4"]
    caplog.clear()
    caplog.set_level(logging.WARNING)
    segments = TwelveLabsMediaReader(segments=True, embed_model=llama, on_error="skip").load_data(paths)
    assert [node.metadata["file_name"] for node in segments] == ["red.png"]
    assert len(caplog.messages) == 3
