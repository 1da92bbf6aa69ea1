"""Assets: uploaded in one request or in parts, and used by identifier."""

from __future__ import annotations

import gc
import hashlib
import json
import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pypdf import PdfWriter
from twelvelabs import TwelveLabs
from twelvelabs.core.api_error import ApiError
from twelvelabs.errors import BadRequestError
from twelvelabs.wrapper.multipart_upload_client_wrapper import MultipartUploadClientWrapper

from tests.support import media
from twelvelabs_emulator import Emulator
from twelvelabs_emulator.features.media.source import Kind, Probe
from twelvelabs_emulator.features.media.technical import technical_metadata

UNKNOWN = "6b010d65f996b7b30d62dfc6"


def upload(http: httpx.Client, content: bytes, name: str = "a.png", **fields: str) -> httpx.Response:
    return http.post("assets", data={"method": "direct", **fields}, files={"file": (name, content)})


def ready(http: httpx.Client, content: bytes, name: str = "a.png", **fields: str) -> str:
    asset_id: str = upload(http, content, name, **fields).json()["_id"]
    while http.get(f"assets/{asset_id}").json()["status"] == "processing":
        pass
    return asset_id


def by_asset(asset_id: str, input_type: str = "image") -> dict[str, Any]:
    source = {"media_source": {"asset_id": asset_id}}
    return {"input_type": input_type, "model_name": "marengo3.0", input_type: source}


# --- one request ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "mime", "duration"),
    [
        ("a.png", media.png(), "image/png", None),
        ("a.JPG", media.jpeg(), "image/jpeg", None),
        ("a.wav", media.wav(seconds=2), "audio/wav", 2),
        ("a.mp3", media.mp3(seconds=2), "audio/mpeg", 2),
        ("a.flac", media.flac(seconds=2), "audio/flac", 2),
        ("a.mp4", media.mp4([("red", 2, 220)]), "video/mp4", 2),
        ("a.PDF", media.pdf(2), "application/pdf", None),
        ("a.txt", b"some words", "text/plain", None),
        ("a.md", "# größer".encode(), "text/markdown", None),
    ],
)
def test_kinds(http: httpx.Client, name: str, content: bytes, mime: str, duration: float | None) -> None:
    answer = upload(http, content, name)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["method"], made["status"], made["filename"], made["file_type"]) == ("direct", "processing", name, mime)
    assert "size" not in made
    assert http.get(f"assets/{made['_id']}").json()["status"] == "processing"
    found = http.get(f"assets/{made['_id']}").json()
    assert (found["status"], found["size"], found["file_type"]) == ("ready", len(content), mime)
    assert found.get("duration") == (None if duration is None else pytest.approx(duration, abs=0.1))


@pytest.mark.parametrize(
    ("fields", "file", "code", "words"),
    [
        ({}, True, "parameter_not_provided", "method"),
        ({"method": "carrier pigeon"}, True, "parameter_invalid", "method"),
        ({"method": "direct"}, False, "parameter_not_provided", "file"),
        ({"method": "url"}, True, "parameter_not_provided", "url"),
        ({"method": "direct", "filename": "x" * 256}, True, "parameter_invalid", "255"),
        ({"method": "direct", "user_metadata": "[1]"}, True, "parameter_invalid", "user_metadata"),
        ({"method": "direct", "user_metadata": '{"a": {"b": 1}}'}, True, "parameter_invalid", "user_metadata"),
        ({"method": "direct", "enable_hls": "maybe"}, True, "parameter_invalid", "enable_hls"),
        ({"method": "direct", "colour": "red"}, True, "parameter_unknown", "colour"),
        ({"method": "url", "url": "http://127.0.0.1/live.m3u8"}, False, "parameter_invalid", "HLS"),
    ],
)
def test_refused_fields(http: httpx.Client, fields: dict[str, str], file: bool, code: str, words: str) -> None:
    answer = http.post("assets", data=fields, files={"file": ("a.png", media.png())} if file else None)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert words in answer.json()["message"]


def test_refused_files(emulator: Emulator, http: httpx.Client) -> None:
    assert upload(http, b"").status_code == 400
    assert upload(http, b"words", "a.pdf").status_code == 400
    assert upload(http, media.pdf(), "a.txt").status_code == 400
    emulator.configure(megabyte=100)
    for content, most in ((media.noisy_png(), 32), (media.wav(), 200)):
        answer = upload(http, content)
        assert (answer.status_code, answer.json()["code"]) == (400, "video_filesize_too_large")
        assert f"{most} MB" in answer.json()["message"]
    assert http.get("assets").json()["data"] == []


def test_a_file_that_cannot_be_read_fails_later(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(asset_failures=["", "The video failed a playability check."])
    good, bad = (upload(http, media.png()).json()["_id"] for _ in range(2))
    broken = upload(http, b"\x00\x01" * 50, "a.mp4").json()["_id"]
    for _ in range(2):
        found = [http.get(f"assets/{asset_id}").json() for asset_id in (good, bad, broken)]
    assert [asset["status"] for asset in found] == ["ready", "failed", "failed"]
    assert found[1]["error"] == {"message": "The video failed a playability check."}
    assert "corrupted" in found[2]["error"]["message"] and "size" not in found[2]
    assert http.post("embed-v2", json=by_asset(bad)).status_code == 400


def test_when_it_is_ready(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(asset_polls=3)
    asset_id = upload(http, media.png()).json()["_id"]
    statuses = [http.get(f"assets/{asset_id}").json()["status"] for _ in range(5)]
    assert statuses == ["processing"] * 3 + ["ready"] * 2
    emulator.configure(asset_polls=0, asset_ready_sec=60)
    asset_id = upload(http, media.png()).json()["_id"]
    assert http.get(f"assets/{asset_id}").json()["status"] == "processing"
    emulator.configure(clock_offset_sec=61)
    assert http.get(f"assets/{asset_id}").json()["status"] == "ready"


def test_by_url(emulator: Emulator, http: httpx.Client, serve_file: Callable[[bytes], str], tmp_path: Path) -> None:
    emulator.configure(url_files={"https://example.com/b.txt": b"words"}, asset_polls=0)
    for url, status in (
        (serve_file(media.png()), "ready"),
        ("https://example.com/b.txt", "ready"),
        ("https://example.com/c.txt", "failed"),
        ("http://127.0.0.1:9/d.png", "failed"),
    ):
        answer = http.post("assets", data={"method": "url", "url": url})
        assert (answer.status_code, answer.json()["status"]) == (201, "processing")
        found = http.get(f"assets/{answer.json()['_id']}").json()
        assert (found["status"], found["method"], found["filename"]) == (status, "url", url.rpartition("/")[2])
    assert "could not be accessed" in found["error"]["message"]


def test_lists(http: httpx.Client) -> None:
    names = ["red.png", "Tone.wav", "blue.png", "note.txt"]
    contents = [media.png(), media.wav(), media.png("blue"), b"words"]
    ids = [ready(http, content, name) for content, name in zip(contents, names, strict=True)]

    def listed(query: str) -> list[str]:
        return [asset["filename"] for asset in http.get(f"assets?{query}").json()["data"]]

    assert listed("") == names[::-1]
    assert listed("page_limit=3") == names[:0:-1] and listed("page_limit=3&page=2") == ["red.png"]
    assert listed("page=9") == []
    assert listed("asset_types=image") == ["blue.png", "red.png"]
    assert listed("asset_types=audio&asset_types=document") == ["note.txt", "Tone.wav"]
    assert listed(f"asset_ids={ids[0]}&asset_ids={ids[1]}") == ["Tone.wav", "red.png"]
    assert listed("filename=tON") == ["Tone.wav"]
    info = http.get("assets?page_limit=3").json()["page_info"]
    assert info == {"limit_per_page": 3, "page": 1, "total_page": 2, "total_results": 4}
    for query in ("page_limit=51", "page=0", "page=x", "asset_types=smell"):
        assert http.get(f"assets?{query}").status_code == 400


def test_delete(emulator: Emulator, http: httpx.Client) -> None:
    asset_id = ready(http, media.png())
    emulator.configure(assets_in_use=True)
    assert http.delete(f"assets/{asset_id}").status_code == 409
    answer = http.delete(f"assets/{asset_id}?force=true")
    assert (answer.status_code, answer.content) == (204, b"")
    for method in ("GET", "DELETE"):
        answer = http.request(method, f"assets/{asset_id}")
        assert (answer.status_code, answer.json()["code"]) == (403, "read_not_allowed")
        assert asset_id in answer.json()["message"]
    emulator.configure(unknown_asset_status=404)
    assert http.get(f"assets/{asset_id}").json()["code"] == "resource_not_exist"


def test_needs_a_key_and_counts_as_upload(emulator: Emulator, http: httpx.Client) -> None:
    assert httpx.get(f"{emulator.base_url}/assets").status_code == 401
    emulator.configure(limits={"upload": [2, 60]})
    statuses = [upload(http, media.png()).status_code for _ in range(3)]
    assert statuses == [201, 201, 429]
    assert http.get("assets").status_code == 200
    assert upload(http, media.png()).headers["x-ratelimit-request-remaining"] == "0"


# --- used -------------------------------------------------------------------------------------------------


def test_embed_by_asset(http: httpx.Client) -> None:
    content = media.png("blue")
    asset_id = upload(http, content, "blue.png").json()["_id"]
    early = http.post("embed-v2", json=by_asset(asset_id))
    assert early.status_code == 400 and "not ready" in early.json()["error"]["message"]
    for _ in range(2):
        http.get(f"assets/{asset_id}")
    answer = http.post("embed-v2", json=by_asset(asset_id))
    inline = {"media_source": {"base64_string": media.b64(content)}}
    same = http.post("embed-v2", json={**by_asset(asset_id), "image": inline})
    assert answer.json()["data"] == same.json()["data"]
    assert answer.json()["metadata"]["input_filename"] == "blue.png"
    unknown = http.post("embed-v2", json=by_asset(UNKNOWN))
    assert (unknown.status_code, unknown.json()["code"]) == (403, "read_not_allowed")


@pytest.mark.parametrize(
    ("kind", "content", "name"),
    [
        ("audio", media.wav(), "a.wav"),
        ("video", media.mp4([("red", 2, 220)]), "a.mp4"),
        ("document", b"a red bike", "a.txt"),
        ("document", media.pdf(["a red bike"]), "a.pdf"),
    ],
)
def test_every_kind_by_asset(http: httpx.Client, kind: str, content: bytes, name: str) -> None:
    asset_id = ready(http, content, name)
    vectors = []
    for source in ({"asset_id": asset_id}, {"base64_string": media.b64(content)}):
        given = {"media_sources": [{"media_type": kind, **source}]}
        body = {"input_type": "multi_input", "model_name": "marengo3.5", "multi_input": given}
        vectors.append(http.post("embed-v2", json=body).json()["data"][0]["embedding"])
    assert vectors[0] == vectors[1]


def test_a_large_file_is_not_held_in_memory(http: httpx.Client, tmp_path: Path) -> None:
    """150 MB of video, most of it padding: streamed to disk, and read only where necessary."""
    path = tmp_path / "large.mp4"
    path.write_bytes(media.mp4([("red", 2, 220)]))
    with path.open("ab") as file:  # An MP4 box that decoders skip.
        file.write((150_000_000).to_bytes(4, "big") + b"free")
        file.truncate(file.tell() + 150_000_000 - 8)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with path.open("rb") as file:
        answer = http.post("assets", data={"method": "direct"}, files={"file": ("large.mp4", file)})
    assert answer.status_code == 201
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 60_000, "kilobytes"


def test_files_are_deleted(http: httpx.Client) -> None:
    with Emulator() as own, httpx.Client(base_url=own.base_url + "/", headers={"x-api-key": own.api_key}) as client:
        upload(client, media.png())
        upload(client, b"")
        directory = own._state.files.new().parent
        assert len(list(directory.iterdir())) == 1, "what was refused is not kept"
        own.reset()
        assert not directory.exists()
        asset_id = upload(client, media.png()).json()["_id"]
        directory = own._state.files.new().parent
        client.delete(f"assets/{asset_id}")
        assert list(directory.iterdir()) == []
        upload(client, media.png())
    assert not directory.exists()


@pytest.mark.parametrize("path", ["/v1.3/assets", "/v1.3/embed-v2"])
def test_a_client_that_disconnects(
    emulator: Emulator, http: httpx.Client, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    kind = "multipart/form-data; boundary=b" if path.endswith("assets") else "application/json"
    host, port = emulator.origin.removeprefix("http://").split(":")
    begun = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nx-api-key: {emulator.api_key}\r\ncontent-type: {kind}\r\n"
        'content-length: 5000000\r\n\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(begun.encode() + b"x" * 1_500_000)
    for _ in range(200):
        if emulator.requests and emulator.requests[0].status is not None:
            break
        time.sleep(0.01)
    assert emulator.requests[0].status == 400
    assert not caplog.records and http.get("assets").json()["data"] == []


# --- in parts ---------------------------------------------------------------------------------------------


class Session:
    """A multipart upload by plain HTTP."""

    def __init__(self, http: httpx.Client, content: bytes, name: str = "a.mp4", kind: str = "video") -> None:
        self.http, self.content = http, content
        body = {"filename": name, "type": kind, "total_size": len(content)}
        self.made = http.post("assets/multipart-uploads", json=body).json()
        self.path = f"assets/multipart-uploads/{self.made['upload_id']}"
        self.urls = {item["chunk_index"]: item["url"] for item in self.made["upload_urls"]}

    def part(self, index: int) -> bytes:
        size: int = self.made["chunk_size"]
        return self.content[(index - 1) * size : index * size]

    def put(self, index: int, content: bytes | None = None) -> httpx.Response:
        content = self.part(index) if content is None else content
        return httpx.put(self.urls[index], content=content, headers=self.made["upload_headers"], verify=False)

    def more(self, start: int, count: int) -> httpx.Response:
        answer = self.http.post(f"{self.path}/presigned-urls", json={"start": start, "count": count})
        self.urls |= {item["chunk_index"]: item["url"] for item in answer.json().get("upload_urls", ())}
        return answer

    def report(self, **proofs: str) -> httpx.Response:
        chunks = [
            {
                "chunk_index": int(name[1:]),
                "proof": proof,
                "proof_type": "etag",
                "chunk_size": len(self.part(int(name[1:]))),
            }
            for name, proof in proofs.items()
        ]
        return self.http.post(self.path, json={"completed_chunks": chunks})

    def md5(self, index: int) -> str:
        return hashlib.md5(self.part(index), usedforsecurity=False).hexdigest()


@pytest.fixture
def video() -> bytes:
    return media.mp4([("red", 3, 220), ("blue", 3, 880)])


def test_an_upload_in_parts(emulator: Emulator, http: httpx.Client, video: bytes) -> None:
    size = -(-len(video) // 3)
    emulator.configure(chunk_bytes=size, first_upload_urls=2, asset_polls=0)
    session = Session(http, video)
    assert (session.made["total_chunks"], session.made["chunk_size"], sorted(session.urls)) == (3, size, [1, 2])
    asset_id = session.made["asset_id"]
    assert http.get(f"assets/{asset_id}").json()["status"] == "processing"
    first = session.put(1)
    assert (first.status_code, first.headers["etag"]) == (200, f'"{session.md5(1)}"')
    assert session.put(1).status_code == 403, "an address is for one use"
    session.put(2)
    assert session.report(c1=session.md5(1)).json() == {
        "asset_id": asset_id,
        "processed_chunks": 1,
        "duplicate_chunks": 0,
        "total_completed": 1,
    }
    status = http.get(session.path).json()
    assert [chunk["status"] for chunk in status["uploaded_chunks"]] == ["completed", "pending", "pending"]
    assert (status["status"], status["chunks_completed"], status["uploaded_size"]) == ("active", 1, size)
    assert [item["upload_id"] for item in http.get("assets/multipart-uploads").json()["data"]] == [status["upload_id"]]
    more = session.more(3, 5).json()
    assert (more["start_index"], more["count"]) == (3, 1)
    session.put(3)
    answer = session.report(c1=session.md5(1), c2=session.md5(2), c3=session.md5(3)).json()
    assert (answer["processed_chunks"], answer["duplicate_chunks"], answer["total_completed"]) == (2, 1, 3)
    assert asset_id in answer["url"]
    assert http.get(session.path).json()["status"] == "completed"
    assert http.get("assets/multipart-uploads").json()["data"] == []
    found = http.get(f"assets/{asset_id}").json()
    assert (found["status"], found["method"], found["size"]) == ("ready", "multipart", len(video))
    by_part = http.post("embed-v2", json=by_asset(asset_id, "video")).json()["data"]
    source = {"media_source": {"base64_string": media.b64(video)}}
    assert by_part == http.post("embed-v2", json={**by_asset(asset_id, "video"), "video": source}).json()["data"]


def test_proofs_are_checked(emulator: Emulator, http: httpx.Client, video: bytes) -> None:
    emulator.configure(chunk_bytes=len(video) // 2)
    session = Session(http, video)
    assert session.report(c1=session.md5(1)).status_code == 400, "not uploaded"
    session.put(1)
    assert session.report(c1=f'"{session.md5(1)}"').status_code == 400, "with quotes"
    assert session.report(c1=session.md5(2)).status_code == 400
    assert session.report(c9=session.md5(1)).status_code == 400
    session.put(2, b"short")
    short = hashlib.md5(b"short", usedforsecurity=False).hexdigest()
    assert "bytes" in session.report(c2=short).json()["message"]
    assert http.get(session.path).json()["chunks_completed"] == 0
    assert http.post(session.path, json={"completed_chunks": []}).status_code == 400
    assert session.more(1, 51).status_code == 400 and session.more(9, 1).status_code == 400


def test_addresses_and_sessions_run_out(emulator: Emulator, http: httpx.Client, video: bytes) -> None:
    session = Session(http, video)
    emulator.configure(clock_offset_sec=3601)
    late = session.put(1)
    assert (late.status_code, late.headers["content-type"]) == (403, "application/xml")
    assert "expired" in late.text
    session.more(1, 1)
    assert session.put(1).status_code == 200
    emulator.configure(clock_offset_sec=86_401)
    assert http.get(session.path).json()["status"] == "expired"
    assert session.report(c1=session.md5(1)).status_code == 400 and session.more(1, 1).status_code == 400
    assert http.get(f"assets/multipart-uploads/{UNKNOWN}").status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"type": "video", "total_size": 9}, "filename"),
        ({"filename": "a.pdf", "type": "document", "total_size": 9}, "type"),
        ({"filename": "a.mp4", "type": "video", "total_size": 0}, "total_size"),
        ({"filename": "a.mp4", "type": "video", "total_size": 1.5}, "total_size"),
        ({"filename": "a.mp4", "type": "video", "total_size": 10_000_000_001}, "10000 MB"),
        ({"filename": "a.png", "type": "image", "total_size": 32_000_001}, "32 MB"),
        ({"filename": "a.png", "type": "image", "total_size": 9, "user_metadata": 3}, "user_metadata"),
        ({"filename": "a.png", "type": "image", "total_size": 9, "size": 3}, "size"),
    ],
)
def test_refused_sessions(http: httpx.Client, body: dict[str, Any], words: str) -> None:
    answer = http.post("assets/multipart-uploads", json=body)
    assert answer.status_code == 400 and words in answer.json()["message"]


def test_a_part_may_fail(emulator: Emulator, http: httpx.Client, video: bytes) -> None:
    emulator.configure(
        chunk_bytes=-(-len(video) // 3), faults=[{"path": "upload-part/2", "first": 1, "kind": "status:503"}]
    )
    session = Session(http, video)
    assert [session.put(index).status_code for index in (1, 2, 3, 2)] == [200, 503, 200, 200]
    emulator.configure(faults=[{"path": "upload-part", "kind": "drop"}])
    session = Session(http, video)
    with pytest.raises(httpx.RemoteProtocolError):
        session.put(1)


def test_the_type_must_be_right(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(asset_polls=0)
    session = Session(http, media.png(), "a.mp4", "video")
    session.put(1)
    assert session.report(c1=session.md5(1)).status_code == 200
    assert http.get(f"assets/{session.made['asset_id']}").json()["status"] == "failed"


# --- the official SDK -------------------------------------------------------------------------------------


def test_sdk_assets(sdk: TwelveLabs, serve_file: Callable[[bytes], str]) -> None:
    made = sdk.assets.create(method="direct", file=("a.png", media.png()), user_metadata=json.dumps({"a": 1}))
    by_url = sdk.assets.create(method="url", url=serve_file(media.wav()), enable_hls=False)
    assert made.id and made.status == "processing" and made.user_metadata == {"a": 1}
    assert sdk.assets.retrieve(made.id).status == "processing"
    found = sdk.assets.retrieve(made.id)
    assert (found.status, found.size) == ("ready", len(media.png()))
    assert [asset.id for asset in sdk.assets.list(page_limit=1)] == [by_url.id, made.id]
    sdk.assets.delete(made.id)
    with pytest.raises(ApiError) as gone:
        sdk.assets.retrieve(made.id)
    assert gone.value.status_code == 403
    with pytest.raises(BadRequestError):
        sdk.assets.create(method="direct")


def test_sdk_multipart(emulator: Emulator, sdk: TwelveLabs, video: bytes, tmp_path: Path) -> None:
    emulator.configure(chunk_bytes=20_000, first_upload_urls=3, asset_polls=0)
    path = tmp_path / "film.mp4"
    path.write_bytes(video)
    emulator.configure(faults=[{"path": "upload-part/1", "times": 1, "kind": "status:500"}])
    assert isinstance(sdk.multipart_upload, MultipartUploadClientWrapper)
    done = sdk.multipart_upload.upload_file(path, retry_delay=0.01, batch_size=4)
    assert sdk.assets.retrieve(done.asset_id).size == len(video)
    puts = [request for request in emulator.requests if request.method == "PUT"]
    assert [request.status for request in puts].count(500) == 1
    assert list(sdk.multipart_upload.list_incomplete_uploads()) == []


def test_technical_metadata(http: httpx.Client) -> None:
    def technical(content: bytes, name: str) -> dict[str, Any]:
        found: dict[str, Any] = http.get(f"assets/{ready(http, content, name)}").json()["technical_metadata"]
        return found

    video = technical(media.mp4([("red", 2, 220)]), "a.mp4")
    assert (video["video_codec"], video["has_audio"], video["total_audio_streams"]) == ("mpeg4", True, 1)
    assert video["video_fps"] > 0 and video["audio_sample_rate"] > 0 and "mp4" in video["file_container_format"]
    assert video["storage_aspect_ratio"] == round(video["video_width"] / video["video_height"], 4)
    audio = technical(media.wav(110, 2), "a.wav")
    assert (audio["total_video_streams"], audio["audio_duration_seconds"], audio["audio_channels"]) == (0, 2, 1)
    image = technical(media.png(), "a.png")
    assert (image["image_format"], image["image_bit_depth"], image["has_alpha"]) == ("PNG", 8, False)
    document = technical(media.pdf(3), "a.pdf")
    assert (document["document_page_count"], document["document_is_encrypted"]) == (3, False)
    assert technical(b"words", "a.txt") == {"file_size_bytes": 5, "file_mime_type": "text/plain"}


def test_a_part_that_has_not_arrived_has_no_time_of_upload(http: httpx.Client) -> None:
    made = http.post("assets/multipart-uploads", json={"filename": "a.mp4", "type": "video", "total_size": 9}).json()
    (chunk,) = http.get(f"assets/multipart-uploads/{made['upload_id']}").json()["uploaded_chunks"]
    assert set(chunk) == {"index", "status", "updated_at"}


def test_what_a_damaged_file_does_not_tell(tmp_path: Path) -> None:
    """What is known of it stays; an encrypted PDF tells no pages."""
    path = tmp_path / "file"
    files: list[tuple[bytes, Kind, str]] = [
        (media.png()[:20], "image", "image/png"),
        (b"RIFF", "audio", "audio/wav"),
        (b"%PDF-1.4", "document", "application/pdf"),
    ]
    for content, kind, mime in files:
        path.write_bytes(content)
        found = technical_metadata(path, Probe(kind, mime), len(content))
        assert found == {"file_size_bytes": len(content), "file_mime_type": mime}
    writer = PdfWriter()
    writer.add_blank_page(72, 144)
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(path)
    found = technical_metadata(path, Probe("document", "application/pdf"), 1)
    assert found["document_is_encrypted"] is True and "document_page_count" not in found
