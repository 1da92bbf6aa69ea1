"""Contents that are read when they are sent: exactly the bytes they had when they were opened, digested as they go."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import pytest

from twelvelabs_core import InvalidInputError
from twelvelabs_core._media.streamed import HeldContent, MadeContent, StreamedFile

CONTENT = bytes(range(256)) * 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(CONTENT)
    return path


def digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=20).digest()


def read(content: Any, block: int) -> bytes:
    with contextlib.closing(content.open()) as reader:
        left, found = reader.size, b""
        while left:
            found += reader.read(min(block, left))
            left = reader.size - len(found)
    return found


@pytest.mark.parametrize("block", [1000, 1 << 16, len(CONTENT)])
def test_it_is_read_to_its_end_and_digested(path: Path, block: int) -> None:
    file = StreamedFile(path, len(CONTENT), "a")
    assert read(file, block) == CONTENT
    assert file.digest == digest(CONTENT)


def test_each_attempt_begins_anew(path: Path) -> None:
    file = StreamedFile(path, len(CONTENT), "a")
    with contextlib.closing(file.open()) as reader:
        reader.read(500)
        assert file.digest is None
    assert read(file, 1000) == CONTENT
    path.write_bytes(CONTENT[::-1])
    with contextlib.closing(file.open()):
        assert file.digest is None
    assert read(file, 1000) == CONTENT[::-1]
    assert file.digest == digest(CONTENT[::-1])


@pytest.mark.parametrize("block", [7, 100])
def test_a_range_of_a_file(path: Path, block: int) -> None:
    assert read(StreamedFile(path, 100, "a", start=300, digested=False), block) == CONTENT[300:400]


@pytest.mark.parametrize("digested", [False, True])
def test_it_is_confirmed_before_its_last_block_is_returned(path: Path, digested: bool) -> None:
    asked: list[bytes | None] = []

    def confirm(found: bytes | None) -> None:
        asked.append(found)
        raise InvalidInputError("another content")

    file = StreamedFile(path, len(CONTENT), "a", confirm=confirm, digested=digested)
    with contextlib.closing(file.open()) as reader:
        assert reader.read(len(CONTENT) - 1) == CONTENT[:-1]
        assert asked == []
        with pytest.raises(InvalidInputError, match="another content"):
            reader.read(1)
    assert asked == [digest(CONTENT) if digested else None]


def test_a_file_that_has_become_shorter_is_an_error(path: Path) -> None:
    file = StreamedFile(path, len(CONTENT) + 1, "uris[0]")
    with pytest.raises(InvalidInputError, match=r"uris\[0\].*has changed"):
        read(file, 1000)
    assert file.digest is None


def test_of_a_file_that_has_become_longer_so_much_is_read_as_it_had(path: Path) -> None:
    file = StreamedFile(path, 1000, "a")
    assert read(file, 300) == CONTENT[:1000]
    assert file.digest == digest(CONTENT[:1000])


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"uris\[0\].*cannot be read: No such file"):
        StreamedFile(tmp_path / "gone.mp4", 5, "uris[0]").open()
    with pytest.raises(InvalidInputError, match=r"uris\[0\].*cannot be read"):
        read(StreamedFile(tmp_path, 5, "uris[0]"), 5)


def test_a_content_in_memory_is_not_copied() -> None:
    content = HeldContent(CONTENT)
    assert (content.size, content.memory) == (len(CONTENT), 0)
    assert read(content, 1000) == read(content, 77) == CONTENT
    with contextlib.closing(content.open()) as reader:
        block = reader.read(10)
        assert isinstance(block, memoryview) and block.obj is CONTENT


def test_a_content_that_is_made_is_made_for_each_attempt() -> None:
    made = iter([b"first", b"the second"])
    content = MadeContent(lambda: next(made), size=99, memory=1000)
    assert (content.size, content.memory) == (99, 1000)
    assert read(content, 3) == b"first"
    assert content.size == 5
    assert read(content, 3) == b"the second"
