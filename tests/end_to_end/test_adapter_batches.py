"""Batches through both adapters: in order, complete, and not lost for one bad item."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from tests.support.adapters import Model
from twelvelabs_core import AuthenticationError, BatchError, EmbeddingClient, InvalidInputError, TextTooLongError, Video
from twelvelabs_emulator import Emulator

Make = Callable[..., Model]
LONG = " ".join(["word"] * 3000)


@pytest.fixture(params=["sync", "async"])
def embed(request: pytest.FixtureRequest) -> Callable[[Model, str, Sequence[Any]], Any]:
    """Call a batch method by its common name, sync or async."""
    if request.param == "sync":
        return lambda model, name, items: getattr(model, name)(items)
    return lambda model, name, items: asyncio.run(getattr(model, f"a{name}")(items))


Embed = Callable[[Model, str, Sequence[Any]], Any]


def plain_vectors(vectors: Any, count: int, dimensions: int = 512) -> bool:
    """Lists of Python floats: what json, stores and LangChain's suite ask for."""
    return (
        type(vectors) is list
        and len(vectors) == count
        and all(type(vector) is list and len(vector) == dimensions for vector in vectors)
        and all(type(number) is float for vector in vectors for number in vector)
    )


def test_a_thousand_texts_in_order(model: Model) -> None:
    texts = [f"text number {i}" for i in range(1000)]
    vectors = model.texts(texts)
    assert plain_vectors(vectors, 1000)
    for i in (0, 1, 63, 64, 500, 998, 999):
        assert vectors[i] == model.text(texts[i])
    assert len({tuple(vector) for vector in vectors}) == 1000


def test_order_when_answers_come_in_another(model: Model, embed: Embed, emulator: Emulator, files: Path) -> None:
    """Large images are answered after small ones."""
    names = ["green-stripes.jpg", "red.png", "blue.png", "blue.jpg", "purple.png"] * 4
    vectors = embed(model, "images", [files / name for name in names])
    assert plain_vectors(vectors, 20)
    assert vectors == [model.images([files / name])[0] for name in names]


@pytest.mark.parametrize("name", ["texts", "images", "audio", "videos"])
def test_nothing_gives_nothing(model: Model, embed: Embed, emulator: Emulator, name: str) -> None:
    assert embed(model, name, []) == []
    assert not emulator.requests


def test_duplicates(model: Model, embed: Embed) -> None:
    red, blue = model.text("red"), model.text("blue")
    assert embed(model, "texts", ["red", "blue", "red", "red"]) == [red, blue, red, red]


def test_generators_and_tuples(model: Model) -> None:
    expected = model.texts(["red", "blue"])
    assert model.texts(("red", "blue")) == expected
    if model.framework == "langchain":  # LlamaIndex asks for a list's length
        assert model.texts(text for text in ("red", "blue")) == expected


@pytest.mark.parametrize("dimensions", [128, 256, 512])
def test_dimensions(make: Make, embed: Embed, emulator: Emulator, dimensions: int) -> None:
    model = make(model="marengo3.5", dimensions=dimensions)
    assert plain_vectors(embed(model, "texts", ["red", "blue"]), 2, dimensions)
    assert {request.body["embedding_dimension"] for request in emulator.requests} == {dimensions}


# -- one bad item -------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Marengo-retrieval-2.7 was switched off:UserWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {"model": "Marengo-retrieval-2.7", "truncate": "none"},
        {"model": "marengo3.5", "truncate": "none"},
        # A counter that lets everything through: the server refuses what we did not see.
        {"model": "marengo3.0", "truncate": "none", "count_tokens": lambda text: 1},
    ],
    ids=lambda settings: settings["model"],
)
def test_one_refused_item_does_not_lose_the_rest(
    make: Make, embed: Embed, emulator: Emulator, settings: dict[str, Any]
) -> None:
    emulator.configure(over_long_text_v2_marengo30="refuse")
    model = make(**settings)
    texts = ["red", "blue", LONG, "green", "pink"]
    with pytest.raises(BatchError) as caught:
        embed(model, "texts", texts)
    error = caught.value
    assert list(error.errors) == [2]
    assert isinstance(error.errors[2], TextTooLongError)
    assert error.errors[2].item == "texts[2]"
    assert error.results[2] is None
    rest = [texts[i] for i in (0, 1, 3, 4)]
    assert [vector for vector in error.results if vector is not None] == model.texts(rest)
    assert plain_vectors([v for v in error.results if v], 4, model.adapter.client.dimensions)
    assert "1 of 5" in str(error)
    assert "texts[2]" in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 500, "a message does not repeat the text"


@pytest.fixture
def refused_image(make: Make, embed: Embed, emulator: Emulator, files: Path) -> BatchError:
    """What comes of three images of which the server, not we, refuses the second."""
    emulator.configure(image_formats=("PNG",))
    with pytest.raises(BatchError) as caught:
        embed(make(), "images", [str(files / name) for name in ("red.png", "blue.jpg", "blue.png")])
    return caught.value


def test_a_refused_image_does_not_lose_the_rest(model: Model, refused_image: BatchError, files: Path) -> None:
    red, none, blue = refused_image.results
    assert [red, blue] == model.images([files / "red.png", files / "blue.png"])
    assert none is None
    (index,) = refused_image.errors
    assert index == 1
    assert isinstance(refused_image.errors[1], InvalidInputError)
    assert refused_image.errors[1].status == 400


def test_a_refused_image_is_named(refused_image: BatchError) -> None:
    assert "[1] " in str(refused_image)
    assert "blue.jpg" in str(refused_image)


def test_a_wrong_key_stops_at_once(make: Make, embed: Embed, emulator: Emulator) -> None:
    model = make(max_concurrency=4)
    emulator.configure(api_keys=("another",), latency_sec=0.01)
    with pytest.raises(AuthenticationError) as caught:
        embed(model, "texts", [f"text {i}" for i in range(100)])
    assert len(caught.value.results) == 100
    assert len(emulator.requests) <= 8, "the other texts would have been refused too"


def test_a_failed_single_call_is_no_batch(make: Make) -> None:
    model = make(model="marengo3.5", truncate="none")
    with pytest.raises(TextTooLongError) as caught:
        model.text(LONG)
    assert not isinstance(caught.value, BatchError)


# -- several callers at a time ----------------------------------------------------------------------------------------

SHARED_CACHE = """
import sys, threading
from twelvelabs_core import EmbeddingClient

key, base_url, path = sys.argv[1:]
texts = [f"text number {i}" for i in range(1100)]
client = EmbeddingClient(api_key=key, base_url=base_url, cache=path, max_concurrency=16)
found = {}

def embed(number):
    mine = texts[number * 97 :] + texts[: number * 97]
    vectors = {text: e.vector for text, e in zip(mine, client.embed_many(mine))}
    found[number] = [vectors[text] for text in texts]

threads = [threading.Thread(target=embed, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(found) == 8 and all(vectors == found[0] for vectors in found.values())
print(client.stats.done, client.stats.requests, client.stats.failed)
"""


def test_threads_of_two_processes_that_share_a_cache_pay_for_each_text_once(
    emulator: Emulator, account: dict[str, Any], shared_place: str
) -> None:
    arguments = [account["api_key"], account["base_url"], shared_place]
    processes = [
        subprocess.Popen([sys.executable, "-c", SHARED_CACHE, *arguments], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [(int(done), int(failed)) for done, _, failed in outputs] == [(8800, 0)] * 2
    assert sum(int(requests) for _, requests, _ in outputs) == 1100
    assert len({request.body["text"]["input_text"] for request in emulator.requests}) == len(emulator.requests) == 1100


def test_equal_videos_of_several_calls_make_one_task(
    emulator: Emulator, account: dict[str, Any], tmp_path: Path
) -> None:
    content = media.mp4((("red", 32, 0),))
    for i in range(4):
        (tmp_path / f"{i}.mp4").write_bytes(content)
    clients = [EmbeddingClient("marengo3.5", **account) for _ in range(2)]

    async def embed() -> list[Any]:
        calls = [clients[i % 2].aembed_segments(Video(tmp_path / f"{i}.mp4")) for i in range(4)]
        return await asyncio.gather(*calls)

    found = asyncio.run(embed())
    created = [r for r in emulator.requests if r.method == "POST" and r.path.endswith("/embed-v2/tasks")]
    assert len(created) == 1
    assert all([s.vector for s in segments] == [s.vector for s in found[0]] for segments in found)
