"""The official SDK, unchanged, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from twelvelabs import TwelveLabs
from twelvelabs.core.api_error import ApiError
from twelvelabs.errors import BadRequestError, ContentTooLargeError

from tests.support import media, not_none
from twelvelabs_emulator import Emulator


def source(content: bytes) -> dict[str, str]:
    return {"base64_string": media.b64(content)}


def v2(sdk: TwelveLabs) -> Any:
    """The client of ``/embed-v2``, untyped: it takes plain dicts too, and every field of a response is optional."""
    return sdk.embed.v_2


def assert_unit(embedding: Any, dimension: int) -> None:
    assert len(embedding) == dimension
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)


# --- v1 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "dimension"), [("marengo3.0", 512), ("Marengo-retrieval-2.7", 1024)])
def test_v1_text(sdk: TwelveLabs, model: str, dimension: int) -> None:
    answer = sdk.embed.create(model_name=model, text="a man with a dog")
    assert answer.model_name == model
    assert answer.text_embedding is not None and answer.text_embedding.segments is not None
    (segment,) = answer.text_embedding.segments
    assert_unit(segment.float_, dimension)
    assert answer.image_embedding is None and answer.audio_embedding is None


def test_v1_all_in_one_call(sdk: TwelveLabs) -> None:
    answer = sdk.embed.create(
        model_name="marengo3.0",
        text="a red picture",
        image_file=("red.png", media.png()),
        audio_file=("low.wav", media.wav(110, 13)),
    )
    assert answer.text_embedding and answer.image_embedding and answer.audio_embedding
    assert not_none(answer.image_embedding.metadata).input_filename == "red.png"
    assert not_none(answer.audio_embedding.metadata).input_filename == "low.wav"
    segments = not_none(answer.audio_embedding.segments)
    spans = [(s.start_offset_sec, s.end_offset_sec) for s in segments]
    assert spans == [(0, 6), (0, 6), (6, 12), (6, 12), (12, 13), (12, 13)]
    first, second = (s.float_ for s in segments[:2])
    assert first != second


def test_v1_urls_and_offset(sdk: TwelveLabs, serve_file: Callable[[bytes], str]) -> None:
    image, audio = serve_file(media.jpeg()), serve_file(media.flac(440, 10))
    answer = sdk.embed.create(
        model_name="Marengo-retrieval-2.7", image_url=image, audio_url=audio, audio_start_offset_sec=2.5
    )
    of_image, of_audio = not_none(answer.image_embedding), not_none(answer.audio_embedding)
    assert not_none(of_image.metadata).input_url == image
    assert not_none(of_audio.metadata).input_url == audio
    segments = not_none(of_audio.segments)
    spans = [(s.start_offset_sec, s.end_offset_sec) for s in segments]
    assert spans == [(2.5, 8.5), (8.5, 10)]
    assert_unit(segments[0].float_, 1024)


# --- v2, marengo3.0 ---------------------------------------------------------------------------------------


def test_v2_text(sdk: TwelveLabs) -> None:
    answer = v2(sdk).create(input_type="text", model_name="marengo3.0", text={"input_text": "a red picture"})
    (item,) = answer.data
    assert_unit(item.embedding, 512)
    assert item.embedding_option is None and item.start_sec is None
    assert answer.metadata is None and answer.usage is None


def test_v2_image_and_text_image(sdk: TwelveLabs, serve_file: Callable[[bytes], str]) -> None:
    url = serve_file(media.png("blue"))
    image = v2(sdk).create(input_type="image", model_name="marengo3.0", image={"media_source": {"url": url}})
    assert image.metadata.input_type == "image" and image.metadata.input_url == url
    both = v2(sdk).create(
        input_type="text_image",
        model_name="marengo3.0",
        text_image={"input_text": "a dog", "media_source": source(media.png("blue"))},
    )
    (item,) = both.data
    assert_unit(item.embedding, 512)
    assert 0.5 < np.dot(item.embedding, image.data[0].embedding) < 0.9


def test_v2_audio_defaults(sdk: TwelveLabs) -> None:
    answer = v2(sdk).create(
        input_type="audio", model_name="marengo3.0", audio={"media_source": source(media.mp3(440, 8))}
    )
    found = [(d.embedding_option, d.embedding_scope, d.start_sec, d.end_sec) for d in answer.data]
    assert found == [
        ("audio", "clip", 0, 6),
        ("transcription", "clip", 0, 6),
        ("audio", "clip", 6, 8),
        ("transcription", "clip", 6, 8),
        ("audio", "asset", 0, 8),
        ("transcription", "asset", 0, 8),
    ]
    assert answer.metadata.input_type == "audio" and answer.metadata.duration == 8


def test_v2_video_fixed_and_dynamic(sdk: TwelveLabs) -> None:
    content = media.mp4([("red", 5, 110), ("blue", 4, 880)])

    def embed(**options: Any) -> Any:
        video = {"media_source": source(content), **options}
        return v2(sdk).create(input_type="video", model_name="marengo3.0", video=video)

    by_scene = embed()
    assert len(by_scene.data) == 3 * 3
    clips = {(d.start_sec, d.end_sec) for d in by_scene.data if d.embedding_scope == "clip"}
    assert clips == {(0, 5), (5, 9)}
    assert by_scene.metadata.clip_length is None
    fixed = embed(
        segmentation={"strategy": "fixed", "fixed": {"duration_sec": 4}},
        embedding_option=["visual", "audio"],
        embedding_scope=["clip"],
        embedding_type=["separate_embedding", "fused_embedding"],
    )
    assert [(d.embedding_option, d.start_sec, d.end_sec) for d in fixed.data] == [
        (option, start, end) for start, end in ((0, 4), (4, 8), (8, 9)) for option in ("visual", "audio", "fused")
    ]
    assert fixed.metadata.clip_length == 4
    part = embed(embedding_option=["visual"], embedding_scope=["asset"], start_sec=5.5, end_sec=8)
    (item,) = part.data
    blue = v2(sdk).create(input_type="text", model_name="marengo3.0", text={"input_text": "a blue film"})
    red = v2(sdk).create(input_type="text", model_name="marengo3.0", text={"input_text": "a red film"})
    assert np.dot(item.embedding, blue.data[0].embedding) > np.dot(item.embedding, red.data[0].embedding) + 0.4


def test_v2_multi_input_of_30(sdk: TwelveLabs) -> None:
    answer = v2(sdk).create(
        input_type="multi_input",
        model_name="marengo3.0",
        multi_input={
            "input_text": "<@coat> but in blue",
            "media_sources": [{"name": "coat", "media_type": "image", **source(media.png())}],
        },
    )
    assert_unit(answer.data[0].embedding, 512)
    assert answer.usage is None and answer.metadata.input_type == "multi_input"


# --- v2, marengo3.5 ---------------------------------------------------------------------------------------


def embed_35(sdk: TwelveLabs, multi_input: dict[str, Any], **options: Any) -> Any:
    return v2(sdk).create(input_type="multi_input", model_name="marengo3.5", multi_input=multi_input, **options)


def test_35_text_dimensions_are_prefixes(sdk: TwelveLabs) -> None:
    whole = embed_35(sdk, {"input_text": "a red bike"})
    assert whole.usage.input_tokens["text"] == 3 and whole.usage.truncated is False
    assert whole.metadata.embedding_dimension == 512
    for dimension in (128, 256, 512):
        short = embed_35(sdk, {"input_text": "a red bike"}, embedding_dimension=dimension)
        assert_unit(short.data[0].embedding, dimension)
        head = np.array(whole.data[0].embedding[:dimension])
        assert short.data[0].embedding == pytest.approx(head / np.linalg.norm(head), abs=1e-6)


@pytest.mark.parametrize(
    ("media_type", "content", "counted"),
    [
        ("image", media.jpeg(), "image"),
        ("video", media.mp4(), "video"),
        ("audio", media.wav(), "audio"),
        ("document", b"# Title\n\nA text about boats.\n", "document"),
        ("document", media.pdf(["boats and harbours", "more"]), "document"),
    ],
    ids=["image", "video", "audio", "markdown", "pdf"],
)
def test_35_one_source(sdk: TwelveLabs, media_type: str, content: bytes, counted: str) -> None:
    answer = embed_35(sdk, {"media_sources": [{"media_type": media_type, **source(content)}]})
    assert_unit(answer.data[0].embedding, 512)
    tokens = answer.usage.input_tokens
    assert list(tokens) == [counted] and tokens[counted] > 0


def test_35_documents_are_found_by_their_words(sdk: TwelveLabs) -> None:
    question = embed_35(sdk, {"input_text": "boats in harbours"}).data[0].embedding
    scores = []
    for content in (media.pdf(["boats and harbours"]), media.pdf(["mountain goats"])):
        answer = embed_35(sdk, {"media_sources": [{"media_type": "document", **source(content)}]})
        scores.append(np.dot(question, answer.data[0].embedding))
    assert scores[0] > 0.6 > 0.2 > scores[1]


def test_35_placeholders_and_mixture(sdk: TwelveLabs) -> None:
    answer = embed_35(
        sdk,
        {
            "input_text": "<@cover> with <@theme>",
            "media_sources": [
                {"name": "cover", "media_type": "image", **source(media.png())},
                {"name": "theme", "media_type": "audio", **source(media.wav())},
            ],
        },
    )
    assert len(answer.data) == 1
    assert set(answer.usage.input_tokens) == {"text", "image", "audio"}


def test_35_truncation_and_uncertainty(sdk: TwelveLabs) -> None:
    long = " ".join(f"word{n}" for n in range(2001))
    with pytest.raises(BadRequestError) as refused:
        embed_35(sdk, {"input_text": long})
    assert "2000" in str(refused.value.body)
    cut = embed_35(sdk, {"input_text": long}, auto_truncate=True, embedding_uncertainty=True)
    assert cut.usage.truncated and cut.usage.truncation_reason == "model_context_window"
    assert cut.usage.input_tokens["text"] == 2000
    same = embed_35(sdk, {"input_text": long.rsplit(" ", 1)[0]})
    assert cut.data[0].embedding == same.data[0].embedding
    assert len(cut.data[0].embedding_uncertainty) == 512 and min(cut.data[0].embedding_uncertainty) > 0


# --- errors -----------------------------------------------------------------------------------------------


def test_wrong_key(emulator: Emulator) -> None:
    with httpx.Client() as transport:
        other = TwelveLabs(api_key="tlk_secret_other", base_url=emulator.base_url, httpx_client=transport)
        for call in (
            lambda: other.embed.create(model_name="marengo3.0", text="a"),
            lambda: v2(other).create(input_type="text", model_name="marengo3.0", text={"input_text": "a"}),
        ):
            with pytest.raises(ApiError) as refused:
                call()
            assert refused.value.status_code == 401
            assert refused.value.body["code"] == "api_key_invalid"
            assert "secret" not in str(refused.value)


def test_bad_request_shapes(sdk: TwelveLabs, emulator: Emulator) -> None:
    def embed() -> Any:
        return v2(sdk).create(input_type="text", model_name="marengo3.0", text={"input_text": ""})

    with pytest.raises(BadRequestError) as nested:
        embed()
    assert nested.value.body["error"]["code"] == "parameter_invalid"
    emulator.configure(v2_error_shape="flat")
    with pytest.raises(BadRequestError) as flat:
        embed()
    assert flat.value.body["code"] == "parameter_invalid"
    with pytest.raises(BadRequestError) as v1:
        sdk.embed.create(model_name="marengo9", text="a")
    assert v1.value.body["code"] == "parameter_invalid"


def test_content_too_large(sdk: TwelveLabs) -> None:
    with pytest.raises(ContentTooLargeError) as refused:
        embed_35(sdk, {"media_sources": [{"media_type": "document", **source(media.pdf(17))}]})
    assert "17 pages" in refused.value.body.error.message
