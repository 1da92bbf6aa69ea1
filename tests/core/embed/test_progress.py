"""Progress bars: what is shown, and through which adapter."""

from __future__ import annotations

import pytest

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support.service import Service


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
