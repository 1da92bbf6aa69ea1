"""``embed_parts``: several kinds in one v1 call, each embedded separately."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import media
from tests.support.service import Service, fields_of, right_answer, sent_form, v1_answer, vector, words
from twelvelabs_core import Budget, Embedding, InvalidInputError, QuotaExceededError, TextTooLongError, UnexpectedError

OLD = "Marengo-retrieval-2.7"
old_model = pytest.mark.filterwarnings("ignore:Marengo-retrieval-2.7 was switched off")


def test_one_request_carries_text_image_and_audio(tmp_path: Path) -> None:
    (tmp_path / "01.jpg").write_bytes(media.jpeg())
    (tmp_path / "01.mp3").write_bytes(media.mp3())
    answer = v1_answer("marengo3.0", text=vector("t"), image=vector("i"), audio=vector("a"))
    service = Service(lambda _: answer)

    found = service.client().embed_parts(
        text="a red bike", image=tmp_path / "01.jpg", audio=tmp_path / "01.mp3", audio_start_offset_sec=1
    )

    parts = {f.name: f for f in sent_form(service.requests[0])}
    assert set(parts) == {"model_name", "text", "image_file", "audio_file", "audio_start_offset_sec"}
    assert parts["image_file"].value == media.jpeg()
    assert parts["audio_file"].value == media.mp3()
    assert [request.url.path for request in service.requests] == ["/v1.3/embed"]
    assert found.text is not None and found.text.vector == vector("t")
    assert found.image is not None and found.image.vector == vector("i")
    assert [s.vector for s in found.audio] == [vector("a")]


@old_model
@pytest.mark.parametrize(("truncate", "field"), [("start", "start"), ("end", "end"), ("none", "none")])
def test_2_7_is_sent_its_truncate_field(truncate: Any, field: str) -> None:
    service = Service()
    service.client(OLD, truncate=truncate).embed_parts(text="a red bike", image=media.png())
    assert fields_of(service.requests[0])["text_truncate"] == field


def test_parts_not_requested_are_empty() -> None:
    answer = {**v1_answer("marengo3.0", text=vector("t")), "image_embedding": None, "audio_embedding": None}

    parts = Service(lambda _: answer).client().embed_parts(text="a")

    assert parts.image is None
    assert parts.audio == ()
    assert parts.metadata == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "at least one of text, image and audio"),
        ({"text": "a", "audio_start_offset_sec": 1}, "needs audio"),
        ({"text": " "}, "empty text"),
        ({"image": "/no/such.jpg"}, "no such file"),
    ],
)
def test_invalid_arguments_are_refused_before_sending(arguments: dict[str, Any], words: str) -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match=words):
        service.client().embed_parts(**arguments)
    assert service.requests == []


def test_a_model_without_v1_is_refused_and_one_with_v1_named() -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match=r"marengo3\.5 is not served by v1.*marengo3\.0"):
        service.client("marengo3.5").embed_parts(text="a")
    assert service.requests == []


async def test_the_async_method_sends_the_same_request() -> None:
    service = Service()
    client = service.client()
    client.embed_parts(text="a", image=media.png(), audio="https://h.example/a.mp3", audio_start_offset_sec=1)
    await client.aembed_parts(text="a", image=media.png(), audio="https://h.example/a.mp3", audio_start_offset_sec=1)
    first, second = map(sent_form, service.requests)
    assert first == second


def test_minutes_of_audio_count_for_the_budget() -> None:
    service = Service()
    with pytest.raises(QuotaExceededError, match="minutes"):
        service.client(budget=Budget(minutes=0.01)).embed_parts(audio=media.wav(440, 6))
    assert service.requests == []


@pytest.mark.parametrize(("truncate", "kept"), [("start", "last"), ("end", "first")])
def test_an_over_long_text_is_cut_at_the_side_of_truncate(truncate: Any, kept: str) -> None:
    service = Service()
    text = "first " + "word " * 600 + "last"
    found = service.client(truncate=truncate).embed_parts(text=text, image="https://h.example/a.jpg")
    (request,) = service.requests
    sent = fields_of(request)["text"]
    assert kept in sent
    assert (len(sent) < len(text)) == (truncate == "start")  # truncate="end" leaves the cut to the server (API page)
    assert found.text is not None
    assert found.text.truncated


def test_an_averaged_text_takes_separate_requests() -> None:
    service = Service()
    found = service.client(truncate="average").embed_parts(text=words(1200), image="https://h.example/a.jpg")
    names = [{f.name for f in sent_form(r)} for r in service.requests if r.url.path.endswith("/embed")]
    assert names == [{"model_name", "image_url"}]
    assert len(service.requests) == 4
    assert isinstance(found.text, Embedding)
    assert (found.text.pooled, found.text.truncated) == (3, False)
    assert found.image is not None


# -- what was received is kept ---------------------------------------------------------------------------------------


def test_parts_beside_a_refused_one_are_in_the_results_of_its_error() -> None:
    answer = v1_answer("marengo3.0", image=vector("i"), audio=vector("a"))
    answer["text_embedding"] = {"error_message": "The text is too long."}
    with pytest.raises(TextTooLongError) as caught:
        Service(lambda _: answer).client().embed_parts(text="a", image=media.png(), audio=media.wav(440, 6))
    (parts,) = caught.value.results
    assert caught.value.item == "text"
    assert parts.text is None
    assert parts.image.vector == vector("i")
    assert [segment.vector for segment in parts.audio] == [vector("a")]


def test_nothing_is_in_the_results_if_all_parts_were_refused() -> None:
    answer = {"text_embedding": {"error_message": "No."}}
    with pytest.raises(InvalidInputError, match="No") as caught:
        Service(lambda _: answer).client().embed_parts(text="a")
    assert caught.value.results == []


def test_the_average_is_kept_if_the_call_after_it_fails(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> Any:
        return (
            httpx.Response(400, json={"message": "no"})
            if request.url.path.endswith("/embed")
            else right_answer(request)
        )

    service = Service(answer)
    client = service.client(truncate="average", cache=tmp_path / "c.sqlite")
    with pytest.raises(InvalidInputError, match="no") as caught:
        client.embed_parts(text=words(800), image="https://h.example/a.jpg")
    (parts,) = caught.value.results
    assert parts.text.pooled == 2
    assert len(service.requests) == 3
    with pytest.raises(InvalidInputError):
        client.embed_parts(text=words(800), image="https://h.example/a.jpg")
    assert len(service.requests) == 4  # the text came from the cache


def test_whatever_the_counter_raises_is_an_error_of_ours() -> None:
    def count(text: str) -> int:
        raise KeyError("x")

    service = Service()
    with pytest.raises(UnexpectedError) as caught:
        service.client(truncate="average", count_tokens=count).embed_parts(text="a")
    assert isinstance(caught.value.__cause__, KeyError)
    assert service.requests == []
