"""Form fields that clients write in other ways than a browser does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support import media
from twelvelabs_emulator import Emulator


def as_files(**fields: str | bytes) -> dict[str, Any]:
    """Every field as a file with a name, as version 0.4 of the official SDK sends them."""
    return {name: (f"{name}.txt", value, "application/octet-stream") for name, value in fields.items()}


def test_texts_sent_as_files(http: httpx.Client, emulator: Emulator) -> None:
    fields = as_files(model_name="marengo3.0", text="a réd bike", image_file=media.png())
    answer = http.post("embed", files=fields)
    assert answer.status_code == 200, answer.text
    plain = http.post("embed", files={"model_name": (None, "marengo3.0"), "text": (None, "a réd bike")})
    assert answer.json()["text_embedding"] == plain.json()["text_embedding"]
    body = emulator.requests[0].body
    assert (body["model_name"], body["text"], body["image_file"]["filename"]) == (
        "marengo3.0",
        "a réd bike",
        "image_file.txt",
    )


def test_texts_sent_as_files_to_tasks_and_assets(http: httpx.Client) -> None:
    video = media.mp4([("red", 6, 220)])
    fields: list[Any] = [
        *as_files(model_name="marengo3.0", video_file=video, video_clip_length="6").items(),
        ("video_embedding_scope", ("scope.txt", "clip")),
        ("video_embedding_scope", ("scope.txt", "video")),
    ]
    made = http.post("embed/tasks", files=fields)
    assert made.status_code == 200, made.text
    (task,) = http.get("embed/tasks").json()["data"]
    assert task["video_embedding"]["metadata"]["video_embedding_scope"] == ["clip", "video"]
    asset = http.post("assets", files=as_files(method="direct", file=media.png(), filename="red.png"))
    assert (asset.status_code, asset.json()["filename"]) == (201, "red.png")


def test_a_file_that_is_no_text_is_refused(http: httpx.Client) -> None:
    for content in (b"\xff\xfe\x00", b"a" * 2_000_000):
        answer = http.post("embed", files=as_files(model_name="marengo3.0", text=content))
        assert answer.status_code == 400 and "not a file" in answer.json()["message"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"text": "", "image_file": media.png()}, 200),
        ({"text": "a bike", "audio_start_offset_sec": ""}, 200),
        ({"text": ""}, 400),
        ({"text": "a bike", "model_name": ""}, 400),
    ],
)
def test_an_empty_field_is_absent_or_refused(
    emulator: Emulator, http: httpx.Client, fields: dict[str, Any], status: int
) -> None:
    given = {"model_name": "marengo3.0", **fields}
    files: dict[str, Any] = {
        name: (None if isinstance(value, str) else "a.png", value) for name, value in given.items()
    }
    answer = http.post("embed", files=files)
    assert answer.status_code == status, answer.text
    assert "text_embedding" not in answer.json() or fields["text"]
    emulator.configure(empty_fields="refuse")
    assert http.post("embed", files=files).status_code == 400


def test_an_empty_text_counts_as_none(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(limits={"text": (1, 60), "image": (9, 60)}, text_image_share=False)
    files: dict[str, Any] = {
        "model_name": (None, "marengo3.0"),
        "text": (None, ""),
        "image_file": ("a.png", media.png()),
    }
    assert [http.post("embed", files=files).status_code for _ in range(2)] == [200, 200]
