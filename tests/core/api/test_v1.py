"""``POST /embed`` (v1), field by field as the API pages document it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from tests.support import media
from tests.support.service import BASE, KEY, Service, fields_of, sent_form, v1_answer, vector
from twelvelabs_core import Audio, EmbeddingClient, Image, InvalidInputError, MediaLimit, Model, Parts

OLD = "Marengo-retrieval-2.7"
old_model = pytest.mark.filterwarnings("ignore:Marengo-retrieval-2.7 was switched off")


def client_of(router: respx.MockRouter, model: Any = "marengo3.0", **options: Any) -> EmbeddingClient:
    return EmbeddingClient(
        model, api_key=KEY, api_version="v1", transport=httpx.MockTransport(router.async_handler), **options
    )


@pytest.fixture
def router() -> respx.MockRouter:
    """Has a route for ``/embed`` only: a request to any other path fails the test."""
    return respx.MockRouter()


# -- requests ---------------------------------------------------------------------------------------------------


@old_model
@pytest.mark.parametrize("truncate", ["start", "end", "none"])
def test_text_on_2_7_has_the_truncate_field(router: respx.MockRouter, truncate: Any) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer(OLD, text=vector("a", 1024)))

    found = client_of(router, OLD, truncate=truncate).embed("Man with a dog crossing the street")

    request = route.calls.last.request
    assert fields_of(request) == {
        "model_name": "Marengo-retrieval-2.7",
        "text": "Man with a dog crossing the street",
        "text_truncate": truncate,
    }
    assert found.vector == vector("a", 1024)
    assert found.space == "Marengo-retrieval-2.7/1024"


@pytest.mark.parametrize("truncate", ["start", "end", "none", "average"])
def test_text_on_3_0_has_no_truncate_field(router: respx.MockRouter, truncate: Any) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", text=vector("a")))

    client_of(router, truncate=truncate).embed("a red bike")

    assert fields_of(route.calls.last.request) == {"model_name": "marengo3.0", "text": "a red bike"}


def test_a_text_is_a_multipart_request_with_the_api_key(router: respx.MockRouter) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", text=vector("a")))

    client_of(router).embed("a red bike")

    headers = route.calls.last.request.headers
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert headers["x-api-key"] == KEY
    assert headers["accept"] == "application/json"
    assert headers["user-agent"].startswith("twelvelabs-embeddings/")
    assert int(headers["content-length"]) == len(route.calls.last.request.content)


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines\r\nand\ttabs",
        '"quoted" & <@tagged>',
        "überzählig 猫 🚲",
        " spaces around ",
        "--boundary\r\n--",
        "x=1&y",
    ],
)
def test_text_is_sent_unchanged(text: str) -> None:
    service = Service()
    service.client(api_version="v1").embed(text)
    assert service.texts == [text]


def test_urls_are_sent_in_url_fields(router: respx.MockRouter) -> None:
    answer = v1_answer("marengo3.0", image=vector("i"), audio=vector("a"))
    route = router.post(f"{BASE}/embed").respond(json=answer)

    client_of(router).embed_parts(image="https://h.example/i.jpg?sig=1", audio="https://h.example/a.mp3")

    assert fields_of(route.calls.last.request) == {
        "model_name": "marengo3.0",
        "image_url": "https://h.example/i.jpg?sig=1",
        "audio_url": "https://h.example/a.mp3",
    }


IMAGE_FILES = {"cat.jpg": (media.jpeg(), "image/jpeg"), "cat.png": (media.png(), "image/png")}
AUDIO_FILES = {
    "hum.wav": (media.wav(), "audio/wav"),
    "hum.mp3": (media.mp3(), "audio/mpeg"),
    "hum.flac": (media.flac(), "audio/flac"),
}


@pytest.mark.parametrize("name", IMAGE_FILES)
def test_an_image_file_part_has_name_type_and_content(router: respx.MockRouter, tmp_path: Path, name: str) -> None:
    content, mime = IMAGE_FILES[name]
    (tmp_path / name).write_bytes(content)
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", image=vector("i")))

    found = client_of(router).embed(Image(tmp_path / name))

    (part,) = [f for f in sent_form(route.calls.last.request) if f.name == "image_file"]
    assert (part.filename, part.mime, part.value) == (name, mime, content)
    assert set(fields_of(route.calls.last.request)) == {"model_name"}
    assert found.vector == vector("i")


@pytest.mark.parametrize("name", AUDIO_FILES)
def test_an_audio_file_part_has_name_type_and_content(router: respx.MockRouter, tmp_path: Path, name: str) -> None:
    content, mime = AUDIO_FILES[name]
    (tmp_path / name).write_bytes(content)
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", audio=vector("s")))

    client_of(router).embed(Audio(str(tmp_path / name)))

    (part,) = [f for f in sent_form(route.calls.last.request) if f.name == "audio_file"]
    assert (part.filename, part.mime, part.value) == (name, mime, content)


@pytest.mark.parametrize("name", ["mit Leerzeichen.jpg", "Mädchen.jpg", "猫.jpg", "50% off.jpg"])
def test_file_names_with_special_characters_are_sent_unchanged(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(media.jpeg())
    service = Service()
    service.client(api_version="v1").embed(Image(tmp_path / name))
    assert [f.filename for f in sent_form(service.requests[0]) if f.name == "image_file"] == [name]


def test_bytes_without_a_filename_get_one_for_their_format() -> None:
    service = Service()
    client = service.client(api_version="v1")
    client.embed(Image(media.jpeg()))
    client.embed(Audio(io.BytesIO(media.mp3())))
    client.embed(Image(media.png(), filename="mine.png"))
    assert [sent_form(r)[1].filename for r in service.requests] == ["image.jpg", "audio.mp3", "mine.png"]


@pytest.mark.parametrize(("offset", "field"), [(0, "0"), (2, "2"), (2.5, "2.5"), (3.0, "3"), (0.125, "0.125")])
def test_audio_start_offset_is_sent_in_seconds(router: respx.MockRouter, offset: float, field: str) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", audio=vector("s")))

    client_of(router).embed_parts(audio="https://h.example/a.mp3", audio_start_offset_sec=offset)

    assert fields_of(route.calls.last.request)["audio_start_offset_sec"] == field


def test_audio_start_offset_is_left_out_by_default(router: respx.MockRouter) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", audio=vector("s")))
    client_of(router).embed(Audio("https://h.example/a.mp3"))
    assert "audio_start_offset_sec" not in fields_of(route.calls.last.request)


def test_start_sec_of_audio_is_sent_as_start_offset(router: respx.MockRouter) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", audio=vector("s")))
    client_of(router).embed(Audio("https://h.example/a.mp3", start_sec=1.5))
    assert fields_of(route.calls.last.request)["audio_start_offset_sec"] == "1.5"


# -- responses -------------------------------------------------------------------------------------------------

SAMPLE = [-0.042632885, 0.014312328, 0.029209055]


def documented_response(vector_sent: list[float]) -> dict[str, Any]:
    """The response printed on the API page of the v1 endpoint, with the given vector."""
    return {
        "model_name": "marengo3.0",
        "text_embedding": {"segments": [{"float": vector_sent}]},
        "image_embedding": {"segments": [{"float": vector_sent}], "metadata": {"input_filename": "01.jpg"}},
        "audio_embedding": {
            "segments": [
                {"end_offset_sec": 6, "float": vector_sent, "start_offset_sec": 0},
                {"end_offset_sec": 6, "float": vector_sent, "start_offset_sec": 0},
            ],
            "metadata": {"input_filename": "01.mp3"},
        },
    }


THREE_DIMENSIONS = Model(
    "marengo3.0",
    dimensions=(3,),
    max_text_tokens=500,
    api_versions=("v1",),
    request_form="typed",
    inputs={"v1": frozenset({"text", "image", "audio"})},
    media={"image": MediaLimit(frozenset({"jpeg"}), 10**6), "audio": MediaLimit(frozenset({"mp3"}), 10**6)},
)


@pytest.mark.parametrize(
    ("model", "found"),
    [(THREE_DIMENSIONS, SAMPLE), ("marengo3.0", [*SAMPLE, *vector("rest", 509)])],
    ids=["verbatim", "full length"],
)
def test_the_documented_response_is_read_as_parts(router: respx.MockRouter, model: Any, found: list[float]) -> None:
    router.post(f"{BASE}/embed").respond(json=documented_response(found))

    parts = client_of(router, model).embed_parts(text="a", image=media.jpeg(), audio=media.mp3())

    assert isinstance(parts, Parts)
    assert parts.text is not None and parts.text.vector == found
    assert parts.image is not None and parts.image.vector == found
    assert [s.vector for s in parts.audio] == [found, found]
    assert [(s.start_sec, s.end_sec, s.option, s.scope) for s in parts.audio] == [(0, 6, None, None)] * 2
    assert parts.metadata == {"image": {"input_filename": "01.jpg"}, "audio": {"input_filename": "01.mp3"}}


def test_one_vector_of_audio_is_the_mean_of_its_segments(router: respx.MockRouter) -> None:
    one, two = [1.0] + [0.0] * 511, [0.0, 1.0] + [0.0] * 510
    segments = [{"float": two, "start_offset_sec": 6}, {"float": one, "start_offset_sec": 0, "end_offset_sec": 6}]
    router.post(f"{BASE}/embed").respond(json={"model_name": "m", "audio_embedding": {"segments": segments}})

    found = client_of(router).embed(Audio("https://h.example/a.mp3"))

    assert found.pooled == 2
    assert found.vector[:3] == pytest.approx([0.5**0.5, 0.5**0.5, 0.0])


def test_segments_keep_their_labels_and_are_sorted_by_time(router: respx.MockRouter) -> None:
    segments = [
        {"float": vector("c"), "start_offset_sec": 6.0, "end_offset_sec": 9.5, "embedding_option": "audio"},
        {"float": vector("a"), "start_offset_sec": 0.0, "end_offset_sec": 6.0, "embedding_option": "audio"},
        {"float": vector("b"), "start_offset_sec": 0.0, "end_offset_sec": 6.0, "embedding_option": "transcription"},
    ]
    router.post(f"{BASE}/embed").respond(json={"model_name": "m", "audio_embedding": {"segments": segments}})

    found = client_of(router).embed_parts(audio="https://h.example/a.mp3").audio

    assert [(s.start_sec, s.end_sec, s.option) for s in found] == [
        (0.0, 6.0, "audio"),
        (0.0, 6.0, "transcription"),
        (6.0, 9.5, "audio"),
    ]
    assert found[2].vector == vector("c")


def test_an_error_has_the_message_code_and_trace_id_of_the_response(router: respx.MockRouter) -> None:
    route = router.post(f"{BASE}/embed").respond(
        400,
        json={"code": "parameter_invalid", "message": "The image_url parameter is invalid.", "docs_url": "https://d"},
        headers={"x-trace-id": "trace-7"},
    )

    with pytest.raises(InvalidInputError) as caught:
        client_of(router).embed_parts(image="https://h.example/i.jpg")

    assert caught.value.status == 400
    assert caught.value.code == "parameter_invalid"
    assert caught.value.trace_id == "trace-7"
    assert "The image_url parameter is invalid." in str(caught.value)
    assert len(route.calls) == 1


# -- refused inputs --------------------------------------------------------------------------------------------


def test_end_sec_of_audio_is_refused() -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match="end_sec"):
        service.client(api_version="v1").embed(Audio("https://h.example/a.mp3", end_sec=5))
    assert service.requests == []
