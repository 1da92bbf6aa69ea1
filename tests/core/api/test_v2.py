"""``POST /embed-v2``: the body of every kind of item, on each model."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
import respx

from tests.support import media
from tests.support.service import BASE, KEY, Service, sent_json, v2_answer, vector
from twelvelabs_core import (
    MODELS,
    Audio,
    Composed,
    Document,
    Dynamic,
    EmbeddingClient,
    Fixed,
    Image,
    InvalidInputError,
    Item,
    Model,
    Quadrants,
    SegmentOptions,
    Sentences,
    TimedText,
    Video,
)
from twelvelabs_core._api import v2
from twelvelabs_core._api.requests import MediaPayload
from twelvelabs_core._media.streamed import HeldContent
from twelvelabs_core._models import Kind

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


@pytest.mark.parametrize("text", ["a", '""', '"}}', "\\", "\x00\x1f\x7f", "ä \u2028 \U0001f600", '{"input_text":""}'])
def test_any_text_is_written_as_json_writes_it(text: str) -> None:
    request = v2.text(MODELS["marengo3.0"], text, dimensions=512, auto_truncate=None)
    body = {"input_type": "text", "model_name": "marengo3.0", "text": {"input_text": text}}
    assert request.json == json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    assert json.loads(request.json or b"") == body


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


# -- options of segments ---------------------------------------------------------------------------------------

M30, M35 = MODELS["marengo3.0"], MODELS["marengo3.5"]


def segments_body(
    model: Model, kind: Kind, *, task: bool = True, is_text: bool = False, dimensions: int = 512, **options: Any
) -> dict[str, Any]:
    """The body of a request for segments of a URL."""
    payload = MediaPayload(kind, url=URL)
    request = v2.media(model, payload, SegmentOptions(**options), dimensions=dimensions, task=task, is_text=is_text)
    assert request.path == ("embed-v2/tasks" if task else "embed-v2")
    assert request.kinds == {kind}
    body: dict[str, Any] = json.loads(request.json or b"")
    return body


@pytest.mark.parametrize("task", [False, True])
def test_default_segments_of_a_video_on_3_0(task: bool) -> None:
    assert segments_body(M30, "video", task=task) == {
        "input_type": "video",
        "model_name": "marengo3.0",
        "video": {
            "media_source": {"url": URL},
            "embedding_option": ["visual", "audio", "transcription"],
            "embedding_scope": ["clip"],
        },
    }


def test_all_options_of_a_video_on_3_5() -> None:
    body = segments_body(
        M35,
        "video",
        dimensions=128,
        segmentation=Fixed(5),
        embedding_option=("visual",),
        embedding_scope=("clip", "asset"),
        embedding_type=("separate_embedding", "fused_embedding"),
        time_based_metadata=(TimedText(0, 1.5, "a goal"), TimedText(2, 2, "a cut")),
        embedding_uncertainty=True,
    )
    assert body == {
        "input_type": "video",
        "model_name": "marengo3.5",
        "embedding_dimension": 128,
        "embedding_uncertainty": True,
        "video": {
            "media_source": {"url": URL},
            "segmentation": {"temporal": {"strategy": "fixed", "fixed": {"duration_sec": 5}}},
            "embedding_option": ["visual"],
            "embedding_scope": ["clip", "asset"],
            "embedding_type": ["separate_embedding", "fused_embedding"],
            "time_based_metadata": [
                {"start": 0, "end": 1.5, "text": "a goal"},
                {"start": 2, "end": 2, "text": "a cut"},
            ],
        },
    }


@pytest.mark.parametrize(
    ("model", "kind", "segmentation", "field"),
    [
        (M30, "video", Fixed(5), {"strategy": "fixed", "fixed": {"duration_sec": 5}}),
        (M30, "video", Dynamic(3), {"strategy": "dynamic", "dynamic": {"min_duration_sec": 3}}),
        (M35, "video", Dynamic(3), {"temporal": {"strategy": "dynamic", "dynamic": {"min_duration_sec": 3}}}),
        (
            M35,
            "document",
            Sentences(7, 2),
            {"sequential": {"strategy": "sentence", "max_sentences": 7, "overlap_sentences": 2}},
        ),
        (M35, "document", Quadrants(), {"spatial": {"strategy": "quadrants"}}),
    ],
)
def test_segmentation_field(model: Model, kind: Kind, segmentation: Any, field: dict[str, Any]) -> None:
    assert segments_body(model, kind, segmentation=segmentation)[kind]["segmentation"] == field


@pytest.mark.parametrize(
    ("is_text", "scope", "option", "scopes"),
    [
        (True, ("clip",), "text", ["local"]),
        (False, ("clip",), "visual", ["local"]),
        (True, ("clip", "asset"), "text", ["local", "asset"]),
    ],
)
def test_documents_have_scope_local_and_one_option(is_text: bool, scope: Any, option: str, scopes: list[str]) -> None:
    part = segments_body(M35, "document", is_text=is_text, embedding_scope=scope)["document"]
    assert (part["embedding_option"], part["embedding_scope"]) == ([option], scopes)


def test_an_image_by_a_task_has_scope_asset() -> None:
    body = segments_body(M35, "image", embedding_uncertainty=True)
    assert body["image"] == {
        "media_source": {"url": URL},
        "embedding_option": ["visual"],
        "embedding_scope": ["asset"],
    }
    assert body["embedding_uncertainty"] is True


def test_a_request_for_an_image_on_3_0_has_no_options() -> None:
    body = segments_body(M30, "image", task=False)
    assert body == {"input_type": "image", "model_name": "marengo3.0", "image": {"media_source": {"url": URL}}}


def test_an_asset_is_sent_by_its_id() -> None:
    payload = MediaPayload("video", url=URL, asset_id="a1", content=HeldContent(b"x"))
    assert payload.source() == {"asset_id": "a1"}
    assert payload.marked is None


def test_ten_sources_are_accepted_and_eleven_refused() -> None:
    ten = Composed("a", [Image(URL)] * 10)
    v2.check_composed(ten, M35, is_pdf=[False] * 10, label="x")
    with pytest.raises(InvalidInputError, match="has 11 sources; the API takes 10") as caught:
        v2.check_composed(Composed("a", [Image(URL)] * 11), M35, is_pdf=[False] * 11, label="x")
    assert caught.value.item == "x"


def test_a_model_without_composition_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"cannot fuse several inputs.*marengo3\.0 and marengo3\.5 can"):
        v2.check_composed(Composed("a", [Image(URL)]), MODELS["Marengo-retrieval-2.7"], is_pdf=[False], label="x")
