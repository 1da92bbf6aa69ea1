"""Responses of both endpoints: valid ones, malformed ones, and errors inside a 200."""

from __future__ import annotations

import contextlib
import copy
import json
import math
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.service import Service, v1_answer, v2_answer, vector
from twelvelabs_core import (
    Embedding,
    InvalidInputError,
    MalformedResponseError,
    Segment,
    TextTooLongError,
    TwelveLabsError,
)
from twelvelabs_core._api import responses

V = [0.1, 0.2, 0.3]


def embed_one(answer: Any, model: str = "marengo3.0", **options: Any) -> Embedding:
    """Embed one text with this response, without retries."""
    return Service(lambda _: answer).client(model, max_retries=0, **options).embed("a")


# -- valid responses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"metadata": None, "usage": None},
        {"metadata": {"input_type": "hologram", "depth": 4}, "request_id": "r", "warnings": ["new"]},
    ],
    ids=["no metadata", "null", "unknown fields"],
)
def test_absent_null_and_unknown_fields_are_ignored(more: dict[str, Any]) -> None:
    assert embed_one(v2_answer(vector("a"), **more)).vector == vector("a")


def test_unknown_fields_of_an_entry_are_ignored() -> None:
    assert embed_one(
        {"data": [{"embedding": vector("a"), "embedding_uncertainty": [0.0], "new": {}}]}
    ).vector == vector("a")


def test_integers_become_floats() -> None:
    found = embed_one(v2_answer([1, 0] + [0.5] * 510)).vector
    assert {type(x) for x in found} == {float}
    assert found[:3] == [1.0, 0.0, 0.5]


def test_floats_are_returned_exactly() -> None:
    exact = [-0.042632885, 1e-300, -0.0, 0.1 + 0.2, *vector("rest", 508)]
    assert embed_one(v2_answer(exact)).vector == exact


def test_v2_segments_are_sorted_by_time_with_the_asset_last() -> None:
    entries = [
        {"embedding": V, "embedding_scope": "asset"},
        {"embedding": [3.0, 0, 0], "embedding_scope": "clip", "start_sec": 6.0, "end_sec": 9.0},
        {"embedding": [1.0, 0, 0], "embedding_scope": "clip", "start_sec": 0.0, "end_sec": 6.0},
        {"embedding": [2.0, 0, 0], "embedding_scope": "clip", "start_sec": 0.0, "end_sec": 9.0},
    ]
    segments = responses.v2_segments({"data": entries}, 3)
    assert [s.vector[0] for s in segments] == [1.0, 2.0, 3.0, 0.1]
    assert responses.single(segments, "video").vector == V


def test_usage_is_returned_with_the_vector() -> None:
    usage = {"input_tokens": {"text": 9, "image": 258}, "truncated": False}
    found = embed_one(v2_answer(vector("a"), usage=usage), "marengo3.5")
    assert found.usage is not None
    assert dict(found.usage.input_tokens) == {"text": 9, "image": 258}
    assert not found.usage.truncated
    assert not found.truncated


def test_truncation_reported_by_the_server_sets_truncated() -> None:
    usage = {"input_tokens": {"text": 2000}, "truncated": True, "truncation_reason": "model_context_window"}
    found = embed_one(v2_answer(vector("a"), usage=usage), "marengo3.5")
    assert found.truncated
    assert found.usage is not None
    assert found.usage.truncation_reason == "model_context_window"


@pytest.mark.parametrize("usage", [None, [], "none", {}, {"input_tokens": None}, {"input_tokens": {"text": "many"}}])
def test_malformed_usage_is_ignored(usage: Any) -> None:
    assert embed_one(v2_answer(vector("a"), usage=usage), "marengo3.5").vector == vector("a")


@pytest.mark.parametrize("tokens", [7, [7], "7"])
def test_malformed_token_counts_are_ignored(tokens: Any) -> None:
    assert embed_one(v2_answer(vector("a"), usage={"input_tokens": tokens}), "marengo3.5").vector == vector("a")


@pytest.mark.parametrize("metadata", [None, {}, {"input_filename": None}])
def test_absent_metadata_of_a_part_are_empty(metadata: Any) -> None:
    answer = v1_answer("marengo3.0", image=vector("i"))
    answer["image_embedding"]["metadata"] = metadata
    parts = Service(lambda _: answer).client().embed_parts(image="https://h.example/i.jpg")
    assert parts.image is not None
    assert not parts.metadata.get("image")


def test_malformed_metadata_are_ignored() -> None:
    answer = v1_answer("marengo3.0", image=vector("i"))
    answer["image_embedding"]["metadata"] = "01.jpg"
    parts = Service(lambda _: answer).client().embed_parts(image="https://h.example/i.jpg")
    assert parts.image is not None


# -- malformed responses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "no 'data'"),
        ({"data": None}, "no 'data'"),
        ({"data": []}, "no 'data'"),
        ({"data": {}}, "no 'data'"),
        ({"data": [None]}, "not an object"),
        ({"data": [{}]}, "without a vector"),
        ({"data": [{"embedding": None}]}, "without a vector"),
        ({"data": [{"embedding": "0.1"}]}, "without a vector"),
        (v2_answer([]), "0 numbers, expected 512"),
        (v2_answer([0.5] * 511), "511 numbers, expected 512"),
        (v2_answer([0.5] * 1024), "1024 numbers, expected 512"),
        (v2_answer(["0.5"] * 512), "not a finite number"),
        (v2_answer([None] * 512), "not a finite number"),
        (v2_answer([True] * 512), "not a finite number"),
        (v2_answer([[0.5]] * 512), "not a finite number"),
        ({"data": [{"embedding": vector("a")}, {"embedding": vector("b")}]}, "Expected one vector.*has 2"),
    ],
)
def test_a_v2_response_without_one_valid_vector_is_malformed(answer: Any, words: str) -> None:
    with pytest.raises(MalformedResponseError, match=words) as caught:
        embed_one(answer)
    assert caught.value.item == "text"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("place", [0, 255, 511])
def test_a_non_finite_number_is_malformed(number: str, place: int) -> None:
    numbers = ["0.5"] * 512
    numbers[place] = number
    body = f'{{"data": [{{"embedding": [{",".join(numbers)}]}}]}}'
    with pytest.raises(MalformedResponseError):
        embed_one(httpx.Response(200, content=body.encode()))


def test_infinities_of_opposite_sign_are_malformed() -> None:
    body = json.dumps(v2_answer([math.inf, -math.inf] + [0.0] * 510))
    with pytest.raises(MalformedResponseError):
        embed_one(httpx.Response(200, content=body.encode()))


@pytest.mark.parametrize(
    "numbers",
    [
        [0.0] * 512,
        [-0.0, 0.0] * 256,
        [0] * 512,
        [5e-324] + [0.0] * 511,  # the smallest number above zero
        [1e-20] * 512,  # a 32-bit float holds it, but not its square
        [1e39] + [0.5] * 511,  # more than a 32-bit float holds
        [-3.5e38] + [0.5] * 511,
        [1e308] * 512,
        [1e20] * 512,
        [10**300] + [0.5] * 511,
    ],
    ids=lambda numbers: f"{numbers[0]:g}",
)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_vector_that_no_store_can_compare_is_malformed(numbers: list[float], version: str) -> None:
    answer = v2_answer(numbers) if version == "v2" else v1_answer("marengo3.0", text=numbers)
    with pytest.raises(MalformedResponseError, match=r"of zeros alone|larger than an embedding has"):
        embed_one(answer, api_version=version)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 1e3, 1e12])
def test_vectors_of_any_sensible_length_are_valid(scale: float) -> None:
    numbers = [x * scale for x in vector("a")]
    assert embed_one(v2_answer(numbers)).vector == numbers


@pytest.mark.parametrize("odd", ["0.5", None, True, [0.5], {}, math.nan, -math.inf, 10**400], ids=repr)
@pytest.mark.parametrize("place", [0, 511])
def test_one_odd_element_makes_a_vector_malformed(odd: Any, place: int) -> None:
    numbers: list[Any] = [0.5] * 512
    numbers[place] = odd
    with pytest.raises(MalformedResponseError, match="not a finite number"):
        embed_one(httpx.Response(200, content=json.dumps(v2_answer(numbers)).encode()))


ODD_LABELS: dict[str, list[Any]] = {
    "embedding_option": [7, ["visual"], {}, True],
    "embedding_scope": [7, ["clip"], {}, True],
    "quadrant": [7, ["top_left"], {}, True],
    "start_page_number": ["7", 1.5, True, -1, 10**400, [], math.nan],
    "chunk_index": ["7", 1.5, True, -1, 10**400, [], math.nan],
    "start_sec": ["7", True, 10**400, 1e300, {}, [1]],
    "end_sec": ["7", True, 10**400, 1e300, {}, [1]],
}


@pytest.mark.parametrize(("name", "odd"), [(name, odd) for name, values in ODD_LABELS.items() for odd in values])
def test_a_label_of_an_odd_type_is_malformed(name: str, odd: Any) -> None:
    with pytest.raises(MalformedResponseError) as caught:
        responses.v2_segments({"data": [entry(1, **{name: odd})]}, 2)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("name", ["embedding_option", "embedding_scope"])
def test_an_odd_label_of_a_v1_segment_is_malformed(name: str) -> None:
    with pytest.raises(MalformedResponseError, match=name):
        responses.v1_segments({"audio_embedding": {"segments": [{"float": [1.0], name: {"a": 1}}]}}, "audio", 1)


@pytest.mark.parametrize(
    "message", [{"a": [1]}, ["x"], 7, True, "two\nlines\x00", "x" * 100_000], ids=lambda m: str(m)[:9]
)
def test_an_error_message_of_any_type_is_one_short_line(message: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        embed_one({"text_embedding": {"error_message": message}}, api_version="v1")
    assert len(str(caught.value)) < 600 and str(caught.value).isprintable()


@pytest.mark.parametrize("part", [None, [], "x", 7, {"metadata": []}, {"metadata": {"input_filename": 7}}])
def test_odd_metadata_are_left_out(part: Any) -> None:
    assert not responses.v1_metadata({"image_embedding": part}).get("image")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": {"text": True, "image": 10**30, "audio": -1, "video": 2}}, ({"video": 2}, False, None)),
        ({"truncated": "false", "truncation_reason": ["x"]}, ({}, False, None)),
        ({"truncated": 1, "truncation_reason": 7}, ({}, False, None)),
    ],
)
def test_odd_figures_of_usage_are_left_out(usage: Any, expected: Any) -> None:
    found = responses.usage({"usage": usage})
    assert found is not None
    assert (dict(found.input_tokens), found.truncated, found.truncation_reason) == expected


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**320), 10**320) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
VALID: dict[str, Any] = {
    "data": [
        {
            "embedding": [0.5, 1],
            "embedding_option": "visual",
            "embedding_scope": "clip",
            "start_sec": 0,
            "end_sec": 6.5,
            "start_page_number": 1,
            "quadrant": None,
            "chunk_index": 0,
            "embedding_uncertainty": [0.1, 0.2],
        }
    ],
    "usage": {"input_tokens": {"text": 1}, "truncated": False, "truncation_reason": None},
    "video_embedding": {
        "error_message": None,
        "segments": [{"float": [0.5, 1], "embedding_scope": "video", "start_offset_sec": 0, "end_offset_sec": 6}],
    },
    "image_embedding": {"metadata": {"input_filename": "a.jpg"}},
}


def places(found: Any) -> list[tuple[Any, ...]]:
    """The path to every value in an answer."""
    pairs = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [(), *((key, *rest) for key, inner in pairs for rest in places(inner))]


def with_value(found: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.copy(found)
    changed[path[0]] = with_value(found[path[0]], path[1:], value)
    return changed


@given(path=st.sampled_from(places(VALID)), value=JSON)
def test_any_value_in_any_place_is_taken_or_an_error_of_ours(path: tuple[Any, ...], value: Any) -> None:
    body = json.dumps(with_value(VALID, path, value)).encode()
    try:
        response = responses.parse_json(body)
    except MalformedResponseError:
        return
    readers: list[Any] = [
        lambda: responses.v2_segments(response, 2),
        lambda: responses.v1_segments(response, "video", 2),
        lambda: responses.v1_metadata(response),
        lambda: responses.usage(response),
    ]
    for read in readers:
        with contextlib.suppress(TwelveLabsError):
            found = read()
            if found and isinstance(found, list):
                assert all(type(x) is float and math.isfinite(x) for segment in found for x in segment.vector)
                assert all(type(s.option) in (str, type(None)) for s in found)


@given(body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_an_error_of_ours(body: bytes) -> None:
    with contextlib.suppress(MalformedResponseError):
        assert isinstance(responses.parse_json(body), dict)


def test_an_integer_too_large_for_a_float_is_malformed() -> None:
    number = "1" + "0" * 400
    body = f'{{"data": [{{"embedding": [{",".join([number] * 512)}]}}]}}'
    with pytest.raises(MalformedResponseError):
        embed_one(httpx.Response(200, content=body.encode()))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Hello</html>", b'{"data": [', b"null", b"[]", b'"ok"', b"7", b"\xff\xfe"],
    ids=["empty", "html", "cut off", "null", "list", "string", "number", "binary"],
)
def test_a_200_that_is_not_a_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedResponseError, match="JSON"):
        embed_one(httpx.Response(200, content=body))


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (None, "no 'text_embedding'"),
        ([], "no 'text_embedding'"),
        ({}, "no segments"),
        ({"segments": None}, "no segments"),
        ({"segments": []}, "no segments"),
        ({"segments": [None]}, "not an object"),
        ({"segments": [{}]}, "without a vector"),
        ({"segments": [{"float": [0.5]}]}, "1 numbers, expected 512"),
        ({"segments": [{"float": vector("a")}, {"float": vector("b")}]}, "Expected one vector"),
    ],
)
def test_a_v1_part_without_one_valid_vector_is_malformed(part: Any, words: str) -> None:
    with pytest.raises(MalformedResponseError, match=words):
        embed_one({"model_name": "marengo3.0", "text_embedding": part}, api_version="v1")


def test_a_v1_response_for_another_part_is_malformed() -> None:
    with pytest.raises(MalformedResponseError, match="no 'text_embedding'"):
        embed_one(v1_answer("marengo3.0", image=vector("i")), api_version="v1")


def test_times_that_are_not_numbers_are_malformed() -> None:
    segments = [{"float": vector(t), "start_offset_sec": s} for t, s in (("a", "0"), ("b", 6.0))]
    answer = {"model_name": "marengo3.0", "audio_embedding": {"segments": segments}}
    with pytest.raises(MalformedResponseError):
        Service(lambda _: answer).client().embed_parts(audio="https://h.example/a.mp3")


# -- failures inside a 200 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("The text is too long.", TextTooLongError),
        ("text token length must be less than or equal to 77", TextTooLongError),
        ("The image could not be read.", InvalidInputError),
    ],
)
def test_an_error_message_inside_a_200_is_raised(message: str, kind: type[TwelveLabsError]) -> None:
    answer = {"model_name": "marengo3.0", "text_embedding": {"error_message": message}}
    with pytest.raises(kind, match=message) as caught:
        embed_one(answer, api_version="v1", truncate="none")
    assert type(caught.value) is kind
    assert caught.value.item == "text"


def test_an_error_message_takes_precedence_over_segments() -> None:
    part = {"error_message": "The text is broken.", "segments": [{"float": vector("a")}]}
    with pytest.raises(InvalidInputError, match="broken"):
        embed_one({"text_embedding": part}, api_version="v1")


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_error_message_is_ignored(nothing: Any) -> None:
    part = {"error_message": nothing, "segments": [{"float": vector("a")}]}
    assert embed_one({"text_embedding": part}, api_version="v1").vector == vector("a")


def test_one_failed_part_fails_the_call() -> None:
    answer = v1_answer("marengo3.0", text=vector("t"))
    answer["image_embedding"] = {"error_message": "The image could not be read."}
    with pytest.raises(InvalidInputError, match="could not be read"):
        Service(lambda _: answer).client().embed_parts(text="t", image="https://h.example/i.jpg")


# -- segments ----------------------------------------------------------------------------------------------------


def entry(number: float, **labels: Any) -> dict[str, Any]:
    return {"embedding": [number, 0.0], **labels}


def order_of(*entries: dict[str, Any]) -> list[float]:
    return [segment.vector[0] for segment in responses.v2_segments({"data": list(entries)}, 2)]


def test_a_v2_segment_has_every_field() -> None:
    (found,) = responses.v2_segments(
        {
            "data": [
                {
                    "embedding": [1, 0.5],
                    "start_sec": 1.5,
                    "end_sec": 3,
                    "embedding_option": "visual",
                    "embedding_scope": "page",
                    "start_page_number": 4,
                    "quadrant": "top_left",
                    "chunk_index": 5,
                    "embedding_uncertainty": [0.1, 0.2],
                }
            ]
        },
        2,
    )
    assert found == Segment([1.0, 0.5], 1.5, 3, "visual", "page", 4, "top_left", 5, [0.1, 0.2])


@pytest.mark.parametrize(
    "uncertainty",
    [[], [0.1], [0.1] * 3, "ab", 7, ["a", 0.1], [None, 0.1], [True, 0.1], [math.nan, 0.1], [1e39, 0.1], [10**400, 0.1]],
    ids=lambda found: str(found)[:12],
)
def test_uncertainty_that_is_not_a_number_for_each_element_is_ignored(uncertainty: Any) -> None:
    (found,) = responses.v2_segments({"data": [entry(1, embedding_uncertainty=uncertainty)]}, 2)
    assert found.uncertainty is None


def test_clips_are_sorted_by_start_then_end_and_the_asset_is_last() -> None:
    clips = [entry(2, start_sec=0, end_sec=9), entry(3, start_sec=4.5, end_sec=5), entry(1, start_sec=0, end_sec=6)]
    assert order_of(entry(9, embedding_scope="asset"), *clips) == [1, 2, 3, 9]
    assert order_of(entry(9, embedding_scope="asset", start_sec=0, end_sec=9), *clips) == [1, 2, 3, 9]


def test_a_start_of_0_comes_before_any_other() -> None:
    assert order_of(entry(2, start_sec=0.5, end_sec=1), entry(1, start_sec=0, end_sec=6)) == [1, 2]


def test_clips_without_end_come_after_those_with_one() -> None:
    assert order_of(entry(2, start_sec=0), entry(1, start_sec=0, end_sec=100)) == [1, 2]


def test_clips_of_one_time_range_keep_their_order() -> None:
    pairs = [entry(n + 1, start_sec=n // 2, end_sec=n // 2 + 1) for n in range(6)]
    assert order_of(*pairs[2:4], *pairs[:2], *pairs[4:]) == [1, 2, 3, 4, 5, 6]


def test_pages_are_sorted_by_number() -> None:
    pages = [entry(n, start_page_number=n, embedding_scope="page") for n in (3, 1, 10, 2)]
    assert order_of(entry(99, embedding_scope="asset"), *pages) == [1, 2, 3, 10, 99]


def test_chunks_are_sorted_by_index_from_0() -> None:
    chunks = [entry(n + 1, chunk_index=n, embedding_scope="chunk") for n in (2, 0, 11, 1)]
    assert order_of(entry(99, embedding_scope="asset"), *chunks) == [1, 2, 3, 12, 99]


def test_segments_without_place_come_last() -> None:
    assert order_of(entry(9), entry(1, start_sec=3, end_sec=4)) == [1, 9]


@pytest.mark.parametrize("time", ["1", float("inf"), float("nan"), [1]])
@pytest.mark.parametrize("name", ["start_sec", "end_sec"])
def test_a_v2_time_that_is_not_a_finite_number_is_malformed(name: str, time: Any) -> None:
    with pytest.raises(MalformedResponseError, match="time that is not a number"):
        responses.v2_segments({"data": [entry(1, **{name: time})]}, 2)


@pytest.mark.parametrize(("sent", "scope"), [("video", "asset"), ("clip", "clip"), (None, None)])
def test_scope_of_a_v1_segment(sent: str | None, scope: str | None) -> None:
    response = {"video_embedding": {"segments": [{"float": [1.0], "embedding_scope": sent}]}}
    (found,) = responses.v1_segments(response, "video", 1)
    assert found.scope == scope


# -- one vector --------------------------------------------------------------------------------------------------


def test_a_single_segment_is_the_one_vector() -> None:
    clip = Segment([1.0], scope="clip")
    assert responses.single([clip], "video") is clip


def test_of_several_segments_the_asset_is_the_one_vector() -> None:
    clip, asset = Segment([1.0], 0, 6, scope="clip"), Segment([2.0], scope="asset")
    assert responses.single([clip, asset, clip], "video") is asset


@pytest.mark.parametrize("scopes", [[], ["clip", "clip"], ["asset", "asset"], [None, None]])
def test_none_or_several_candidates_are_malformed(scopes: list[str | None]) -> None:
    with pytest.raises(MalformedResponseError, match=f"Expected one vector for video, the response has {len(scopes)}"):
        responses.single([Segment([1.0], scope=scope) for scope in scopes], "video")


@pytest.mark.parametrize(
    ("status", "code", "message", "too_long"),
    [
        (400, "video_duration_too_long", "no", True),
        (413, "audio_duration_too_long", "no", True),
        (400, None, "duration exceeds the limit", True),
        (400, None, "The limit of the duration is 600", True),
        (400, None, "It must not exceed the maximum duration", True),
        (404, "video_duration_too_long", "no", False),
        (None, "video_duration_too_long", "no", False),
        (400, None, "The clip duration exceeds the limit", False),
        (400, None, "The image is too large", False),
    ],
)
def test_is_media_too_long(status: int | None, code: str | None, message: str, too_long: bool) -> None:
    assert responses.is_media_too_long(InvalidInputError(message, status=status, code=code)) is too_long


# -- the short way to read one text's vector ---------------------------------------------------------------------------


def read_text_the_long_way(body: bytes) -> Any:
    response = responses.parse_json(body)
    return responses.single(responses.v2_segments(response, 3), "text").vector, responses.usage(response)


def outcome(read: Any, body: bytes) -> str:
    """A result or an error, told apart also by type and by the bits of each number."""
    try:
        return repr(read(body))
    except TwelveLabsError as error:
        return f"{type(error).__name__} {error}"


ODD = st.sampled_from([None, True, 0, 1.5, -3, 2**70, "x", "", [], {}, [0.1], {"a": 1}, math.nan, math.inf])
NUMBERS = st.one_of(st.floats(-1, 1), st.sampled_from([0.0, 1, -2, 1e-30, 1e30, 1e308, 2**53 + 1, 10**400]), ODD)
ENTRIES = st.fixed_dictionaries(
    {"embedding": st.one_of(st.lists(NUMBERS, min_size=2, max_size=4), st.just(V), st.just(V), ODD)},
    optional=dict.fromkeys(
        [
            "embedding_option",
            "embedding_scope",
            "start_sec",
            "end_sec",
            "start_page_number",
            "quadrant",
            "chunk_index",
            "embedding_uncertainty",
            "new",
        ],
        st.one_of(st.none(), ODD),
    ),
)
USAGE = st.one_of(
    ODD, st.fixed_dictionaries({}, optional={"input_tokens": ODD, "truncated": ODD, "truncation_reason": ODD})
)


@given(
    st.fixed_dictionaries(
        {"data": st.one_of(st.lists(ENTRIES, min_size=1, max_size=1), st.lists(ENTRIES, max_size=3), ODD)},
        optional={"usage": USAGE, "metadata": ODD},
    )
)
def test_the_vector_of_a_text_is_the_same_by_the_short_way(response: dict[str, Any]) -> None:
    body = json.dumps(response).encode()
    assert outcome(lambda body: responses.v2_text(body, 3), body) == outcome(read_text_the_long_way, body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":[{"embedding":[1,2,3]}],"data":[{"embedding":[4,5,6]}]}',
        b'{"data":[{"embedding":[1,2,3],"embedding":[4,5,6]}]}',
        b'{"data":[{"embedding":[4,5,6],"embedding":null}]}',
        b'{"data":[{"embedding":[1,2,3]}]} x',
        b'\xef\xbb\xbf{"data":[{"embedding":[1,2,3]}]}',
        b'{"data":[{"embedding":[1,2,3],"new":"\\ud800"}]}',
        b'{"data":[{"embedding":[1,2,3],"new":"\xff"}]}',
        b'{"data":[{"embedding":[1,2,3],"new":' + b"[" * 5000 + b"]" * 5000 + b"}]}",
        b'{"data":[{"embedding":[1e999,2,3]}]}',
        b'{"data":[{"embedding":[0.1,5e-324,1e-400]}]}',
        b'{"data":[{"embedding":[0.30000000000000004,-0.0,123456789012345678901234567890]}]}',
        b'{"data":[{"embedding":[01,2,3]}]}',
        b'{"data":[{"embedding":[1,2,3',
        b"[]",
        b"",
    ],
)
def test_odd_json_is_the_same_by_the_short_way(body: bytes) -> None:
    assert outcome(lambda body: responses.v2_text(body, 3), body) == outcome(read_text_the_long_way, body)
