"""The demo's videos: a user's own in a folder, and the page as a real browser plays it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from websockets.sync.client import connect

from tests.support import media
from twelvelabs_core.adapter import SUFFIXES
from twelvelabs_emulator import Emulator

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import sample_media
from demo import report_html
from demo.langchain_search import LangChainSearch
from demo.llama_index_search import LlamaIndexSearch
from demo.media import Library, find
from demo.queries import Query, Search, file_queries, near_the_best, sample_queries, text_query
from demo.service import Service

SEARCHES = [LangChainSearch, LlamaIndexSearch]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


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
    assert notes["6 more videos"] == "skipped: the demo takes 1 video (--videos)"
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


# --- the page in a browser --------------------------------------------------------------------------------


class Browser:
    """Chromium without a window, driven over its debugging protocol."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM
        self._profile = profile
        self._process = subprocess.Popen(
            [
                *(CHROMIUM, "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"),
                *("--autoplay-policy=no-user-gesture-required", "--no-first-run", "--disable-background-networking"),
                *("--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=1100,900"),
                *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)

    def run(self, address: str, script: str) -> Any:
        """Load a page and return what the script's promise gives."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port()}/json/new?{address}", method="PUT")
        with urllib.request.urlopen(request, timeout=20) as answer:
            target = json.load(answer)
        with connect(target["webSocketDebuggerUrl"], max_size=None, open_timeout=20) as socket:
            try:
                self._call(socket, 1, "Runtime.evaluate", expression=_LOADED, awaitPromise=True)
            except AssertionError as error:
                # A new tab leaves its empty page for the address, which ends what is evaluated there.
                if "context was destroyed" not in str(error):
                    raise
                self._call(socket, 2, "Runtime.evaluate", expression=_LOADED, awaitPromise=True)
            said = self._call(socket, 3, "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"]["value"]

    def _port(self) -> int:
        file = self._profile / "DevToolsActivePort"
        for _ in range(200):
            if file.exists() and (lines := file.read_text().splitlines()):
                return int(lines[0])
            assert self._process.poll() is None, "Chromium has ended"
            time.sleep(0.1)
        raise AssertionError("Chromium opened no port for debugging")

    @staticmethod
    def _call(socket: Any, number: int, method: str, **params: Any) -> Any:
        socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (said := json.loads(socket.recv(timeout=60))).get("id") != number:
            pass
        assert "error" not in said, said
        return said["result"]


# The new tab may still be its blank self when the first script runs.
_LOADED = """new Promise(done => { const look = () =>
  location.href !== "about:blank" && document.readyState === "complete" ? done() : setTimeout(look, 50); look(); })"""

# preload="metadata" says what is loaded, not when: a busy page takes its time.
_STANDING = """new Promise(done => {
  const videos = [...document.querySelectorAll("video")], end = Date.now() + 30000;
  const look = () => videos.every(f => f.error || f.readyState >= 2 && !f.seeking) || Date.now() > end
    ? done(videos.map(f => ({src: f.getAttribute("src"), at: f.currentTime, ready: f.readyState, long: f.duration,
        error: f.error && f.error.message, wide: f.videoWidth, high: f.videoHeight, shown: f.clientWidth,
        poster: f.poster.length, audio: f.webkitAudioDecodedByteCount})))
    : setTimeout(look, 50);
  look(); })"""

_PLAYED = """new Promise(async done => {
  const video = document.querySelector(`video[src$="#t=6,12"]`), began = video.currentTime;
  video.addEventListener("pause", () => done({
    began, ended: video.currentTime, audio: video.webkitAudioDecodedByteCount}));
  video.currentTime = 11.5; await video.play(); })"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: whether the page's videos play is not looked at")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    try:
        yield browser
    finally:
        browser.close()


def page_of(library: Library, queries: list[Query], service: Service, path: Path) -> str:
    search = LangChainSearch(library, service)
    return report_html.write(path, library, service, {search.title: [search.ask(query) for query in queries]}).as_uri()


def test_a_browser_shows_every_video_at_its_moment_and_plays_it_to_the_end(
    browser: Browser, service: Service, tmp_path: Path
) -> None:
    sample_media.make(tmp_path / "media")
    library = find(tmp_path / "media")
    queries = [query for query in sample_queries(library) if "video" in query.seeks]
    page = page_of(library, queries, service, tmp_path / "out" / "demo.html")
    videos = browser.run(page, _STANDING)
    assert len(videos) >= len(queries)
    assert {video["src"] for video in videos} >= {
        *("../media/day-at-the-sea.mp4#t=12,18", "../media/day-at-the-sea.mp4#t=18,24"),
        *("../media/picnic.mp4#t=0,6", "../media/picnic.mp4#t=6,12", "../media/across-the-street.mp4#t=0,6"),
    }
    for video in videos:
        start, end = map(float, video["src"].partition("#t=")[2].split(","))
        assert video["error"] is None, video
        assert video["ready"] >= 2 and video["at"] == pytest.approx(start, abs=0.05), video
        assert video["wide"] == 480 and video["high"] == 360 and video["shown"] > 100, video
        assert end <= video["long"] + 0.1 and video["poster"] > 1000, video

    played = browser.run(page, _PLAYED)
    assert played["began"] == pytest.approx(6, abs=0.05)
    # It stops at the moment's end, which browsers look for some times a second, and not at the video's (18).
    assert 11.95 <= played["ended"] < 13
    assert played["audio"] > 0


def test_a_browser_finds_videos_of_odd_names(browser: Browser, service: Service, tmp_path: Path) -> None:
    sample_media.make(tmp_path / "media")
    folder = tmp_path / "videos & more"
    (folder / "in side").mkdir(parents=True)
    names = ["a <b> video #1?.mp4", 'in side/ein Öl & 100% "Video".m4v']
    for sample, name in zip(["picnic.mp4", "day-at-the-sea.mp4"], names, strict=True):
        shutil.copy(tmp_path / "media" / sample, folder / name)
    library = find(folder)
    assert [item.name for item in library.of("video")] == names
    # Found at a moment, and whole as the query.
    queries = [text_query(library, "a yellow lemon"), text_query(library, "blue waves"), *file_queries(library)]
    videos = browser.run(page_of(library, queries, service, tmp_path / "demo.html"), _STANDING)
    assert len(videos) >= 4 and {"#" in video["src"] for video in videos} == {True, False}
    for video in videos:
        assert video["error"] is None and video["ready"] >= 2 and video["wide"] == 480, video
