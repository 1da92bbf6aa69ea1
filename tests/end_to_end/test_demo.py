"""The demo and the quickstarts, as a newcomer runs them: without a key, or with the two variables set."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.support import media
from twelvelabs_emulator import Emulator

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import sample_media
from demo import app, report_text
from demo.langchain_search import LangChainSearch
from demo.llama_index_search import LlamaIndexSearch
from demo.media import KINDS, Item, Library, MediaError, find
from demo.queries import Answer, Hit, Query, Search, file_queries, sample_queries, text_query
from demo.service import Service, ServiceError, connect

EXAMPLES = Path(sample_media.__file__).parent
SEARCHES: list[Callable[..., Search]] = [LangChainSearch, LlamaIndexSearch]
VARIABLES = ("TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY", "TWELVELABS_BASE_URL", "MEDIA", "QUERY")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("samples")
    sample_media.make(folder)
    return find(folder)


@pytest.fixture(scope="module")
def service(running_emulator: Emulator) -> Service:
    return Service(running_emulator.base_url, SecretStr(running_emulator.api_key), toy=True)


@pytest.fixture(scope="module", params=SEARCHES, ids=lambda search: search.title)
def search(request: pytest.FixtureRequest, library: Library, service: Service) -> Iterator[Search]:
    yield request.param(library, service)


def run(module: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(EXAMPLES), environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        env={**environ, "PYTHONIOENCODING": "utf-8", **variables},
    )


# --- the samples ------------------------------------------------------------------------------------------


def test_samples_are_the_same_every_time_and_made_only_when_missing(library: Library, tmp_path: Path) -> None:
    assert {path.name for path in sample_media.make(tmp_path)} == set(sample_media.SAMPLES)
    for item in library.items:
        assert (tmp_path / item.name).read_bytes() == item.path.read_bytes(), item.name
    (tmp_path / "sunset.png").unlink()
    (tmp_path / "evening.txt").write_text("changed by hand")
    assert sample_media.make(tmp_path) == [tmp_path / "sunset.png"]
    assert (tmp_path / "evening.txt").read_text() == "changed by hand"
    assert not list(tmp_path.glob(".*"))


def test_every_sample_can_be_searched(library: Library) -> None:
    assert {item.name for item in library.items} == set(sample_media.SAMPLES)
    assert library.notes == ()


# --- the answers ------------------------------------------------------------------------------------------


def test_samples_queries_cover_every_way_to_ask(library: Library) -> None:
    asked = {(query.sort, kind) for query in sample_queries(library) for kind in query.seeks}
    assert asked >= {
        ("text", "image"),
        ("text", "audio"),
        ("text", "text"),
        ("image", "text"),
        ("image", "image"),
        ("audio", "audio"),
        ("text", "video"),
        ("image", "video"),
        ("audio", "video"),
        ("text + image", "image"),
    }


def test_the_right_file_comes_first(search: Search, library: Library) -> None:
    for query in sample_queries(library):
        answer = search.ask(query)
        assert {kind: answer.first(kind) for kind in query.seeks} == query.expected, query.title


def test_the_right_scene_of_the_right_video_comes_first(search: Search, library: Library) -> None:
    asked = [query for query in sample_queries(library) if "video" in query.seeks]
    assert {scene for query in asked if (scene := query.scene)} >= {(0, 6), (6, 12), (12, 18), (18, 24)}
    for query in asked:
        first = search.ask(query).hits["video"][0]
        assert first.item.name == query.expected["video"], query.title
        assert query.scene and first.span == pytest.approx(query.scene, abs=0.25), query.title
        assert first.by == ("audio" if query.sort == "audio" or query.expected.get("audio") else first.by)


def test_only_the_scene_is_right(library: Library) -> None:
    video = library.named("picnic.mp4")
    query = Query(("video",), text="x", expected={"video": video.name}, scene=(6, 12))
    for span, right in {(6, 12): True, (5.5, 12): True, (0, 6): False, (0, 18): False, (12, 18): False}.items():
        assert Answer(query, {"video": [Hit(video, 1, span)]}).right("video") is right, span
    assert not Answer(query, {"video": []}).right("video")
    assert not Answer(query, {"video": [Hit(library.named("day-at-the-sea.mp4"), 1, (6, 12))]}).right("video")


def test_answers_are_sorted_of_the_kind_asked_for_and_without_the_query_itself(
    search: Search, library: Library
) -> None:
    for query in sample_queries(library):
        for kind, hits in search.ask(query, most=5).hits.items():
            # Moments far below the best are left out.
            assert 1 <= len(hits) <= 5 if kind == "video" else len(hits) == 5
            assert {hit.item.kind for hit in hits} == {kind}
            assert query.file not in [hit.item for hit in hits]
            scores = [hit.score for hit in hits]
            assert scores == sorted(scores, reverse=True)
            assert all(abs(score) <= 1 + 1e-6 for score in scores)  # stores count in 32 bits


def test_both_frameworks_find_the_same(library: Library, service: Service) -> None:
    searches = [make(library, service) for make in SEARCHES]
    for query in sample_queries(library):
        one, other = (search.ask(query) for search in searches)
        for kind in query.seeks:
            assert [hit.score for hit in one.hits[kind]] == pytest.approx(
                [hit.score for hit in other.hits[kind]], abs=1e-4
            )
        if "video" in query.seeks:
            assert [hit.label for hit in one.hits["video"]] == [hit.label for hit in other.hits["video"]]


@pytest.mark.parametrize("make", SEARCHES, ids=lambda make: make.title)
@pytest.mark.parametrize("kind", KINDS)
def test_a_library_of_one_kind(
    make: Callable[[Library, Service], Search], kind: str, library: Library, service: Service
) -> None:
    some = Library(library.folder, tuple(item for item in library.items if item.kind == kind))
    search = make(some, service)
    for query in [text_query(some, "blue"), *file_queries(some)]:
        answer = search.ask(query)
        assert answer.hits.keys() == {kind}
        found = answer.hits[some.items[0].kind]
        assert 1 <= len(found) <= 3 if kind == "video" else len(found) == 3
        assert query.file not in [hit.item for hit in found]


# --- a user's folder --------------------------------------------------------------------------------------


def silence(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Names with blanks and signs, files inside folders, and whatever a user has lying about."""
    folder = tmp_path / "my files & more"
    (folder / "in side").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    media.image("red").save(folder / "a red <b>square.PNG")
    media.image("blue").save(folder / "in side" / "blaue Fläche #1?.webp")
    media.image("green", (32, 32)).save(folder / "tiny.png")
    media.image("green").save(folder / ".hidden" / "green.png")
    silence(folder / "a silent one.wav")
    (folder / "broken.jpg").write_bytes(b"no image")
    (folder / "broken.mp3").write_bytes(b"no audio")
    (folder / "video.mp4").write_bytes(b"video")
    (folder / "voice.ogg").write_bytes(b"audio")
    (folder / "empty.txt").write_text("")
    (folder / "blank.md").write_text(" \n\t\n")
    (folder / "long.md").write_text("blue " * 600)
    (folder / "note.txt").write_text("A red square with <script>alert(1)</script> in it")
    (folder / "unbroken.txt").write_text("青い海" * 1000, encoding="utf-8")
    (folder / "table.xlsx").write_bytes(b"numbers")
    (folder / "README").write_text("words")
    return folder


def test_what_is_found_and_what_is_left_out_and_why(folder: Path) -> None:
    library = find(folder)
    assert [(item.name, item.kind) for item in library.items] == [
        ("a red <b>square.PNG", "image"),
        ("a silent one.wav", "audio"),
        ("in side/blaue Fläche #1?.webp", "image"),
        ("long.md", "text"),
        ("note.txt", "text"),
        ("unbroken.txt", "text"),
    ]
    long = library.named("long.md").text
    assert 100 < len(long.split()) < 600 and set(long.split()) == {"blue"}
    assert len(library.named("unbroken.txt").text) > 100
    notes = dict(library.notes)
    assert notes.keys() == {
        *("README", "blank.md", "broken.jpg", "broken.mp3", "empty.txt", "video.mp4", "long.md", "table.xlsx"),
        *("tiny.png", "unbroken.txt", "voice.ogg"),
    }
    assert "128x128" in notes["tiny.png"] and "32x32" in notes["tiny.png"]
    assert f"first {len(long)} of {len('blue ' * 600) - 1} characters" in notes["long.md"]
    assert "WAV, MP3, FLAC" in notes["voice.ogg"]
    assert "no video that can be read" in notes["video.mp4"]
    assert all(why.startswith("skipped: ") for name, why in notes.items() if name not in ("long.md", "unbroken.txt"))


def test_too_many_files_cost_too_much(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("words")
    library = find(tmp_path, most=3)
    assert [item.name for item in library.items] == ["0.txt", "1.txt", "2.txt"]
    why = "skipped: the demo takes 3 of a kind (--most)"
    assert library.notes == (("3.txt", why), ("4.txt", why))
    assert len(find(tmp_path, most=None).items) == 5


def test_links_that_lead_nowhere_and_links_to_folders_are_named(folder: Path, tmp_path: Path) -> None:
    (folder / "in side" / "gone.png").symlink_to("nowhere.png")
    (folder / "ring.txt").symlink_to("ring.txt")
    (tmp_path / "elsewhere").mkdir()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "good link.txt").symlink_to(folder / "note.txt")
    library = find(folder)
    notes = dict(library.notes)
    assert notes["in side/gone.png"] == "skipped: it is a broken link, to 'nowhere.png'"
    assert notes["ring.txt"] == "skipped: it is a broken link, to 'ring.txt'"
    assert notes["linked"] == "skipped: it is a link to a folder; give that folder to search it"
    assert library.named("good link.txt").kind == "text"


def test_how_far_it_is_is_told(library: Library, service: Service) -> None:
    told: list[tuple[int, int]] = []
    looked = find(library.folder, progress=lambda done, of: told.append((done, of)))
    assert told == [(number, len(looked.items)) for number in range(1, len(looked.items) + 1)]
    portions = [(kind, len(items)) for kind, items in library.portions(most=4)]
    assert portions == [
        *(("image", 4), ("image", 4), ("image", 2), ("video", 1), ("video", 1), ("video", 1)),
        *(("audio", 4), ("audio", 4), ("text", 4), ("text", 4)),
    ]
    for make in SEARCHES:
        told.clear()
        make(library, service, lambda done, of: told.append((done, of)))
        assert told == [(10, 29), (11, 29), (12, 29), (13, 29), (21, 29), (29, 29)]
    stream = Terminal("utf-8", tty=True)
    for done in (1, 29):
        report_text.Terminal(stream).progress("Embedding", done, 29)
    assert stream.said() == "\r\x1b[KEmbedding: 1 of 29\r\x1b[K"
    stream = Terminal("utf-8", tty=False)
    for done in range(1, 1200):
        report_text.Terminal(stream).progress("Embedding", done, 1200)
    assert stream.said().splitlines() == ["Embedding: 500 of 1200", "Embedding: 1000 of 1200"]


@pytest.mark.parametrize("search_of", SEARCHES, ids=lambda make: make.title)
def test_a_users_files_are_found(
    search_of: Callable[[Library, Service], Search], folder: Path, service: Service
) -> None:
    library = find(folder)
    search = search_of(library, service)
    answer = search.ask(text_query(library, "something red"))
    assert answer.first("image") == "a red <b>square.PNG"
    assert answer.first("text") == "note.txt"
    assert answer.first("audio") == "a silent one.wav"
    for query in file_queries(library):
        assert all(hits for hits in search.ask(query).hits.values())


def test_an_unusable_folder_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"x")
    for name, said in {
        "missing": "there is no folder",
        "empty": "no image, video, audio or text file",
        "file": "is a file",
        "videos": "a.mp4",
    }.items():
        with pytest.raises(MediaError, match=said) as caught:
            find(tmp_path / name)
        assert "\n" not in str(caught.value)


# --- who answers ------------------------------------------------------------------------------------------


def test_without_a_key_an_emulator_answers_and_says_that_it_is_a_toy() -> None:
    with connect({}) as service:
        assert service.toy and service.base_url.startswith("http://127.0.0.1:")
        assert "toys" in " ".join(service.about) and "TWELVELABS_API_KEY" in " ".join(service.about)


def test_with_a_key_the_real_service_answers() -> None:
    with connect({"TWELVELABS_API_KEY": "tlk_secret"}) as service:
        assert service.base_url == "https://api.twelvelabs.io/v1.3"
        assert not service.toy and service.api_key.get_secret_value() == "tlk_secret"
        assert "tlk_secret" not in repr(service) + " ".join(service.about)
        assert "toys" not in " ".join(service.about)
    with connect({"TWELVE_LABS_API_KEY": "k", "TWELVELABS_BASE_URL": "https://proxy.example/v1.3/"}) as service:
        assert service.base_url == "https://proxy.example/v1.3" and not service.toy


def test_an_emulator_set_by_its_address_is_named(emulator: Emulator) -> None:
    with connect({"TWELVELABS_API_KEY": emulator.api_key, "TWELVELABS_BASE_URL": emulator.base_url}) as service:
        assert service.toy and service.base_url == emulator.base_url
    assert emulator.requests == []


def test_an_address_without_a_key_is_refused() -> None:
    with (
        pytest.raises(ServiceError, match="TWELVELABS_API_KEY is not"),
        connect({"TWELVELABS_BASE_URL": "http://x/v1.3"}),
    ):
        pass


# --- what is shown ----------------------------------------------------------------------------------------


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str, tty: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty

    def said(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


LONG = Item(Path("l.txt"), "text", "名前" * 30 + " a\x1b[31mname\n.txt", "Words " * 100)
ANSWERS = [Answer(Query(("text",), text="what? " * 40), {"text": [Hit(LONG, 1.2), Hit(LONG, -0.5)]})]


def test_tables_fit_a_hundred_columns_without_colours_where_there_is_no_terminal() -> None:
    stream = Terminal("utf-8", tty=False)
    terminal = report_text.Terminal(stream)
    names = [f"file {number} {'x' * 30}.bin" for number in range(12)] + [LONG.name, "y" * 250]
    terminal.library(Library(Path("x"), (LONG,), tuple((name, "why " * 50) for name in names)))
    terminal.heading("Title")
    terminal.answers(ANSWERS)
    lines = stream.said().splitlines()
    assert not any("\x1b" in line for line in lines)
    assert max(report_text.columns(line) for line in lines) <= 100
    assert any("█" * 20 in line and "1.20" in line for line in lines)
    assert any("░" * 20 in line and "-0.50" in line for line in lines)
    # Every file that is left out is named in full, and the reason once.
    said = re.sub(r"\s+", "", stream.said())
    for name in names:
        assert re.sub("[\x1b\n]", "·", name).replace(" ", "") in said
    assert said.count("why" * 50) == 1


def test_a_terminal_gets_colours_unless_it_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for no_color in (False, True):
        if no_color:
            monkeypatch.setenv("NO_COLOR", "1")
        stream = Terminal("utf-8", tty=True)
        report_text.Terminal(stream).answers(ANSWERS)
        # The name's own escape sequence must never reach the terminal.
        assert "\x1b[31m" not in stream.said()
        assert ("\x1b[1m" in stream.said()) is not no_color


def test_an_old_terminal_gets_ascii() -> None:
    stream = Terminal("ascii", tty=False)
    report_text.Terminal(stream).answers(ANSWERS)
    assert "#" * 20 in stream.said() and "█" not in stream.said()


# --- the commands -----------------------------------------------------------------------------------------


def test_the_demo_as_a_newcomer_runs_it(tmp_path: Path) -> None:
    done = run("demo", "--page", str(tmp_path / "demo.html"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert "emulator" in lines[0] and "toys" in lines[1]
    assert max(map(len, lines)) <= 100 + len(str(tmp_path)) and "\x1b" not in done.stdout
    assert "LangChain + Chroma" in lines and "LlamaIndex + Qdrant" in lines
    assert "70 of 70 lists begin with the expected file or scene." in lines
    assert (tmp_path / "demo.html").stat().st_size > 10_000


def test_the_demo_on_a_users_files_and_query(folder: Path, tmp_path: Path, emulator: Emulator) -> None:
    done = run(
        *("demo", f"--media={folder}", "--query", 'it\'s a "red" $HOME', "--page", str(tmp_path / "demo.html")),
        TWELVELABS_API_KEY=emulator.api_key,
        TWELVELABS_BASE_URL=emulator.base_url,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert emulator.base_url in done.stdout.splitlines()[0] and "toys" in done.stdout.splitlines()[1]
    assert '“it\'s a "red" $HOME”' in done.stdout
    assert "2 images, 1 audio file, 3 texts" in done.stdout and "tiny.png" in done.stdout
    assert "video.mp4" in (tmp_path / "demo.html").read_text(encoding="utf-8")
    assert {request.status for request in emulator.requests} == {200}
    first = done.stdout.split("→ images")[1].splitlines()[0]
    assert "a red <b>square.PNG" in first


def test_the_emulator_gets_all_files_and_the_real_service_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    for number in range(55):
        (tmp_path / f"{number:02}.txt").write_text(f"words {number}")
    options = app._options(["--media", str(tmp_path)])
    terminal = report_text.Terminal(io.StringIO())
    assert len(app._library(tmp_path, options, service, terminal).items) == 55
    real = Service("https://api.twelvelabs.io/v1.3", SecretStr("k"), toy=False)
    library = app._library(tmp_path, options, real, terminal)
    assert len(library.items) == 50 and [name for name, _ in library.notes] == [
        "50.txt",
        "51.txt",
        "52.txt",
        "53.txt",
        "54.txt",
    ]
    options = app._options(["--media", str(tmp_path), "--most", "3"])
    assert len(app._library(tmp_path, options, service, terminal).items) == 3


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize("in_environment", [False, True])
def test_make_hands_on_what_is_asked_as_it_is(tmp_path: Path, in_environment: bool) -> None:
    query, media = 'a $5 toy, $(HOME) `x` "y" it\'s', "my $$ files"
    (tmp_path / "Makefile").write_bytes((EXAMPLES.parent / "Makefile").read_bytes())
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys, json; print(json.dumps(sys.argv[1:]))" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "venv" / "installed-demo").write_text("")
    given = {"QUERY": query, "MEDIA": media}
    done = subprocess.run(
        ["make", "demo", "VENV=venv", *([] if in_environment else [f"{name}={text}" for name, text in given.items()])],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **(given if in_environment else {})},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["-m", "demo", f"--media={media}", f"--query={query}"]


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--media", "no/such folder"], "there is no folder 'no/such folder'", 2),
        (["--query", "  "], "the query is empty", 2),
        (["--most", "0"], "--most must be 1 or more", 2),
        (["--videos", "-1"], "--videos must be 0 or more", 2),
    ],
)
def test_errors_are_one_line(arguments: list[str], said: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        returned = app.main(arguments)
    except SystemExit as left:  # argparse leaves by itself
        returned = int(left.code or 0)
    printed = capsys.readouterr()
    assert returned == code
    assert said in printed.err.splitlines()[-1] and printed.out == ""


def test_a_missing_folder_ends_the_command_with_2(tmp_path: Path) -> None:
    done = run("demo", "--media", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("demo: no image, video, audio or text file in ")
    assert done.stdout == ""


def test_a_refused_key_is_one_line_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "b.txt").write_text("more words")
    monkeypatch.setenv("TWELVELABS_API_KEY", "tlk_wrong")
    monkeypatch.setenv("TWELVELABS_BASE_URL", emulator.base_url)
    assert app.main(["--media", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("demo: ") and "401" in printed.err and printed.err.count("\n") == 1
    assert "tlk_wrong" not in printed.out + printed.err


@pytest.mark.parametrize("script", ["chat_with_videos_langchain", "chat_with_videos_llama_index"])
def test_chats_with_videos(script: str, emulator: Emulator) -> None:
    """The answer is made of the frames that were sent: an orange and purple sunset has more red than green."""
    done = run(script, TWELVELABS_API_KEY=emulator.api_key, TWELVELABS_BASE_URL=emulator.base_url)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    start, end = sample_media.scene_of("day-at-the-sea.mp4", 2)
    assert f"Found: day-at-the-sea.mp4 #t={start:g},{end:g}\n" in done.stdout
    found = re.search(r"^Answer: I see #(\w{2})(\w{2})\w{2}, .*, and got 2 piece", done.stdout, re.MULTILINE)
    assert found
    assert int(found[1], 16) > 2 * int(found[2], 16)


@pytest.mark.parametrize("script", ["langchain_quickstart", "llama_index_quickstart"])
def test_quickstarts(script: str, emulator: Emulator) -> None:
    done = run(script, TWELVELABS_API_KEY=emulator.api_key, TWELVELABS_BASE_URL=emulator.base_url)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "['sunset.png', 'dawn.png']" in done.stdout
    assert len((EXAMPLES / f"{script}.py").read_text().splitlines()) <= 30
