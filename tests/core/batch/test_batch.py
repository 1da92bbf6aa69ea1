"""Batches: whatever one item, the cache or a progress bar raises, what is finished is kept and every error is named."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.stores import InMemoryByteStore

from tests.support import media
from tests.support.service import Counter, Service, refusal, right_answer, text_of, vector, words
from twelvelabs_core import (
    BatchError,
    CacheError,
    Composed,
    Embedding,
    Image,
    InvalidInputError,
    QuotaExceededError,
    SegmentOptions,
    TextTooLongError,
    TwelveLabsError,
    UnexpectedError,
)
from twelvelabs_core._batch import progress as progress_module
from twelvelabs_core._store import rows


def raising(error: BaseException) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


def anything(item: object) -> Any:
    return item


class Odd:
    """An object that can neither be printed nor compared."""

    __str__ = __repr__ = __eq__ = __hash__ = raising(OverflowError("odd"))


class OddText(str):
    """A text that looks like another one."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another text"

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = raising(OverflowError("odd"))
    encode = strip = isspace = isascii = raising(OverflowError("odd"))


class OddImage:
    """What a PIL image might look like to a duck, and raises when it is looked at."""

    mode: Any = "RGB"
    size: Any = (200, 200)
    getbands = save = tobytes = raising(OverflowError("odd"))

    def load(self) -> None:
        pass


class Raising:
    """An attribute that raises when it is looked at."""

    def __get__(self, *_: object) -> Any:
        raise OverflowError("odd")


class SizelessImage(OddImage):
    size: Any = Raising()


# -- items ---------------------------------------------------------------------------------------------------------


def test_a_str_subclass_is_embedded_as_the_text_it_is() -> None:
    service = Service()
    found = service.client().embed_many([OddText("a"), "a", OddText("b")])
    assert sorted(service.texts) == ["a", "b"]
    assert [e.vector for e in found] == [vector("a"), vector("a"), vector("b")]


@pytest.mark.parametrize(
    "item",
    [Odd(), None, 7, b"bytes", ["a"], Image(anything(SizelessImage())), Image(anything(Odd()))],
    ids=lambda item: type(item).__name__,
)
def test_an_item_of_another_type_is_refused_before_anything_is_sent(item: Any) -> None:
    service = Service()
    with pytest.raises(TwelveLabsError) as caught:
        service.client().embed_many(["a", item, "b"], name="texts")
    assert str(caught.value.item).startswith("texts[1]")
    assert service.requests == []
    found = list(service.client().stream(["a", item, "b"], errors="yield"))
    assert [result.embedding is None for result in found] == [False, True, False]
    assert str(found[1].error and found[1].error.item).startswith("items[1]")


def test_a_path_among_texts_says_how_it_is_wrapped() -> None:
    with pytest.raises(InvalidInputError, match=r"got 'a\.png'\. Wrap a path in one of them: Image\(path\)\."):
        Service().client().embed_many([Path("a.png")])  # type: ignore[list-item]


def test_an_image_that_raises_when_it_is_read_fails_alone() -> None:
    service = Service()
    with pytest.raises(BatchError) as caught:
        service.client().embed_many(["a", Image(anything(OddImage())), "b", Image(media.image("red", (200, 200)))])
    (error,) = caught.value.errors.values()
    assert isinstance(error.__cause__, OverflowError)
    assert str(error.item).startswith("items[1]")
    assert [found is None for found in caught.value.results] == [False, True, False, False]


@pytest.mark.parametrize("cached", [False, True])
def test_a_file_that_is_gone_when_it_is_digested_fails_alone(
    cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(media.png("red" if name == "a" else "blue"))
    service = Service()
    client = service.client(cache=tmp_path / "c.sqlite" if cached else None)
    items: list[Any] = [Image(tmp_path / "a.png"), "t"]
    jobs = asyncio.run(client._embedder.checker.check_all(items, [("items", 0), ("items", 1)]))

    async def check_all(*_: Any, **__: Any) -> Any:
        (tmp_path / "a.png").unlink()
        return jobs

    monkeypatch.setattr(client._embedder.checker, "check_all", check_all)
    with pytest.raises(BatchError) as caught:
        client.embed_many(items)
    assert list(caught.value.errors) == [0]
    assert "cannot be read" in str(caught.value.errors[0])
    assert caught.value.results[1].vector == vector("t")


@pytest.mark.parametrize(
    "count", [raising(KeyError("x")), lambda _: -1, lambda _: float("nan"), lambda _: "many", lambda _: None]
)
@pytest.mark.parametrize("truncate", ["end", "start", "none", "average"])
@pytest.mark.parametrize("cached", [False, True])
def test_a_counter_that_fails_for_one_text_fails_that_text(
    count: Callable[[str], Any], truncate: Any, cached: bool
) -> None:
    def counter(text: str) -> int:
        return count(text) if text == "odd" else 1

    client = Service().client(
        truncate=truncate, count_tokens=counter, cache=InMemoryByteStore() if cached else None, model="marengo3.5"
    )
    with pytest.raises(BatchError) as caught:
        client.embed_many(["a", "odd", "b"], name="texts")
    (error,) = caught.value.errors.values()
    assert "count_tokens" in str(error)
    assert error.item == "texts[1]"
    assert [found and found.vector for found in caught.value.results] == [vector("a"), None, vector("b")]


def test_a_counter_that_is_no_function_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="count_tokens must be a function"):
        Service().client(count_tokens=7)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Composed("a \ud83d", [Image("https://h.example/a.png")]), "contains broken Unicode at index 2"),
        (Composed("a", [Image("https://h.example/\ud83d.png")]), "its address contains broken Unicode"),
        (Image("https://h.example/\ud83d.png"), "its address contains broken Unicode"),
        (Composed("a", [Image(Odd())]), "odd|cannot be"),  # type: ignore[arg-type]
        (Composed(7, []), r"expected Composed\(text"),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("version", ["v2", None])
def test_broken_texts_of_a_media_item_are_refused(item: Any, message: str, version: str | None) -> None:
    service = Service()
    with pytest.raises(TwelveLabsError, match=message) as caught:
        service.client("marengo3.0", api_version=version).embed_many(["a", item])
    assert str(caught.value.item).startswith("items[1]")
    assert service.requests == []


def test_options_of_another_type_are_refused() -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match="options must be SegmentOptions, got a dict"):
        service.client().embed_segments_many([Image(media.png())], {"a": 1})  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="options must be SegmentOptions, got a dict"):
        service.client().rows_many([Image(media.png())], {"vidoe": SegmentOptions()})
    with pytest.raises(InvalidInputError, match="options must be SegmentOptions, got a int"):
        service.client().rows_many([Image(media.png())], {"image": 1})  # type: ignore[dict-item]


# -- iterators -----------------------------------------------------------------------------------------------------


def broken(count: int) -> Iterator[str]:
    for i in range(count):
        yield f"{i}"
    raise KeyError("x")


def test_an_iterator_that_raises_is_an_error_of_ours() -> None:
    service = Service()
    with pytest.raises(UnexpectedError, match="raised KeyError after 7 of them") as caught:
        service.client().embed_many(broken(7))
    assert isinstance(caught.value.__cause__, KeyError)
    assert service.requests == []


# -- what is finished is kept ---------------------------------------------------------------------------------------


def test_a_batch_that_stops_keeps_the_finished_ones_and_the_errors_are_complete() -> None:
    service = Service(lambda request: refusal(400) if text_of(request).startswith("bad") else right_answer(request))
    client = service.client(budget=6, max_concurrency=2)
    with pytest.raises(QuotaExceededError) as caught:
        client.embed_many(["a", "bad", "b", "bad", "c", "d", "e", "f", "g"])
    assert [found and found.vector for found in caught.value.results] == [
        None if text in ("bad", "f", "g") else vector(text)
        for text in ["a", "bad", "b", "bad", "c", "d", "e", "f", "g"]
    ]


class FullStore(InMemoryByteStore):
    """Takes a number of values, and no more."""

    def __init__(self, room: int, error: Exception) -> None:
        super().__init__()
        self.room, self.error = room, error

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        self.room -= len(key_value_pairs)
        if self.room < 0:
            raise self.error
        super().mset(key_value_pairs)


@pytest.mark.parametrize("error", [OSError("no space left"), KeyError("x"), Exception()])
def test_a_vector_that_cannot_be_cached_is_in_the_results(error: Exception) -> None:
    service = Service()
    client = service.client(cache=FullStore(3, error), max_concurrency=1)
    with pytest.raises(CacheError) as caught:
        client.embed_many([f"{i}" for i in range(9)])
    found = [result.vector for result in caught.value.results if result is not None]
    assert found == [vector(text) for text in service.texts] == [vector(f"{i}") for i in range(4)]
    assert len(caught.value.results) == 9


def test_rows_that_cannot_be_made_fail_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(media.png("red"))
    (tmp_path / "b.png").write_bytes(media.png("blue"))
    real = rows.rows_of

    def rows_of(item: Any, *arguments: Any, **options: Any) -> Any:
        return 1 / 0 if str(item.source).endswith("a.png") else real(item, *arguments, **options)

    monkeypatch.setattr("twelvelabs_core._client.rows.rows_of", rows_of)
    with pytest.raises(BatchError) as caught:
        Service().client().rows_many([Image(tmp_path / "a.png"), Image(tmp_path / "b.png")])
    assert isinstance(caught.value.errors[0].__cause__, ZeroDivisionError)
    assert caught.value.results[0] is None
    assert caught.value.results[1][0].vector == vector("image")


async def test_a_cancelled_batch_has_cached_what_is_finished(tmp_path: Path) -> None:
    service = Service(lambda request: asyncio.sleep(9) if text_of(request) == "slow" else right_answer(request))
    client = service.client(cache=tmp_path / "c.sqlite")
    call = asyncio.ensure_future(client.aembed_many(["a", "slow", "b"]))
    other = service.client(cache=tmp_path / "c.sqlite")
    while (await other.aplan(["a", "b"])).cached < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [e.cached for e in await service.client(cache=tmp_path / "c.sqlite").aembed_many(["a", "b"])] == [True, True]


# -- progress bars ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["set_postfix_str", "update", "close"])
def test_a_progress_bar_that_raises_is_drawn_no_more(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tqdm.auto import tqdm

    monkeypatch.setattr(progress_module, "REFRESH_SEC", 0.001)
    monkeypatch.setattr(tqdm, method, raising(BrokenPipeError("gone")))
    monkeypatch.setattr(tqdm, "__del__", lambda bar: None)  # it would close, when it is collected, what was not closed
    client = Service(Counter(0.005)).client()
    found = client.embed_many(["a", "b"], progress=True)
    assert [e.vector for e in found] == [vector("a"), vector("b")]
    assert (client.last_run.done, client.last_run.failed) == (2, 0)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "BrokenPipeError" in caplog.text
    tqdm._instances.clear()  # type: ignore[attr-defined]  # it would draw again what was not closed


def test_a_progress_bar_that_cannot_be_made_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tqdm.auto import tqdm

    monkeypatch.setattr(tqdm, "__init__", raising(ValueError("I/O operation on closed file")))
    monkeypatch.setattr(tqdm, "__del__", lambda _: None)
    client = Service().client()
    assert client.embed_many(["a"], progress=True)[0].vector == vector("a")
    assert len(list(client.stream(["a"], progress=True))) == 1
    assert "ValueError" in caplog.text


# -- long texts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("truncate", ["end", "start", "average"])
def test_a_text_of_a_megabyte_does_not_hold_up_others(truncate: Any) -> None:
    long = words(20_000) * 8
    assert len(long) > 900_000

    found = Service().client("marengo3.0", truncate=truncate).embed_many([long, "a"])
    assert isinstance(found[0], Embedding)
    assert found[1].vector == vector("a")


def test_a_text_refused_with_none_is_not_cut() -> None:
    service = Service(lambda _: httpx.Response(400, json={"message": "The text is too long."}))
    with pytest.raises(TextTooLongError):
        service.client("marengo3.5", truncate="none").embed("a b c")
    assert len(service.requests) == 1
