"""What a loader's paths stand for, and files of equal content among them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents.base import Blob

from langchain_twelvelabs.duplicates import Duplicates
from langchain_twelvelabs.options import options_for
from langchain_twelvelabs.sources import Found, find_media, kinds_by_suffix
from tests.support import media
from twelvelabs_core import (
    MODELS,
    Asset,
    Audio,
    Document,
    Fixed,
    Image,
    InvalidInputError,
    Media,
    Quadrants,
    SegmentOptions,
    Sentences,
    Video,
)
from twelvelabs_core.adapter import MEDIA_TYPES, SUFFIXES, content_digest

OLD, NEW = MODELS["marengo3.0"], MODELS["marengo3.5"]


def found(paths: Any, suffixes: Any = None) -> list[Found]:
    return list(
        find_media(paths, glob="**/*", suffixes=kinds_by_suffix(suffixes), kinds=MEDIA_TYPES, model="marengo3.5")
    )


@pytest.mark.parametrize("wrong", [7, None, b"bytes"])
def test_what_is_no_source(wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match=f"got a {type(wrong).__name__}"):
        found([wrong])


@pytest.mark.parametrize(
    ("mime", "kind", "name"),
    [
        ("text/plain", "document", "blob.txt"),
        ("text/markdown; charset=utf-8", "document", "blob.md"),
        ("application/pdf", "document", "blob.pdf"),
        ("audio/wav", "audio", None),
    ],
)
def test_a_blob_without_a_path_is_named_by_its_type(mime: str, kind: str, name: str | None) -> None:
    (one,) = found(Blob.from_data("beans" if kind == "document" else b"RIFF", mime_type=mime))
    assert one.media is not None
    assert (one.media.kind, one.media.filename) == (kind, name)
    assert one.media.source == (b"beans" if kind == "document" else b"RIFF")
    assert one.name == (name or kind)


def test_a_blob_tells_its_kind_by_its_type_before_its_suffix() -> None:
    (by_type,) = found(Blob(data=b"x", mimetype="audio/wav", path="a.mp4"))
    (by_suffix,) = found(Blob(data=b"x", mimetype="application/octet-stream", path="a.mp4"))
    (unknown,) = found(Blob(data=b"x", mimetype="application/zip", path="a.zip"))
    assert isinstance(by_type.media, Audio)
    assert isinstance(by_suffix.media, Video)
    assert unknown.media is None
    assert "its mimetype 'application/zip' names no kind of media" in str(unknown.error)


def test_a_file_named_itself_is_told_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "nameless").write_bytes(media.wav(440, 1))
    (one,) = found(tmp_path / "nameless")
    assert one.media == Audio(tmp_path / "nameless")
    assert found([tmp_path]) == [], "of a folder the suffix decides"


def test_a_file_url_is_its_path(tmp_path: Path) -> None:
    (tmp_path / "a b.wav").write_bytes(media.wav(440, 1))
    (one,) = found((tmp_path / "a b.wav").as_uri())
    assert one.media == Audio(tmp_path / "a b.wav")
    assert [f.media for f in found(tmp_path.as_uri())] == [one.media]


def test_a_place_that_cannot_be_is_an_error_of_its_own() -> None:
    (one,) = found("file://[/a.mp4")
    assert one.media is None
    assert "cannot be used" in str(one.error)


def test_labels_hide_the_query_of_a_url() -> None:
    (url,) = found("https://example.com/a.mp4?sign=1")
    assert (url.name, url.label) == ("https://example.com/a.mp4?sign=1", "https://example.com/a.mp4")
    signed = "https://me:pw@example.com/a.mp4?Expires=1&Signature=2"
    blob = Blob.from_data(b"x", path=signed)
    for (one,) in (found(signed), found(Video(signed)), found(blob), found(Blob.from_data(b"x", path=signed + ".?"))):
        assert one.name.partition("?")[0] == "https://example.com/a.mp4"
        assert "Signature" not in one.name
    assert Found("what?.mp4", None).label == "what?.mp4"


def test_assets() -> None:
    known = Asset("6298d673f1090f1100476d4c", mime="video/mp4", filename="a.mp4")
    (one,) = found(known)
    assert one.media == Video(known)
    assert one.name == "asset://6298d673f1090f1100476d4c"
    wrapped = [Video(Asset(known.id)), Video(known.uri)]
    assert [(f.media, f.name) for f in found(wrapped)] == [(m, known.uri) for m in wrapped]
    for unknown in (Asset(known.id), known.uri):
        (one,) = found([unknown])
        assert one.media is None
        assert "does not say what it holds; wrap it: Video(...)" in str(one.error)


def test_suffixes() -> None:
    assert kinds_by_suffix(None) == SUFFIXES
    assert kinds_by_suffix(".MP4") == kinds_by_suffix(["mp4"]) == {".mp4": "video"}
    assert kinds_by_suffix({"DAT": "video"}) == {".dat": "video"}


# -- equal content ---------------------------------------------------------------------------------------------------


def test_equal_content() -> None:
    duplicates = Duplicates()

    def earlier(item: Media | None) -> list[str]:
        return [seen.label for seen in duplicates.earlier(Found(repr(item), item))[1]]

    red, url = Image(media.png("red")), Video("https://example.com/a.mp4")
    assert [earlier(item) for item in (red, url, Audio(b"x"))] == [[]] * 3
    array = Image(bytearray(media.png("red")))
    assert earlier(array) == [repr(red)]
    assert earlier(Image(media.png("red"))) == [repr(red), repr(array)]
    assert earlier(Video("https://me:pw@example.com/a.mp4?sv=1&sig=2")) == [repr(url)]
    assert earlier(Video("asset://6298d673f1090f1100476d4c")) == []
    assert earlier(Video(Asset("6298d673f1090f1100476d4c"))) == ["Video('asset://6298d673f1090f1100476d4c')"]
    for new in (Video("https://example.com/b.mp4"), Audio(b"y"), Audio(b"x", start_sec=1), Document(b"x")):
        assert earlier(new) == []
    # What cannot be compared is left to the loader.
    for unknown in (None, Video("missing.mp4"), Video("missing.mp4"), Image(io.BytesIO(media.png("red")))):
        assert earlier(unknown) == []
    digest, equal = duplicates.earlier(Found("", red))
    assert digest == content_digest(red)
    assert all(seen.media is None for seen in equal), "no content is held"


# -- options that apply ------------------------------------------------------------------------------------------------


def test_options_for_all_kinds_are_reduced_to_what_applies() -> None:
    fixed = SegmentOptions(Fixed(5), embedding_option=["visual", "audio"])
    assert options_for(Video("a.mp4"), fixed, OLD) == fixed
    assert options_for(Audio("a.wav"), fixed, OLD) == SegmentOptions(Fixed(5), embedding_option=["audio"])
    assert options_for(Image("a.png"), fixed, OLD) is None
    assert options_for(Document("a.pdf"), fixed, NEW) == SegmentOptions()
    none_shared = SegmentOptions(embedding_option="visual")
    assert options_for(Audio("a.wav"), none_shared, OLD) == none_shared, "for the core to refuse"
    assert options_for(Video("a.mp4"), SegmentOptions(Quadrants()), NEW) == SegmentOptions()


def test_options_by_kind_are_taken_as_they_are() -> None:
    pages, sentences = SegmentOptions(Quadrants()), SegmentOptions(Sentences(2))
    wrong = SegmentOptions(Quadrants(), embedding_option="text")
    assert options_for(Video("a.mp4"), {"video": wrong}, NEW) is wrong
    assert options_for(Audio("a.wav"), {"video": wrong}, NEW) is None
    assert options_for(Document("a.pdf"), {"document": pages}, NEW) == pages
    assert options_for(Document("a.md"), {"document": pages}, NEW) == SegmentOptions()
    assert options_for(Document("a.md"), {"document": sentences}, NEW) == sentences
    assert options_for(Document("a.pdf"), sentences, NEW) == SegmentOptions()
