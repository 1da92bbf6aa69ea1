"""``POST /embed``: what is refused, with which code, and the settings for what is not documented."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from tests.support import media
from twelvelabs_emulator import Emulator

M27, M30 = "Marengo-retrieval-2.7", "marengo3.0"


def code_of(answer: httpx.Response) -> str:
    body = answer.json()
    assert set(body) == {"code", "message"}
    return str(body["code"])


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"text": "a"}, "parameter_not_provided", "model_name"),
        ({"model_name": M30}, "parameter_not_provided", "text"),
        ({"model_name": "marengo3.5", "text": "a"}, "parameter_invalid", "model_name"),
        ({"model_name": "marengo2.7", "text": "a"}, "parameter_invalid", "model_name"),
        ({"model_name": M30, "text": "a", "colour": "b"}, "parameter_unknown", "colour"),
        ({"model_name": M30, "text": ""}, "parameter_not_provided", "text"),
        ({"model_name": M30, "text": "  "}, "parameter_invalid", "text"),
        ({"model_name": M27, "text": "a", "text_truncate": "middle"}, "parameter_invalid", "text_truncate"),
        ({"model_name": M27, "text": "a " * 78, "text_truncate": "none"}, "parameter_invalid", "77"),
        ({"model_name": M30, "image_file": media.webp()}, "parameter_invalid", "JPEG, PNG"),
        ({"model_name": M30, "image_file": media.gif()}, "parameter_invalid", "JPEG, PNG"),
        ({"model_name": M30, "image_file": media.png(size=(127, 200))}, "parameter_invalid", "128x128"),
        ({"model_name": M27, "image_file": media.png(size=(63, 64))}, "parameter_invalid", "64x64"),
        ({"model_name": M30, "image_file": media.png()[:200]}, "parameter_invalid", "read"),
        ({"model_name": M30, "image_file": b""}, "parameter_invalid", "image_file"),
        ({"model_name": M30, "image_file": "a"}, "parameter_invalid", "image_file"),
        ({"model_name": M30, "image_url": "https://example.com/a.png"}, "parameter_invalid", "accessed"),
        ({"model_name": M30, "image_url": "file:///etc/passwd"}, "parameter_invalid", "accessed"),
        ({"model_name": M30, "audio_file": media.ogg()}, "parameter_invalid", "WAV, MP3, FLAC"),
        ({"model_name": M30, "audio_file": b"not audio at all"}, "parameter_invalid", "audio_file"),
        ({"model_name": M30, "audio_file": media.wav(seconds=0)}, "parameter_invalid", "audio_file"),
        (
            {"model_name": M30, "audio_file": media.wav(), "audio_start_offset_sec": "2"},
            "parameter_invalid",
            "audio_start_offset_sec",
        ),
        (
            {"model_name": M30, "audio_file": media.wav(), "audio_start_offset_sec": "-1"},
            "parameter_invalid",
            "audio_start_offset_sec",
        ),
    ],
)
def test_refused(v1: Any, fields: dict[str, Any], code: str, message: str) -> None:
    answer = v1(**fields)
    assert answer.status_code == 400
    assert code_of(answer) == code
    assert message in answer.json()["message"]


def test_too_large_and_too_long(v1: Any, emulator: Emulator) -> None:
    emulator.configure(megabyte=10_000)
    large = media.png() + b"\0" * 320_000
    assert "32 MB" in v1(model_name=M30, image_file=large).json()["message"]
    emulator.configure(megabyte=1_000_000)
    # Ten minutes and a bit, at a rate that keeps the file small.
    long = media.wav_of(np.zeros(8000 * 601, dtype=np.int16), rate=8000)
    answer = v1(model_name=M30, audio_file=long)
    assert answer.status_code == 400 and "600 seconds" in answer.json()["message"]


def test_small_image_is_enough_for_27(v1: Any) -> None:
    answer = v1(model_name=M27, image_file=media.png(size=(64, 64)))
    assert len(answer.json()["image_embedding"]["segments"][0]["float"]) == 1024


@pytest.mark.parametrize("body", [{"json": {"model_name": M30, "text": "a"}}, {"content": b""}])
def test_only_multipart(http: httpx.Client, body: dict[str, Any]) -> None:
    answer = http.post("embed", **body)
    assert answer.status_code == 400
    assert code_of(answer) == "parameter_not_provided"


def test_broken_multipart(http: httpx.Client) -> None:
    answer = http.post("embed", content=b"xx", headers={"content-type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 400


def text_of(v1: Any, **fields: Any) -> list[float]:
    answer = v1(**fields)
    assert answer.status_code == 200, answer.text
    vector: list[float] = answer.json()["text_embedding"]["segments"][0]["float"]
    return vector


def test_27_cuts_at_the_side_asked_for(v1: Any) -> None:
    words = [f"word{n}" for n in range(80)]
    whole, head, tail = " ".join(words), " ".join(words[:77]), " ".join(words[3:])
    at_end = text_of(v1, model_name=M27, text=whole)
    assert at_end == text_of(v1, model_name=M27, text=whole, text_truncate="end")
    assert at_end == text_of(v1, model_name=M27, text=head)
    at_start = text_of(v1, model_name=M27, text=whole, text_truncate="start")
    assert at_start == text_of(v1, model_name=M27, text=tail)
    assert at_start != at_end


def test_30_over_long_text_has_three_readings(v1: Any, emulator: Emulator) -> None:
    words = [f"word{n}" for n in range(501)]
    whole = " ".join(words)
    # Models after 2.7 take text_truncate and pay no heed to it.
    cut = text_of(v1, model_name=M30, text=whole, text_truncate="start")
    assert cut == text_of(v1, model_name=M30, text=" ".join(words[:500]))
    emulator.configure(over_long_text_v1_marengo30="refuse")
    answer = v1(model_name=M30, text=whole)
    assert answer.status_code == 400 and "500" in answer.json()["message"]
    emulator.configure(over_long_text_v1_marengo30="part_error")
    answer = v1(model_name=M30, text=whole)
    assert answer.status_code == 200
    assert list(answer.json()["text_embedding"]) == ["error_message"]
    assert v1(model_name=M30, text="").status_code == 400


def test_own_token_counter(v1: Any, emulator: Emulator) -> None:
    emulator.configure(count_tokens=len)  # letters
    assert text_of(v1, model_name=M27, text="x" * 100) == text_of(v1, model_name=M27, text="x" * 77)


def test_switches_of_audio_and_models(v1: Any, emulator: Emulator) -> None:
    audio = media.wav(seconds=7)
    emulator.configure(audio_v1_labels=True)
    segments = v1(model_name=M30, audio_file=audio).json()["audio_embedding"]["segments"]
    assert [s["embedding_option"] for s in segments] == ["audio", "transcription"] * 2
    emulator.configure(audio_v1_two_vectors=False)
    assert len(v1(model_name=M30, audio_file=audio).json()["audio_embedding"]["segments"]) == 2
    emulator.configure(v1_models=("marengo3.0",))
    assert v1(model_name=M27, text="a").status_code == 400
    emulator.configure(missing_model_name="marengo3.0", model_name_ignores_case=True)
    assert v1(text="a").json()["model_name"] == v1(model_name="MARENGO3.0", text="a").json()["model_name"]


def test_url_wins_over_file(v1: Any, emulator: Emulator) -> None:
    emulator.configure(url_files={"https://example.com/blue.png": media.png("blue")})
    answer = v1(model_name=M30, image_url="https://example.com/blue.png", image_file=media.png("red"))
    alone = v1(model_name=M30, image_file=media.png("blue"))
    both = [a.json()["image_embedding"] for a in (answer, alone)]
    assert both[0]["segments"] == both[1]["segments"]
    assert both[0]["metadata"] == {"input_url": "https://example.com/blue.png"}
