"""Files that are streamed: exactly the bytes they had when they were opened, digested as they go."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from twelvelabs_core import InvalidInputError
from twelvelabs_core._media.streamed import StreamedFile

CONTENT = bytes(range(256)) * 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(CONTENT)
    return path


def digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=20).digest()


@pytest.mark.parametrize("block", [1000, 1 << 16, -1])
def test_it_is_read_to_its_end_and_digested(path: Path, block: int) -> None:
    file = StreamedFile(path, len(CONTENT), "a")
    with file.open() as reader:
        blocks = list(iter(lambda: reader.read(block), b""))
        assert reader.tell() == len(CONTENT)
    assert b"".join(blocks) == CONTENT
    assert file.digest == digest(CONTENT)


def test_each_attempt_begins_anew(path: Path) -> None:
    file = StreamedFile(path, len(CONTENT), "a")
    with file.open() as reader:
        reader.read(500)
        assert file.digest is None
        assert reader.seek(0, io.SEEK_END) == len(CONTENT)
        assert reader.seek(0) == 0
        assert reader.read() == CONTENT
    with file.open() as reader:
        assert file.digest is None
        path.write_bytes(CONTENT[::-1])
        reader.read()
    assert file.digest == digest(CONTENT[::-1])


def test_other_positions_are_not_needed(path: Path) -> None:
    with StreamedFile(path, len(CONTENT), "a").open() as reader:
        assert reader.readable() and reader.seekable()
        for position in ((5, io.SEEK_SET), (0, io.SEEK_CUR)):
            with pytest.raises(io.UnsupportedOperation):
                reader.seek(*position)


def test_a_file_that_has_become_shorter_is_an_error(path: Path) -> None:
    file = StreamedFile(path, len(CONTENT) + 1, "uris[0]")
    with file.open() as reader, pytest.raises(InvalidInputError, match=r"uris\[0\].*has changed"):
        while reader.read(1000):
            pass
    assert file.digest is None


def test_of_a_file_that_has_become_longer_so_much_is_read_as_it_had(path: Path) -> None:
    file = StreamedFile(path, 1000, "a")
    with file.open() as reader:
        assert reader.read() == CONTENT[:1000]
        assert reader.read() == b""
    assert file.digest == digest(CONTENT[:1000])


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"uris\[0\].*cannot be read: No such file"):
        StreamedFile(tmp_path / "gone.mp4", 5, "uris[0]").open()
    with pytest.raises(InvalidInputError, match=r"uris\[0\].*cannot be read"):
        StreamedFile(tmp_path, 5, "uris[0]").open()
