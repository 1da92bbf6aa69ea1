"""Streams: items taken lazily, results in order or as they finish, and what ends a stream."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import media
from tests.support.service import Service, right_answer, sent_json, vector
from twelvelabs_core import (
    Audio,
    BatchError,
    Embedding,
    Fixed,
    InvalidInputError,
    QuotaExceededError,
    SegmentOptions,
    SegmentsResult,
    StreamResult,
    UnexpectedError,
)
from twelvelabs_core._batch.flights import Flight
from twelvelabs_core._batch.stream import CHUNK


def failing_on(text: bytes, status: int = 400) -> Service:
    return Service(lambda r: httpx.Response(status, json={"message": "no"}) if text in r.content else right_answer(r))


def test_a_stream_takes_items_lazily_and_yields_in_order() -> None:
    taken = 0

    def texts() -> Iterator[str]:
        nonlocal taken
        for i in range(500):
            taken += 1
            yield f"text {i}"

    found = Service().client(max_concurrency=8).stream(texts())
    first = next(found)
    assert (first.index, first.item, first.error) == (0, "text 0", None)
    assert taken <= 64
    rest = list(found)
    assert [r.index for r in rest] == list(range(1, 500))
    assert all(r.embedding is not None and r.embedding.vector == vector(str(r.item)) for r in rest)


def test_an_unordered_stream_yields_every_item() -> None:
    found = list(Service().client().stream((f"{i}" for i in range(100)), ordered=False))
    assert sorted(r.index for r in found) == list(range(100))


async def test_an_async_stream_takes_an_async_iterator() -> None:
    async def texts() -> AsyncIterator[str]:
        for i in range(100):
            await asyncio.sleep(0)
            yield f"text {i}"

    client = Service().client()
    assert [r.index async for r in client.astream(texts())] == list(range(100))
    assert [r.index async for r in client.astream([f"{i}" for i in range(20)], ordered=False)]
    assert client.last_run.done == 20


def test_a_failed_item_ends_the_stream_after_the_items_in_flight() -> None:
    found: list[StreamResult] = []
    with pytest.raises(BatchError) as caught:
        for result in failing_on(b"bad").client().stream(["a", "bad", "", "b"]):
            found.append(result)
    assert [r.index for r in found] == [0, 3]
    assert sorted(caught.value.errors) == [1, 2]


def test_errors_yield_returns_failed_items_as_results() -> None:
    found = list(failing_on(b"bad").client().stream(["a", "bad", "b"], errors="yield"))
    assert [(r.index, r.embedding is None, r.error is None) for r in found] == [
        (0, False, True),
        (1, True, False),
        (2, False, True),
    ]
    with pytest.raises(InvalidInputError, match="raise, yield"):
        list(Service().client().stream(["a"], errors="ignore"))


# -- segments of files -----------------------------------------------------------------------------------------


def clips(request: httpx.Request) -> dict[str, Any]:
    """Two clips, latest first."""
    labels = {"embedding_option": "audio", "embedding_scope": "clip"}
    times = ({"start_sec": 6, "end_sec": 12}, {"start_sec": 0, "end_sec": 6})
    return {"data": [{"embedding": vector(str(at)), **labels, **at} for at in times]}


async def test_an_unreadable_file_fails_alone_in_a_stream_of_segments(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    given = [Audio(media.wav(200)), Audio("missing.wav"), Audio(broken), Audio(media.wav(300))]
    client = Service(clips).client()
    found = list(client.stream_segments(given, errors="yield"))
    assert [(r.index, r.item) for r in found] == list(enumerate(given))
    assert [[s.start_sec for s in r.segments] if r.segments else None for r in found] == [[0, 6], None, None, [0, 6]]
    assert "media[1]" in str(found[1].error) and "no such file" in str(found[1].error)
    assert "broken.wav" in str(found[2].error)
    assert (client.last_run.items, client.last_run.done, client.last_run.failed) == (4, 2, 2)

    async def lazily() -> AsyncIterator[Audio]:
        for item in given:
            yield item

    again = [r async for r in client.astream_segments(lazily(), errors="yield", ordered=False)]
    assert sorted((r.index, r.error is None) for r in again) == [(0, True), (1, False), (2, False), (3, True)]


def test_a_failed_file_ends_a_stream_of_segments_after_those_in_flight() -> None:
    found: list[SegmentsResult] = []
    with pytest.raises(BatchError) as caught:
        for result in Service(clips).client().stream_segments([Audio(media.wav(200)), Audio("missing.wav")]):
            found.append(result)
    assert [r.index for r in found] == [0]
    assert list(caught.value.errors) == [1]


def test_a_stream_of_segments_yields_each_file_as_it_is_done_and_takes_no_more_than_are_asked_for() -> None:
    taken: list[int] = []

    def given() -> Iterator[Audio]:
        for number in range(50):
            taken.append(number)
            yield Audio(media.wav(200 + number))

    options = SegmentOptions(Fixed(6), embedding_option="audio")
    service = Service(clips)
    stream = service.client(max_concurrency=2).stream_segments(given(), options)
    assert next(stream).index == 0
    assert len(taken) <= 4
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    body = sent_json(service.requests[0])["audio"]
    assert (body["embedding_option"], body["segmentation"]["fixed"]) == (["audio"], {"duration_sec": 6})


@pytest.mark.parametrize("given", [Audio("a.wav"), "a.wav", None])
def test_a_stream_of_segments_takes_a_list(given: Any) -> None:
    with pytest.raises(InvalidInputError, match="list"):
        list(Service().client().stream_segments(given))


def test_a_stream_of_segments_takes_files_alone() -> None:
    (found,) = Service().client().stream_segments(["a.wav"], errors="yield")  # type: ignore[list-item]
    assert "expected Video" in str(found.error)


def test_a_stream_yields_everything_sent_before_the_budget_ended() -> None:
    service = Service()
    found = []
    with pytest.raises(QuotaExceededError):
        for result in service.client(budget=40).stream(f"{i}" for i in range(200)):
            found.append(result.index)
    assert len(found) == len(service.requests) == 40


def test_a_stream_left_early_does_not_block_the_client() -> None:
    client = Service().client()
    for result in client.stream(f"{i}" for i in range(1000)):
        if result.index == 3:
            break
    assert client.embed("later").vector


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
@pytest.mark.parametrize("ordered", [True, False])
async def test_every_number_of_items_is_yielded_once(count: int, ordered: bool) -> None:
    async def texts() -> AsyncIterator[str]:
        for i in range(count):
            yield f"{i}"

    service = Service()
    client = service.client(max_concurrency=4)
    found = [r async for r in client.astream(texts(), ordered=ordered)]
    assert sorted(r.index for r in found) == list(range(count))
    assert all(r.item == str(r.index) and r.embedding and r.embedding.vector == vector(r.item) for r in found)
    again = list(service.client(max_concurrency=4).stream([f"{i}" for i in range(count)], ordered=ordered))
    assert sorted(r.index for r in again) == list(range(count))


async def test_an_async_stream_raises_like_the_sync_one() -> None:
    found = []
    with pytest.raises(BatchError) as caught:
        async for result in failing_on(b"bad").client().astream(["a", "bad", "", "b"]):
            found.append(result.index)
    assert found == [0, 3]
    assert sorted(caught.value.errors) == [1, 2]
    assert "items[2]" in str(caught.value.errors[2])
    results = [r async for r in failing_on(b"bad").client().astream(["a", "bad"], errors="yield")]
    assert [r.error is None for r in results] == [True, False]


def test_a_used_up_budget_is_raised_from_a_stream_that_yields_errors() -> None:
    with pytest.raises(QuotaExceededError) as caught:
        list(Service().client(budget=0).stream(["a"], errors="yield"))
    assert caught.value.results == []


# -- where the items come from ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", [None, 7, object(), "one text", b"bytes"])
async def test_what_is_no_iterable_of_items_is_refused(items: Any) -> None:
    client = Service().client()
    with pytest.raises(InvalidInputError, match="Expected a list of items"):
        list(client.stream(items))
    with pytest.raises(InvalidInputError, match="Expected a list of items"):
        [result async for result in client.astream(items)]


@pytest.mark.parametrize("before", [0, 3, CHUNK, 5 * CHUNK + 3])
@pytest.mark.parametrize("ordered", [True, False])
async def test_an_iterator_that_raises_ends_the_stream_after_all_it_gave(before: int, ordered: bool) -> None:
    def texts() -> Iterator[str]:
        for i in range(before):
            yield f"{i}"
        raise KeyError("x")

    async def async_texts() -> AsyncIterator[str]:
        for text in texts():
            yield text

    service = Service()
    found: list[int] = []
    with pytest.raises(UnexpectedError, match=f"raised KeyError after {before} of them") as caught:
        for result in service.client(max_concurrency=8).stream(texts(), ordered=ordered):
            found.append(result.index)
    assert isinstance(caught.value.__cause__, KeyError)
    assert sorted(found) == list(range(before))
    for source in (texts, async_texts):
        found.clear()
        with pytest.raises(UnexpectedError, match=f"after {before} of them"):
            async for result in service.client(max_concurrency=8).astream(source(), ordered=ordered):
                found.append(result.index)
        assert sorted(found) == list(range(before))


def test_a_failed_item_and_a_broken_iterator_are_both_told() -> None:
    def texts() -> Iterator[str]:
        yield "a"
        yield "bad"
        raise KeyError("x")

    with pytest.raises(BatchError) as caught:
        list(failing_on(b"bad").client().stream(texts()))
    assert list(caught.value.errors) == [1]
    assert isinstance(caught.value.__cause__, UnexpectedError)


@pytest.mark.parametrize("odd", [None, 7, b"x", ["a"]])
def test_an_item_of_a_wrong_type_ends_the_stream_after_the_items_in_flight(odd: Any) -> None:
    items: list[Any] = [f"{i}" for i in range(1000)]
    items[500] = odd
    service = Service()
    found: list[StreamResult] = []
    with pytest.raises(BatchError) as caught:
        for result in service.client(max_concurrency=8).stream(items):
            found.append(result)
    assert list(caught.value.errors) == [500]
    assert isinstance(caught.value.errors[500], InvalidInputError)
    assert sorted(service.texts) == sorted(str(result.item) for result in found)  # nothing sent is lost
    assert len(found) >= 500


def test_failed_items_are_told_beside_the_error_that_ends_the_stream() -> None:
    found: list[StreamResult] = []
    with pytest.raises(QuotaExceededError):
        for result in (
            failing_on(b"bad")
            .client(budget=5, max_concurrency=1)
            .stream(["a", "bad", "b", "c", "d", "e", "f"], errors="yield")
        ):
            found.append(result)
    assert [(result.item, result.error is None) for result in found] == [
        ("a", True),
        ("bad", False),
        ("b", True),
        ("c", True),
        ("d", True),
    ]


def test_a_long_stream_keeps_nothing_of_what_it_has_yielded() -> None:
    client = Service().client(max_concurrency=8)
    texts = (f"text {i}" for i in range(1_000_000))
    stream = client.stream(texts)
    for _ in range(500):
        next(stream)
    gc.collect()
    kept = sum(isinstance(found, (StreamResult, Embedding, Flight)) for found in gc.get_objects())
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert kept < 10 * CHUNK
