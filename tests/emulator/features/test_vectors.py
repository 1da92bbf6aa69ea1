"""The vectors: reproducible, found by words, and different for each model."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests.support import media


@pytest.fixture
def embed(v2: Any) -> Any:
    """Embed a text, or media by kind; as one vector of marengo3.0."""

    def one(text: str | None = None, **given: bytes) -> np.ndarray:
        body: dict[str, Any] = {"input_type": "text", "text": {"input_text": text}}
        for kind, content in given.items():
            options = {} if kind == "image" else {"embedding_scope": ["asset"]}
            if kind != "image":
                options["embedding_option"] = ["audio" if kind == "audio" else "visual"]
            source = {"base64_string": media.b64(content)}
            body = {"input_type": kind, kind: {"media_source": source, **options}}
        answer = v2(model_name="marengo3.0", **body)
        assert answer.status_code == 200, answer.text
        (item,) = answer.json()["data"]
        return np.array(item["embedding"])

    return one


def best(question: np.ndarray, things: dict[str, np.ndarray]) -> str:
    return max(things, key=lambda name: float(question @ things[name]))


def test_images_are_found_by_words(embed: Any) -> None:
    images = {
        "red": embed(image=media.png("red")),
        "blue": embed(image=media.jpeg("blue")),
        "green": embed(image=media.png("green")),
        "dark": embed(image=media.png((8, 8, 8))),
        "grey": embed(image=media.png("grey")),
        "checked": embed(image=media.png("black", pattern="checked")),
        "upright": embed(image=media.png("orange", pattern="vertical")),
        "level": embed(image=media.png("orange", pattern="horizontal")),
        "noise": embed(image=media.noisy_png()),
    }
    for question, wanted in {
        "a red picture": "red",
        "photos in blue": "blue",
        "GREEN!": "green",
        "a dark picture": "dark",
        "a gray photo": "grey",
        "a checkerboard": "checked",
        "vertical orange stripes": "upright",
        "orange with horizontal stripes": "level",
        "a busy picture": "noise",
    }.items():
        assert best(embed(question), images) == wanted, question


def test_audio_is_found_by_words(embed: Any) -> None:
    clips = {
        "low": embed(audio=media.wav(110)),
        "middle": embed(audio=media.mp3(440)),
        "high": embed(audio=media.flac(1760)),
        "quiet": embed(audio=media.wav(440, volume=0.02)),
        "silent": embed(audio=media.wav(0)),
        "hiss": embed(audio=media.wav_of(media.hiss(2))),
    }
    for question, wanted in {
        "a low tone": "low",
        "deep bass sounds": "low",
        "a high tone": "high",
        "a quiet tone": "quiet",
        "silence": "silent",
        "hissing noise": "hiss",
    }.items():
        assert best(embed(question), clips) == wanted, question
    # Similar audio is nearer than its words alone would put it.
    assert best(embed(audio=media.wav(117)), clips) == "low"
    near, far = embed(audio=media.wav(1800)), embed(audio=media.wav(3500))
    assert clips["high"] @ near > clips["high"] @ far


def test_videos_are_found_by_words(embed: Any) -> None:
    videos = {
        "red": embed(video=media.mp4([("red", 2, 0)])),
        "blue": embed(video=media.mp4([("blue", 2, 0)])),
        "moving": embed(video=media.mp4([("green", 2, 0)], moving=True)),
        "image": embed(image=media.png("red")),
    }
    assert best(embed("a red film"), videos) == "red"
    assert best(embed("a red picture"), videos) == "image"
    assert best(embed("something moving"), videos) == "moving"
    assert best(embed("still blue video"), videos) == "blue"


def test_texts_are_found_by_media(embed: Any) -> None:
    texts = {text: embed(text) for text in ("a red bike", "a blue bike", "a low tone", "annual report")}
    assert best(embed(image=media.png("red")), texts) == "a red bike"
    assert best(embed(audio=media.wav(110)), texts) == "a low tone"


def test_the_format_does_not_matter(embed: Any) -> None:
    drawings: list[dict[str, Any]] = [
        {},
        {"pattern": "checked"},
        {"color": "teal", "pattern": "split", "text": "hello"},
    ]
    for drawing in drawings:
        png, jpeg = embed(image=media.png(**drawing)), embed(image=media.jpeg(**drawing))
        assert png @ jpeg > 0.995
    assert embed(audio=media.wav(330)) @ embed(audio=media.mp3(330)) > 0.98
    assert embed(audio=media.wav(330)) @ embed(audio=media.flac(330)) > 0.999


def test_texts(embed: Any) -> None:
    assert (embed("a red picture") == embed("a red  picture\n")).all()
    assert embed("Dogs on a street") @ embed("a dog in streets") > 0.99
    # The same words in another order are near, but not the same thing.
    assert 0.99 < embed("dog bites man") @ embed("man bites dog") < 1 - 1e-4
    assert abs(embed("a red bike") @ embed("quarterly results")) < 0.2
    for odd in ("the", "犬と散歩", "…", "🎉", "é" * 3000):
        vector = embed(odd)
        assert np.isfinite(vector).all() and np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_models_have_nothing_in_common(v1: Any, v2: Any) -> None:
    a = v2(input_type="text", model_name="marengo3.0", text={"input_text": "a red bike"})
    b = v2(input_type="multi_input", model_name="marengo3.5", multi_input={"input_text": "a red bike"})
    first, second = (np.array(x.json()["data"][0]["embedding"]) for x in (a, b))
    assert abs(first @ second) < 0.2
    # v1 and v2 of one model are the same space.
    same = v1(model_name="marengo3.0", text="a red bike").json()
    assert same["text_embedding"]["segments"][0]["float"] == first.tolist()


def test_vectors_are_the_same_in_another_process(embed: Any) -> None:
    code = """
import sys
from twelvelabs_emulator.protocol.models import MODELS
from twelvelabs_emulator.protocol.settings import Settings
from twelvelabs_emulator.features.vectors import embed_text, response_vector
sys.stdout.write(repr(response_vector(embed_text("a red bike", MODELS["marengo3.0"]), Settings())))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == repr(embed("a red bike").tolist())
