"""``POST /embed-v2``: the body of every kind of item, on each model."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
import respx

from tests.support import media
from tests.support.service import BASE, KEY, Service, sent_json, v2_answer, vector
from twelvelabs_core import Audio, Composed, Document, EmbeddingClient, Image, InvalidInputError, Item, Video

URL = "https://h.example/x"
PNG = base64.b64encode(media.png()).decode()


def body_of(item: Item, model: str = "marengo3.0", **options: Any) -> dict[str, Any]:
    """The body of the one request an item takes."""
    router = respx.MockRouter()
    length = options.get("dimensions") or 512
    route = router.post(f"{BASE}/embed-v2").respond(json=v2_answer(vector("x", length)))
    client = EmbeddingClient(model, api_key=KEY, transport=httpx.MockTransport(router.async_handler), **options)
    assert client.embed(item).vector == vector("x", length)
    assert len(route.calls) == 1
    request = route.calls.last.request
    assert request.headers["x-api-key"] == KEY
    return sent_json(request)


# -- the documented examples -----------------------------------------------------------------------------------


def test_text_on_3_5_with_256_dimensions() -> None:
    assert body_of("a red bike leaning on a wall", "marengo3.5", dimensions=256) == {
        "input_type": "multi_input",
        "model_name": "marengo3.5",
        "auto_truncate": True,
        "embedding_dimension": 256,
        "multi_input": {"input_text": "a red bike leaning on a wall"},
    }


def test_composed_query_on_3_5() -> None:
    item = Composed("<@coat> but in blue", [Image(media.png(), name="coat")])
    assert body_of(item, "marengo3.5") == {
        "input_type": "multi_input",
        "model_name": "marengo3.5",
        "auto_truncate": True,
        "embedding_dimension": 512,
        "multi_input": {
            "input_text": "<@coat> but in blue",
            "media_sources": [{"name": "coat", "media_type": "image", "base64_string": PNG}],
        },
    }


def test_text_on_3_0() -> None:
    assert body_of("a red bike") == {
        "input_type": "text",
        "model_name": "marengo3.0",
        "text": {"input_text": "a red bike"},
    }


@pytest.mark.parametrize(
    ("item", "kind", "option"),
    [(Video("https://h/x.mp4"), "video", "visual"), (Audio("https://h/x.mp4"), "audio", "audio")],
)
def test_whole_video_or_audio_on_3_0(item: Item, kind: str, option: str) -> None:
    assert body_of(item) == {
        "input_type": kind,
        "model_name": "marengo3.0",
        kind: {
            "media_source": {"url": "https://h/x.mp4"},
            "embedding_option": [option],
            "embedding_scope": ["asset"],
        },
    }


# -- each kind on each model -----------------------------------------------------------------------------------


def test_image_on_3_0_has_only_a_media_source() -> None:
    assert body_of(Image(media.png())) == {
        "input_type": "image",
        "model_name": "marengo3.0",
        "image": {"media_source": {"base64_string": PNG}},
    }


@pytest.mark.parametrize("kind", [Audio, Video])
def test_time_range_of_video_or_audio_on_3_0(kind: type[Audio] | type[Video]) -> None:
    name = kind.kind
    part = body_of(kind(URL, start_sec=1.5, end_sec=9))[name]
    assert (part["start_sec"], part["end_sec"]) == (1.5, 9)
    assert "start_sec" not in body_of(kind(URL))[name]
    assert "end_sec" not in body_of(kind(URL, start_sec=2))[name]


@pytest.mark.parametrize(
    ("item", "source"),
    [
        (Image(media.png()), {"media_type": "image", "base64_string": PNG}),
        (Audio(URL), {"media_type": "audio", "url": URL}),
        (Composed(None, [Video(URL)]), {"media_type": "video", "url": URL}),
        (Document(URL), {"media_type": "document", "url": URL}),
    ],
    ids=["image", "audio", "fused video", "document"],
)
def test_single_media_on_3_5(item: Item, source: dict[str, str]) -> None:
    assert body_of(item, "marengo3.5") == {
        "input_type": "multi_input",
        "model_name": "marengo3.5",
        "embedding_dimension": 512,
        "multi_input": {"media_sources": [source]},
    }


def test_one_vector_of_a_video_on_3_5_is_visual_and_made_by_a_task() -> None:
    """A synchronous request returns a fused vector and takes at most 30 s; a task returns the visual vector."""
    entry = {**v2_answer(vector("x"))["data"][0], "embedding_option": "visual", "embedding_scope": "asset"}
    router = respx.MockRouter()
    create = router.post(f"{BASE}/embed-v2/tasks").respond(202, json={"_id": "t1", "status": "processing"})
    router.get(f"{BASE}/embed-v2/tasks/t1").respond(json={"_id": "t1", "status": "ready", "data": [entry]})
    client = EmbeddingClient("marengo3.5", api_key=KEY, transport=httpx.MockTransport(router.async_handler))
    assert client.embed(Video(URL, start_sec=2)).vector == vector("x")
    assert sent_json(create.calls.last.request) == {
        "input_type": "video",
        "model_name": "marengo3.5",
        "embedding_dimension": 512,
        "video": {
            "media_source": {"url": URL},
            "start_sec": 2,
            "embedding_option": ["visual"],
            "embedding_scope": ["asset"],
        },
    }


def test_text_with_one_unnamed_image_on_3_0_is_text_image() -> None:
    assert body_of(Composed("but in blue", [Image(URL)])) == {
        "input_type": "text_image",
        "model_name": "marengo3.0",
        "text_image": {"input_text": "but in blue", "media_source": {"url": URL}},
    }


@pytest.mark.parametrize(
    ("item", "part"),
    [
        (
            Composed("<@a> beside <@b>", [Image(URL, name="a"), Image(media.png(), name="b")]),
            {
                "input_text": "<@a> beside <@b>",
                "media_sources": [
                    {"name": "a", "media_type": "image", "url": URL},
                    {"name": "b", "media_type": "image", "base64_string": PNG},
                ],
            },
        ),
        (
            Composed(None, [Image(URL), Image(URL + "2")]),
            {"media_sources": [{"media_type": "image", "url": URL}, {"media_type": "image", "url": URL + "2"}]},
        ),
        (
            Composed("<@a> in blue", [Image(URL, name="a")]),
            {"input_text": "<@a> in blue", "media_sources": [{"name": "a", "media_type": "image", "url": URL}]},
        ),
    ],
    ids=["two named", "images alone", "one named"],
)
@pytest.mark.parametrize("model", ["marengo3.0", "marengo3.5"])
def test_multi_input_on_both_models(model: str, item: Composed, part: dict[str, Any]) -> None:
    body = body_of(item, model)
    assert body["input_type"] == "multi_input"
    assert body["multi_input"] == part
    extras = set(body) - {"input_type", "model_name", "multi_input"}
    if model == "marengo3.0":  # 3.0 refuses these fields
        assert extras == set()
    else:  # auto_truncate applies to text only
        assert extras == {"embedding_dimension"} | ({"auto_truncate"} if item.text else set())


def test_sources_are_sent_in_the_given_order() -> None:
    item = Composed.of("all of it", videos=[URL + "v"], audio={"hum": URL + "a"}, images=[URL + "1", URL + "2"])
    sources = body_of(item, "marengo3.5")["multi_input"]["media_sources"]
    assert [(s["media_type"], s["url"]) for s in sources] == [
        ("image", URL + "1"),
        ("image", URL + "2"),
        ("audio", URL + "a"),
        ("video", URL + "v"),
    ]
    assert [s.get("name") for s in sources] == [None, None, "hum", None]


@pytest.mark.parametrize("dimensions", [None, 512, 256, 128])
def test_embedding_dimension_is_always_sent_to_3_5(dimensions: int | None) -> None:
    assert body_of("a", "marengo3.5", dimensions=dimensions)["embedding_dimension"] == (dimensions or 512)


def test_embedding_dimension_is_never_sent_to_3_0() -> None:
    assert "embedding_dimension" not in body_of("a", dimensions=512)


# -- sources ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["marengo3.0", "marengo3.5"])
@pytest.mark.parametrize(
    "source",
    [URL, media.png(), "data:image/png;base64," + PNG, bytearray(media.png()), memoryview(media.png())],
    ids=["url", "bytes", "data uri", "bytearray", "memoryview"],
)
def test_a_media_source_has_exactly_one_of_url_and_base64(model: str, source: Any) -> None:
    body = body_of(Image(source), model)
    found = body["image"]["media_source"] if model == "marengo3.0" else body["multi_input"]["media_sources"][0]
    places = {key: value for key, value in found.items() if key in ("url", "base64_string", "asset_id")}
    assert places == ({"url": URL} if source == URL else {"base64_string": PNG})


def test_base64_has_no_prefix_and_no_line_breaks() -> None:
    content = media.wav(seconds=0.1)
    found: str = body_of(Audio(content))["audio"]["media_source"]["base64_string"]
    assert not found.startswith("data:")
    assert "\n" not in found
    assert base64.b64decode(found, validate=True) == content


@pytest.mark.parametrize("text", ['"quoted"\n\ttab', "猫 🚲 überzählig", "<b>&amp;</b>", "a\u2028b", "a\x00b"])
@pytest.mark.parametrize("model", ["marengo3.0", "marengo3.5"])
def test_text_is_sent_unchanged(model: str, text: str) -> None:
    service = Service()
    service.client(model).embed(text)
    assert service.texts == [text]


@pytest.mark.parametrize("api_version", ["v1", "v2"])
def test_text_with_a_lone_surrogate_is_refused(api_version: str) -> None:
    service = Service()
    with pytest.raises(InvalidInputError):
        service.client(api_version=api_version).embed("broken \ud83d emoji")
    assert service.requests == []


# -- time ranges and refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "item"),
    [
        ("marengo3.5", Composed("with", [Audio(URL, start_sec=1)])),
    ],
)
def test_a_time_range_in_a_composition_is_refused(model: str, item: Item) -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match=r"start_sec|end_sec"):
        service.client(model).embed(item)
    assert service.requests == []


@pytest.mark.parametrize(("start", "end"), [(-1, None), (None, 0), (5, 5), (9, 3), (float("nan"), None)])
def test_an_invalid_time_range_is_refused(start: Any, end: Any) -> None:
    service = Service()
    with pytest.raises(InvalidInputError):
        service.client().embed(Video(URL, start_sec=start, end_sec=end))
    assert service.requests == []
