"""Bad input through both adapters: one clear line that names the item, and nothing sent."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PILImage

from tests.support import media
from tests.support.adapters import Model
from twelvelabs_core import AuthenticationError, ConnectionFailedError, InvalidInputError, TwelveLabsError
from twelvelabs_emulator import Emulator

Make = Callable[..., Model]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, full of files that cannot be embedded."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    for name, content in {
        "a.png": media.png("red"),
        "empty.png": b"",
        "truncated.jpg": media.jpeg("red", (1000, 1000), pattern="checked")[:4000],
        "truncated.png": media.noisy_png()[:20_000],
        "notes.png": b"These are words, not an image.\n" * 9,
        "small.png": media.png("red", (100, 300)),
        "audio.png": media.wav(440),
        "image.wav": media.png("red"),
        "talk.ogg": media.ogg(440),
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


#: What is called, by its common name; its argument; what the message has to say.
CASES: dict[str, tuple[str, Any, str]] = {
    "empty query": ("text", "", r"^(text|query): is an empty text"),
    "blank query": ("text", " \n\t", r"^(text|query): is an empty text"),
    "empty text": ("texts", ["red", ""], r"^texts\[1\]: is an empty text"),
    "number for a text": ("texts", ["red", 5], r"^texts\[1\]: expected a str.* got a int"),
    "none for a text": ("texts", [None], r"^texts\[0\]: expected a str.* got a NoneType"),
    "bytes for a text": ("texts", [b"red"], r"^texts\[0\]: expected a str.* got 3 bytes"),
    "missing": ("images", ["a.png", "missing.png"], r"\[1\] 'missing.png': no such file"),
    "missing path": ("images", [Path("missing.png")], r"\[0\] 'missing.png': no such file"),
    "a text for an image": ("images", ["a red bike"], r"\[0\] 'a red bike': no such file"),
    "directory": ("images", ["folder.png"], r"\[0\] 'folder.png': is a (folder|directory)"),
    "empty": ("images", ["empty.png"], r"\[0\] 'empty.png': is an empty file"),
    "no bytes": ("images", [b""], r"\[0\] 0 bytes: has no content"),
    "truncated jpeg": ("images", ["truncated.jpg"], r"\[0\] 'truncated.jpg': is not a readable image: .*truncated"),
    "truncated png": ("images", ["truncated.png"], r"\[0\] 'truncated.png': is not a readable image: .*truncated"),
    "words": ("images", ["notes.png"], r"\[0\] 'notes.png': is not a readable image file.*JPEG, PNG"),
    "words as bytes": ("images", [b"words" * 9], r"\[0\] 45 bytes: is not a readable image file"),
    "too small": ("images", ["small.png"], r"\[0\] 'small.png': is 100x300 pixels.*128x128"),
    "small PIL image": ("images", [PILImage.new("RGB", (9, 9))], r"\[0\] PIL image 9x9: is 9x9 pixels.*128x128"),
    "audio for an image": ("images", ["audio.png"], r"\[0\] 'audio.png': is WAV.*JPEG, PNG.*Audio"),
    "image for an audio file": ("audio", ["image.wav"], r"\[0\] 'image.wav': is PNG.*FLAC, MP3, WAV.*Image"),
    "image for a video": ("videos", ["a.png"], r"\[0\] 'a.png': is PNG.*video.*Image"),
    "ogg": ("audio", ["talk.ogg"], r"\[0\] 'talk.ogg': is OGG.*FLAC, MP3, WAV"),
    "text file object": ("images", [io.StringIO("x")], r"\[0\] file object: is a text file object.*rb"),
    "number for an image": ("images", [5], r"\[0\] a int: cannot be read as an image.*got a int"),
    "page about a video": ("videos", ["https://youtu.be/x"], r"\[0\] 'https://youtu.be/x': youtu.be serves a page"),
    "broken data URI": ("images", ["data:image/png;base64,a"], r"\[0\] data URI.*: contains broken base64"),
    "list forgotten": ("images", "a.png", r"[Ee]xpected a list.*'a.png'.*\[source\]"),
    "list forgotten, path": ("images", Path("a.png"), r"[Ee]xpected a list.*'a.png'.*\[source\]"),
    "list forgotten, bytes": ("audio", b"RIFF", r"[Ee]xpected a list.*4 bytes.*\[source\]"),
}


def refused(call: Callable[[], Any], kind: type[TwelveLabsError] = InvalidInputError) -> str:
    """The message of an error that is to be raised."""
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message, message
    assert len(message) < 400, message
    return message


@pytest.mark.parametrize("case", list(CASES))
def test_bad_input(model: Model, emulator: Emulator, folder: Path, case: str) -> None:
    method, given, says = CASES[case]
    message = refused(lambda: getattr(model, method)(given))
    assert re.search(says, message), message
    assert not emulator.requests


@pytest.mark.parametrize("case", ["empty text", "missing", "truncated jpeg", "list forgotten", "list forgotten, bytes"])
async def test_bad_input_async(model: Model, emulator: Emulator, folder: Path, case: str) -> None:
    method, given, says = CASES[case]
    with pytest.raises(InvalidInputError, match=says):
        await getattr(model, f"a{method}")(given)
    assert not emulator.requests


async def test_one_string_for_a_list_of_texts(model: Model, emulator: Emulator) -> None:
    """A string is a sequence of strings: each letter would be embedded, and paid for."""
    assert "list" in refused(lambda: model.texts("bike"))
    with pytest.raises(InvalidInputError, match="list"):
        await model.atexts("bike")
    assert not emulator.requests


def test_unreadable_file(model: Model, emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not stop root, who runs tests in many containers; a refusing open() stops anybody."""

    def forbidden(self: Path, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", forbidden)
    message = refused(lambda: model.images(["a.png"]))
    assert re.search(r"\[0\] 'a.png': cannot be read: Permission denied", message), message
    assert not emulator.requests


# -- images in formats that the API does not take ------------------------------------------------------------------


@pytest.mark.parametrize("made", [media.webp, media.gif], ids=["webp", "gif"])
def test_other_formats_are_converted(model: Model, emulator: Emulator, made: Callable[..., bytes]) -> None:
    drawing: dict[str, Any] = {"color": "blue", "pattern": "vertical"}
    (png,), (other,) = model.images([media.png(**drawing)]), model.images([made(**drawing)])
    assert other == pytest.approx(png, abs=1e-3)
    assert [request.status for request in emulator.requests] == [200, 200]


def test_webp_without_pillow(model: Model, emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.webp").write_bytes(media.webp("red"))
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    message = refused(lambda: model.images(["a.png", "a.webp"]))
    assert re.search(r"\[1\] 'a.webp': is WEBP; the API takes JPEG, PNG.*\[media\]", message)
    assert not emulator.requests


# -- account and settings --------------------------------------------------------------------------------------------


def test_wrong_key(make: Make) -> None:
    message = refused(lambda: make(api_key="tlk_wr0ng").text("red"), AuthenticationError)
    assert "401" in message
    assert "wr0ng" not in message


def test_no_key(framework: str) -> None:
    message = refused(lambda: Model.make(framework), AuthenticationError)
    assert "TWELVELABS_API_KEY" in message
    assert "api_key" in message


def test_unknown_model(make: Make, emulator: Emulator) -> None:
    message = refused(lambda: make(model="marengo-3.5"))
    assert re.search(r"'marengo-3.5'.*Did you mean 'marengo3.5'", message)


def test_dimensions_of_another_model(make: Make) -> None:
    assert re.search(r"marengo3.0 returns 512.* not 256.*marengo3.5", refused(lambda: make(dimensions=256)))


def test_inputs_that_the_model_does_not_take(make: Make, folder: Path, emulator: Emulator) -> None:
    message = refused(lambda: make().composed("words", audio=[media.wav(440)]))
    assert "marengo3.5" in message
    assert not emulator.requests


def test_host_unreachable(make: Make) -> None:
    message = refused(lambda: make(base_url="http://127.0.0.1:9/v1.3").text("red"), ConnectionFailedError)
    assert "127.0.0.1:9" in message


@pytest.mark.parametrize("setting", [{"dimension": 256}, {"modle": "marengo3.5"}])
def test_misspelled_setting(make: Make, setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        make(**setting)
