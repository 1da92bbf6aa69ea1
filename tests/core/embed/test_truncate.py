"""Functions for over-long texts: counting, cutting, splitting and averaging."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.support.service import words
from twelvelabs_core import MODELS, InvalidInputError, Model, TextTooLongError, estimate_tokens
from twelvelabs_core._embed.truncate import (
    TRUNCATE,
    CheckedCounter,
    TextPlan,
    Truncate,
    _longest,
    cut,
    exceeds,
    mean,
    plan_text,
    shorter_plan,
    split,
)

# -- the estimate --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" \n\t ", 0),
        ("a", 1),
        ("horse", 1),
        ("horses", 2),
        ("a red bike", 3),
        ("don't", 3),
        ("2026", 2),
        ("3.14", 3),
        ("x=1;", 4),
        ("猫が好き", 4),
        ("привет", 6),
        ("🚲🚲", 2),
        ("é", 1),
        ("a" * 10_000, 2_000),
    ],
)
def test_estimate_tokens(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


# Any character except surrogates; st.text() would first sort all of Unicode by category, which takes seconds.
character = st.one_of(st.integers(0x20, 0x7E), st.integers(0, 0xD7FF), st.integers(0xE000, 0x10FFFF)).map(chr)
any_text = st.lists(character, max_size=60).map("".join)


@given(any_text, any_text)
def test_the_estimate_is_additive_over_words(left: str, right: str) -> None:
    assert estimate_tokens(f"{left} {right}") == estimate_tokens(left) + estimate_tokens(right)


@given(any_text, any_text)
def test_the_estimate_never_decreases_as_text_is_added(left: str, right: str) -> None:
    assert estimate_tokens(left + right) >= max(estimate_tokens(left), estimate_tokens(right))


@given(any_text, st.integers(1, 40))
@example("é" * 30, 30)
@example("a" * 31, 30)
def test_exceeds_agrees_with_the_count(text: str, limit: int) -> None:
    assert exceeds(text, limit, estimate_tokens) == (estimate_tokens(text) > limit)


def test_a_custom_counter_is_always_called() -> None:
    assert exceeds("a", 10, lambda _: 11)
    assert not exceeds("a" * 100, 10, lambda _: 10)


# -- cutting and splitting -----------------------------------------------------------------------------------------

texts = st.text(st.sampled_from("abz AZ09.-\n\t猫é🚲 "), max_size=200)
ordinary = st.lists(st.text(st.sampled_from("abcdefgh"), min_size=1, max_size=5), min_size=1, max_size=60).map(" ".join)
limits = st.integers(1, 30)
COUNTERS: dict[str, Callable[[str], int]] = {
    "estimate": estimate_tokens,
    "words": lambda text: len(text.split()),
    "characters": len,
    # as real tokenizers: a start and an end token around each text
    "with special tokens": lambda text: estimate_tokens(text) + 2,
}
counters = pytest.mark.parametrize("counter", COUNTERS)


def without_spaces(text: str) -> str:
    return "".join(text.split())


@counters
@given(texts, limits)
def test_chunks_are_within_the_limit_and_complete(counter: str, text: str, limit: int) -> None:
    assume(text.strip())
    count = COUNTERS[counter]
    limit += 3  # room for the special tokens and one token
    pieces = split(text, limit, count)
    assert all(count(piece) <= limit for piece in pieces)
    assert "".join(map(without_spaces, pieces)) == without_spaces(text)
    assert all(piece == piece.strip() and piece for piece in pieces)


@counters
@given(ordinary, limits)
def test_words_within_the_limit_are_not_divided(counter: str, text: str, limit: int) -> None:
    limit += 8
    pieces = split(text, limit, COUNTERS[counter])
    assert [word for piece in pieces for word in piece.split()] == text.split()


@given(ordinary, limits)
def test_the_number_of_chunks_is_minimal(text: str, limit: int) -> None:
    pieces = split(text, limit, estimate_tokens)
    assert len(pieces) == math.ceil(estimate_tokens(text) / limit)
    sizes = [estimate_tokens(piece) for piece in pieces]
    assert max(sizes) - min(sizes) <= len(pieces)  # about equal: no short rest at the end


def test_chunks_have_about_equal_length() -> None:
    assert [len(piece.split()) for piece in split(words(501), 500, estimate_tokens)] == [251, 250]
    assert [len(piece.split()) for piece in split(words(1001), 500, estimate_tokens)] == [334, 334, 333]


@counters
@pytest.mark.parametrize("side", ["end", "start"])
@given(text=texts, limit=limits)
def test_a_cut_text_is_a_prefix_or_suffix_within_the_limit(
    counter: str, side: Literal["start", "end"], text: str, limit: int
) -> None:
    assume(text.strip())
    count = COUNTERS[counter]
    limit += 3
    kept = cut(text, limit, count, side=side)
    assert kept
    assert count(kept) <= limit
    assert text.strip().startswith(kept) if side == "end" else text.strip().endswith(kept)


@pytest.mark.parametrize("side", ["end", "start"])
@given(text=ordinary, limit=limits)
def test_a_cut_text_fills_the_limit(side: Literal["start", "end"], text: str, limit: int) -> None:
    kept = cut(text, limit, estimate_tokens, side=side).split()
    all_words = text.split()
    want = all_words[:limit] if side == "end" else all_words[-limit:]
    assert kept == want


@pytest.mark.parametrize(
    ("text", "limit"),
    [("x" * 10_000, 500), ("猫" * 700, 500), ("🚲" * 700, 77), ("https://h.example/" + "a-" * 2000, 77)],
)
@pytest.mark.parametrize("side", ["end", "start"])
def test_a_text_without_spaces_can_be_cut(text: str, limit: int, side: Literal["start", "end"]) -> None:
    kept = cut(text, limit, estimate_tokens, side=side)
    assert limit / 2 <= estimate_tokens(kept) <= limit
    assert text.startswith(kept) if side == "end" else text.endswith(kept)
    assert "".join(split(text, limit, estimate_tokens)) == text


@pytest.mark.parametrize("side", ["end", "start"])
@given(length=st.integers(1, 60), limit=st.integers(1, 60))
def test_a_cut_word_fills_the_limit(side: Literal["start", "end"], length: int, limit: int) -> None:
    assert len(cut("x" * length, limit, len, side=side)) == min(length, limit)


@pytest.mark.parametrize("text", ["a" + " " * 30 + "b", "aaaa" * 3 + " ", " " * 30 + "a" * 9, "a" * 9 + " " * 30])
def test_no_chunk_is_empty_if_white_space_counts_as_tokens(text: str) -> None:
    chunks = split(text, 4, len)
    assert all(chunks)
    assert "".join(chunks) == without_spaces(text)


def test_a_cut_text_is_not_empty_if_white_space_counts_as_tokens() -> None:
    assert cut("one two" + " " * 30, 4, len, side="start") == "two"
    assert cut(" " * 30 + "one two", 4, len, side="end") == "one"


# -- the mean ------------------------------------------------------------------------------------------------------

numbers = st.floats(-1, 1, allow_subnormal=False).map(lambda x: round(x, 6))
vectors = st.integers(2, 6).flatmap(
    lambda length: st.lists(st.lists(numbers, min_size=length, max_size=length), min_size=2, max_size=5)
)


@given(vectors, st.data())
def test_the_mean_has_unit_length_and_the_weighted_direction(found: list[list[float]], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(1, 500).map(float), min_size=len(found), max_size=len(found)))
    total = [sum(w * x for w, x in zip(weights, column, strict=True)) for column in zip(*found, strict=True)]
    length = math.sqrt(sum(x * x for x in total))
    assume(length > 1e-3)
    result = mean(found, weights)
    assert math.sqrt(sum(x * x for x in result)) == pytest.approx(1)
    assert result == pytest.approx([x / length for x in total], abs=1e-9)
    assert mean(found, [w * 7 for w in weights]) == pytest.approx(result, abs=1e-9)


def test_the_mean_of_one_vector_is_returned_unchanged() -> None:
    assert mean([[3.0, 4.0]], [9.0]) == [3.0, 4.0]


def test_vectors_that_cancel_out_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="cancel out"):
        mean([[1.0, 0.0], [-1.0, 0.0]], [1.0, 1.0])


# -- plans ---------------------------------------------------------------------------------------------------------

M27, M30, M35 = MODELS["Marengo-retrieval-2.7"], MODELS["marengo3.0"], MODELS["marengo3.5"]


@pytest.mark.parametrize("model", [M27, M30, M35], ids=lambda m: m.name)
@pytest.mark.parametrize("truncate", TRUNCATE)
def test_a_text_at_the_limit_is_not_over_it(model: Model, truncate: Truncate) -> None:
    text = words(model.max_text_tokens)
    plan = plan_text(text, model, truncate)
    assert (plan.pieces, plan.weights, plan.over) == ((text,), (1.0,), False)


@pytest.mark.parametrize(
    ("model", "truncate", "control", "pieces"),
    [
        (M27, "end", "end", "all"),
        (M27, "start", "start", "all"),
        (M27, "none", "none", "all"),
        (M27, "average", "none", "chunks"),
        (M30, "end", None, "all"),
        (M30, "start", None, "last"),
        (M30, "average", None, "chunks"),
        (M35, "end", True, "all"),
        (M35, "none", False, "all"),
        (M35, "start", False, "last"),
        (M35, "average", False, "chunks"),
    ],
    ids=lambda v: getattr(v, "name", str(v)),
)
def test_plan_of_a_text_over_the_limit(model: Model, truncate: Truncate, control: Any, pieces: str) -> None:
    limit = model.max_text_tokens
    text = words(limit + 1)
    plan = plan_text(text, model, truncate)
    expected = {"all": [text], "last": [words(limit, 1)], "chunks": split(text, limit, estimate_tokens)}[pieces]
    assert list(plan.pieces) == expected
    assert (plan.server_truncate, plan.over) == (control, True)
    assert list(plan.weights) == ([float(estimate_tokens(p)) for p in expected] if pieces == "chunks" else [1.0])


@pytest.mark.parametrize(("model", "control"), [(M27, "none"), (M30, None), (M35, False)])
@pytest.mark.parametrize(("truncate", "kept"), [("end", "first"), ("start", "last"), ("average", "all")])
def test_a_refused_text_is_cut_here_and_not_by_the_server(
    model: Model, control: Any, truncate: Truncate, kept: str
) -> None:
    text = words(20)
    refused = TextPlan((text,), server_truncate=control)
    plan = shorter_plan(text, refused, {0}, model, truncate, estimate_tokens)
    assert {"first": [words(14)], "last": [words(14, 6)], "all": [words(10), words(10, 10)]}[kept] == list(plan.pieces)
    assert (plan.server_truncate, plan.over, plan.whole) == (control, True, False)


def test_a_refused_text_over_the_limit_is_first_cut_to_the_limit() -> None:
    text = words(800)
    plan = shorter_plan(text, plan_text(text, M30, "end"), {0}, M30, "end", estimate_tokens)
    assert plan.pieces == (words(500),)
    plan = shorter_plan(text, plan, {0}, M30, "end", estimate_tokens)
    assert plan.pieces == (words(350),)


def test_only_the_refused_pieces_are_divided_further() -> None:
    text = words(1200)
    plan = plan_text(text, M30, "average")
    again = shorter_plan(text, plan, {1}, M30, "average", estimate_tokens)
    assert again.pieces == (plan.pieces[0], words(200, 400), words(200, 600), plan.pieces[2])
    assert again.weights == (400, 200, 200, 400)


@pytest.mark.parametrize("truncate", ["end", "start", "average"])
@pytest.mark.parametrize("count", [estimate_tokens, len, lambda _: 100, lambda _: 9, lambda _: 0])
def test_refusals_without_end_come_to_an_end(truncate: Truncate, count: Callable[[str], int]) -> None:
    text = words(700)
    plan = TextPlan((text,))
    with pytest.raises(TextTooLongError, match="cut to a few words"):
        for _ in range(200):
            plan = shorter_plan(text, plan, range(len(plan.pieces)), M30, truncate, count)


@pytest.mark.parametrize("text", ["x" * 2_000_000, "hello wor " * 200_000, "猫" * 400_000], ids=["word", "words", "猫"])
def test_the_time_does_not_grow_with_the_square_of_the_length(text: str) -> None:
    looked_at = 0

    def count(part: str) -> int:
        nonlocal looked_at
        looked_at += len(part)
        return len(part) // 4

    assert cut(text, 500, count, side="end")
    assert cut(text, 500, count, side="start")
    assert looked_at < 400_000  # what is kept decides, not the length of the text
    looked_at = 0
    pieces = split(text, 500, count)
    assert "".join(map(without_spaces, pieces)) == without_spaces(text)
    assert looked_at < 20 * len(text)


@given(st.integers(1, 60), st.data())
def test_longest_finds_the_largest_size(most: int, data: st.DataObject) -> None:
    guess, true = data.draw(st.integers(1, most)), data.draw(st.integers(0, most))
    assert _longest(lambda size: size <= true, guess, most) == max(1, true)


# -- a caller's counter ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, -0.5, None, "7", 10**30, [1]])
def test_a_count_that_is_no_number_of_tokens_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"count_tokens returned .* for a text of 3 characters"):
        CheckedCounter(lambda _: value)("abc")


@pytest.mark.parametrize(("value", "tokens"), [(0, 0), (7, 7), (7.0, 7), (6.2, 7), (True, 1)])
def test_a_count_is_rounded_up(value: Any, tokens: int) -> None:
    found = CheckedCounter(lambda _: value)("abc")
    assert (found, type(found)) == (tokens, int)


def test_none_over_the_limit_is_refused_where_the_server_has_no_control() -> None:
    with pytest.raises(TextTooLongError, match=r"about 501 tokens; marengo3\.0 takes 500"):
        plan_text(words(501), M30, "none")


@pytest.mark.parametrize(
    ("text", "limit", "over"), [("aaaa", 4, False), ("a b c d e", 4, True), ("é" * 4, 4, False), ("é" * 5, 4, True)]
)
def test_exceeds_at_the_limit(text: str, limit: int, over: bool) -> None:
    assert exceeds(text, limit, estimate_tokens) is over
