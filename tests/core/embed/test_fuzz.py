"""Odd items of every kind, and odd answers on the way of uploads and tasks: only this package's errors, and an end."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzz import Mutator, OddService, ours_alone
from tests.support.odd_items import MP4, NAMES, PDF, PNG, SOURCES, TEXTS, TIMES, WAV
from tests.support.service import Service
from twelvelabs_core import (
    Audio,
    Composed,
    Document,
    EmbeddingClient,
    Fixed,
    Image,
    SegmentOptions,
    Video,
)
from twelvelabs_core._embed import route
from twelvelabs_core._models import MODELS

sources = st.sampled_from(SOURCES)
media_items = st.tuples(
    st.sampled_from([Image, Audio, Video, Document]),
    sources,
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(TIMES),
    st.sampled_from(TIMES),
)
texts = st.sampled_from(TEXTS) | st.text(max_size=20)
MODEL_NAMES = st.sampled_from([("marengo3.0", "v2"), ("marengo3.0", "v1"), ("marengo3.5", "v2")])


def made(described: tuple[Any, ...]) -> Any:
    kind, source, name, filename, start, end = described
    timed = {} if kind in (Image, Document) else {"start_sec": start, "end_sec": end}
    return kind(source(), name=name, filename=filename, **timed)


@given(MODEL_NAMES, st.lists(media_items, min_size=1, max_size=3), st.integers(0, 3))
def test_odd_media(model: tuple[str, str], described: list[tuple[Any, ...]], how: int) -> None:
    client = Service().client(model[0], api_version=model[1], max_retries=0)
    with ours_alone():
        items = [made(one) for one in described]
        if how == 0:
            client.embed(items[0])
        elif how == 1:
            client.embed_many([*items, "a text"])
        elif how == 2:
            client.embed_segments(items[0])
        else:
            list(client.stream([*items, "a text"], errors="yield"))


@given(MODEL_NAMES, texts, st.lists(media_items, max_size=2))
def test_odd_composed(model: tuple[str, str], text: Any, described: list[tuple[Any, ...]]) -> None:
    client = Service().client(model[0], api_version=model[1], max_retries=0)
    with ours_alone():
        client.embed(Composed(text, [made(one) for one in described]))


@given(
    MODEL_NAMES, st.lists(texts, max_size=4), st.sampled_from(["end", "start", "none", "average"]), st.integers(0, 3)
)
def test_odd_texts(model: tuple[str, str], items: list[Any], truncate: Any, how: int) -> None:
    client = Service().client(model[0], api_version=model[1], max_retries=0, truncate=truncate)
    with ours_alone():
        if how == 0:
            client.embed_many(items)
        elif how == 1:
            for item in items:
                client.embed(item)
        elif how == 2:
            list(client.stream(items, errors="yield"))
        else:
            list(client.stream(items))


@given(st.sampled_from([None, 5, "a text", b"bytes", Image(PNG), object(), iter([]), {}, {"a": 1}, iter(())]))
def test_odd_lists(items: Any) -> None:
    client = Service().client()
    for do in (client.embed_many, lambda given: list(client.stream(given)), client.embed_segments_many):
        with ours_alone():
            do(items)


@given(st.integers(0, 2**32), st.sampled_from(["embed", "segments", "rows", "stream"]), st.booleans(), st.booleans())
def test_uploads_and_tasks_with_odd_answers(seed: int, how: str, in_parts: bool, old: bool) -> None:
    """A video is uploaded (whole or in three parts) and embedded by a task, while answers are changed at random."""
    service = OddService(seed)
    known = MODELS["marengo3.0" if old else "marengo3.5"]
    small = {kind: replace(limit, max_inline_bytes=1000, max_sec=1.0) for kind, limit in known.media.items()}
    model = replace(known, media=small)
    video = Video(MP4[:2500] if in_parts else MP4)
    client = EmbeddingClient(
        model, api_key=f"tlk_{uuid.uuid4().hex}", transport=service.transport, max_retries=2, task_timeout=30
    )
    with mock.patch.object(route, "DIRECT_BYTES", 1000 if in_parts else 10**9), ours_alone():
        if how == "embed":
            client.embed(video)
        elif how == "segments":
            client.embed_segments(video, SegmentOptions(segmentation=Fixed(6)))
        elif how == "rows":
            client.rows_many([video])
        else:
            list(client.stream([video], errors="yield"))


@given(st.integers(0, 2**32), st.sampled_from([PNG, WAV, MP4, PDF]), st.sampled_from([Image, Audio, Video, Document]))
def test_damaged_files(seed: int, content: bytes, kind: Any) -> None:
    damaged = Mutator(seed).damaged(content)
    client = Service().client("marengo3.5", max_retries=0)
    with ours_alone():
        client.embed(kind(damaged))
