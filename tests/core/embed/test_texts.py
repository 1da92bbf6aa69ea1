"""Over-long texts: what each mode sends on each model, refusals, averages and warnings."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.service import Service, fields_of, right_answer, sent_json, text_of, v2_answer, vector, words
from twelvelabs_core import BatchError, Composed, Image, InvalidInputError, TextTooLongError, estimate_tokens
from twelvelabs_core._embed.truncate import split

OLD = "Marengo-retrieval-2.7"
pytestmark = pytest.mark.filterwarnings("ignore:Marengo-retrieval-2.7 was switched off")

LIMITS = {OLD: 77, "marengo3.0": 500, "marengo3.5": 2000}


def without_spaces(text: str) -> str:
    return "".join(text.split())


# -- modes --------------------------------------------------------------------------------------------------------


def control_of(request: httpx.Request) -> Any:
    """The API's own truncation control in a request, "absent" without one."""
    if request.url.path.endswith("/embed"):
        return fields_of(request).get("text_truncate", "absent")
    return sent_json(request).get("auto_truncate", "absent")


# model, api_version, truncate, control sent with a short text, control sent with a long one, what is sent of a long one
MODES: list[tuple[str, str | None, str, Any, Any, str]] = [
    (OLD, None, "end", "end", "end", "whole"),
    (OLD, None, "start", "start", "start", "whole"),
    (OLD, None, "average", "none", "none", "pieces"),
    ("marengo3.0", "v1", "end", "absent", "absent", "whole"),
    ("marengo3.0", "v1", "start", "absent", "absent", "end of it"),
    ("marengo3.0", "v1", "average", "absent", "absent", "pieces"),
    ("marengo3.0", "v2", "end", "absent", "absent", "whole"),
    ("marengo3.0", "v2", "start", "absent", "absent", "end of it"),
    ("marengo3.0", "v2", "average", "absent", "absent", "pieces"),
    ("marengo3.5", None, "end", True, True, "whole"),
    ("marengo3.5", None, "start", False, False, "end of it"),
    ("marengo3.5", None, "average", False, False, "pieces"),
]
modes = pytest.mark.parametrize(("model", "version", "truncate", "short", "long", "sends"), MODES)


@modes
def test_a_text_within_the_limit_is_sent_unchanged(
    model: str, version: Any, truncate: Any, short: Any, long: Any, sends: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service()
    text = words(LIMITS[model])
    found = service.client(model, api_version=version, truncate=truncate).embed(text)
    assert service.texts == [text]
    assert control_of(service.requests[0]) == short
    assert (found.truncated, found.pooled) == (False, 1)
    assert caplog.records == []


@modes
def test_a_text_over_the_limit_is_sent_as_the_mode_says(
    model: str, version: Any, truncate: Any, short: Any, long: Any, sends: str
) -> None:
    service = Service()
    limit = LIMITS[model]
    text = words(limit + 1)
    found = service.client(model, api_version=version, truncate=truncate).embed(text)
    assert {control_of(request) for request in service.requests} == {long}
    if sends == "whole":
        assert service.texts == [text]
    elif sends == "end of it":
        assert service.texts == [text.partition(" ")[2]]
    else:
        assert " ".join(service.texts) == text
        assert len(service.texts) == 2
    assert found.truncated == (sends != "pieces")  # an average uses all of it
    assert found.pooled == len(service.texts)


@pytest.mark.parametrize("model", LIMITS)
def test_none_forbids_truncation_by_the_server(model: str) -> None:
    service = Service()
    service.client(model, truncate="none").embed(words(LIMITS[model]))
    assert control_of(service.requests[0]) == {OLD: "none", "marengo3.0": "absent", "marengo3.5": False}[model]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_none_refuses_before_sending_where_the_server_might_truncate(version: str) -> None:
    service = Service()
    with pytest.raises(TextTooLongError, match=r"about 501 tokens; marengo3\.0 takes 500") as caught:
        service.client(truncate="none", api_version=version).embed_many(["fine", words(501)], name="texts")
    assert caught.value.item == "texts[1]"
    assert service.requests == []


def too_long(message: str = "The text token length must be less than or equal to the limit.") -> httpx.Response:
    return httpx.Response(400, json={"code": "parameter_invalid", "message": message})


@pytest.mark.parametrize("model", [OLD, "marengo3.5"])
def test_none_leaves_the_refusal_to_a_server_with_a_truncation_control(model: str) -> None:
    service = Service(lambda request: too_long() if len(text_of(request)) > 50 else right_answer(request))
    with pytest.raises(BatchError) as caught:
        service.client(model, truncate="none").embed_many(["fine", words(5000), "fine too"])
    assert set(caught.value.errors) == {1}
    assert type(caught.value.errors[1]) is TextTooLongError
    assert caught.value.errors[1].status == 400
    assert [found is not None for found in caught.value.results] == [True, False, True]
    assert len(service.requests) == 3


def test_a_custom_counter_decides() -> None:
    service = Service()
    client = service.client(truncate="start", count_tokens=lambda text: 100 * len(text.split()))
    assert client.embed("one two three four five six").truncated
    assert service.texts == ["two three four five six"]


# -- refusals ------------------------------------------------------------------------------------------------------


def word_limit(limit: int) -> Callable[[httpx.Request], Any]:
    """A server that refuses texts of more words, and truncates none."""
    return lambda request: too_long() if len(text_of(request).split()) > limit else right_answer(request)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_refused_text_is_cut_and_sent_again(version: str) -> None:
    service = Service(word_limit(500))
    first = service.client(api_version=version).embed(words(800))
    assert service.texts == [words(800), words(500)]
    assert first.truncated
    assert first.vector == vector(words(500))


def test_a_refusal_changes_nothing_for_later_texts() -> None:
    """The server counts an emoji as three tokens, so one text is refused that is within the limit by our count."""
    tokens = lambda text: sum(3 if ord(letter) > 0x1F000 else letter == " " for letter in text)  # noqa: E731
    service = Service(lambda request: too_long() if tokens(text_of(request)) > 500 else right_answer(request))
    client = service.client()
    assert client.embed("🚲" * 490).truncated
    service.requests.clear()
    found = client.embed_many([words(300), words(490), words(800)])
    assert [embedding.truncated for embedding in found] == [False, False, True]
    assert [embedding.vector for embedding in found] == [vector(words(n)) for n in (300, 490, 500)]


def test_a_text_is_not_sent_again_as_it_was() -> None:
    service = Service(word_limit(300))
    service.client().embed(words(400))
    assert [len(text.split()) for text in service.texts] == [400, 280]


def test_a_refusal_inside_a_200_is_treated_as_a_refusal() -> None:
    def answer(request: httpx.Request) -> Any:
        if len(text_of(request).split()) > 500:
            return {"model_name": "marengo3.0", "text_embedding": {"error_message": "The text is too long."}}
        return right_answer(request)

    service = Service(answer)
    assert service.client(api_version="v1").embed(words(800)).truncated
    assert service.texts == [words(800), words(500)]


def test_the_limit_is_lowered_until_the_server_accepts() -> None:
    service = Service(word_limit(200))
    client = service.client()
    found = client.embed(words(800))
    lengths = [len(text.split()) for text in service.texts]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == 800
    assert 100 < lengths[-1] <= 200
    assert found.truncated
    client.embed(words(800, 1000))
    assert len(service.requests) == 2 * len(lengths)


@pytest.mark.parametrize(("model", "truncate"), [("marengo3.5", "start"), ("marengo3.0", "start"), (OLD, "average")])
def test_the_limit_is_lowered_where_the_client_cuts(model: str, truncate: Any) -> None:
    service = Service(word_limit(LIMITS[model] // 2))
    found = service.client(model, truncate=truncate).embed(words(LIMITS[model] + 10))
    accepted = [text for text in service.texts if len(text.split()) <= LIMITS[model] // 2]
    if truncate == "average":
        assert not found.truncated
        assert " ".join(sorted(accepted, key=words(LIMITS[model] + 10).index)) == words(LIMITS[model] + 10)
        assert len(accepted) == found.pooled  # none is sent twice
    else:
        assert found.truncated
        assert words(LIMITS[model] + 10).endswith(accepted[-1])


def test_lowering_the_limit_ends_with_an_error() -> None:
    service = Service(lambda _: too_long())
    with pytest.raises(TextTooLongError, match="cut to a few words"):
        service.client().embed(words(800))
    assert len(service.requests) < 25


def test_another_refusal_does_not_cut_the_text() -> None:
    service = Service(lambda _: httpx.Response(400, json={"code": "parameter_invalid", "message": "No."}))
    with pytest.raises(InvalidInputError, match="No"):
        service.client().embed(words(800))
    assert len(service.requests) == 1


def usage(truncated: bool) -> Callable[[httpx.Request], Any]:
    return lambda request: v2_answer(
        vector(text_of(request)), usage={"input_tokens": {"text": 2000}, "truncated": truncated}
    )


def test_truncation_reported_by_the_server_overrides_our_count() -> None:
    assert Service(usage(True)).client("marengo3.5").embed("a short text").truncated


def test_no_truncation_reported_by_the_server_overrides_our_count(caplog: pytest.LogCaptureFixture) -> None:
    assert not Service(usage(False)).client("marengo3.5").embed(words(2100)).truncated
    assert caplog.records == []


# -- the average ---------------------------------------------------------------------------------------------------


def test_the_average_is_the_weighted_mean_of_the_pieces() -> None:
    service = Service()
    text = words(500) + " " + words(300, 1000)
    found = service.client(truncate="average").embed(text)
    pieces = split(text, 500, estimate_tokens)
    assert sorted(service.texts) == sorted(pieces)
    weights = [estimate_tokens(piece) for piece in pieces]
    total = [sum(w * x for w, x in zip(weights, c, strict=True)) for c in zip(*map(vector, pieces), strict=True)]
    length = math.sqrt(sum(x * x for x in total))
    assert found.vector == pytest.approx([x / length for x in total])
    assert math.sqrt(sum(x * x for x in found.vector)) == pytest.approx(1)
    assert found.pooled == 2


def test_one_failed_chunk_fails_the_text() -> None:
    service = Service(
        lambda r: httpx.Response(400, json={"message": "No."}) if "baaaa" in text_of(r) else right_answer(r)
    )
    with pytest.raises(BatchError) as caught:
        service.client(truncate="average").embed_many([words(800), "fine"])
    assert set(caught.value.errors) == {0}


@pytest.mark.parametrize(
    "text",
    ["猫" * 1200, "🚲 " * 700, "x" * 10_000, "これは長い文です。" * 100, "ü" * 501],
    ids=["chinese", "emoji", "one word", "japanese", "umlauts"],
)
@pytest.mark.parametrize("truncate", ["start", "average"])
def test_texts_without_spaces_and_of_other_scripts(text: str, truncate: Any) -> None:
    service = Service()
    found = service.client(truncate=truncate).embed(text)
    assert all(estimate_tokens(sent) <= 500 for sent in service.texts)
    if truncate == "average":
        pieces = split(text, 500, estimate_tokens)
        assert without_spaces("".join(pieces)) == without_spaces(text)
        assert sorted(service.texts) == sorted(set(pieces))  # equal pieces are sent once
        assert found.pooled == len(pieces)
        assert 1 <= found.pooled / math.ceil(estimate_tokens(text) / 500) < 2  # words over the limit are divided
    else:
        assert text.strip().endswith(service.texts[0])
        assert found.truncated


# -- warnings ------------------------------------------------------------------------------------------------------


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {(r.name, r.levelno) for r in caplog.records} <= {("twelvelabs_embeddings", logging.WARNING)}
    return [record.getMessage() for record in caplog.records]


def test_a_cut_text_logs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    Service().client().embed(words(501))
    (message,) = warnings_of(caplog)
    assert message.startswith("1 of 1 texts (text) are over the model's limit")


def test_a_batch_logs_one_warning_for_all_cut_texts(caplog: pytest.LogCaptureFixture) -> None:
    items = ["short", *(words(501, 1000 * i) for i in range(8)), "short too"]
    results = Service().client().embed_many(items, name="texts")
    assert [found.truncated for found in results] == [False] + [True] * 8 + [False]
    (message,) = warnings_of(caplog)
    assert message.startswith("8 of 10 texts (texts[1], texts[2], texts[3], texts[4], texts[5], …) are over")
    assert "truncate='average' or 'none'" in message


def test_the_warning_does_not_contain_the_text(caplog: pytest.LogCaptureFixture) -> None:
    Service().client().embed("secret " + words(501))
    assert "secret" not in caplog.text


def test_an_average_logs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    Service().client(truncate="average").embed(words(800))
    assert warnings_of(caplog) == []


# -- composed texts ------------------------------------------------------------------------------------------------


def test_an_over_long_composed_text_is_refused_on_3_0() -> None:
    service = Service()
    item = Composed(words(501) + " <@a>", [Image("https://h.example/a.png", name="a")])
    with pytest.raises(TextTooLongError, match=r"marengo3\.0 takes 500"):
        service.client().embed(item)
    assert service.requests == []


@pytest.mark.parametrize(
    ("truncate", "control"), [("end", True), ("none", False), ("start", False), ("average", False)]
)
def test_an_over_long_composed_text_is_sent_to_3_5(truncate: Any, control: bool) -> None:
    service = Service()
    item = Composed(words(2001), [Image("https://h.example/a.png")])
    service.client("marengo3.5", truncate=truncate).embed(item)
    assert sent_json(service.requests[0])["auto_truncate"] is control
    assert service.texts == [words(2001)]
