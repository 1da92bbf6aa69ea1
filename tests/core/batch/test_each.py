"""``embed_each`` and ``rows_each``: every item's result or error, and none that stops the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import media
from tests.support.service import Service, refusal, right_answer, text_of, vector
from twelvelabs_core import (
    AuthenticationError,
    CacheError,
    Image,
    InvalidInputError,
    SegmentOptions,
    ServerError,
    Stats,
    TwelveLabsError,
    UnexpectedError,
)


def refuse(text: str, status: int = 400) -> Service:
    """A service that refuses one text."""

    def answer(request: httpx.Request) -> Any:
        return refusal(status) if text_of(request) == text else right_answer(request)

    return Service(answer)


def test_each_item_has_its_result_or_its_error() -> None:
    service = refuse("refused")
    client = service.client()
    odd: Any = 7
    outcome = client.embed_each(["one", " ", "refused", "two", odd, "one"], name="texts")
    assert [None if e is None else e.vector for e in outcome.results] == [
        *(vector("one"), None, None, vector("two"), None, vector("one"))
    ]
    assert list(outcome.errors) == [1, 2, 4]
    assert {index: error.item for index, error in outcome.errors.items()} == {
        1: "texts[1]",
        2: "texts[2]",
        4: "texts[4]",
    }
    assert outcome.errors[2].status == 400
    assert outcome.fatal is None
    assert sorted(service.texts) == ["one", "refused", "two"]
    stats = client.last_run
    assert (stats.items, stats.done, stats.failed, stats.deduplicated) == (6, 3, 3, 1)


async def test_async() -> None:
    outcome = await Service().client().aembed_each(["one", ""])
    assert outcome.results[0] is not None
    assert list(outcome.errors) == [1]


def test_nothing_gives_nothing() -> None:
    outcome = Service().client().embed_each([])
    assert (outcome.results, outcome.errors, outcome.fatal) == ([], {}, None)


def test_one_item_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="Expected a list of items"):
        Service().client().embed_each("one")


def test_an_error_about_the_account_leaves_the_rest_unreached() -> None:
    texts = [f"text {number}" for number in range(10)]
    service = refuse("text 4", 401)
    outcome = service.client(max_concurrency=1).embed_each(texts)
    assert isinstance(outcome.fatal, AuthenticationError)
    assert [e is not None for e in outcome.results] == [True] * 4 + [False] * 6
    assert outcome.errors == {}
    assert len(service.requests) == 5


def test_a_cache_that_fails_is_fatal_too() -> None:
    class Broken:
        def mget(self, keys: Any) -> Any:
            raise OSError("gone")

        def mset(self, pairs: Any) -> None:
            raise OSError("gone")

    outcome = Service().client(cache=Broken()).embed_each(["one"])
    assert isinstance(outcome.fatal, CacheError)


def test_progress_is_told_and_closed() -> None:
    seen: list[int] = []
    closed: list[Stats] = []

    class Watch:
        def update(self, stats: Stats) -> None:
            seen.append(stats.done)

        def close(self, stats: Stats) -> None:
            closed.append(stats)

    Service().client(max_concurrency=1).embed_each(["a", "b", "c"], progress=Watch())
    assert seen[-1] == 3
    assert [stats.done for stats in closed] == [3]


def test_a_warning_names_the_texts_that_were_cut(caplog: pytest.LogCaptureFixture) -> None:
    Service().client().embed_each(["short", "long " * 700], name="texts")
    assert "1 of 2 texts (texts[1]) are over the model's limit" in caplog.text


# -- rows ----------------------------------------------------------------------------------------------------------


def images(tmp_path: Path) -> list[Image]:
    found = []
    for color in ("red", "blue"):
        path = tmp_path / f"{color}.png"
        path.write_bytes(media.png(color))
        found.append(Image(str(path)))
    return [found[0], Image(str(tmp_path / "missing.png")), found[1]]


def test_each_file_has_its_rows_or_its_error(tmp_path: Path) -> None:
    service = Service()
    client = service.client()
    given = images(tmp_path)
    outcome = client.rows_each(given, name="files")
    assert [None if rows is None else len(rows) for rows in outcome.results] == [1, None, 1]
    assert outcome.results[2] == client.rows(given[2])
    assert list(outcome.errors) == [1]
    assert "files[1]" in str(outcome.errors[1])
    assert outcome.fatal is None


async def test_rows_async(tmp_path: Path) -> None:
    outcome = await Service().client().arows_each(images(tmp_path), SegmentOptions())
    assert [rows is None for rows in outcome.results] == [False, True, False]


def test_a_file_without_a_name_is_not_paid_for(tmp_path: Path) -> None:
    def name(metadata: Mapping[str, Any]) -> str:
        if metadata["file_name"] == "red.png":
            raise KeyError("no name")
        return str(metadata["number"])

    service = Service()
    client = service.client()
    numbers = [{"number": 0}, {"number": 1}, {"number": 2}]
    outcome = client.rows_each(images(tmp_path), metadata=numbers, id_from=name)
    assert [rows is None for rows in outcome.results] == [True, True, False]
    assert isinstance(outcome.errors[0], UnexpectedError)
    assert outcome.results[2] is not None
    assert outcome.results[2][0].metadata["number"] == 2
    assert len(service.requests) == 1
    assert (client.last_run.items, client.last_run.failed, client.last_run.done) == (3, 2, 1)


def test_metadata_needs_one_for_each(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="1 entries for 3 files"):
        Service().client().rows_each(images(tmp_path), metadata=[{}])


def test_a_file_that_is_gone_afterwards_loses_its_rows_alone(tmp_path: Path) -> None:
    given = images(tmp_path)[::2]

    def answer(request: httpx.Request) -> Any:
        Path(str(given[0].source)).unlink(missing_ok=True)
        return right_answer(request)

    outcome = Service(answer).client(max_concurrency=1).rows_each(given)
    assert outcome.results[1] is not None or 1 in outcome.errors
    assert all((rows is None) == (index in outcome.errors) for index, rows in enumerate(outcome.results))
    assert all(isinstance(error, TwelveLabsError) for error in outcome.errors.values())


def test_a_server_that_fails_one_file(tmp_path: Path) -> None:
    count = 0

    def answer(request: httpx.Request) -> Any:
        nonlocal count
        count += 1
        return refusal(500) if count == 1 else right_answer(request)

    outcome = Service(answer).client(max_concurrency=1, max_retries=0).rows_each(images(tmp_path))
    assert isinstance(outcome.errors[0], ServerError)
    assert outcome.results[2] is not None
