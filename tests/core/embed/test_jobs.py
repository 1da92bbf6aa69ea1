"""Jobs: labels, kinds and minutes of checked items, and the checker."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from twelvelabs_core import (
    MODELS,
    Audio,
    Composed,
    Document,
    Image,
    InvalidInputError,
    Media,
    SegmentOptions,
    Sentences,
    TextTooLongError,
    Video,
    estimate_tokens,
)
from twelvelabs_core._embed.jobs import Checker, Job, label_text
from twelvelabs_core._embed.settings import EmbedSettings
from twelvelabs_core._media.file import MediaFile
from twelvelabs_core._media.probe import Probe

URL = "https://h.example/a"


def file(item: Media, seconds: float | None = None, url: str | None = None) -> MediaFile:
    return MediaFile(item, "x", measured=Probe(seconds), url=url)


def checker(model: str = "marengo3.0", version: Any = "v2", truncate: Any = "end", **settings: Any) -> Checker:
    known = MODELS[model]
    return Checker(EmbedSettings(known, known.dimensions[0], version, truncate, estimate_tokens, **settings))


# -- jobs ----------------------------------------------------------------------------------------------------------


def test_a_label_is_a_name_or_a_name_and_an_index() -> None:
    assert label_text("image") == "image"
    assert label_text(("texts", 3)) == "texts[3]"
    assert Job("a", ("texts", 0)).label == "texts[0]"


@pytest.mark.parametrize(
    ("item", "files", "kinds"),
    [
        ("a", (), {"text"}),
        (Image(b"a"), (file(Image(b"a")),), {"image"}),
        (Composed("a", []), (), {"text"}),
        (Composed("a", []), (file(Image(b"a")), file(Video(b"a"))), {"text", "image", "video"}),
        (Composed(None, []), (file(Image(b"a")), file(Image(b"b"))), {"image"}),
        (Composed("", []), (file(Image(b"a")),), {"image"}),
    ],
)
def test_kinds_of_a_job(item: Any, files: tuple[MediaFile, ...], kinds: set[str]) -> None:
    assert Job(item, "x", files).kinds == kinds


@pytest.mark.parametrize(
    ("files", "minutes"),
    [
        ((), 0),
        ((file(Image(b"a")),), 0),
        ((file(Document(b"a")),), 0),
        ((file(Audio(b"a"), 90),), 1.5),
        ((file(Video(b"a", start_sec=30), 90),), 1),
        ((file(Video(b"a", start_sec=30, end_sec=60), 90),), 0.5),
        ((file(Video(b"a", end_sec=120), 90),), 1.5),
        ((file(Video(b"a", start_sec=95), 90),), 0),
        ((file(Audio(b"a"), 60), file(Image(b"a")), file(Video(b"a"), 30)), 1.5),
        ((file(Audio(b"a")),), None),
        ((file(Audio(b"a"), 60), file(Video(b"a"))), None),
    ],
)
def test_minutes_of_a_job(files: tuple[MediaFile, ...], minutes: float | None) -> None:
    assert Job(Composed("a", []), "x", files).minutes == minutes


def test_a_job_is_on_disk_if_any_file_is_no_url() -> None:
    by_url, here = file(Image(URL), url=URL), file(Image(b"a"))
    assert not Job("a", "x").on_disk
    assert not Job(Composed("a", []), "x", (by_url, by_url)).on_disk
    assert Job(Composed("a", []), "x", (by_url, here)).on_disk


# -- the checker ---------------------------------------------------------------------------------------------------


async def test_every_item_gets_its_label_and_files() -> None:
    items: list[Any] = ["a", Image(media.png()), Composed("b", [Image(URL), Image(media.png())])]
    found = await checker().check_all(items, [("items", i) for i in range(3)])
    assert [job.item for job in found] == items
    assert [len(job.files) for job in found] == [0, 1, 2]
    assert found[0].label == "items[0]"
    assert found[1].label.startswith("items[1] ")
    assert found[2].files[0].label.startswith("items[2].media[0] ")
    assert [job.options for job in found] == [None] * 3


@pytest.mark.parametrize(
    ("items", "threads"),
    [
        (["a", "ä"], 0),
        (["a", Image(URL), Composed("a", [Image(URL)])], 0),
        (["a", Composed("a", [Image(URL), Image(media.png())])], 1),
        ([Image(media.png()), Image(media.png("blue"))], 1),
    ],
    ids=["texts", "urls", "composed file", "files"],
)
async def test_only_files_are_checked_in_a_thread(
    items: list[Any], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    real = asyncio.to_thread

    async def count(function: Any, *arguments: Any) -> Any:
        used.append(threading.current_thread())
        return await real(function, *arguments)

    monkeypatch.setattr(asyncio, "to_thread", count)
    assert len(await checker().check_all(items, [("items", i) for i in range(len(items))])) == len(items)
    assert len(used) == threads


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("", "is an empty text"),
        (" \n\u3000", "is an empty text"),
        ("ok \ud83d", "broken Unicode at index 3"),
        ("\ud83d", "broken Unicode at index 0"),
        (Composed("a", [Image(URL), Audio(URL, end_sec=2)]), "cannot be composed; cut the file first"),
        (Composed("a", [Video(URL, start_sec=0)]), "cannot be composed; cut the file first"),
        (None, "expected a str, Image, Audio, Video, Document or Composed, got a NoneType"),
    ],
)
async def test_an_invalid_item_is_refused_with_its_label(item: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        await checker("marengo3.5").check_all(["a", item], [("items", 0), ("items", 1)])
    assert caught.value.item == "items[1]"


@pytest.mark.parametrize(("tokens", "accepted"), [(500, True), (501, False)])
def test_truncate_none_refuses_from_one_token_over_the_limit(tokens: int, accepted: bool) -> None:
    text = "a " * tokens
    if accepted:
        assert checker(truncate="none").check(text, "t").item == text
        assert checker().check(Composed(text, [Image(URL)]), "t").item
    else:
        with pytest.raises(TextTooLongError, match="about 501 tokens"):
            checker(truncate="none").check(text, "t")
        with pytest.raises(TextTooLongError, match="about 501 tokens"):
            checker().check(Composed(text, [Image(URL)]), "t")
    assert checker("marengo3.5", truncate="none").check(text, "t").item == text


def test_end_sec_of_audio_is_refused_on_v1_only() -> None:
    item = Audio(URL, end_sec=2)
    for check in (
        checker(version="v1").check,
        lambda i, n: checker(version="v1").check_segments(i, SegmentOptions(), n),
    ):
        with pytest.raises(InvalidInputError, match="v1 has no end_sec"):
            check(item, "t")
    assert checker().check(item, "t").item is item
    assert checker(version="v1").check(Audio(URL, start_sec=2), "t").files


async def test_segments_are_checked_with_options_and_get_defaults(tmp_path: Path) -> None:
    options, labels = SegmentOptions(), [("files", 0)]
    (tmp_path / "a.md").write_text("One. Two.")
    (job,) = await checker("marengo3.5").check_all([Document(tmp_path / "a.md")], labels, options)
    assert job.options == SegmentOptions(Sentences(5, overlap_sentences=1))
    (job,) = await checker("marengo3.5").check_all([Video(URL)], labels, options)
    assert job.options == options
    refused: list[tuple[Any, str]] = [
        ("a text", "expected Video, Audio, Image or Document"),
        (Composed("a"), "expected Video, Audio, Image or Document, got a Composed"),
        (Document(URL), "divides video, audio, image into segments, not document"),
    ]
    for item, message in refused:
        with pytest.raises(InvalidInputError, match=message) as caught:
            await checker().check_all([item], labels, options)
        assert caught.value.item == "files[0]"
