"""``POST /embed`` (v1), field by field as its two pages document it."""

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
    """Knows ``/embed`` alone: a request to anywhere else fails the test."""
    return respx.MockRouter()


# -- what is sent ----------------------------------------------------------------------------------------------


@old_model
@pytest.mark.parametrize("truncate", ["start", "end", "none"])
def test_a_text_goes_with_the_old_model_s_truncate_field(router: respx.MockRouter, truncate: Any) -> None:
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
def test_marengo_3_0_is_sent_no_truncate_field(router: respx.MockRouter, truncate: Any) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", text=vector("a")))

    client_of(router, truncate=truncate).embed("a red bike")

    assert fields_of(route.calls.last.request) == {"model_name": "marengo3.0", "text": "a red bike"}


def test_a_text_alone_is_multipart_with_the_key(router: respx.MockRouter) -> None:
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
def test_a_text_arrives_as_it_was_given(text: str) -> None:
    service = Service()
    service.client(api_version="v1").embed(text)
    assert service.texts == [text]


def test_urls_are_sent_as_urls(router: respx.MockRouter) -> None:
    answer = v1_answer("marengo3.0", image=vector("i"), audio=vector("a"))
    route = router.post(f"{BASE}/embed").respond(json=answer)

    client_of(router).embed_parts(image="https://h.example/i.jpg?sig=1", audio="https://h.example/a.mp3")

    assert fields_of(route.calls.last.request) == {
        "model_name": "marengo3.0",
        "image_url": "https://h.example/i.jpg?sig=1",
        "audio_url": "https://h.example/a.mp3",
    }


IMAGES = {"cat.jpg": (media.jpeg(), "image/jpeg"), "cat.png": (media.png(), "image/png")}
SOUNDS = {
    "hum.wav": (media.wav(), "audio/wav"),
    "hum.mp3": (media.mp3(), "audio/mpeg"),
    "hum.flac": (media.flac(), "audio/flac"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_a_picture_file_has_its_name_type_and_bytes(router: respx.MockRouter, tmp_path: Path, name: str) -> None:
    content, mime = IMAGES[name]
    (tmp_path / name).write_bytes(content)
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", image=vector("i")))

    found = client_of(router).embed(Image(tmp_path / name))

    (part,) = [f for f in sent_form(route.calls.last.request) if f.name == "image_file"]
    assert (part.filename, part.mime, part.value) == (name, mime, content)
    assert set(fields_of(route.calls.last.request)) == {"model_name"}
    assert found.vector == vector("i")


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_file_has_its_name_type_and_bytes(router: respx.MockRouter, tmp_path: Path, name: str) -> None:
    content, mime = SOUNDS[name]
    (tmp_path / name).write_bytes(content)
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", audio=vector("s")))

    client_of(router).embed(Audio(str(tmp_path / name)))

    (part,) = [f for f in sent_form(route.calls.last.request) if f.name == "audio_file"]
    assert (part.filename, part.mime, part.value) == (name, mime, content)


@pytest.mark.parametrize("name", ["mit Leerzeichen.jpg", "Mädchen.jpg", "猫.jpg", "50% off.jpg"])
def test_a_file_name_survives(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(media.jpeg())
    service = Service()
    service.client(api_version="v1").embed(Image(tmp_path / name))
    assert [f.filename for f in sent_form(service.requests[0]) if f.name == "image_file"] == [name]


def test_bytes_without_a_name_get_one_that_fits_their_content() -> None:
    service = Service()
    client = service.client(api_version="v1")
    client.embed(Image(media.jpeg()))
    client.embed(Audio(io.BytesIO(media.mp3())))
    client.embed(Image(media.png(), filename="mine.png"))
    assert [sent_form(r)[1].filename for r in service.requests] == ["image.jpg", "audio.mp3", "mine.png"]


@pytest.mark.parametrize(("offset", "field"), [(0, "0"), (2, "2"), (2.5, "2.5"), (3.0, "3"), (0.125, "0.125")])
def test_the_audio_offset_is_a_number_in_seconds(router: respx.MockRouter, offset: float, field: str) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", audio=vector("s")))

    client_of(router).embed_parts(audio="https://h.example/a.mp3", audio_start_offset_sec=offset)

    assert fields_of(route.calls.last.request)["audio_start_offset_sec"] == field


def test_the_audio_offset_is_left_out_unless_given(router: respx.MockRouter) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", audio=vector("s")))
    client_of(router).embed(Audio("https://h.example/a.mp3"))
    assert "audio_start_offset_sec" not in fields_of(route.calls.last.request)


def test_a_sound_s_start_is_the_audio_offset(router: respx.MockRouter) -> None:
    route = router.post(f"{BASE}/embed").respond(json=v1_answer("marengo3.0", audio=vector("s")))
    client_of(router).embed(Audio("https://h.example/a.mp3", start_sec=1.5))
    assert fields_of(route.calls.last.request)["audio_start_offset_sec"] == "1.5"


def test_one_call_takes_all_kinds(router: respx.MockRouter, tmp_path: Path) -> None:
    (tmp_path / "01.jpg").write_bytes(media.jpeg())
    (tmp_path / "01.mp3").write_bytes(media.mp3())
    answer = v1_answer("marengo3.0", text=vector("t"), image=vector("i"), audio=vector("a"))
    route = router.post(f"{BASE}/embed").respond(json=answer)

    found = client_of(router).embed_parts(
        text="a red bike", image=tmp_path / "01.jpg", audio=tmp_path / "01.mp3", audio_start_offset_sec=1
    )

    parts = {f.name: f for f in sent_form(route.calls.last.request)}
    assert set(parts) == {"model_name", "text", "image_file", "audio_file", "audio_start_offset_sec"}
    assert parts["image_file"].value == media.jpeg()
    assert parts["audio_file"].value == media.mp3()
    assert len(route.calls) == 1
    assert found.text is not None and found.text.vector == vector("t")
    assert found.image is not None and found.image.vector == vector("i")
    assert [s.vector for s in found.audio] == [vector("a")]


@old_model
@pytest.mark.parametrize(("truncate", "field"), [("start", "start"), ("end", "end"), ("none", "none")])
def test_one_call_of_the_old_model_takes_the_truncate_field(truncate: Any, field: str) -> None:
    service = Service()
    service.client(OLD, truncate=truncate).embed_parts(text="a red bike", image=media.png())
    assert fields_of(service.requests[0])["text_truncate"] == field


# -- what is answered ------------------------------------------------------------------------------------------

SAMPLE = [-0.042632885, 0.014312328, 0.029209055]


def page_answer(found: list[float]) -> dict[str, Any]:
    """The answer printed on the page of the v1 endpoint, with vectors of the length asked for."""
    return {
        "model_name": "marengo3.0",
        "text_embedding": {"segments": [{"float": found}]},
        "image_embedding": {"segments": [{"float": found}], "metadata": {"input_filename": "01.jpg"}},
        "audio_embedding": {
            "segments": [
                {"end_offset_sec": 6, "float": found, "start_offset_sec": 0},
                {"end_offset_sec": 6, "float": found, "start_offset_sec": 0},
            ],
            "metadata": {"input_filename": "01.mp3"},
        },
    }


THREE_LONG = Model(
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
    [(THREE_LONG, SAMPLE), ("marengo3.0", [*SAMPLE, *vector("rest", 509)])],
    ids=["verbatim", "full length"],
)
def test_the_page_s_answer_becomes_parts(router: respx.MockRouter, model: Any, found: list[float]) -> None:
    router.post(f"{BASE}/embed").respond(json=page_answer(found))

    parts = client_of(router, model).embed_parts(text="a", image=media.jpeg(), audio=media.mp3())

    assert isinstance(parts, Parts)
    assert parts.text is not None and parts.text.vector == found
    assert parts.image is not None and parts.image.vector == found
    assert [s.vector for s in parts.audio] == [found, found]
    assert [(s.start_sec, s.end_sec, s.option, s.scope) for s in parts.audio] == [(0, 6, None, None)] * 2
    assert parts.metadata == {"image": {"input_filename": "01.jpg"}, "audio": {"input_filename": "01.mp3"}}


def test_parts_that_were_not_asked_for_are_not_made_up(router: respx.MockRouter) -> None:
    answer = {**v1_answer("marengo3.0", text=vector("t")), "image_embedding": None, "audio_embedding": None}
    router.post(f"{BASE}/embed").respond(json=answer)

    parts = client_of(router).embed_parts(text="a")

    assert parts.image is None
    assert parts.audio == ()
    assert parts.metadata == {}


def test_a_sound_s_segments_are_one_mean_when_one_vector_is_asked_for(router: respx.MockRouter) -> None:
    one, two = [1.0] + [0.0] * 511, [0.0, 1.0] + [0.0] * 510
    segments = [{"float": two, "start_offset_sec": 6}, {"float": one, "start_offset_sec": 0, "end_offset_sec": 6}]
    router.post(f"{BASE}/embed").respond(json={"model_name": "m", "audio_embedding": {"segments": segments}})

    found = client_of(router).embed(Audio("https://h.example/a.mp3"))

    assert found.pooled == 2
    assert found.vector[:3] == pytest.approx([0.5**0.5, 0.5**0.5, 0.0])


def test_segments_keep_labels_and_come_in_order_of_time(router: respx.MockRouter) -> None:
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


def test_a_refusal_carries_the_server_s_words(router: respx.MockRouter) -> None:
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


# -- what never leaves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "at least one of text, image and audio"),
        ({"text": "a", "audio_start_offset_sec": 1}, "needs audio"),
        ({"text": " "}, "empty text"),
        ({"image": "/no/such.jpg"}, "no such file"),
    ],
)
def test_a_call_that_cannot_work_is_not_sent(arguments: dict[str, Any], words: str) -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match=words):
        service.client().embed_parts(**arguments)
    assert service.requests == []


def test_a_model_without_v1_says_which_has_it() -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match=r"marengo3\.5 is not served by v1.*marengo3\.0"):
        service.client("marengo3.5").embed_parts(text="a")
    assert service.requests == []


def test_an_end_that_v1_cannot_say_is_refused() -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match="end_sec"):
        service.client(api_version="v1").embed(Audio("https://h.example/a.mp3", end_sec=5))
    assert service.requests == []


async def test_the_async_twin_sends_the_same() -> None:
    service = Service()
    client = service.client()
    client.embed_parts(text="a", image=media.png(), audio="https://h.example/a.mp3", audio_start_offset_sec=1)
    await client.aembed_parts(text="a", image=media.png(), audio="https://h.example/a.mp3", audio_start_offset_sec=1)
    first, second = map(sent_form, service.requests)
    assert first == second
