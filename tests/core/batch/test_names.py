"""Files under way: equal ones are found, though a file is read before it is sent only if another has its size."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import media
from tests.support.service import Service, right_answer
from twelvelabs_core import EmbeddingClient, Image, InvalidInputError
from twelvelabs_core._batch.flights import _flights
from twelvelabs_core._media import opened
from twelvelabs_core._media.streamed import StreamedFile
from twelvelabs_core.adapter import content_digest

RED, BLUE = media.png("red"), media.png("blue")
SIZE = max(len(RED), len(BLUE)) + 3
RED, BLUE = RED.ljust(SIZE, b"\0"), BLUE.ljust(SIZE, b"\0")  # of one size


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Image]:
    def write(name: str, content: bytes) -> Image:
        (tmp_path / name).write_bytes(content)
        return Image(tmp_path / name)

    return write


class Held:
    """Answers, once it is released, with the number of the request."""

    def __init__(self) -> None:
        self.arrived, self.released = threading.Semaphore(0), threading.Event()

    async def __call__(self, request: httpx.Request) -> Any:
        self.arrived.release()
        await asyncio.to_thread(self.released.wait, 10)
        return right_answer(request)


def test_files_of_different_sizes_are_read_once_when_they_are_sent(write: Any, digested: list[str]) -> None:
    service = Service()
    items = [write(f"{i}.png", RED + bytes(i)) for i in range(5)]
    service.client().embed_many([*items, "a text", Image("https://a.example/b.png")])
    assert len(service.requests) == 7
    assert digested == []


def test_files_of_one_size_are_compared(write: Any, digested: list[str]) -> None:
    service = Service()
    client = service.client()
    client.embed_many([write("a.png", RED), write("b.png", BLUE), write("c.png", RED), write("d.png", RED + b"0")])
    assert len(service.requests) == 3
    assert client.last_run.deduplicated == 1
    assert sorted(digested) == ["a.png", "b.png", "c.png"]


def test_bytes_and_files_are_compared_too(write: Any) -> None:
    service = Service()
    service.client().embed_many([Image(RED), write("c.png", RED), Image(BLUE), Image(media.image("red", (128, 128)))])
    assert len(service.requests) == 3


@pytest.mark.parametrize("with_cache", [False, True])
def test_a_copy_of_a_file_under_way_in_another_call_waits_for_it(
    write: Any, digested: list[str], tmp_path: Path, with_cache: bool
) -> None:
    held = Held()
    service = Service(held)
    first, copy, other = write("a.png", RED), write("b.png", RED), write("c.png", BLUE)
    client = service.client()
    second: EmbeddingClient = service.client(cache=tmp_path / "c.sqlite") if with_cache else client
    with ThreadPoolExecutor() as threads:
        calls = [threads.submit(client.embed, first)]
        assert held.arrived.acquire(timeout=10)
        assert digested == []  # no other has its size
        calls.append(threads.submit(second.embed, other))
        assert held.arrived.acquire(timeout=10)
        calls.append(threads.submit(second.embed, copy))
        calls.append(threads.submit(second.embed, other))
        assert not held.arrived.acquire(timeout=0.2)
        held.released.set()
        found = [call.result(10).vector for call in calls]
    assert len(service.requests) == 2
    assert found[0] == found[2] and found[1] == found[3]
    assert not any(flights.names for flights in _flights.get().values())


def test_a_file_under_way_that_is_gone_equals_no_other(write: Any, tmp_path: Path) -> None:
    held = Held()
    service = Service(held)
    client = service.client()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(client.embed, write("a.png", RED))
        assert held.arrived.acquire(timeout=10)
        (tmp_path / "a.png").unlink()
        second = threads.submit(client.embed, write("b.png", RED))
        assert held.arrived.acquire(timeout=10)
        held.released.set()
        assert first.result(10).vector == second.result(10).vector
    assert len(service.requests) == 2


def test_a_file_that_cannot_be_compared_is_an_error_of_its_own(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    items = [write("a.png", RED), write("b.png", RED)]
    real = opened._update_from

    def update(digest: Any, file: Any) -> None:
        if file.name.endswith("b.png"):
            raise OSError("broken disk")
        real(digest, file)

    monkeypatch.setattr(opened, "_update_from", update)
    with pytest.raises(Exception, match=r"items\[1\].*broken disk") as caught:
        service.client().embed_many(items)
    assert [found is not None for found in caught.value.results] == [True, False]  # type: ignore[attr-defined]


def test_a_row_has_the_digest_of_what_was_sent(write: Any, digested: list[str]) -> None:
    image = write("a.png", RED)
    (row,) = Service().client("marengo3.5").rows(image)
    assert digested == []
    assert row.metadata["content_digest"] == content_digest(image)


def test_a_file_without_a_digest_that_changes_is_refused_by_its_times(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = write("a.png", RED)
    real = StreamedFile.open

    def change_and_open(file: Any) -> Any:
        (tmp_path / "a.png").write_bytes(BLUE)
        os.utime(tmp_path / "a.png", (1, 1))
        return real(file)

    monkeypatch.setattr(StreamedFile, "open", change_and_open)
    service = Service()
    with pytest.raises(InvalidInputError, match=r"a\.png.*has changed"):
        service.client().embed(image)
    assert service.requests == []
