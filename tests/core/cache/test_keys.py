"""Cache keys: every input that changes the vector changes the key, and keys are stable between versions."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from twelvelabs_core import Asset, Audio, Composed, Document, Image, Media, Video
from twelvelabs_core._cache.keys import item_key, key_prefix
from twelvelabs_core._config import PUBLIC_BASE_URL
from twelvelabs_core._media.file import MediaFile, locate

PREFIX = key_prefix("marengo3.0/512", "v2", PUBLIC_BASE_URL)


def located(*items: Media) -> tuple[MediaFile, ...]:
    return tuple(map(locate, items))


def key_of(item: Composed | Media, options: str = "") -> str:
    files = located(*item.media) if isinstance(item, Composed) else located(item)
    return item_key(PREFIX, item, files, options)


KEYS = {
    "text": item_key(PREFIX, "a"),
    "another text": item_key(PREFIX, "b"),
    "text with option": item_key(PREFIX, "a", (), "start"),
    "text with another option": item_key(PREFIX, "a", (), "average"),
    "option and text divided otherwise": item_key(PREFIX, "starta"),
    "empty text": item_key(PREFIX, ""),
    "another space": item_key(key_prefix("marengo3.5/512", "v2", PUBLIC_BASE_URL), "a"),
    "another version": item_key(key_prefix("marengo3.0/512", "v1", PUBLIC_BASE_URL), "a"),
    "another service": item_key(key_prefix("marengo3.0/512", "v2", "http://h/v1.3"), "a"),
    "composed text": key_of(Composed("a")),
    "image": key_of(Image(b"a")),
    "image with option": key_of(Image(b"a"), "x"),
    "another image": key_of(Image(b"b")),
    "same bytes as document": key_of(Document(b"a")),
    "same bytes as audio": key_of(Audio(b"a")),
    "same bytes as video": key_of(Video(b"a")),
    "video with start": key_of(Video(b"a", start_sec=1)),
    "video with end": key_of(Video(b"a", end_sec=1)),
    "video with start and end": key_of(Video(b"a", start_sec=1, end_sec=2)),
    "video from zero": key_of(Video(b"a", start_sec=0)),
    "audio with start": key_of(Audio(b"a", start_sec=1)),
    "image by URL": key_of(Image("https://h.example/a")),
    "image by another URL": key_of(Image("https://h.example/b")),
    "image by URL with a key": key_of(Image("https://h.example/a", cache_key="a")),
    "image by URL with another key": key_of(Image("https://h.example/a", cache_key="b")),
    "image by URL with itself as a key": key_of(Image("https://h.example/a", cache_key="https://h.example/a")),
    "uploaded image": key_of(Image(Asset("a1"))),
    "another uploaded image": key_of(Image(Asset("a2"))),
    "segments of an image": item_key(PREFIX, "", located(Image(b"a")), "x"),
    "segments of another image": item_key(PREFIX, "", located(Image(b"b")), "x"),
    "composed image": key_of(Composed(None, [Image(b"a")])),
    "composed text and image": key_of(Composed("a", [Image(b"a")])),
    "composed empty text and image": key_of(Composed("", [Image(b"a")])),
    "composed with option": key_of(Composed("a", [Image(b"a")]), "start"),
    "composed named image": key_of(Composed("a", [Image(b"a", name="x")])),
    "composed two": key_of(Composed(None, [Image(b"a"), Image(b"b")])),
    "composed two in other order": key_of(Composed(None, [Image(b"b"), Image(b"a")])),
    "composed twice": key_of(Composed(None, [Image(b"a"), Image(b"a")])),
}


def test_every_input_changes_the_key() -> None:
    assert [(a, b) for a, b in combinations(KEYS, 2) if KEYS[a] == KEYS[b]] == []


def test_name_of_the_file_and_form_of_the_source_do_not_change_the_key(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"a")
    sources: list[Any] = [tmp_path / "x.png", str(tmp_path / "x.png"), bytearray(b"a"), "data:image/png;base64,YQ=="]
    assert {key_of(Image(source)) for source in sources} == {KEYS["image"]}
    assert key_of(Image(b"a", filename="y.png")) == KEYS["image"]


def test_pil_images_are_keyed_by_their_pixels() -> None:
    red, wide = media.image("red", (20, 10)), media.image("red", (10, 20))
    assert key_of(Image(red)) == key_of(Image(red.copy()))
    keys = {key_of(Image(image)) for image in (red, wide, media.image("blue", (20, 10)), red.convert("L"))}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("text", "5849c772b077915bdc3af03d41dee40942998e45"),
        ("video with start", "5cd00d1ee920bf28635076c0cbd03f9a159e5389"),
        ("composed named image", "a96704c805117e3ecdf826a2e9856e8f7df765dc"),
        ("another service", "038d9d72f4b911e5cb97e605d8e89a693c9f0e03"),
    ],
)
def test_keys_are_stable_between_versions(name: str, key: str) -> None:
    """A changed key would make every user's cache useless."""
    assert KEYS[name] == key


def test_text_with_a_lone_surrogate_has_a_key() -> None:
    assert item_key(PREFIX, "\ud83d") != item_key(PREFIX, "?")
