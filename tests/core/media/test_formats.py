"""File formats, detected from the first bytes."""

from __future__ import annotations

import sys

import PIL.Image
import pytest

from twelvelabs_core._media.formats import MIME, detect_format


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"GIF87a", "gif"),
        (b"GIF89a", "gif"),
        (b"BM\x00\x00", "bmp"),
        (b"II*\x00", "tiff"),
        (b"MM\x00*", "tiff"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "wav"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "avi"),
        (b"RIFF\x00\x00\x00\x00ACON", None),
        (b"fLaC\x00", "flac"),
        (b"OggS\x00", "ogg"),
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90\x00", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\x00\x00\x00\x20ftypisom", "mp4"),
        (b"\x00\x00\x00\x20ftypqt  ", "mov"),
        (b"\x00\x00\x00\x20ftypM4A ", "m4a"),
        (b"\x00\x00\x00\x20ftypavif", "avif"),
        (b"\x00\x00\x00\x20ftypheic", "heic"),
        (b"\x00\x00\x00\x08moov", "mov"),
        (b"\x1aE\xdf\xa3", "matroska"),
        (b"\x00\x00\x01\xba", "mpeg"),
        (b"FLV\x01", "flv"),
        (b"%PDF-1.7", "pdf"),
        (b"", None),
        (b"\xff", None),
        (b"RIFF", None),
        (b"plain words", None),
        (b"# A title", None),
    ],
)
def test_format_is_detected_from_the_first_bytes(head: bytes, name: str | None) -> None:
    assert detect_format(head + b"\x00" * 16 if name else head) == name
    assert name is None or name in MIME


def test_pillow_is_restored_after_tests_without_it() -> None:
    """A fixture that hides Pillow must not affect other tests."""
    assert sys.modules["PIL.Image"] is PIL.Image
