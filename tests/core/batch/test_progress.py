"""Progress bars: what is shown, and through which adapter."""

from __future__ import annotations

import sys
import time

import pytest

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support.service import Service
from twelvelabs_core import InvalidInputError, Stats
from twelvelabs_core._batch.progress import Bar


@pytest.mark.parametrize("framework", ["langchain", "llama-index"])
def test_a_progress_bar_counts_finished_items(framework: str, capsys: pytest.CaptureFixture[str]) -> None:
    service = Service()
    texts = ["a", "b", "c", "a"]
    if framework == "langchain":
        TwelveLabsEmbeddings(api_key="k", transport=service.transport, show_progress_bar=True).embed_documents(texts)
    else:
        model = TwelveLabsEmbedding(api_key="k", transport=service.transport)
        model.get_text_embedding_batch(texts)
        assert capsys.readouterr().err == ""
        model.get_text_embedding_batch(texts, show_progress=True)
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "100%" in shown


async def test_a_stream_shows_a_bar_only_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    client = Service().client()
    assert len(list(client.stream(["a", "b"]))) == 2
    assert len([found async for found in client.astream(["a", "b"])]) == 2
    assert capsys.readouterr().err == ""
    list(client.stream(["c"], progress=True))
    assert "1/1" in capsys.readouterr().err
    assert [found async for found in client.astream(["d"], progress=True)]
    assert "1/1" in capsys.readouterr().err


async def shown_by_a_bar(stats: Stats, capsys: pytest.CaptureFixture[str], opens_at: float | None = None) -> str:
    bar = Bar(3, lambda: opens_at)
    bar.update(stats)
    bar.close(stats)
    return str(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("stats", "note"),
    [
        (Stats(done=1, cached=2), "2 cached"),
        (Stats(done=1, uploaded_bytes=3_400_000), "3 MB uploaded"),
        (Stats(done=1, tasks_waiting=4), "4 tasks waiting"),
        (Stats(done=1, segments=5), "5 segments"),
        (Stats(done=1, retries=6), "6 sent again"),
        (Stats(done=1, cached=1, segments=2), "1 cached, 2 segments"),
    ],
)
async def test_notes_of_a_progress_bar(stats: Stats, note: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = await shown_by_a_bar(stats, capsys)
    assert "1/3" in shown
    assert note in shown


async def test_a_closed_limit_is_shown_with_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    at = time.time() + 3600
    expected = f"waiting for the limit until {time.strftime('%H:%M:%S', time.localtime(at))}"
    assert expected in await shown_by_a_bar(Stats(), capsys, at)
    assert "waiting" not in await shown_by_a_bar(Stats(), capsys, time.time() - 1)
    assert "waiting" not in await shown_by_a_bar(Stats(), capsys)


async def test_a_progress_bar_needs_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(InvalidInputError, match="pip install tqdm"):
        Bar(3, lambda: None)


def test_a_progress_bar_is_closed_when_an_item_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    client = Service().client()
    with pytest.raises(InvalidInputError):
        client.embed_many(["a", ""], progress=True)
    shown = capsys.readouterr().err
    assert "0/2" in shown
    assert shown.endswith("\n")  # the line is left
    assert client.last_run.items == 2
