"""Odd texts and sources through the adapter's methods: vectors, or this package's errors.

Texts are strings: LlamaIndex itself validates them before the adapter sees them.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support.fuzz import ours_alone
from tests.support.odd_items import SOURCES, TEXTS
from tests.support.service import Service

strings = st.sampled_from([text for text in TEXTS if isinstance(text, str)]) | st.text(max_size=20)


def model() -> TwelveLabsEmbedding:
    service = Service()
    return TwelveLabsEmbedding(api_key=service.key, transport=service.transport, max_retries=0)


@given(st.lists(strings, max_size=4))
def test_texts(texts: list[str]) -> None:
    embedding = model()
    with ours_alone():
        embedding.get_text_embedding_batch(texts)
    for text in texts:
        with ours_alone():
            embedding.get_query_embedding(text)
        with ours_alone():
            embedding.get_text_embedding(text)


@given(
    st.lists(st.sampled_from(SOURCES), min_size=1, max_size=3),
    st.sampled_from(["get_audio_embedding_batch", "get_video_embedding_batch"]),
)
def test_media(given_sources: list[Any], method: str) -> None:
    with ours_alone():
        getattr(model(), method)([make() for make in given_sources])


@given(st.sampled_from(SOURCES))
def test_segments(make: Any) -> None:
    with ours_alone():
        model().get_segments(make())
