"""What kind of media a file is: one table for all adapters."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from twelvelabs_core import Audio, Document, Image, InvalidInputError, Video
from twelvelabs_core.adapter import (
    MEDIA_TYPES,
    SUFFIXES,
    file_name,
    head_of,
    is_pdf,
    is_source_code,
    kind_of,
    kind_of_mime,
    local_path,
    media_from,
    suffix_of,
)


def test_the_table_of_suffixes() -> None:
    by_kind = {kind: sorted(s for s, of in SUFFIXES.items() if of == kind) for kind in MEDIA_TYPES}
    assert by_kind == {
        "image": [".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"],
        "audio": [".flac", ".mp3", ".wav"],
        "video": [
            *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv"),
            *(".ts", ".webm", ".wmv"),
        ],
        "document": [".markdown", ".md", ".pdf", ".txt"],
    }
    assert {kind: cls.kind for kind, cls in MEDIA_TYPES.items()} == {kind: kind for kind in MEDIA_TYPES}


@pytest.mark.parametrize(
    ("place", "name", "suffix"),
    [
        ("a/b.MP4", "b.MP4", ".mp4"),
        ("a.b/c", "c", ""),
        ("https://example.com/v/b.mp4?sign=x.png#t=1", "b.mp4", ".mp4"),
        ("https://example.com", "", ""),
        ("s3://bucket/a/b.wav", "b.wav", ".wav"),
        ("http://[broken/b.wav", "b.wav", ".wav"),
    ],
)
def test_names(place: str, name: str, suffix: str) -> None:
    assert (file_name(place), suffix_of(place)) == (name, suffix)


def test_places_on_this_machine(tmp_path: Path) -> None:
    assert local_path("a/b.mp4") == Path("a/b.mp4")
    assert local_path("~/b.mp4") == Path.home() / "b.mp4"
    assert local_path((tmp_path / "a b.mp4").as_uri()) == tmp_path / "a b.mp4"
    for elsewhere in ("https://example.com/a.mp4", "s3://bucket/a.mp4", "data:image/png;base64,AAAA"):
        assert local_path(elsewhere) is None


def test_the_suffix_decides_before_the_content() -> None:
    assert kind_of("a.mp4", media.wav(440, 1)) == "video"
    assert kind_of("a", media.wav(440, 1)[:32]) == "audio"
    assert kind_of("a.dat", media.png("red")) == "image"
    assert kind_of("a", media.mp4((("red", 1, 0),))) == "video"
    assert kind_of("a", media.pdf(1)) == "document"
    assert kind_of("a.dat", b"\0" * 32) is None
    assert kind_of("a.dat", suffixes={".dat": "video"}) == "video"
    assert kind_of("a.mp4", suffixes={".dat": "video"}) is None


@pytest.mark.parametrize(
    ("mime", "kind"),
    [
        ("video/mp4", "video"),
        ("audio/x-wav", "audio"),
        ("Image/PNG; charset=binary", "image"),
        ("application/pdf", "document"),
        ("text/plain; charset=utf-8", "document"),
        ("text/markdown", "document"),
        ("text/html", None),
        ("application/octet-stream", None),
        ("", None),
    ],
)
def test_mime_types(mime: str, kind: str | None) -> None:
    assert kind_of_mime(mime) == kind


# -- media from what a framework passes ------------------------------------------------------------------------------


def test_media_by_suffix_or_content(tmp_path: Path) -> None:
    (tmp_path / "nameless").write_bytes(media.wav(440, 1))
    found = [
        media_from(place)
        for place in (tmp_path / "nameless", "a.PNG", Path("a.ts"), "a.markdown", "https://example.com/a.mp4?x=1.png")
    ]
    assert found == [
        Audio(tmp_path / "nameless"),
        Image("a.PNG"),
        Video(Path("a.ts")),
        Document("a.markdown"),
        Video("https://example.com/a.mp4?x=1.png"),
    ]
    already = Video(b"x")
    assert media_from(already) is already
    assert media_from("a.dat", {".dat": "audio"}) == Audio("a.dat")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (b"bytes", r"5 bytes does not say what it holds; wrap it: Video"),
        (7, "a int does not say"),
        ("missing.xyz", r"no such file .* its suffix '\.xyz' does not say"),
        ("missing", r"^'missing': no such file or folder \(looked in [^)]+\)\.$"),
        ("missing/", r"^'missing/': no such file or folder"),
        (".", r"^'\.': is a folder; pass the files in it\.$"),
        ("x" * 5000, "it has no suffix that says what it holds"),
        ("https://example.com/watch?v=1", r"^'https://example\.com/watch': it has no suffix that says"),
        ("https://www.youtube.com/watch?v=1", r"^'https://www\.youtube\.com/watch': www\.youtube\.com serves a page"),
        ("https://[", "it has no suffix that says"),
    ],
)
def test_what_does_not_tell_its_kind(source: Any, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why) as caught:
        media_from(source)
    assert "v=1" not in str(caught.value)


def test_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(64)))
    assert head_of(tmp_path / "a") == bytes(range(32))
    assert head_of(tmp_path / "missing") == b""
    assert head_of(Path("a\0b")) == b""


def test_pdf_or_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(media.pdf(1))
    (tmp_path / "a.pdf").write_bytes(b"only text")
    assert is_pdf(Document(media.pdf(1)))
    assert is_pdf(Document(memoryview(media.pdf(1))))
    assert not is_pdf(Document(b"# text", filename="a.pdf"))
    assert is_pdf(Document(tmp_path / "a.txt"))
    assert not is_pdf(Document(str(tmp_path / "a.pdf")))
    assert is_pdf(Document("https://example.com/a.PDF?x=1"))
    assert is_pdf(Document("missing.pdf"))
    assert not is_pdf(Document("https://example.com/a.md"))
    assert is_pdf(Document(io.BytesIO(b""), filename="a.pdf"))
    assert not is_pdf(Document(io.BytesIO(b"")))


@pytest.mark.parametrize(
    ("name", "content", "is_code"),
    [
        ("a.ts", b"import { b } from './b'", True),
        ("a.mts", b"export const a = 1", True),
        ("a.TS", b"\x47\x40\x00\x10" + bytes(184), False),
        ("a.mts", b"\x00\x00\x00\x00\x47\x40\x00\x10" + bytes(184), False),
        ("a.m2ts", b"text", False),
        ("a.mp4", b"text", False),
    ],
)
def test_typescript_is_told_from_transport_streams(name: str, content: bytes, is_code: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert is_source_code(tmp_path / name) is is_code
