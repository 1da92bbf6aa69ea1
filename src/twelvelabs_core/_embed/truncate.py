"""Over-long texts: counting tokens, cutting, splitting, and the plan for one text. Pure.

No tokenizer of these models is published (API page), so a token counter is any ``str -> int``. The default leans
towards counting too many, because a text that is cut a little early costs less than one that is refused after it was
sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, NamedTuple, TypeAlias

from .._errors import InvalidInputError, TextTooLongError, UnexpectedError
from .._models import Model
from .._vectors import weighted_sum

Truncate = Literal["end", "start", "none", "average"]
TRUNCATE: tuple[Truncate, ...] = ("end", "start", "none", "average")
TokenCounter: TypeAlias = Callable[[str], int]

SHORTEST_LIMIT = 8  # tokens; a text is not cut any shorter
LOWER_BY = 0.7
_MOST_TOKENS = 1e12
_LONG = 64  # characters a token; longer texts and words are looked at in parts
# The API's own control, set so that it does not cut.
_NO_CUT: dict[str | None, str | bool | None] = {"text_truncate": "none", "auto_truncate": False, None: None}

_TOKENS = re.compile(r"[A-Za-z]{1,5}|[0-9]{1,2}|\S")
_SPACED = re.compile(r"\S+\s*")


def estimate_tokens(text: str) -> int:
    """Tokens of a text, estimated on the high side.

    A Latin word counts one for every five letters begun, digits one for two, any other character one (as every letter
    of other scripts). Byte-pair tokenizers keep most words of up to ten letters whole, so English prose needs fewer.
    """
    return len(_TOKENS.findall(text))


@dataclass(frozen=True, eq=False)
class CheckedCounter:
    """A caller's token counter, whose results are checked: a wrong number would cut a text anywhere.

    Attributes:
        counter: the caller's function.
    """

    counter: TokenCounter

    def __call__(self, text: str) -> int:
        """Tokens of a text.

        Raises:
            InvalidInputError: the counter returned something other than a finite number, 0 or more.
            UnexpectedError: it raised something.
        """
        try:
            found = self.counter(text)
        except Exception as error:
            what = f"count_tokens raised {type(error).__name__} for a text of {len(text)} characters."
            raise UnexpectedError(what) from error
        if not isinstance(found, Real) or not 0 <= found < _MOST_TOKENS:
            raise InvalidInputError(
                f"count_tokens returned {str(found)[:40]} for a text of {len(text)} characters; expected a whole "
                "number, 0 or more."
            )
        return math.ceil(found)


class TextPlan(NamedTuple):
    """How one text is sent.

    Attributes:
        pieces: what to send, one request each; more than one only for ``average``.
        weights: tokens of each piece, for the mean.
        server_truncate: value of the API's own control (``text_truncate`` or ``auto_truncate``), None = send none.
        over: the text is over the limit by our count, so the vector may stand for a part of it.
        whole: the one piece is the whole text; False = it was cut or divided here.
    """

    pieces: tuple[str, ...]
    weights: tuple[float, ...] = (1.0,)
    server_truncate: str | bool | None = None
    over: bool = False
    whole: bool = True

    @property
    def cut_by_server(self) -> bool:
        """Whether the API was asked to cut the text if it is too long."""
        return self.server_truncate not in (None, False, "none")


def plan_text(text: str, model: Model, truncate: Truncate, count: TokenCounter = estimate_tokens) -> TextPlan:
    """Decide how to send ``text`` first.

    The server cuts where it can: by its own control, or (3.0, undocumented) without one.

    Raises:
        TextTooLongError: over the limit with ``truncate="none"`` on a model that might cut it silently.
    """
    limit = model.max_text_tokens
    over = exceeds(text, limit, count)
    if model.truncation == "text_truncate" and truncate != "average":
        return TextPlan((text,), server_truncate=truncate, over=over)
    if model.truncation == "auto_truncate" and truncate in ("end", "none"):
        return TextPlan((text,), server_truncate=truncate == "end", over=over)
    if model.truncation is None and truncate == "end":
        # The server may cut at its own exact count, which keeps more of the text than our estimate would.
        return TextPlan((text,), over=over)
    # From here on we cut, and the server must not: what it would drop would be dropped silently.
    if not over:
        return TextPlan((text,), server_truncate=_NO_CUT[model.truncation])
    if truncate == "none":
        raise too_long(model, count(text))
    return _cut_plan(text, model, truncate, count, limit)


def shorter_plan(
    text: str, refused: TextPlan, pieces: Container[str], model: Model, truncate: Truncate, count: TokenCounter
) -> TextPlan:
    """The plan that follows one that the server refused as too long. Depends on nothing but the text and that plan.

    The count is an estimate, so each refusal of a cut text lowers its limit by :data:`LOWER_BY`. For ``average``, only
    the refused pieces are divided further.

    Args:
        pieces: those of its pieces that were refused.

    Raises:
        TextTooLongError: with ``truncate="none"``, or if the text is down to :data:`SHORTEST_LIMIT` tokens.
    """
    if truncate == "none":
        raise too_long(model, count(text))
    if truncate != "average":
        sent = refused.pieces[0]
        shorter = _cut_plan(text, model, truncate, count, _lower(sent, refused.whole, model, count))
        _check_shorter(shorter.pieces, sent)
        return shorter
    parts: list[str] = []
    for piece in refused.pieces:
        divided = [piece]
        if piece in pieces:
            divided = split(piece, _lower(piece, refused.whole, model, count), count)
            _check_shorter(divided, piece)
        parts += divided
    return _pieces(parts, model, count)


def _lower(sent: str, whole: bool, model: Model, count: TokenCounter) -> int:
    """A lower limit than that by which a refused piece was cut, in tokens."""
    if whole and exceeds(sent, model.max_text_tokens, count):
        return model.max_text_tokens
    tokens = min(count(sent), model.max_text_tokens)
    if tokens <= SHORTEST_LIMIT:
        raise _refused_short()
    return max(1, int(tokens * LOWER_BY))


def _check_shorter(pieces: Sequence[str], refused: str) -> None:
    """A token counter may count so that a text cannot be cut further."""
    if any(len(piece) >= len(refused) for piece in pieces):
        raise _refused_short()


def _refused_short() -> TextTooLongError:
    return TextTooLongError("the server refuses the text as too long even when cut to a few words.")


def _cut_plan(text: str, model: Model, truncate: Truncate, count: TokenCounter, limit: int) -> TextPlan:
    """The plan of a text that is cut or divided here to ``limit`` tokens."""
    if truncate == "average":
        return _pieces(split(text, limit, count), model, count)
    kept = cut(text, limit, count, side="start" if truncate == "start" else "end")
    return TextPlan((kept,), server_truncate=_NO_CUT[model.truncation], over=True, whole=False)


def _pieces(pieces: list[str], model: Model, count: TokenCounter) -> TextPlan:
    weights = tuple(float(max(1, count(piece))) for piece in pieces)
    return TextPlan(tuple(pieces), weights, _NO_CUT[model.truncation], over=True, whole=False)


def too_long(model: Model, tokens: int) -> TextTooLongError:
    """The error of a text over the limit with ``truncate="none"``."""
    return TextTooLongError(
        f"the text has about {tokens} tokens; {model.name} takes {model.max_text_tokens}. Shorten it, use 'end', "
        "'start' or 'average' for truncate, or pass count_tokens= if you have a better count."
    )


def exceeds(text: str, limit: int, count: TokenCounter) -> bool:
    """Whether the text has more than ``limit`` tokens by ``count``. A very long one is counted until it is over."""
    if has_no_more_bytes(text, limit, count):
        return False
    if count is estimate_tokens and len(text) > _LONG * limit and count(text[: _LONG * limit]) > limit:
        return True
    return count(text) > limit


def has_no_more_bytes(text: str, limit: int, count: TokenCounter) -> bool:
    """Whether the text has at most ``limit`` bytes, and so no more tokens (byte-level tokenizers): most texts need no
    counting. False if a caller's function counts.
    """
    return count is estimate_tokens and len(text) <= limit and (text.isascii() or len(text.encode()) <= limit)


def cut(text: str, limit: int, count: TokenCounter, *, side: Literal["start", "end"]) -> str:
    """The longest run of whole words within ``limit`` tokens, from the start (``side="end"`` is cut off) or the end.

    The time it takes depends on what is kept, not on the length of the text.
    """
    from_end = side == "start"
    words = _words(_window(text.strip(), limit, count, from_end), limit, count, from_end=from_end)
    if from_end:
        words.reverse()
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(_join(words[:middle], side)) <= limit else (low, middle - 1)
    return _join(words[:low], side).strip()


def split(text: str, limit: int, count: TokenCounter) -> list[str]:
    """Consecutive chunks of whole words, each within ``limit`` tokens and of about equal length."""
    words = _words(text.strip(), limit, count)
    sizes = [max(1, count(word)) for word in words]
    chunks = max(1, math.ceil(sum(sizes) / limit))
    while True:
        target = min(limit, math.ceil(sum(sizes) / chunks))
        pieces, start, used = [], 0, 0
        for i, size in enumerate(sizes):
            if i > start and (used + size > limit or used >= target):
                pieces.append("".join(words[start:i]).strip())
                start, used = i, 0
            used += size
        pieces.append("".join(words[start:]).strip())
        pieces = [p for p in pieces if p]  # long white space between two words may fill a chunk
        if all(count(p) <= limit for p in pieces) or chunks >= len(words):
            return pieces
        chunks += 1 + chunks // 8  # a token counter need not be additive: try smaller pieces


def _window(text: str, limit: int, count: TokenCounter, from_end: bool) -> str:
    """A beginning (or end) of the text that is over the limit, or all of it."""
    length = 8 * limit
    while length < len(text):
        part = text[-length:] if from_end else text[:length]
        if count(part) > limit:
            return part
        length *= 2
    return text


def _words(text: str, limit: int, count: TokenCounter, *, from_end: bool = False) -> list[str]:
    """Words with their trailing space. A word over the limit (Chinese has no spaces) is divided into full pieces.

    Args:
        from_end: divide such a word from its end, so that a text cut at its start keeps full pieces.
    """
    words: list[str] = []
    for word in _SPACED.findall(text):
        if len(word) > _LONG * limit or (len(word) > 1 and count(word) > limit):
            words += _divided(word, limit, count, from_end)
        else:
            words.append(word)
    return words


def _divided(word: str, limit: int, count: TokenCounter, from_end: bool) -> list[str]:
    """A word in pieces, each the longest beginning (or end) of the rest that is within the limit, at least a letter.

    Each size is searched for from the last one, so that the time does not grow with the square of the length.
    """
    pieces: list[str] = []
    done, size = 0, limit
    while done < len(word):
        left = len(word) - done

        def part(size: int, done: int = done) -> str:
            return word[len(word) - done - size : len(word) - done] if from_end else word[done : done + size]

        size = _longest(lambda size: count(part(size)) <= limit, min(size, left), left)
        pieces.append(part(size))
        done += size
    return pieces[::-1] if from_end else pieces


def _longest(fits: Callable[[int], bool], guess: int, most: int) -> int:
    """The largest size from 1 to ``most`` that fits, if smaller ones do too; 1 if none does."""
    low, high, step = 1, most, 1
    if fits(guess):
        low = guess
        while low < most and high == most:
            probe = min(low + step, most)
            low, high = (probe, high) if fits(probe) else (low, probe - 1)
            step *= 2
    else:
        high = guess - 1
        while low == 1 and high - step > 1:
            probe = high - step
            low, high = (probe, high) if fits(probe) else (low, probe - 1)
            step *= 2
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return max(1, low)


def _join(words: list[str], side: str) -> str:
    return "".join(reversed(words)) if side == "start" else "".join(words)


def mean(vectors: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """Weighted mean, scaled to unit length: the API's metric is cosine, so length carries nothing.

    Raises:
        InvalidInputError: the vectors cancel out to zero.
    """
    if len(vectors) == 1:
        return list(vectors[0])
    total = weighted_sum(vectors, weights)
    norm = math.sqrt(math.fsum(x * x for x in total))
    if norm == 0:
        raise InvalidInputError("the chunks' vectors cancel out to zero; there is no mean direction.")
    return [x / norm for x in total]
