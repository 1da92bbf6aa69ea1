"""``POST /embed-v2``: every documented rule, and the settings for what is not documented."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support import media
from twelvelabs_emulator import Emulator

RED = {"base64_string": media.b64(media.png())}
TONE = {"base64_string": media.b64(media.wav())}
CLIP = {"base64_string": media.b64(media.mp4())}
NOTE = {"base64_string": media.b64(b"a note about boats")}
PAGES = {"base64_string": media.b64(media.pdf(2))}


def v30(input_type: str, **given: Any) -> dict[str, Any]:
    return {"input_type": input_type, "model_name": "marengo3.0", input_type: given}


def v35(text: str | None = None, *media_sources: dict[str, Any], **top: Any) -> dict[str, Any]:
    multi: dict[str, Any] = {} if text is None else {"input_text": text}
    if media_sources:
        multi["media_sources"] = list(media_sources)
    return {"input_type": "multi_input", "model_name": "marengo3.5", "multi_input": multi, **top}


def image(**more: Any) -> dict[str, Any]:
    return {"media_type": "image", **RED, **more}


AUDIO = {"media_type": "audio", **TONE}
VIDEO = {"media_type": "video", **CLIP}
TEXT_FILE = {"media_type": "document", **NOTE}
PDF = {"media_type": "document", **PAGES}

INVALID, MISSING, UNKNOWN = "parameter_invalid", "parameter_not_provided", "parameter_unknown"

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    # the top level
    ({"model_name": "marengo3.0"}, MISSING, "input_type"),
    ({"input_type": "text", "text": {"input_text": "a"}}, MISSING, "model_name"),
    ({"input_type": "speech", "model_name": "marengo3.0"}, INVALID, "input_type"),
    ({"input_type": 5, "model_name": "marengo3.0"}, INVALID, "input_type"),
    ({**v30("text", input_text="a"), "model_name": "Marengo-retrieval-2.7"}, INVALID, "model_name"),
    ({"input_type": "text", "model_name": "marengo3.0"}, MISSING, "text"),
    ({**v30("text", input_text="a"), "colour": "red"}, UNKNOWN, "colour"),
    ({**v30("text", input_text="a"), "image": {"media_source": RED}}, INVALID, "image"),
    # marengo3.5 knows multi_input alone
    *[
        ({**v30(kind), "model_name": "marengo3.5"}, INVALID, "input_type")
        for kind in ("text", "image", "text_image", "audio", "video")
    ],
    # marengo3.0 does not know the switches of 3.5
    ({**v30("text", input_text="a"), "embedding_dimension": 512}, INVALID, "embedding_dimension"),
    ({**v30("text", input_text="a"), "auto_truncate": True}, INVALID, "auto_truncate"),
    ({**v30("text", input_text="a"), "embedding_uncertainty": True}, INVALID, "embedding_uncertainty"),
    # texts
    (v30("text"), MISSING, "text.input_text"),
    (v30("text", input_text=""), INVALID, "text.input_text"),
    (v30("text", input_text=["a"]), INVALID, "text.input_text"),
    (v30("text", input_text="a", language="en"), UNKNOWN, "text.language"),
    (v30("text", input_text="a " * 501), INVALID, "500"),
    # sources
    (v30("image"), MISSING, "image.media_source"),
    (v30("image", media_source={}), MISSING, "image.media_source"),
    (v30("image", media_source={**RED, "url": "https://a/b"}), INVALID, "exactly one"),
    (
        v30("image", media_source={"base64_string": "data:image/png;base64,AAAA"}),
        INVALID,
        "`data:` prefix",
    ),
    (v30("image", media_source={"base64_string": "%%%"}), INVALID, "base64"),
    (v30("image", media_source={"base64_string": ""}), INVALID, "empty"),
    (v30("image", media_source={"url": "https://example.com/a.png"}), INVALID, "accessed"),
    (v30("image", media_source={**RED, "name": "a"}), UNKNOWN, "image.media_source.name"),
    (v30("image", media_source={"base64_string": media.b64(media.webp())}), INVALID, "JPEG, PNG"),
    (v30("image", media_source={"base64_string": media.b64(media.png(size=(100, 200)))}), INVALID, "128x128"),
    (v30("text_image", input_text="a"), MISSING, "text_image.media_source"),
    (v30("text_image", media_source=RED), MISSING, "text_image.input_text"),
    (v30("audio", media_source={"base64_string": media.b64(media.ogg())}), INVALID, "WAV, MP3, FLAC"),
    (v30("audio", media_source=RED), INVALID, "audio"),
    (v30("video", media_source=RED), "video_file_broken", "video"),
    (v30("video", media_source=NOTE), "video_file_broken", "video"),
    (
        v30("video", media_source={"base64_string": media.b64(b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n")}),
        "video_file_broken",
        "video",
    ),
    (
        v30("video", media_source={"base64_string": media.b64(media.mp4(size=(320, 240)))}),
        "video_resolution_too_low",
        "320x240",
    ),
    (
        v30("video", media_source={"base64_string": media.b64(media.mp4(size=(960, 384)))}),
        "video_resolution_invalid_aspect_ratio",
        "960x384",
    ),
    # options of audio and video
    (v30("audio", media_source=TONE, embedding_option=["visual"]), INVALID, "embedding_option"),
    (v30("video", media_source=CLIP, embedding_option=[]), INVALID, "embedding_option"),
    (v30("video", media_source=CLIP, embedding_option="visual"), INVALID, "embedding_option"),
    (v30("video", media_source=CLIP, embedding_scope=["video"]), INVALID, "embedding_scope"),
    (v30("video", media_source=CLIP, embedding_type=["fused"]), INVALID, "embedding_type"),
    (
        v30("video", media_source=CLIP, embedding_option=["visual"], embedding_type=["fused_embedding"]),
        INVALID,
        "embedding_type",
    ),
    (v30("audio", media_source=TONE, start_sec=-1), INVALID, "audio.start_sec"),
    (v30("audio", media_source=TONE, start_sec=1, end_sec=1), INVALID, "audio.end_sec"),
    (v30("audio", media_source=TONE, start_sec=2), INVALID, "audio.start_sec"),
    (v30("audio", media_source=TONE, end_sec=3), INVALID, "audio.end_sec"),
    (v30("video", media_source=CLIP, segmentation={}), MISSING, "segmentation.strategy"),
    (v30("video", media_source=CLIP, segmentation={"strategy": "fixed"}), MISSING, "segmentation.fixed"),
    *[
        (
            v30(
                "video",
                media_source=CLIP,
                segmentation={"strategy": "fixed", "fixed": {"duration_sec": length}},
            ),
            INVALID,
            "duration_sec",
        )
        for length in (1, 11, "6", True)
    ],
    (
        v30(
            "video",
            media_source=CLIP,
            segmentation={"strategy": "dynamic", "dynamic": {"min_duration_sec": 6}},
        ),
        INVALID,
        "min_duration_sec",
    ),
    (
        v30(
            "audio",
            media_source=TONE,
            segmentation={"strategy": "dynamic", "dynamic": {"min_duration_sec": 4}},
        ),
        INVALID,
        "segmentation.strategy",
    ),
    (
        v30(
            "video",
            media_source=CLIP,
            segmentation={"temporal": {"strategy": "fixed", "fixed": {"duration_sec": 6}}},
        ),
        MISSING,
        "strategy",
    ),
    # multi_input
    (v30("multi_input", input_text="a"), MISSING, "media_sources"),
    (v30("multi_input", media_sources=[AUDIO]), INVALID, "media_type"),
    (v35(), MISSING, "media_sources"),
    (v35(""), INVALID, "input_text"),
    (v35(None, *[image() for _ in range(11)]), INVALID, "10"),
    (v35(None, {**RED}), MISSING, "media_sources[0].media_type"),
    (v35(None, {"media_type": "image"}), MISSING, "media_sources[0]"),
    (v35(None, image(url="https://a/b")), INVALID, "exactly one"),
    (v35("<@coat> in blue", image()), INVALID, "coat"),
    (v35("<@coat> in blue", image(name="hat")), INVALID, "coat"),
    (v35("<@coat>"), INVALID, "coat"),
    (v35("a", image(name="x"), image(name="x")), INVALID, "name"),
    (v35(None, image(), AUDIO), INVALID, "input_text"),
    (v35(None, image(), VIDEO), INVALID, "input_text"),
    (v35("a", TEXT_FILE), INVALID, "texts"),
    (v35(None, TEXT_FILE, TEXT_FILE), INVALID, "texts"),
    (v35("a", PDF), INVALID, "PDF"),
    (v35(None, PDF, image()), INVALID, "PDF"),
    (v35(None, PDF, PDF), INVALID, "PDF"),
    (
        v35(None, {"media_type": "document", "base64_string": media.b64(b" \n")}),
        INVALID,
        "no content",
    ),
    (v35(None, {"media_type": "document", **RED}), INVALID, ".pdf"),
    (v35("a", embedding_dimension=64), INVALID, "embedding_dimension"),
    (v35("a", embedding_dimension="512"), INVALID, "embedding_dimension"),
    (v35("a", auto_truncate="yes"), INVALID, "auto_truncate"),
    (v35("a " * 2001), INVALID, "2000"),
    (v35("a " * 2001, auto_truncate=False), INVALID, "2000"),
    (v35("a", image(), embedding_uncertainty=True), INVALID, "embedding_uncertainty"),
    (v35(None, TEXT_FILE, embedding_uncertainty=True), INVALID, "embedding_uncertainty"),
    (v35(None, PDF, embedding_uncertainty=True), INVALID, "embedding_uncertainty"),
    (
        v35(None, {"media_type": "audio", "base64_string": media.b64(media.wav(seconds=31))}),
        INVALID,
        "30 seconds",
    ),
    (
        v35(None, {"media_type": "video", "base64_string": media.b64(media.mp4([("red", 31, 0)], fps=1))}),
        "video_duration_too_long",
        "30 seconds",
    ),
]


@pytest.mark.parametrize(("body", "code", "message"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_refused(v2: Any, body: dict[str, Any], code: str, message: str) -> None:
    answer = v2(**body)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"]["code"] == code
    assert message in answer.json()["error"]["message"]


ACCEPTED: list[tuple[dict[str, Any], int]] = [
    (v30("text", input_text="a " * 500), 1),
    (v30("multi_input", media_sources=[image(), image()]), 1),
    (v30("multi_input", input_text="a", media_sources=[image()]), 1),
    (v30("video", media_source=CLIP, embedding_option=["visual"], embedding_scope=["asset"]), 1),
    (
        v30("video", media_source=CLIP, embedding_scope=["asset"], embedding_type=["fused_embedding"]),
        1,
    ),
    (v30("audio", media_source=TONE, embedding_option=["audio", "audio"]), 2),
    (v30("audio", media_source=TONE, start_sec=0.5, end_sec=1.5, embedding_scope=["clip"]), 2),
    (v35("a"), 1),
    (v35("a " * 2000), 1),
    (v35(None, *[image() for _ in range(10)]), 1),
    (v35("<@coat>", image(name="coat")), 1),
    (v35("<@coat> and <@hat>", image(name="coat"), image(name="hat"), image()), 1),
    (v35(None, AUDIO, AUDIO), 1),
    (v35("a", image(), AUDIO, VIDEO), 1),
    (v35(None, TEXT_FILE), 1),
    (v35(None, TEXT_FILE, image()), 1),
    (v35("a", TEXT_FILE, AUDIO), 1),
    (v35(None, PDF), 1),
    (v35("a", embedding_uncertainty=True), 1),
    (v35(None, image(), embedding_uncertainty=True), 1),
    (v35(None, {"media_type": "audio", "base64_string": media.b64(media.mp3(seconds=30))}), 1),
]


@pytest.mark.parametrize(("body", "vectors"), ACCEPTED, ids=[str(n) for n in range(len(ACCEPTED))])
def test_accepted(v2: Any, body: dict[str, Any], vectors: int) -> None:
    answer = v2(**body)
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert len(data) == vectors
    for item in data:
        assert len(item["embedding"]) == 512
        assert set(item) >= {"embedding", "embedding_option", "embedding_scope", "start_sec", "end_sec"}
    assert ("usage" in answer.json()) == (body["model_name"] == "marengo3.5")


def test_exact_shape_of_a_text_answer(v2: Any) -> None:
    answer = v2(**v30("text", input_text="a red bike")).json()
    assert list(answer) == ["data"]
    (item,) = answer["data"]
    del item["embedding"]
    assert item == {"embedding_option": None, "embedding_scope": None, "start_sec": None, "end_sec": None}
    composed = v2(**v35("<@coat> but in blue", image(name="coat"))).json()
    assert composed["usage"] == {"input_tokens": {"text": 3, "image": 258}, "truncated": False}
    assert composed["metadata"] == {"input_type": "multi_input", "embedding_dimension": 512}


def test_unknown_asset(v2: Any) -> None:
    answer = v2(**v30("image", media_source={"asset_id": "66f5a1b2c3d4e5f6a7b8c9d0"}))
    assert answer.status_code == 403
    assert answer.json()["code"] == "read_not_allowed"


def test_too_large_for_35(v2: Any, emulator: Emulator) -> None:
    emulator.configure(megabyte=10_000)
    large = {"media_type": "image", "base64_string": media.b64(media.png() + b"\0" * 320_000)}
    answer = v2(**v35(None, large))
    assert answer.status_code == 413 and "32 MB" in answer.json()["error"]["message"]

    # The page allowance grows with the file: 16 pages for every megabyte begun.
    def pages(number: int, padding: int = 0) -> int:
        document = {"media_type": "document", "base64_string": media.b64(media.pdf(number, padding=padding))}
        status: int = v2(**v35(None, document)).status_code
        return status

    assert [pages(16), pages(17), pages(32, 5_000), pages(33, 5_000)] == [200, 413, 200, 413]
    assert pages(17, 6_000) == 200
    emulator.configure(pdf_partial_megabyte="ignored", too_large_status=400)
    assert pages(17, 6_000) == 400
    same = v30("image", media_source={"base64_string": large["base64_string"]})
    assert v2(**same).status_code == 400


def test_switches(v2: Any, emulator: Emulator) -> None:
    words = [f"word{n}" for n in range(501)]
    long = v30("text", input_text=" ".join(words))
    emulator.configure(over_long_text_code="token_limit_exceeded", v2_error_shape="flat")
    assert v2(**long).json()["code"] == "token_limit_exceeded"
    emulator.configure(v2_error_codes="upper")
    assert v2(**long).json()["code"] == "VALIDATION_ERROR"
    emulator.configure(over_long_text_v2_marengo30="cut")
    cut, kept = v2(**long), v2(**v30("text", input_text=" ".join(words[:500])))
    assert cut.json() == kept.json()
    emulator.configure(unknown_fields="ignore")
    assert v2(**v30("text", input_text="a", colour="red")).status_code == 200
    assert v2(**v30("text", input_text="a"), auto_truncate=None).status_code == 200
    emulator.configure(null_fields="refuse")
    assert v2(**v30("text", input_text="a"), auto_truncate=None).status_code == 400
    emulator.configure(unit_length=False)
    assert np.linalg.norm(v2(**v30("text", input_text="a")).json()["data"][0]["embedding"]) > 5
    emulator.configure(unit_length=True, normalize_prefix=False)
    short, whole = (v2(**v35("a", embedding_dimension=n)).json()["data"][0]["embedding"] for n in (128, 512))
    assert short == whole[:128]


def test_video_without_audio(v2: Any, emulator: Emulator) -> None:
    soundless = {"base64_string": media.b64(media.mp4(audio=False))}

    def options(**given: Any) -> Any:
        answer = v2(**v30("video", media_source=soundless, embedding_scope=["asset"], **given))
        if answer.status_code != 200:
            return answer.status_code
        return [item["embedding_option"] for item in answer.json()["data"]]

    assert options() == ["visual"]
    assert options(embedding_option=["audio"]) == 400
    emulator.configure(soundless_video="embed")
    assert options() == ["visual", "audio", "transcription"]


def test_order_may_be_shuffled(v2: Any, emulator: Emulator) -> None:
    emulator.configure(shuffle_segments=True)
    body = v30(
        "audio",
        media_source={"base64_string": media.b64(media.wav(seconds=20))},
        segmentation={"strategy": "fixed", "fixed": {"duration_sec": 2}},
    )

    def order() -> tuple[Any, ...]:
        data = v2(**body).json()["data"]
        return tuple((d["start_sec"], d["embedding_option"], d["embedding_scope"]) for d in data)

    first = order()
    assert len(set(first)) == 22
    assert any(order() != first for _ in range(4))


def test_urls(v2: Any, emulator: Emulator, serve_file: Callable[[bytes], str], http: httpx.Client) -> None:
    def embed(url: str) -> httpx.Response:
        answer: httpx.Response = v2(**v30("image", media_source={"url": url}))
        return answer

    url = serve_file(media.png())
    answer = embed(url)
    assert answer.status_code == 200
    assert answer.json()["metadata"] == {"input_type": "image", "input_url": url}
    base = url.rsplit("/", 1)[0]
    assert embed(f"{base}/nothing").status_code == 400
    assert "only fetches URLs of this machine" in embed(f"{base}/away").json()["error"]["message"]
    assert embed(serve_file(b"<html>a page, not an image</html>")).status_code == 400
    emulator.configure(url_files={"https://example.com/a.png": media.png()})
    assert embed("https://example.com/a.png").status_code == 200
    emulator.configure(fetch_urls="none")
    assert embed(url).status_code == 400


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"null"])
def test_bodies_that_are_no_object(http: httpx.Client, content: bytes) -> None:
    answer = http.post("embed-v2", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == INVALID


def test_gzip(http: httpx.Client) -> None:
    body = json.dumps(v30("text", input_text="a red bike")).encode()
    packed = http.post("embed-v2", content=gzip.compress(body), headers={"content-encoding": "gzip"})
    assert packed.json() == http.post("embed-v2", content=body).json()
    broken = http.post("embed-v2", content=body, headers={"content-encoding": "gzip"})
    assert broken.status_code == 400
    half = http.post("embed-v2", content=gzip.compress(body)[:-9], headers={"content-encoding": "gzip"})
    assert half.status_code == 400
