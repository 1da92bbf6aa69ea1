"""The demo on a user's own videos."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.support import media
from twelvelabs_core.adapter import SUFFIXES
from twelvelabs_emulator import Emulator

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from demo.langchain_search import LangChainSearch
from demo.llama_index_search import LlamaIndexSearch
from demo.media import Library, find
from demo.queries import Query, Search, file_queries, near_the_best, text_query
from demo.service import Service

SEARCHES = [LangChainSearch, LlamaIndexSearch]


@pytest.fixture(scope="module")
def service(running_emulator: Emulator) -> Service:
    return Service(running_emulator.base_url, SecretStr(running_emulator.api_key), toy=True)


# --- a user's videos ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of all sorts under odd names, and what looks like one."""
    folder = tmp_path_factory.mktemp("my videos")
    (folder / "in side").mkdir()
    (folder / "a <b> video #1?.mp4").write_bytes(media.mp4([("red", 5, 440), ("blue", 5, 440), ("green", 5, 440)]))
    (folder / "in side" / "ein Öl & Video.MOV").write_bytes(media.mp4([("yellow", 5, 110), ("black", 5, 110)]))
    (folder / "silent.mkv").write_bytes(media.mp4([("magenta", 5, 0)], audio=False))
    (folder / "short.webm").write_bytes(media.mp4([("red", 2, 440)]))
    (folder / "small.mp4").write_bytes(media.mp4([("red", 5, 440)], size=(320, 240)))
    (folder / "sound only.mp4").write_bytes(media.wav())
    (folder / "broken.mp4").write_bytes(b"video")
    (folder / "tone.wav").write_bytes(media.wav(440, 3))
    media.image("blue").save(folder / "blue.png")
    return folder


def test_videos_that_the_service_would_refuse_are_left_out_and_why(folder: Path) -> None:
    library = find(folder)
    videos = ["a <b> video #1?.mp4", "in side/ein Öl & Video.MOV", "silent.mkv"]
    assert [item.name for item in library.of("video")] == videos
    notes = dict(library.notes)
    assert notes.keys() == {"short.webm", "small.mp4", "sound only.mp4", "broken.mp4"}
    assert "from 4 seconds; it lasts 2.0" in notes["short.webm"]
    assert "360x360" in notes["small.mp4"] and "320x240" in notes["small.mp4"]
    assert "no video in it" in notes["sound only.mp4"]


def test_few_videos_are_taken_and_the_rest_is_listed(folder: Path) -> None:
    library = find(folder, videos=1)
    assert [item.name for item in library.of("video")] == ["a <b> video #1?.mp4"]
    assert library.of("audio") and library.of("image")
    notes = dict(library.notes)
    # What is beyond the number is not opened, and so not known to be broken.
    assert [name for name, why in notes.items() if why == "skipped: the demo takes 1 video (--videos)"] == [
        *("broken.mp4", "in side/ein Öl & Video.MOV", "short.webm", "silent.mkv", "small.mp4", "sound only.mp4"),
    ]
    assert len(find(folder, most=None, videos=None).of("video")) == 3
    assert find(folder, videos=0).of("video") == []


def test_a_video_of_over_ten_minutes_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "long.mp4").write_bytes(media.mp4([("red", 601, 0)], fps=1, audio=False))
    (tmp_path / "a.txt").write_text("words")
    assert dict(find(tmp_path).notes) == {"long.mp4": "skipped: it lasts 10.0 minutes; one request takes 10"}


def test_both_readers_know_every_suffix() -> None:
    from demo.media import _SUFFIXES

    videos = {suffix for suffix, kind in _SUFFIXES.items() if kind == "video"}
    assert videos >= {".mp4", ".mov", ".webm", ".mkv"}
    assert videos == {suffix for suffix, kind in SUFFIXES.items() if kind == "video"}


@pytest.mark.parametrize("search_of", SEARCHES, ids=lambda search: search.title)
def test_a_users_videos_are_found_by_words_images_audio_and_videos(
    search_of: Callable[[Library, Service], Search], folder: Path, service: Service
) -> None:
    library = find(folder)
    search = search_of(library, service)
    video, other, silent = library.of("video")

    best = search.ask(text_query(library, "something yellow")).hits["video"][0]
    assert (best.item, best.by) == (other, "visual") and best.span == pytest.approx((0, 5), abs=0.3)
    assert best.label.startswith("in side/ein Öl & Video.MOV, 00:00:00–00:00:0")
    assert search.ask(text_query(library, "magenta")).hits["video"][0].item == silent

    best = search.ask(Query(("video",), file=library.named("blue.png"))).hits["video"][0]
    assert best.item == video and best.span == pytest.approx((5, 10), abs=0.3)

    # The audio of all three scenes, which are one moment.
    (best, *_) = search.ask(Query(("video",), file=library.named("tone.wav"))).hits["video"]
    assert best.item == video and best.span == pytest.approx((0, 15), abs=0.3) and best.by == "audio"

    (query,) = [query for query in file_queries(library) if query.sort == "video"]
    answer = search.ask(query)
    assert query.file == video and answer.first("image") == "blue.png"
    assert answer.hits["video"] and video not in [hit.item for hit in answer.hits["video"]]


def test_only_what_is_near_the_best_is_a_moment() -> None:
    assert near_the_best([]) == []
    assert near_the_best([("a", 0.8), ("b", 0.61), ("c", 0.59)]) == [("a", 0.8), ("b", 0.61)]
    assert near_the_best([("a", -0.1), ("b", -0.2)]) == [("a", -0.1)]
