"""Routes: request or task, inline or uploaded, by kind, size, length and options; and the parts of over-long files."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvelabs_core import (
    MODELS,
    Audio,
    Document,
    Image,
    InvalidInputError,
    Media,
    MediaLimit,
    Model,
    SegmentOptions,
    Video,
)
from twelvelabs_core._embed.route import Part, Route, plan_parts, route
from twelvelabs_core._media.file import MediaFile
from twelvelabs_core._media.probe import Probe
from twelvelabs_core._options import whole_file

M30, M35 = MODELS["marengo3.0"], MODELS["marengo3.5"]
MB = 1_000_000


def file(item: Media, mime: str = "", **fields: Any) -> MediaFile:
    duration = fields.pop("duration", None)
    return MediaFile(item, "x", mime=mime, measured=Probe(duration), **fields)


VIDEO, AUDIO = Video("a.mp4"), Audio("a.mp3")


@pytest.mark.parametrize(
    ("model", "opened", "options", "way"),
    [
        (M30, file(VIDEO, size=MB, duration=600.0), None, Route("inline", task=False)),
        (M30, file(VIDEO, size=MB, duration=600.5), None, Route("inline", task=True)),
        (M30, file(VIDEO, size=37 * MB, duration=60.0), None, Route("direct", task=False)),
        (M30, file(VIDEO, size=201 * MB, duration=601.0), None, Route("multipart", task=True)),
        (M30, file(VIDEO, url="u"), None, Route("inline", task=False, or_task=True)),
        (
            M30,
            file(Video("a.mp4", start_sec=300, end_sec=605), size=MB, duration=605.0),
            None,
            Route("inline", task=True),
        ),
        (M30, file(VIDEO, size=MB, duration=6.0), SegmentOptions(), Route("inline", task=False)),
        (M30, file(Image("a.png"), size=MB), None, Route("inline", task=False)),
        (M35, file(VIDEO, size=MB, duration=6.0), None, Route("inline", task=True)),
        (M35, file(AUDIO, size=MB, duration=30.0), None, Route("inline", task=False)),
        (M35, file(AUDIO, size=MB, duration=31.0), None, Route("inline", task=True)),
        (M35, file(AUDIO, url="u"), None, Route("inline", task=False, or_task=True)),
        (M35, file(Audio("a.mp3", start_sec=2), size=MB, duration=6.0), None, Route("inline", task=True)),
        (M35, file(AUDIO, size=MB, duration=6.0), SegmentOptions(), Route("inline", task=True)),
        (M35, file(Image("a.png"), size=MB), SegmentOptions(embedding_uncertainty=True), Route("inline", task=True)),
        (M35, file(Document("a.pdf"), "application/pdf", size=MB), None, Route("inline", task=False)),
        (M35, file(Document("a.pdf"), "application/pdf", size=MB), SegmentOptions(), Route("inline", task=True)),
        (M35, file(Document("a.txt"), "text/plain", size=MB), None, Route("inline", task=False)),
        (M35, file(Document("a.txt"), "text/plain", size=33 * MB), None, Route("direct", task=True)),
    ],
)
def test_route(model: Any, opened: MediaFile, options: SegmentOptions | None, way: Route) -> None:
    asked = options or whole_file(opened.kind, is_text=opened.is_text)
    assert route(model, "v2", opened, asked) == way


@pytest.mark.parametrize(
    ("size", "upload"),
    [
        (36 * MB, "inline"),
        (36 * MB + 1, "direct"),
        (200 * MB, "direct"),
        (200 * MB + 1, "multipart"),
        (None, "inline"),
    ],
)
def test_upload_depends_on_size(size: int | None, upload: str) -> None:
    way = route(M30, "v2", file(VIDEO, size=size, duration=6.0), SegmentOptions())
    assert way == Route(upload, task=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("opened", "options", "task"),
    [
        (file(AUDIO, size=MB, duration=30.0), None, False),
        (file(AUDIO, size=MB, duration=30.1), None, True),
        (file(AUDIO, size=MB), None, False),
        (file(Document("a.txt"), "text/plain", size=32 * MB), None, False),
        (file(Document("a.txt"), "text/plain", size=32 * MB + 1), None, True),
        (file(Image("a.png"), size=MB), None, False),
        (file(Image("a.png"), size=MB), SegmentOptions(embedding_scope=("asset",)), False),
    ],
)
def test_request_or_task_on_3_5(opened: MediaFile, options: SegmentOptions | None, task: bool) -> None:
    assert route(M35, "v2", opened, options or whole_file(opened.kind, is_text=opened.is_text)).task is task


def test_unknown_duration_is_a_request_that_a_task_may_follow() -> None:
    assert route(M35, "v2", file(AUDIO, size=MB), whole_file("audio")).or_task
    assert not route(M35, "v2", file(AUDIO, size=MB, duration=6.0), whole_file("audio")).or_task
    assert not route(M35, "v2", file(Document("a.pdf"), "application/pdf", size=MB), whole_file("document")).or_task


@pytest.mark.parametrize(("item", "task"), [(VIDEO, True), (AUDIO, False), (Image("a.png"), False)])
def test_v1_is_always_inline_and_only_video_is_a_task(item: Media, task: bool) -> None:
    opened = file(item, size=300 * MB, duration=6.0)
    assert route(M30, "v1", opened, SegmentOptions()) == Route("inline", task=task)


def test_a_model_without_tasks_takes_requests() -> None:
    plain = Model("plain", (2,), 9, media={"video": MediaLimit(frozenset(), MB, max_sec=5)})
    assert route(plain, "v2", file(VIDEO, size=MB, duration=60.0), SegmentOptions()) == Route("inline", task=False)
    assert route(Model("p", (2,), 9), "v2", file(VIDEO, size=999 * MB), SegmentOptions()) == Route("inline", task=False)


@pytest.mark.parametrize(
    ("item", "upload", "by_name", "expected"),
    [
        (VIDEO, "inline", True, "direct"),
        (VIDEO, "inline", False, "inline"),
        (VIDEO, "multipart", True, "multipart"),
        (Video("https://h.example/a.mp4"), "inline", True, "inline"),
    ],
)
def test_a_small_file_is_uploaded_if_its_task_is_to_be_found_by_name(
    item: Media, upload: Any, by_name: bool, expected: Any
) -> None:
    opened = file(item)
    opened.url = item.source if isinstance(item.source, str) and "://" in item.source else None
    assert Route(upload, task=False, or_task=True).as_task(opened, by_name=by_name) == Route(expected, task=True)


# -- parts of over-long files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "parts"),
    [
        (100.0, [(0, 100)]),
        (0.5, [(0, 0.5)]),
        (100.001, [(0, 55.001), (45.001, 100.001)]),
        (190.0, [(0, 100), (90, 190)]),
        (190.2, [(0, 70.067), (60.067, 130.133), (120.133, 190.2)]),
    ],
)
def test_plan_parts(duration: float, parts: list[tuple[float, float]]) -> None:
    found = plan_parts(duration, longest_sec=100, overlap_sec=10)
    assert [(part.start_sec, part.end_sec) for part in found] == parts


def test_plan_parts_by_default_for_tasks() -> None:
    assert plan_parts(14_400) == [Part(0.0, 14_400)]
    assert [(p.start_sec, p.end_sec) for p in plan_parts(20_000)] == [(0.0, 10_005.0), (9_995.0, 20_000)]


@given(st.floats(0.01, 5e3), st.floats(20, 1e3), st.floats(0, 19))
def test_parts_cover_the_file_and_overlap(duration: float, longest: float, overlap: float) -> None:
    parts = plan_parts(duration, longest_sec=longest, overlap_sec=overlap)
    assert parts[0].start_sec == 0
    assert parts[-1].end_sec == pytest.approx(duration, abs=1e-3)
    assert all(0 < part.end_sec - part.start_sec <= longest + 2e-3 for part in parts)
    assert all(a.end_sec - b.start_sec == pytest.approx(overlap, abs=2e-3) for a, b in pairwise(parts))


@pytest.mark.parametrize(
    ("duration", "longest", "overlap"), [(0, 100, 10), (-1, 100, 10), (60, 100, -1), (60, 10, 10), (60, 5, 10)]
)
def test_plan_parts_refuses_impossible_numbers(duration: float, longest: float, overlap: float) -> None:
    with pytest.raises(InvalidInputError, match="longer than their overlap"):
        plan_parts(duration, longest_sec=longest, overlap_sec=overlap)


def test_plan_parts_without_overlap() -> None:
    assert plan_parts(20, longest_sec=10, overlap_sec=0) == [Part(0.0, 10.0), Part(10.0, 20.0)]
