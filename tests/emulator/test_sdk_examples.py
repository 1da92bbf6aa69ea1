"""The calls of the official SDK's examples in their order: ``embed.py``, ``embed_legacy.py``, ``multipart_uploads.py``.

They are twelvelabs-io/twelvelabs-python's, whose files are fetched from GitHub; here they are made on the spot. Waiting
is as in the examples, but the clock of the SDK's pauses stands still.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from twelvelabs import AsyncTwelveLabs, TwelveLabs
from twelvelabs.types import (
    AudioInputRequest,
    ImageInputRequest,
    MediaSource,
    TextInputRequest,
    VideoInputRequest,
)

from tests.support import media, not_none
from twelvelabs_emulator import Emulator

MODEL = "marengo3.0"
IMAGE_URL = "https://www.gstatic.com/webp/gallery/1.jpg"
VIDEO_URL = "https://github.com/twelvelabs-io/twelvelabs-python/raw/refs/heads/main/examples/assets/example.mp4"
AUDIO_URL = "https://github.com/twelvelabs-io/twelvelabs-python/raw/refs/heads/main/examples/assets/audio_sample.mp3"


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    (tmp_path / "search_sample.png").write_bytes(media.png("blue"))
    (tmp_path / "audio_sample.mp3").write_bytes(media.mp3(440, 8))
    (tmp_path / "example.mp4").write_bytes(media.mp4([("red", 6, 220), ("blue", 4, 880)]))
    return tmp_path


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK and its examples pause by ``time.sleep``; the emulator's thread does not."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


def lengths(data: Any) -> set[int]:
    return {len(item.embedding) for item in not_none(data)}


def test_embed(sdk: TwelveLabs, emulator: Emulator, assets: Path) -> None:
    emulator.configure(
        url_files={
            IMAGE_URL: media.jpeg(),
            VIDEO_URL: assets / "example.mp4",
            AUDIO_URL: assets / "audio_sample.mp3",
        }
    )

    def given(name: str) -> MediaSource:
        return MediaSource(base_64_string=media.b64((assets / name).read_bytes()))

    create = sdk.embed.v_2.create
    tasks: Any = sdk.embed.v_2.tasks  # The examples give it what they give to `create`, which it is not typed for.
    assert list(tasks.list()) == []
    answers = [
        create(input_type="text", model_name=MODEL, text=TextInputRequest(input_text="man walking across the street")),
        create(input_type="image", model_name=MODEL, image=ImageInputRequest(media_source=MediaSource(url=IMAGE_URL))),
        create(
            input_type="image",
            model_name=MODEL,
            image=ImageInputRequest(media_source=given("search_sample.png")),
        ),
        create(input_type="audio", model_name=MODEL, audio=AudioInputRequest(media_source=given("audio_sample.mp3"))),
        create(input_type="video", model_name=MODEL, video=VideoInputRequest(media_source=given("example.mp4"))),
    ]
    assert [lengths(answer.data) for answer in answers] == [{512}] * 5
    video = VideoInputRequest(media_source=MediaSource(url=VIDEO_URL))
    audio = AudioInputRequest(media_source=MediaSource(url=AUDIO_URL))
    for made in (
        tasks.create(input_type="video", model_name=MODEL, video=video),
        tasks.create(input_type="audio", model_name=MODEL, audio=audio),
    ):
        task = tasks.retrieve(not_none(made.id))
        while task.status not in ("ready", "failed"):
            time.sleep(5)
            task = tasks.retrieve(not_none(made.id))
        assert task.status == "ready" and lengths(task.data) == {512}
    assert {task.status for task in tasks.list()} == {"ready"}


def test_embed_legacy(sdk: TwelveLabs, assets: Path) -> None:
    assert list(sdk.embed.tasks.list()) == []
    text = sdk.embed.create(model_name=MODEL, text="man walking across the street")
    with (assets / "search_sample.png").open("rb") as file:
        image = sdk.embed.create(model_name=MODEL, image_file=file)
    with (assets / "audio_sample.mp3").open("rb") as file:
        audio = sdk.embed.create(model_name=MODEL, audio_file=file)
    parts: list[Any] = [text.text_embedding, image.image_embedding, audio.audio_embedding]
    assert [{len(segment.float_) for segment in part.segments} for part in parts] == [{512}] * 3
    with (assets / "example.mp4").open("rb") as file:
        task = sdk.embed.tasks.create(model_name=MODEL, video_file=file)
    seen: list[Any] = []
    tasks: Any = sdk.embed.tasks  # Its helpers are in a class that the SDK puts in place when it runs.
    status = tasks.wait_for_done(not_none(task.id), callback=lambda update: seen.append(update.status))
    assert status.status == "ready" and seen[0] == "processing"
    found = sdk.embed.tasks.retrieve(task_id=not_none(task.id), embedding_option=["visual"])
    segments = not_none(not_none(found.video_embedding).segments)
    assert {segment.embedding_option for segment in segments} == {"visual"}


def test_multipart_uploads(sdk: TwelveLabs, emulator: Emulator, assets: Path) -> None:
    emulator.configure(chunk_bytes=1_000)
    path = assets / "example_video.mp4"
    path.write_bytes((assets / "example.mp4").read_bytes())
    told: list[float] = []
    uploads: Any = sdk.multipart_upload
    result = uploads.upload_file(
        file_path=str(path),
        filename="my-uploaded-video.mp4",
        file_type="video",
        batch_size=5,
        max_workers=3,
        max_retries=3,
        retry_delay=1.0,
        progress_callback=lambda progress: told.append(progress.percentage),
    )
    assert told[-1] == 100 and result.asset_url == f"{emulator.base_url}/assets/{result.asset_id}"

    async def upload() -> Any:
        async with httpx.AsyncClient(timeout=30, verify=False) as transport:
            client: Any = AsyncTwelveLabs(api_key=emulator.api_key, base_url=emulator.base_url, httpx_client=transport)
            return await client.multipart_upload.upload_file(
                file_path=str(path), filename="my-async-video.mp4", file_type="video", batch_size=8, max_workers=4
            )

    other = asyncio.run(upload())
    simple = uploads.upload_file(str(path))
    names = {asset.id: asset.filename for asset in sdk.assets.list()}
    assert names[result.asset_id] == "my-uploaded-video.mp4" and names[other.asset_id] == "my-async-video.mp4"
    assert sdk.assets.retrieve(simple.asset_id).status == "ready"
