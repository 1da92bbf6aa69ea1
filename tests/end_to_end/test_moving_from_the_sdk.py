"""The examples for those who come from the official SDK: they give the vectors that it gives."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from twelvelabs import TwelveLabs

from tests.support import media
from twelvelabs_core import EmbeddingClient, Image, Segment, no_waiting
from twelvelabs_emulator import Emulator

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from moving_from_the_sdk import embed, embed_legacy, multipart_uploads


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with no_waiting():
        yield


@pytest.fixture
def sdk(emulator: Emulator) -> Iterator[Any]:
    """The official SDK, unchanged, and untyped: each of its fields is optional."""
    emulator.configure(api_keys=(f"tlk_{uuid.uuid4().hex}",))
    with httpx.Client(timeout=30, verify=False) as transport:
        yield TwelveLabs(api_key=emulator.api_key, base_url=emulator.base_url, httpx_client=transport)


@pytest.fixture
def client(sdk: Any, emulator: Emulator) -> Callable[..., EmbeddingClient]:
    def make(**settings: Any) -> EmbeddingClient:
        return EmbeddingClient("marengo3.0", base_url=emulator.base_url, api_key=emulator.api_key, **settings)

    return make


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """An image, audio and a video."""
    files = {
        "image.png": media.png("blue"),
        "audio.mp3": media.mp3(440, 8),
        "video.mp4": media.mp4([("red", 6, 220), ("blue", 6, 880)]),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in files]


def source(path: str) -> dict[str, Any]:
    return {"media_source": {"base_64_string": media.b64(Path(path).read_bytes())}}


Vectors = list[tuple[Any, Any, Any, list[float]]]


def of_sdk(data: Sequence[Any]) -> Vectors:
    found = [(d.embedding_option, d.embedding_scope, d.start_sec, list(d.embedding)) for d in data]
    return sorted(found, key=lambda entry: (str(entry[0]), str(entry[1]), entry[2] or 0))


def of_ours(segments: Sequence[Segment]) -> Vectors:
    found = [(s.option, s.scope, s.start_sec, s.vector) for s in segments]
    return sorted(found, key=lambda entry: (str(entry[0]), str(entry[1]), entry[2] or 0))


def test_embed(sdk: Any, client: Callable[..., EmbeddingClient], paths: list[str]) -> None:
    image, audio, video = paths
    v2 = sdk.embed.v_2
    task = v2.tasks.create(input_type="video", model_name="marengo3.0", video=source(video))
    own = client()
    of_audio, of_video = embed.main(own, *paths)
    text = v2.create(input_type="text", model_name="marengo3.0", text={"input_text": embed.WALK})
    assert text.data[0].embedding == own.embed(embed.WALK).vector
    shown = v2.create(input_type="image", model_name="marengo3.0", image=source(image))
    assert shown.data[0].embedding == own.embed(Image(image)).vector
    heard = v2.create(input_type="audio", model_name="marengo3.0", audio=source(audio))
    assert of_sdk(heard.data) == of_ours(of_audio)
    seen = v2.create(input_type="video", model_name="marengo3.0", video=source(video))
    assert of_sdk(seen.data) == of_ours(of_video)
    assert of_ours(own.task(task.id).segments) == of_sdk(v2.tasks.retrieve(task.id).data) == of_ours(of_video)


def test_embed_legacy(sdk: Any, client: Callable[..., EmbeddingClient], paths: list[str]) -> None:
    image, audio, video = (Path(path).read_bytes() for path in paths)
    parts, segments = embed_legacy.main(client(api_version="v1"), *paths)
    text = sdk.embed.create(model_name="marengo3.0", text=embed_legacy.WALK).text_embedding.segments
    assert parts.text is not None and parts.image is not None
    assert text[0].float_ == parts.text.vector
    shown = sdk.embed.create(model_name="marengo3.0", image_file=("image.png", image)).image_embedding.segments
    assert shown[0].float_ == parts.image.vector
    heard = sdk.embed.create(model_name="marengo3.0", audio_file=("audio.mp3", audio)).audio_embedding.segments
    assert [s.float_ for s in heard] == [s.vector for s in parts.audio]
    begun = sdk.embed.tasks.create(model_name="marengo3.0", video_file=("video.mp4", video))
    sdk.embed.tasks.wait_for_done(begun.id, sleep_interval=0.05)
    seen = sdk.embed.tasks.retrieve(begun.id, embedding_option=["visual"]).video_embedding.segments
    assert [(s.start_offset_sec, s.float_) for s in seen] == [(s.start_sec, s.vector) for s in segments]


def test_multipart_uploads(
    sdk: Any, client: Callable[..., EmbeddingClient], paths: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    video = paths[2]
    other = Path(video).with_name("other.mp4")
    other.write_bytes(media.mp4([("green", 6, 440)]))
    vectors = multipart_uploads.main(client(), video, str(other))
    expected = []
    for path in (video, str(other)):
        asset = sdk.multipart_upload.upload_file(path)
        while sdk.assets.retrieve(asset.asset_id).status != "ready":
            pass
        whole = {"embedding_option": ["visual"], "embedding_scope": ["asset"]}
        found = sdk.embed.v_2.create(
            input_type="video",
            model_name="marengo3.0",
            video={"media_source": {"asset_id": asset.asset_id}, **whole},
        )
        expected.append(list(found.data[0].embedding))
    assert vectors == expected
    assert "100 % (1 of 1 parts), ready" in capsys.readouterr().out
    assert len(list(client().assets())) == 2  # ours are deleted
