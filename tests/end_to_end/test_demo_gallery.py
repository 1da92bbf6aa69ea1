"""The demo's page in a real browser, used as its readers do: by clicks, taps and keys, mailed to another folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.chromium import CHROMIUM, Browser, Tab
from twelvelabs_emulator import Emulator

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import sample_media
from demo import report_html
from demo.langchain_search import LangChainSearch
from demo.llama_index_search import LlamaIndexSearch
from demo.media import KINDS, Library, find
from demo.queries import Answer, Hit, Query, Search, Stored, file_queries, sample_queries, text_query
from demo.service import Service

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the page is not looked at")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture(scope="module")
def service(running_emulator: Emulator) -> Service:
    return Service(running_emulator.base_url, SecretStr(running_emulator.api_key), toy=True)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("samples")
    sample_media.make(folder)
    return find(folder)


@pytest.fixture(scope="module")
def search(samples: Library, service: Service) -> LangChainSearch:
    return LangChainSearch(samples, service)


@pytest.fixture(scope="module")
def page(samples: Library, search: LangChainSearch, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the samples, in a folder without anything else."""
    searches: list[Search] = [search, LlamaIndexSearch(samples, service)]
    answers = {one.title: [one.ask(query) for query in sample_queries(samples)] for one in searches}
    return report_html.write(
        tmp_path_factory.mktemp("mailed") / "demo.html", samples, service, answers, search.stored()
    )


def lists(tab: Tab) -> dict[str, list[str]]:
    """What the page shows as found, by kind."""
    found: dict[str, list[str]] = tab.run(
        """Object.fromEntries([...document.querySelectorAll("section[data-kind]")].map(section => [section.dataset.kind,
        [...section.querySelectorAll(".card")].map(card => card.dataset.label)]))"""
    )
    return found


def asked(tab: Tab) -> str:
    tab.wait("document.querySelector('.asked h2')")
    return str(tab.run("document.querySelector('.asked h2').textContent"))


def brief(hit: Hit) -> str:
    """A hit as the page names it."""
    return hit.item.name + (f", {minutes(hit.span[0])}–{minutes(hit.span[1])}" if hit.span else "")


def minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02}"


def card(kind: str, label: str) -> str:
    return f'[data-all="{kind}"] [data-label="{label}"] .face'


def test_one_file_begins_with_what_is_striking_and_asks_for_nothing_else(browser: Browser, page: Path) -> None:
    assert page.stat().st_size < 5_000_000
    with browser.open(page.as_uri()) as tab:
        assert tab.run("document.querySelector('.counts').textContent") == (
            "70 of 70 lists begin with the expected file or scene · 10 images · 3 videos · 8 audio files · 8 texts · "
            "10 scenes"
        )
        features = tab.run("[...document.querySelectorAll('.feature')].map(one => one.innerText)")
        assert "Audio finds a scene" in features[0] and "day-at-the-sea.mp4, 0:12–0:18" in features[0]
        assert "the same in red" in features[1] and "picnic-cloth.png" in features[1]
        seen = tab.run("[...document.querySelectorAll('main > *')].map(one => one.getBoundingClientRect().top)")
        assert seen[0] < 300  # the striking ones are seen at once
        every = tab.run("[...document.querySelectorAll('[data-all]')].map(one => one.querySelectorAll('li').length)")
        assert every == [10, 10, 8, 8]
        loaded = "[...document.images].every(one => one.complete && one.naturalWidth > 100 && one.alt)"
        assert tab.run(loaded) and tab.errors == []
        assert [address for address in tab.asked if address != page.as_uri()] == []
    links = page.read_text(encoding="utf-8")
    assert 'src="' not in links and "http-equiv" not in links and links.count('href="') == links.count('href="#') + 1


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_click_on_a_striking_one_shows_what_it_finds(browser: Browser, page: Path, number: int) -> None:
    expected = [
        ("low-hum.wav", "video", "day-at-the-sea.mp4, 0:12–0:18"),
        ("“the same in red”", "image", "picnic-cloth.png"),
        ("“an orange and purple sunset sky”", "video", "day-at-the-sea.mp4, 0:12–0:18"),
    ]
    with browser.open(page.as_uri()) as tab:
        tab.click(f".feature:nth-child({number + 1}) h3 a")
        title, kind, first = expected[number]
        assert asked(tab) == title
        assert lists(tab)[kind][0] == first


def test_a_click_on_anything_searches_by_it(browser: Browser, page: Path, search: LangChainSearch) -> None:
    """The page's lists are those that LangChain and Chroma make for the same file."""
    library = search.library
    with browser.open(page.as_uri()) as tab:
        for name in ("zebra.png", "low-hum.wav", "beach.txt", "sunset.png"):
            item = library.named(name)
            tab.click(card(item.kind, name))
            assert asked(tab) == name
            answer = search.ask(Query(KINDS, file=item))
            assert lists(tab) == {kind: [brief(hit) for hit in hits] for kind, hits in answer.hits.items()}
            tab.run("history.back()")
            tab.wait("document.querySelector('[data-all]')")
        tab.click(card("video", "picnic.mp4, 0:06–0:12"))
        assert asked(tab) == "picnic.mp4, 0:06–0:12"
        assert lists(tab)["image"][0] == "lemon.png"
        assert "picnic.mp4, 0:06–0:12" not in lists(tab)["video"]
        # From result to result, and back again.
        tab.click('[data-kind="image"] .card .face')
        tab.wait("document.querySelector('.asked h2').textContent === 'lemon.png'")
        assert lists(tab)["video"][0] == "picnic.mp4, 0:06–0:12"
        tab.click('[data-kind="video"] .card .face')
        tab.wait("document.querySelector('.asked h2').textContent.startsWith('picnic.mp4')")
        tab.run("history.back()")
        tab.wait("document.querySelector('.asked h2').textContent === 'lemon.png'")
        tab.call("Page.reload")
        tab.wait("document.querySelector('.asked h2')?.textContent === 'lemon.png'")
        assert tab.errors == []


def test_the_pages_own_search_is_the_stores(browser: Browser, page: Path, search: LangChainSearch) -> None:
    """The cosine and the merging of scenes in the browser, for every query of the samples and every kind of file."""
    queries = sample_queries(search.library)
    with browser.open(page.as_uri()) as tab:
        found: dict[str, dict[str, list[list[Any]]]] = tab.run(
            """Object.fromEntries(data.queries.map(query => [query.title, Object.fromEntries(KINDS.map(kind => [kind,
            search(floats(query.vector), kind, one => one.item === query.item)
              .map(hit => [labelled(hit), hit.score, hit.by])]))]))"""
        )
    for query in queries:
        answer = search.ask(Query(KINDS, query.text, query.file))
        for kind in KINDS:
            assert [hit[1] for hit in found[query.title][kind]] == pytest.approx(
                [hit.score for hit in answer.hits[kind]], abs=1e-5
            )
            # Of equal scores, neither order is the right one.
            if len({round(hit.score, 4) for hit in answer.hits[kind]}) == len(answer.hits[kind]):
                assert [(hit[0], hit[2]) for hit in found[query.title][kind]] == [
                    (brief(hit), hit.by) for hit in answer.hits[kind]
                ]


def test_the_moment_that_was_found_is_marked_and_plays_when_it_is_pointed_at(browser: Browser, page: Path) -> None:
    first = '[data-kind="video"] .card:first-child'
    video = f"document.querySelector('{first} video')"
    with browser.open(page.as_uri() + "#query=0") as tab:
        assert tab.run(f"document.querySelector('{first} .found').getAttribute('style')") == "left:50%;width:25%"
        tab.run(f"{video}.addEventListener('playing', () => window.began ??= {video}.currentTime)")
        tab.point(f"{first} .face")
        tab.wait(f"{video}.currentTime > 12.1 && window.began !== undefined")
        assert tab.run("window.began") == pytest.approx(12, abs=1)
        assert tab.run(f"{video}.videoWidth") == 480 and tab.run(f"getComputedStyle({video}).visibility") == "visible"
        assert tab.run(f"{video}.webkitAudioDecodedByteCount") > 0
        # It stops at the moment's end (18 s), and not at the video's (24 s).
        tab.run(f"{video}.currentTime = 17.6")
        tab.wait(f"{video}.paused")
        assert 17.9 <= tab.run(f"{video}.currentTime") < 20
        # Left while it previews, it stops; what the button has begun plays on, from the moment's start.
        tab.point("h1")
        tab.point(f"{first} .face")
        tab.wait(f"!{video}.paused && {video}.currentTime < 17 && {video}.currentTime > 12")
        tab.point("h1")
        tab.wait(f"{video}.paused")
        tab.click(f"{first} .play")
        tab.wait(f"!{video}.paused")
        tab.point("h1")
        assert tab.run(f"document.querySelector('{first} .play').textContent") == "❚❚"
        assert not tab.run(f"{video}.paused")
        tab.click(f"{first} .play")
        tab.wait(f"{video}.paused")
        assert tab.errors == [] and tab.run("location.hash") == "#query=0"


def test_a_tap_plays_on_a_phone_where_nothing_is_too_wide(browser: Browser, page: Path) -> None:
    first = '[data-kind="audio"] .card:first-child'
    fits = "document.documentElement.scrollWidth <= innerWidth"
    with browser.open(page.as_uri(), phone=True) as tab:
        assert tab.run("innerWidth") == 375 and tab.run(fits)
        tab.tap(".feature h3 a")
        assert asked(tab) == "low-hum.wav" and tab.run(fits)
        tab.tap(f"{first} .play")
        tab.wait(f"document.querySelector('{first} audio').currentTime > 0.1")
        high = tab.run(f"document.querySelector('{first} .play').offsetHeight")
        assert high >= 44  # what a finger can meet
        tab.tap(f"{first} .play")
        tab.wait(f"document.querySelector('{first} audio').paused")
        tab.tap(f"{first} .face")
        tab.wait("document.querySelector('.asked h2').textContent === 'double-bass.wav'")


def test_weak_hits_are_faded_and_said_to_be(browser: Browser, page: Path) -> None:
    with browser.open(page.as_uri() + "#query=0") as tab:
        tab.wait("document.querySelector('[data-kind=audio] .card')")
        faded = tab.run(
            """[...document.querySelectorAll("[data-kind=audio] .card")].map(card =>
            [+card.querySelector("b").textContent, +getComputedStyle(card).opacity < 0.7,
            /weak/.test(card.innerText)])"""
        )
    best = faded[0][0]
    assert {weak for _, weak, _ in faded} == {True, False}
    for score, weak, said in faded:
        assert weak == said == (score < 0.75 * best)


def test_the_keyboard_reaches_plays_and_leaves_everything(browser: Browser, page: Path) -> None:
    focus = "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
    with browser.open(page.as_uri()) as tab:
        tab.press("Tab")
        assert tab.run(focus) == "Skip to the results"
        tab.press("Enter")
        tab.press("Tab")
        assert tab.run(focus) == "Audio finds a scene"
        tab.press("Enter")
        assert asked(tab) == "low-hum.wav"
        tab.wait(f"({focus}) === 'low-hum.wav'")  # a screen reader tells what is asked now
        tab.press("Tab")
        assert tab.run(focus) == "Search by day-at-the-sea.mp4, 0:12–0:18"
        tab.press("Tab")
        assert tab.run(focus) == "Play day-at-the-sea.mp4, 0:12–0:18"
        tab.press("Enter")
        tab.wait("document.querySelector('[data-kind=video] video').currentTime > 12.1")
        assert tab.run(focus) == "Pause day-at-the-sea.mp4, 0:12–0:18"
        tab.press("Escape")
        tab.wait("document.querySelector('.feature')")
        named = "[...document.querySelectorAll('a, button')].every(one => one.ariaLabel || one.textContent.trim())"
        assert tab.run(named)


def test_the_dark_and_the_calm_are_respected(browser: Browser, page: Path) -> None:
    light = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    with browser.open(page.as_uri(), prefers_color_scheme="light") as tab:
        assert min(tab.run(light)) > 200
    with browser.open(page.as_uri() + "#query=0", prefers_color_scheme="dark", prefers_reduced_motion="reduce") as tab:
        assert max(tab.run(light)) < 60
        tab.point('[data-kind="video"] .card .face')
        assert tab.run("getComputedStyle(document.querySelector('.card')).transitionDuration") == "0s"
        assert tab.run("document.querySelector('[data-kind=video] video').getAttribute('src')") is None
        tab.click('[data-kind="video"] .card .play')
        tab.wait("document.querySelector('[data-kind=video] video').currentTime > 12")


def test_the_frameworks_stand_side_by_side_only_where_they_differ(
    browser: Browser, samples: Library, service: Service, tmp_path: Path
) -> None:
    lemon, zebra = samples.named("lemon.png"), samples.named("zebra.png")
    query = Query(("image", "text"), text="x")
    same = [Hit(samples.named("beach.txt"), 0.3)]
    answers = {
        "LangChain + Chroma": [Answer(query, {"image": [Hit(lemon, 0.5), Hit(zebra, 0.4)], "text": same})],
        "LlamaIndex + Qdrant": [Answer(query, {"image": [Hit(zebra, 0.5), Hit(lemon, 0.4)], "text": same})],
    }
    page = report_html.write(tmp_path / "demo.html", samples, service, answers)
    with browser.open(page.as_uri() + "#query=0") as tab:
        assert lists(tab) == {"image": ["lemon.png", "zebra.png", "zebra.png", "lemon.png"], "text": ["beach.txt"]}
        places = tab.run("[...document.querySelectorAll('.list')].map(one => [one.offsetLeft, one.offsetTop])")
        assert places[0][1] == places[1][1] and places[0][0] < places[1][0] and len(places) == 3
        heads = tab.run("[...document.querySelectorAll('.list h4')].map(one => one.textContent)")
        assert heads == ["LangChain + Chroma", "LlamaIndex + Qdrant"]
        code = tab.run("document.querySelector('.code').innerText")
        assert 'store.similarity_search("x", k=4, filter={"kind": "image"})' in code
        assert 'retriever.text_to_image_retrieve("x")' in code


def test_a_users_odd_files_are_found_shown_and_never_run(browser: Browser, service: Service, tmp_path: Path) -> None:
    sample_media.make(tmp_path / "media")
    folder = tmp_path / "videos & more"
    (folder / "in side").mkdir(parents=True)
    names = ["a <b> video #1?.mp4", 'in side/ein Öl & 100% "Video".m4v']
    for sample, name in zip(["picnic.mp4", "day-at-the-sea.mp4"], names, strict=True):
        (folder / name).write_bytes((tmp_path / "media" / sample).read_bytes())
    (folder / "TEXT FILE.txt").write_text("</script><script>document.title='run'</script> $& waves", encoding="utf-8")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    library = find(folder)
    assert [item.name for item in library.of("video")] == names
    page = page_of(
        library, [text_query(library, "a yellow <i>lemon</i> $&"), *file_queries(library)], service, tmp_path
    )
    with browser.open(page.as_uri()) as tab:
        tab.click(".feature h3 a")
        assert asked(tab) == "“a yellow <i>lemon</i> $&”"
        assert lists(tab)["video"][0] == f"{names[0]}, 0:06–0:12"
        tab.click('[data-kind="video"] .card .play')
        tab.wait("document.querySelector('[data-kind=video] video').currentTime > 6.1")
        tab.click('[data-kind="video"] .card .face')
        tab.wait("document.querySelector('.asked h2').textContent.includes('0:06')")
        assert asked(tab) == f"{names[0]}, 0:06–0:12"
        tab.press("Escape")
        tab.wait("document.querySelector('[data-all]')")
        tab.click('[data-all="text"] .face')
        assert asked(tab) == "TEXT FILE.txt" and tab.run("document.title") != "run"
        assert "read_text())" in tab.run("document.querySelector('.code').innerText")
        assert '"TEXT FILE.txt"' in tab.run("document.querySelector('.code').innerText")
        assert "broken link" in tab.run("document.querySelector('footer').textContent")
        assert "gone.png" in tab.run("document.querySelector('footer').textContent")
        assert tab.errors == []


def test_a_search_with_nothing_near_says_so(browser: Browser, service: Service, tmp_path: Path) -> None:
    sample_media.make(tmp_path / "media")
    (tmp_path / "media" / "toys.txt").write_text("a $5 toy", encoding="utf-8")
    library = find(tmp_path / "media")
    page = page_of(library, [text_query(library, "a $5 toy"), text_query(library, "qwzx")], service, tmp_path)
    with browser.open(page.as_uri()) as tab:
        heads = "[...document.querySelectorAll('.feature h3')].map(one => one.textContent)"
        # Not the first kind, whatever it is, but one in which something was found.
        assert tab.run(heads) == ["Words find a text", "Words find nothing near"]
        tab.click(".feature h3 a")
        tab.wait("document.querySelector('.asked h2')")
        near = tab.run(
            """[...document.querySelectorAll("section[data-kind]")].map(one => [one.dataset.kind,
            one.innerText.includes("Nothing near."), one.querySelectorAll(".card:not(.weak)").length])"""
        )
        assert near == [["image", True, 0], ["video", True, 0], ["audio", True, 0], ["text", False, 1]]


def test_a_spoilt_address_shows_all_there_is_to_ask(browser: Browser, page: Path) -> None:
    for spoilt in ("#item=%E0%A4%A", "#scene=%E0@1,2,visual", "#item=gone.png", "#query=99"):
        with browser.open(page.as_uri() + spoilt) as tab:
            assert tab.run("document.querySelectorAll('.feature').length") == 3
            assert tab.errors == []


def test_names_of_any_length_leave_the_page_in_shape(browser: Browser, service: Service, tmp_path: Path) -> None:
    """A long name is cut in its caption, and whole where it is asked for; nothing is wider than a phone."""
    sample_media.make(tmp_path / "media")
    folder = tmp_path / "private" / "holiday"
    (folder / "day one").mkdir(parents=True)
    names = ["day one/" + "x" * 120 + ".png", "lemon.png"]
    for name in names:
        (folder / name).write_bytes((tmp_path / "media" / "lemon.png").read_bytes())
    library = find(folder)
    page = page_of(library, file_queries(library), service, tmp_path)
    with browser.open(page.as_uri(), phone=True) as tab:
        lines = "Math.round(one.offsetHeight / parseFloat(getComputedStyle(one).lineHeight))"
        assert max(tab.run(f"[...document.querySelectorAll('.caption .name')].map(one => {lines})")) == 4
        assert tab.run("document.documentElement.scrollWidth <= innerWidth")
        tab.click(card("image", names[0]))
        assert asked(tab) == names[0]
        assert tab.run("[...document.querySelectorAll('pre')].every(one => one.scrollWidth <= one.clientWidth)")
    # The page may be mailed: where the folder is on this machine is nobody's business.
    text = page.read_text(encoding="utf-8")
    assert "<code>holiday</code>" in text and str(tmp_path) not in text


def test_what_is_too_large_for_the_page_is_shown_and_searched_all_the_same(
    browser: Browser, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample_media.make(tmp_path / "media")
    monkeypatch.setattr(report_html, "MEDIA_BYTES", 400_000)
    library = find(tmp_path / "media")
    page = page_of(library, sample_queries(library), service, tmp_path)
    assert page.stat().st_size < 1_500_000
    with browser.open(page.as_uri() + "#query=0") as tab:
        assert asked(tab) == "low-hum.wav"
        assert "Too large a file to be in this page." in tab.run("document.body.innerText")
        tab.click('[data-kind="video"] .card .face')
        tab.wait("document.querySelector('.asked h2').textContent === 'day-at-the-sea.mp4, 0:12–0:18'")
        assert tab.errors == []


def page_of(library: Library, queries: Sequence[Query], service: Service, folder: Path) -> Path:
    search = LangChainSearch(library, service)
    answers = {search.title: [search.ask(query) for query in queries]}
    stored: list[Stored] = search.stored()
    return report_html.write(folder / "out" / "demo.html", library, service, answers, stored)
