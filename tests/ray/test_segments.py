"""``EmbedSegments`` as Ray calls it, inside this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from ray_twelvelabs import EmbedSegments
from ray_twelvelabs.segments import NO_SEGMENTS
from tests.support import media
from tests.support.service import Service, refusal, right_answer, vector
from twelvelabs_core import Fixed, InvalidInputError, Outcome, Row, SegmentOptions, Video

VIDEO = media.mp4((("red", 6, 440),), size=(360, 360), fps=4)


def entry(start: float, end: float, option: str, name: str) -> dict[str, Any]:
    times = {"start_sec": start, "end_sec": end}
    return {"embedding": vector(name), "embedding_option": option, "embedding_scope": "clip", **times}


def two_segments(_: httpx.Request) -> dict[str, Any]:
    return {"data": [entry(0, 3, "visual", "a"), entry(3, 6, "visual", "b"), entry(0, 3, "audio", "c")]}


def embed(service: Service, **settings: Any) -> EmbedSegments:
    return EmbedSegments(**{"api_key": service.key, "transport": service.transport, **settings})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "beach.mp4").write_bytes(VIDEO)
    return tmp_path


def test_a_row_for_each_segment(folder: Path) -> None:
    path = str(folder / "beach.mp4")
    service = Service(two_segments)
    given = pa.table({"number": [7, 8], "path": [path, str(folder / "missing.mp4")]})
    found = embed(service, video="path")(given)
    assert found["number"].to_pylist() == [7, 7, 7, 8]
    assert found["path"].to_pylist() == [path] * 3 + [str(folder / "missing.mp4")]
    assert found["start_sec"].to_pylist() == [0, 0, 3, None]
    assert found["end_sec"].to_pylist() == [3, 3, 6, None]
    assert found["embedding_option"].to_pylist() == ["visual", "audio", "visual", None]
    assert found["embedding_scope"].to_pylist() == ["clip"] * 3 + [None]
    assert found["space"].to_pylist() == ["marengo3.0/512"] * 3 + [None]
    assert found.schema.field("embedding").type == pa.list_(pa.float32(), 512)
    errors = found["error"].to_pylist()
    assert errors[:3] == [None] * 3
    assert errors[3].startswith("InvalidInputError: ")
    rows = service.client(cache=None).rows(Video(path))
    assert found["id"].to_pylist() == [row.id for row in rows] + [None]
    assert found["text"].to_pylist() == [row.text for row in rows] + [None]
    assert found["content_digest"].to_pylist()[0] == rows[0].metadata["content_digest"]


def test_the_names_are_those_of_a_row(folder: Path) -> None:
    (row, *_) = Service(two_segments).client().rows(Video(str(folder / "beach.mp4")))
    found = embed(Service(two_segments), video="path")(pa.table({"path": [str(folder / "beach.mp4")]}))
    assert set(row.metadata) <= set(found.column_names)
    assert {name: found[name].to_pylist()[0] for name in row.metadata} == row.metadata


def test_content_is_not_copied_to_each_segment() -> None:
    given = pa.table({"bytes": [VIDEO, None], "path": ["s3/beach.mp4", "s3/none.mp4"], "number": [1, 2]})
    found = embed(Service(two_segments), video="bytes", source="path")(given)
    assert "bytes" not in found.column_names
    assert found["source"].to_pylist() == ["s3/beach.mp4"] * 3 + [None]
    assert found["file_name"].to_pylist() == ["beach.mp4"] * 3 + [None]
    assert found["error"].to_pylist() == [None] * 3 + ["InvalidInputError: is null."]


def test_options_reach_the_request(folder: Path) -> None:
    service = Service(two_segments)
    options = SegmentOptions(segmentation=Fixed(3), embedding_option="visual")
    embed(service, video="path", options=options)(pa.table({"path": [str(folder / "beach.mp4")]}))
    (request,) = service.requests
    assert b'"fixed"' in request.content
    assert b'"transcription"' not in request.content


def test_options_that_the_model_has_not_are_the_error_of_each_row(folder: Path) -> None:
    options = SegmentOptions(embedding_option="smell")
    found = embed(Service(), video="path", options=options)(pa.table({"path": [str(folder / "beach.mp4")]}))
    assert "no option 'smell'" in found["error"].to_pylist()[0]


def test_a_file_without_segments_keeps_its_row(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = embed(Service(), video="path")
    nothing: Outcome[list[Row]] = Outcome([[]])
    monkeypatch.setattr(step.client, "rows_each", lambda *_, **__: nothing)
    found = step(pa.table({"path": ["beach.mp4"]}))
    assert found["error"].to_pylist() == [NO_SEGMENTS]
    assert found["embedding"].to_pylist() == [None]


def test_an_error_about_the_account(folder: Path, tmp_path: Path) -> None:
    given = pa.table({"path": [str(folder / "beach.mp4")] * 2})
    found = embed(Service(lambda _: refusal(401)), video="path")(given)
    assert all(error.startswith("AuthenticationError: ") for error in found["error"].to_pylist())
    assert found.num_rows == 2


def test_images_are_one_segment() -> None:
    found = embed(Service(right_answer), image="bytes")(pa.table({"bytes": [media.png("red")]}))
    assert found["error"].to_pylist() == [None]
    assert found["media_type"].to_pylist() == ["image"]


def test_a_column_of_that_name_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="EmbedSegments adds the column 'text'"):
        embed(Service(), video="path")(pa.table({"path": ["a.mp4"], "text": ["a"]}))
    with pytest.raises(
        InvalidInputError, match=r"EmbedSegments has no setting 'text'; it has video, .*options, id_from"
    ):
        embed(Service(), text="caption")
    with pytest.raises(InvalidInputError, match="id_from="):
        embed(Service(), video="path", id_from="nothing")
