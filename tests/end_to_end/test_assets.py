"""Files that are uploaded to stay, tasks of other clients, and indexed videos: against the emulator."""

from __future__ import annotations

import asyncio
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from twelvelabs import TwelveLabs

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader
from llama_index_twelvelabs import TwelveLabsEmbedding
from tests.support import media
from twelvelabs_core import (
    Asset,
    Composed,
    Document,
    EmbeddingClient,
    Fixed,
    Image,
    InvalidInputError,
    SegmentOptions,
    ServerError,
    UploadProgress,
    Video,
    no_waiting,
)
from twelvelabs_emulator import Emulator

VIDEO = media.mp4([("red", 6, 220), ("blue", 6, 880)])
SIX = SegmentOptions(segmentation=Fixed(6), embedding_option="visual")


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with no_waiting():
        yield


@pytest.fixture
def client(emulator: Emulator) -> Callable[..., EmbeddingClient]:
    emulator.configure(api_keys=(f"tlk_{uuid.uuid4().hex}",))

    def make(model: str = "marengo3.0", **settings: Any) -> EmbeddingClient:
        return EmbeddingClient(model, base_url=emulator.base_url, api_key=emulator.api_key, **settings)

    return make


@pytest.fixture
def beach(tmp_path: Path) -> Path:
    path = tmp_path / "beach.mp4"
    path.write_bytes(VIDEO)
    return path


@pytest.fixture
def long_beach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> Path:
    """A video that goes up in 11 parts of 100 kB."""
    monkeypatch.setattr("twelvelabs_core._embed.route.DIRECT_BYTES", 500_000)
    emulator.configure(chunk_bytes=100_000, first_upload_urls=3)
    path = tmp_path / "long beach.mp4"
    padding = 1_050_000 - len(VIDEO) - 8
    path.write_bytes(VIDEO + struct.pack(">I4s", 8 + padding, b"free") + bytes(padding))
    return path


def count(emulator: Emulator) -> Counter[str]:
    return Counter(f"{r.method} {r.path.removeprefix('/v1.3/').strip('/').split('/')[0]}" for r in emulator.requests)


# -- uploads -----------------------------------------------------------------------------------------------------


def test_an_asset_is_a_source_like_its_file(
    client: Callable[..., EmbeddingClient], emulator: Emulator, beach: Path
) -> None:
    own = client()
    asset = own.upload(beach)
    assert (asset.status, asset.filename, asset.kind, asset.size) == ("ready", "beach.mp4", "video", len(VIDEO))
    assert asset.duration_sec == pytest.approx(12, abs=0.2)
    assert own.last_run.uploaded_bytes == len(VIDEO)
    elsewhere = Asset(asset.id)
    for source in (asset, elsewhere, asset.uri):
        assert own.embed(Video(source)).vector == own.embed(Video(beach)).vector
        assert own.embed_segments(Video(source), SIX) == own.embed_segments(Video(beach), SIX)
    assert [s.start_sec for s in own.embed_segments(Video(elsewhere, start_sec=6), SIX)] == [6]
    assert count(emulator)["POST assets"] == 1
    assert count(emulator)["DELETE assets"] == 0


def test_adapters_take_assets(client: Callable[..., EmbeddingClient], emulator: Emulator, beach: Path) -> None:
    asset = client().upload(beach)
    settings: Any = {"base_url": emulator.base_url, "api_key": emulator.api_key}
    chain, index = TwelveLabsEmbeddings(**settings), TwelveLabsEmbedding(**settings)
    (vector,) = chain.embed_video([asset])
    assert vector == chain.embed_video([beach])[0] == index.get_video_embedding(asset)
    store = InMemoryVectorStore(chain)
    store.add_documents(TwelveLabsMediaLoader(Video(asset), chain, options=SIX).load())
    (hit,) = store.similarity_search("red", k=1)
    assert (hit.metadata["source"], hit.metadata["file_name"]) == (asset.uri, "beach.mp4")


def test_an_image_is_composed_from_its_asset(client: Callable[..., EmbeddingClient], tmp_path: Path) -> None:
    (tmp_path / "red.webp").write_bytes(media.webp())  # converted before it is sent
    asset = client().upload(tmp_path / "red.webp")
    file, uploaded = (Composed("in blue", [Image(source)]) for source in (tmp_path / "red.webp", asset))
    assert client().embed(file).vector == client().embed(uploaded).vector


@pytest.mark.parametrize(("name", "content"), [("notes.md", b"One. Two. Three."), ("plan.pdf", media.pdf(2))])
def test_documents_are_embedded_from_their_assets(
    name: str, content: bytes, client: Callable[..., EmbeddingClient], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    own = client("marengo3.5")
    asset = own.upload(tmp_path / name)
    assert asset.kind == "document"
    assert own.embed_segments(Document(asset)) == own.embed_segments(Document(tmp_path / name))
    assert own.embed(Document(own.asset(asset.id))).vector == own.embed(Document(tmp_path / name)).vector


def test_each_part_is_told(client: Callable[..., EmbeddingClient], long_beach: Path) -> None:
    told: list[UploadProgress] = []
    asset = client().upload(long_beach, progress=told.append)
    assert asset.size == long_beach.stat().st_size
    assert [p.status for p in told] == [*["uploading"] * 12, "processing", "ready"]
    assert [p.parts for p in told] == [*range(12), 11, 11]
    assert {p.total_parts for p in told} == {11}
    assert [p.sent_bytes for p in told] == sorted(p.sent_bytes for p in told)
    assert (told[0].percent, told[-1].percent, told[-1].sent_bytes) == (0.0, 100.0, 1_050_000)
    assert client().embed_segments(Video(asset), SIX) == client().embed_segments(Video(long_beach), SIX)


def test_an_upload_shows_a_bar_if_asked(
    client: Callable[..., EmbeddingClient], long_beach: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client().upload(long_beach, progress=True)
    shown = capsys.readouterr().err
    assert "1.05M/1.05M" in shown and shown.endswith("ready]\n")


def test_a_callback_that_raises_fails_no_upload(
    client: Callable[..., EmbeddingClient], long_beach: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def raise_error(_: UploadProgress) -> None:
        raise ValueError

    assert client().upload(long_beach, progress=raise_error).status == "ready"
    assert caplog.text.count("progress= of an upload raised ValueError") == 1


async def test_equal_uploads_at_a_time_are_one(
    client: Callable[..., EmbeddingClient], emulator: Emulator, long_beach: Path
) -> None:
    own = client()
    found = await asyncio.gather(*(own.aupload(long_beach) for _ in range(4)))
    assert len({asset.id for asset in found}) == 1
    assert count(emulator)["PUT upload-part"] == 11


def test_an_upload_that_broke_off_goes_on_in_another_process(
    client: Callable[..., EmbeddingClient], emulator: Emulator, long_beach: Path, tmp_path: Path
) -> None:
    emulator.configure(faults=({"path": "upload-part", "kind": "status:503", "every": 8},))
    # One after another: of parts under way together, one may arrive after the failure of another.
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ServerError):
        patch.setattr("twelvelabs_core._embed.multipart.PARALLEL_PARTS", 1)
        client(cache=tmp_path / "cache.sqlite", max_retries=0).upload(long_beach)
    before = len([r for r in emulator.requests if r.method == "PUT" and r.status == 200])
    emulator.configure(faults=())
    told: list[UploadProgress] = []
    client(cache=tmp_path / "cache.sqlite").upload(long_beach, progress=told.append)
    sent = [r.path for r in emulator.requests if r.method == "PUT" and r.status == 200]
    assert len(set(sent)) == 11
    assert told[0].parts == 11 - (len(sent) - before) == 7


def test_a_file_that_was_uploaded_is_not_sent_again_unless_it_was_deleted(
    client: Callable[..., EmbeddingClient], emulator: Emulator, beach: Path, tmp_path: Path
) -> None:
    first = client(cache=tmp_path / "cache.sqlite").upload(beach)
    again = client(cache=tmp_path / "cache.sqlite").upload(beach)
    assert first == again
    assert count(emulator)["POST assets"] == 1
    client().delete_asset(first)
    assert client(cache=tmp_path / "cache.sqlite").upload(beach) != first
    with pytest.raises(InvalidInputError):
        client().embed(Video(Asset(first.id)))


def test_what_embedding_deletes_is_never_what_was_uploaded(
    client: Callable[..., EmbeddingClient], emulator: Emulator, beach: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = client("marengo3.5")
    asset = own.upload(beach)
    assert own.embed(Video(asset)).vector  # a task; its journal ends with it
    assert own.embed(Video(beach)).vector
    assert [found.id for found in own.assets()] == [asset.id]


def test_assets_are_listed_and_deleted(client: Callable[..., EmbeddingClient], tmp_path: Path, beach: Path) -> None:
    own = client()
    image = own.upload(Image(media.png(), filename="red.png"))
    video = own.upload(beach)
    assert [(a.id, a.filename, a.status) for a in own.assets()] == [
        (video.id, "beach.mp4", "ready"),
        (image.id, "red.png", "ready"),
    ]
    assert [a.id for a in own.assets(kind="image")] == [a.id for a in own.assets(filename="RED")] == [image.id]
    own.delete_asset(video)
    own.delete_asset(image.id)
    assert list(own.assets()) == []


def test_an_asset_that_is_in_use_is_deleted_by_force(
    client: Callable[..., EmbeddingClient], emulator: Emulator, beach: Path
) -> None:
    asset = client().upload(beach)
    emulator.configure(assets_in_use=True)
    with pytest.raises(InvalidInputError, match="in use"):
        client().delete_asset(asset)
    client().delete_asset(asset, force=True)


# -- tasks of other clients, and indexes ---------------------------------------------------------------------------


def test_a_task_of_the_official_sdk_is_taken_up(
    client: Callable[..., EmbeddingClient], emulator: Emulator, beach: Path
) -> None:
    own = client()
    asset = own.upload(beach)
    video: Any = {
        "media_source": {"asset_id": asset.id},
        "segmentation": {"strategy": "fixed", "fixed": {"duration_sec": 6}},
        "embedding_option": ["visual"],
        "embedding_scope": ["clip", "asset"],
    }
    with httpx.Client(timeout=30, verify=False) as http:
        sdk = TwelveLabs(api_key=emulator.api_key, base_url=emulator.base_url, httpx_client=http)
        begun = sdk.embed.v_2.tasks.create(input_type="video", model_name="marengo3.0", video=video)
    assert begun.id is not None
    statuses: list[str] = []
    task = own.task(begun.id, on_status=lambda found: statuses.append(found.status))
    assert statuses[-1] == "ready"
    assert [s for s in task.segments if s.scope == "clip"] == own.embed_segments(Video(beach), SIX)
    assert task.embedding is not None
    assert task.embedding.vector == own.embed(Video(beach)).vector
    assert (task.kind, task.model, task.space) == ("video", "marengo3.0", own.space)
    (listed,) = own.tasks()
    assert (listed.id, listed.status, listed.model) == (begun.id, "ready", "marengo3.0")
    with pytest.raises(InvalidInputError, match=r"created for marengo3\.0"):
        client("marengo3.5").task(begun.id)


def test_vectors_of_an_indexed_video(client: Callable[..., EmbeddingClient], emulator: Emulator, beach: Path) -> None:
    own = client()
    video = own.upload(beach)
    found = own.indexed_segments("6298d673f1090f1100476d4c", video.id, embedding_option="visual")
    assert found == own.embed_segments(Video(beach), SIX)
    with httpx.Client(timeout=30, verify=False) as http:
        sdk = TwelveLabs(api_key=emulator.api_key, base_url=emulator.base_url, httpx_client=http)
        for form in (sdk.indexes.indexed_assets, sdk.indexes.videos):
            theirs: Any = form.retrieve("i1", video.id, embedding_option=["visual"])
            assert [s.float_ for s in theirs.embedding.video_embedding.segments] == [s.vector for s in found]
    assert {s.option for s in own.indexed_segments("6298d673f1090f1100476d4c", video.id)} == {
        "visual",
        "audio",
        "transcription",
    }
    with pytest.raises(InvalidInputError, match=r"indexed by marengo3\.0, and this client is for marengo3\.5"):
        client("marengo3.5").indexed_segments("i1", video.id)
    with pytest.raises(InvalidInputError, match="indexed video v1"):
        own.indexed_segments("i1", "v1")
