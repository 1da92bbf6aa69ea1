"""Over-long texts: counting tokens, cutting, splitting, and the plan for one text. Pure.

No tokenizer of these models is published (API page), so a token counter is any ``str -> int``. The default leans
towards counting too many, because a text that is cut a little early costs less than one that is refused after it was
sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .._errors import InvalidInputError, TextTooLongError
from .._models import Model

Truncate = Literal["end", "start", "none", "average"]
TRUNCATE: tuple[Truncate, ...] = ("end", "start", "none", "average")
TokenCounter: TypeAlias = Callable[[str], int]

_TOKENS = re.compile(r"[A-Za-z]{1,5}|[0-9]{1,2}|\S")
_SPACED = re.compile(r"\S+\s*")


def estimate_tokens(text: str) -> int:
    """Tokens of a text, estimated on the high side.

    A Latin word counts one for every five letters begun, digits one for two, any other character one (as every letter
    of other scripts). Byte-pair tokenizers keep most words of up to ten letters whole, so English prose needs fewer.
    """
    return len(_TOKENS.findall(text))


@dataclass(frozen=True, slots=True)
class TextPlan:
    """How one text is sent.

    Attributes:
        pieces: what to send, one request each; more than one only for ``average``.
        weights: tokens of each piece, for the mean.
        server_truncate: value of the API's own control (``text_truncate`` or ``auto_truncate``), None = send none.
        over: the text is over the limit by our count, so the vector may stand for a part of it.
    """

    pieces: tuple[str, ...]
    weights: tuple[float, ...] = (1.0,)
    server_truncate: str | bool | None = None
    over: bool = False


def plan_text(
    text: str,
    model: Model,
    truncate: Truncate,
    count: TokenCounter = estimate_tokens,
    limit: int | None = None,
) -> TextPlan:
    """Decide how to send ``text``.

    Args:
        limit: tokens, by ``count``, to which the text is cut or split here; given after a refusal. None = the server
            cuts where it can: by its own control, or (3.0, undocumented) without one.

    Raises:
        TextTooLongError: over the limit with ``truncate="none"`` on a model that might cut it silently.
    """
    over = exceeds(text, limit or model.max_text_tokens, count)
    if limit is None:
        if model.truncation == "text_truncate" and truncate != "average":
            return TextPlan((text,), server_truncate=truncate, over=over)
        if model.truncation == "auto_truncate" and truncate in ("end", "none"):
            return TextPlan((text,), server_truncate=truncate == "end", over=over)
        if model.truncation is None and truncate == "end":
            # The server may cut at its own exact count, which keeps more of the text than our estimate would.
            return TextPlan((text,), over=over)
    # From here on we cut, and the server must not: what it would drop would be dropped silently.
    control = {"text_truncate": "none", "auto_truncate": False, None: None}[model.truncation]
    limit = limit or model.max_text_tokens
    if not over:
        return TextPlan((text,), server_truncate=control)
    if truncate == "none":
        raise too_long(model, count(text))
    if truncate == "average":
        pieces = split(text, limit, count)
        return TextPlan(tuple(pieces), tuple(float(count(p)) for p in pieces), control, over=True)
    return TextPlan((cut(text, limit, count, side=truncate),), server_truncate=control, over=True)


def too_long(model: Model, tokens: int) -> TextTooLongError:
    """The error of a text over the limit with ``truncate="none"``."""
    return TextTooLongError(
        f"the text has about {tokens} tokens; {model.name} takes {model.max_text_tokens}. Shorten it, use 'end', "
        "'start' or 'average' for truncate, or pass count_tokens= if you have a better count."
    )


def exceeds(text: str, limit: int, count: TokenCounter) -> bool:
    """Whether the text has more than ``limit`` tokens by ``count``.

    No text has more tokens than bytes (byte-level tokenizers), so most texts need no counting.
    """
    if count is estimate_tokens and len(text) <= limit and (text.isascii() or len(text.encode()) <= limit):
        return False
    return count(text) > limit


def cut(text: str, limit: int, count: TokenCounter, *, side: Literal["start", "end"]) -> str:
    """The longest run of whole words within ``limit`` tokens, from the start (``side="end"`` is cut off) or the end."""
    words = _words(text, limit, count, from_end=side == "start")
    if side == "start":
        words.reverse()
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(_join(words[:middle], side)) <= limit else (low, middle - 1)
    return _join(words[:low], side).strip()


def split(text: str, limit: int, count: TokenCounter) -> list[str]:
    """Consecutive chunks of whole words, each within ``limit`` tokens and of about equal length."""
    words = _words(text, limit, count)
    sizes = [max(1, count(word)) for word in words]
    chunks = max(1, math.ceil(sum(sizes) / limit))
    while True:
        target = min(limit, math.ceil(sum(sizes) / chunks))
        pieces, piece, used = [], "", 0
        for word, size in zip(words, sizes, strict=True):
            if piece and (used + size > limit or used >= target):
                pieces.append(piece.strip())
                piece, used = "", 0
            piece, used = piece + word, used + size
        pieces.append(piece.strip())
        pieces = [p for p in pieces if p]  # long white space between two words may fill a chunk
        if all(count(p) <= limit for p in pieces) or chunks >= len(words):
            return pieces
        chunks += 1  # a token counter need not be additive: try smaller pieces


def _words(text: str, limit: int, count: TokenCounter, *, from_end: bool = False) -> list[str]:
    """Words with their trailing space. A word over the limit (Chinese has no spaces) is divided into full pieces.

    Args:
        from_end: divide such a word from its end, so that a text cut at its start keeps full pieces.
    """
    words = []
    stack = list(reversed(_SPACED.findall(text.strip())))
    while stack:
        word = stack.pop()
        if len(word) == 1 or count(word) <= limit:
            words.append(word)
            continue
        fits = _letters_within(word, limit, count, from_end)
        middle = len(word) - fits if from_end else fits
        stack += [word[middle:], word[:middle]]
    return words


def _letters_within(word: str, limit: int, count: TokenCounter, from_end: bool) -> int:
    """Number of characters of the longest beginning (or end) of a word within the limit, at least 1."""
    low, high = 1, len(word) - 1
    while low < high:
        middle = (low + high + 1) // 2
        part = word[-middle:] if from_end else word[:middle]
        low, high = (middle, high) if count(part) <= limit else (low, middle - 1)
    return low


def _join(words: list[str], side: str) -> str:
    return "".join(reversed(words)) if side == "start" else "".join(words)


def mean(vectors: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """Weighted mean, scaled to unit length: the API's metric is cosine, so length carries nothing.

    Raises:
        InvalidInputError: the vectors cancel out to zero.
    """
    if len(vectors) == 1:
        return list(vectors[0])
    total = [math.fsum(w * x for w, x in zip(weights, column, strict=True)) for column in zip(*vectors, strict=True)]
    norm = math.sqrt(math.fsum(x * x for x in total))
    if norm == 0:
        raise InvalidInputError("the chunks' vectors cancel out to zero; there is no mean direction.")
    return [x / norm for x in total]
