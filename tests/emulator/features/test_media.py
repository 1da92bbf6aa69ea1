"""Reading media: documents, and decoding that leaves no native threads behind."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter

from tests.support import media
from twelvelabs_emulator import Emulator, Settings
from twelvelabs_emulator.features.media.decoding import DecodingError, open_container
from twelvelabs_emulator.features.media.document import open_document
from twelvelabs_emulator.features.media.opening import open_audio, open_video
from twelvelabs_emulator.features.media.probe import probe
from twelvelabs_emulator.features.media.source import Source
from twelvelabs_emulator.protocol.errors import ApiError
from twelvelabs_emulator.protocol.models import MODELS

M30, M35 = MODELS["marengo3.0"], MODELS["marengo3.5"]
ROOT = Path(__file__).parents[3]


def source(content: bytes | Path) -> Source:
    return Source(content, "file", "file")


def test_pages_of_a_pdf() -> None:
    document = open_document(source(media.pdf(["a red bike", "blue sky"])), M35, Settings())
    assert document.pages == 2
    assert [text.strip() for text in document.page_texts] == ["a red bike", "blue sky"]


def test_a_compressed_pdf() -> None:
    """Object streams, compressed contents, and pages that share one parent."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(media.pdf(["a red bike", "blue sky"]))))
    for page in writer.pages:
        page.compress_content_streams()
    packed = io.BytesIO()
    writer.write(packed)
    assert b"red bike" not in packed.getvalue()
    document = open_document(source(packed.getvalue()), M35, Settings())
    assert [text.strip() for text in document.page_texts] == ["a red bike", "blue sky"]


@pytest.mark.parametrize("content", [b"%PDF-1.4", b"%PDF-1.4 nonsense", media.pdf()[:300]])
def test_a_damaged_pdf(content: bytes) -> None:
    with pytest.raises(ApiError, match="could not be read"):
        open_document(source(content), M35, Settings())


def test_an_encrypted_pdf() -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(media.pdf())))
    writer.encrypt("secret", algorithm="RC4-128")
    packed = io.BytesIO()
    writer.write(packed)
    with pytest.raises(ApiError, match="could not be read"):
        open_document(source(packed.getvalue()), M35, Settings())


@pytest.mark.parametrize(("content", "text"), [(b"\xef\xbb\xbfwords", "words"), ("größer".encode(), "größer")])
def test_text_documents(content: bytes, text: str) -> None:
    document = open_document(source(content), M35, Settings())
    assert (document.text, document.pages) == (text, 0)


@pytest.mark.parametrize("content", [media.wav(330, 3), media.mp3(330, 3), media.flac(330, 3)])
def test_decoded_audio(content: bytes) -> None:
    audio = open_audio(source(content), M30, Settings())
    assert audio.duration == pytest.approx(3, abs=0.1) and audio.samples.dtype == np.int16
    assert np.abs(audio.between(1, 2)).max() == pytest.approx(0.5, abs=0.05)


def test_decoded_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(media.mp4([("red", 2, 220), ("blue", 2, 0)]))
    video = open_video(source(path), M30, Settings())
    assert video.duration == pytest.approx(4, abs=0.1) and len(video.frames) == len(video.times) == 16
    assert video.frames[0].shape == (64, 64, 3) and video.audio is not None
    red, blue = video.frames[0].mean(axis=(0, 1)), video.frames[-1].mean(axis=(0, 1))
    assert red[0] > 200 > 50 > red[2] and blue[2] > 200 > 50 > blue[0]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n"])
def test_what_cannot_be_decoded(content: bytes) -> None:
    with pytest.raises(DecodingError), open_container(source(content)):
        pass
    assert probe(source(content), "a.mp4") is None


def test_a_child_forked_while_media_are_decoded_ends() -> None:
    """A child frees what its parent's threads held: that must not wait for native threads, which it does not have."""
    code = """
import os, sys, threading, time
from tests.support import media
from twelvelabs_emulator import Settings
from twelvelabs_emulator.features.media.opening import open_video
from twelvelabs_emulator.features.media.source import Source
from twelvelabs_emulator.protocol.models import MODELS

content = media.mp4([("red", 6, 220), ("blue", 6, 880)], fps=24, moving=True)
work = (Source(content, "file", "file"), MODELS["marengo3.0"], Settings())
threads = [threading.Thread(target=open_video, args=work) for _ in range(2)]
for thread in threads:
    thread.start()
forks = 0
while any(thread.is_alive() for thread in threads):
    child = os.fork()
    if child == 0:
        os._exit(0)
    deadline = time.monotonic() + 20
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > deadline:
            os.kill(child, 9)
            sys.exit("the child hangs")
        time.sleep(0.001)
    forks += 1
print(forks > 0)
"""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 180), (6, 270), (8, 90)])
def test_an_image_is_turned_as_its_exif_data_say(
    http: httpx.Client, emulator: Emulator, orientation: int, turn: int
) -> None:
    """As browsers do: the stored pixels are turned when the image is shown."""

    def vector(image: Image.Image, tag: int | None = None) -> list[float]:
        exif = Image.Exif()
        if tag is not None:
            exif[0x0112] = tag
        file = io.BytesIO()
        image.save(file, "JPEG", quality=95, exif=exif)
        body = {"media_source": {"base64_string": media.b64(file.getvalue())}}
        answer = http.post("embed-v2", json={"input_type": "image", "model_name": "marengo3.0", "image": body})
        found: list[float] = answer.json()["data"][0]["embedding"]
        return found

    stored = media.image("red", pattern="split", second="blue")
    shown = stored.rotate(turn, expand=True)
    assert np.dot(vector(stored, orientation), vector(shown)) > 0.9999
    emulator.configure(exif_orientation="ignore")
    assert np.dot(vector(stored, orientation), vector(stored)) > 0.9999


def test_damaged_exif_data_are_ignored(http: httpx.Client) -> None:
    file = io.BytesIO()
    media.image("red").save(file, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    body = {"media_source": {"base64_string": media.b64(file.getvalue())}}
    answer = http.post("embed-v2", json={"input_type": "image", "model_name": "marengo3.0", "image": body})
    assert answer.status_code == 200
