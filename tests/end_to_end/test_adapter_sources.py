"""Where media come from makes no difference; and a text is a text, whatever it looks like."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import ImageNode
from PIL import Image as PILImage

from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support import media
from tests.support.adapters import Model
from twelvelabs_core import Image
from twelvelabs_emulator import Emulator

SOURCES: dict[str, Callable[[Path], Any]] = {
    "str path": str,
    "file URL": lambda path: path.as_uri(),
    "pathlib.Path": lambda path: path,
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "BytesIO that was read": lambda path: _read(io.BytesIO(path.read_bytes())),
    "data URI": lambda path: f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}",
    "Image": Image,
    "Image of bytes": lambda path: Image(path.read_bytes(), filename="x.png"),
    "PIL image": PILImage.open,
}


def _read(file: io.BytesIO) -> io.BytesIO:
    file.read()
    return file


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A name with all that a path may hold and a URL may not."""
    path = tmp_path / "a photo of ünï #1 100%.png"
    path.write_bytes(media.png("blue", pattern="checked"))
    return path


@pytest.mark.parametrize("source", list(SOURCES))
def test_same_vector_from_any_source(model: Model, emulator: Emulator, image: Path, source: str) -> None:
    (expected,) = model.images([str(image)])
    given = SOURCES[source](image)
    assert model.images([given]) == [expected]
    first, second = (request.body["image"]["media_source"]["base64_string"] for request in emulator.requests)
    assert first == {
        "size": image.stat().st_size,
        "sha256": hashlib.sha256(image.read_bytes()).hexdigest(),
    }
    if source != "PIL image":  # which is encoded anew
        assert second == first


def test_open_file(model: Model, image: Path) -> None:
    with image.open("rb") as file:
        assert model.images([file]) == model.images([image])
        assert not file.closed, "it is not ours to close"


def test_one_file_object_twice(model: Model, image: Path) -> None:
    with image.open("rb") as file:
        one, two = model.images([file, file])
        assert one == two == model.images([file])[0]


@pytest.mark.parametrize("name", ["low.wav", "red.mp4"])
def test_audio_and_videos(model: Model, files: Path, name: str) -> None:
    embed = model.audio if name.endswith("wav") else model.videos
    path = files / name
    expected = embed([str(path)])
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes()), path.as_uri()):
        assert embed([source]) == expected


def test_a_home_path_is_expanded(model: Model, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(image.parent))
    assert model.images([f"~/{image.name}"]) == model.images([image])


def test_a_url_is_sent_as_it_is(model: Model, emulator: Emulator, image: Path) -> None:
    url = "https://example.com/a.png?signature=abc"
    emulator.configure(url_files={url: image})
    (vector,) = model.images([url])
    assert emulator.requests[0].body["image"]["media_source"] == {"url": url}
    assert model.images([image]) == [vector]


@pytest.mark.parametrize(
    "text",
    ["photo.jpg", "./photo.jpg", "https://example.com/photo.jpg", "data:image/png;base64,AAAA", "file:///photo.jpg"],
)
def test_a_text_is_never_a_file(
    model: Model, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(media.jpeg("red"))
    one = model.text(text)
    many = model.texts([text, "red"])
    assert many[0] == one
    assert one != model.images(["photo.jpg"])[0]
    assert emulator.requests[0].body["text"]["input_text"] == text
    assert [request.body["input_type"] for request in emulator.requests] == ["text"] * 3 + ["image"]


def test_text_arrives_unchanged(model: Model, emulator: Emulator) -> None:
    texts = [
        "  two  spaces ",
        "line\nbreak\tand tab",
        "\u65e5\u672c\u8a9e",  # Japanese
        "\U0001f469\u200d\U0001f467",  # two signs that are joined into one
        'quo"tes \\ and \0',
        "<@name>",
    ]
    model.texts(texts)
    assert sorted(request.body["text"]["input_text"] for request in emulator.requests) == sorted(texts)


# -- LlamaIndex's own ways of handing over images -------------------------------------------------------------------


@pytest.fixture
def node(image: Path) -> ImageNode:
    return ImageNode(image=base64.b64encode(image.read_bytes()).decode())


async def test_image_node_hands_over_bytes(llama: TwelveLabsEmbedding, image: Path, node: ImageNode) -> None:
    expected = llama.get_image_embedding(str(image))
    assert llama.get_image_embedding(node.resolve_image()) == expected
    assert await llama.aget_image_embedding(node.resolve_image()) == expected
    assert await llama.aget_image_embedding_batch([node.resolve_image(), str(image)]) == [expected] * 2
