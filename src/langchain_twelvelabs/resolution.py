"""Which texts of a call are answered with kept vectors, which are refused, and which are embedded."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from twelvelabs_core import InvalidInputError
from twelvelabs_core.adapter import Adapter

from . import torn
from .references import OPENING, Reference, check_of, has_other_words, letters_before, references_in

logger = logging.getLogger("twelvelabs_embeddings")

Kept = Mapping[tuple[str, str], list[float]]
"""Vectors by space and id."""

# Spaces whose vectors are looked for in a cache although they are not the adapter's: a name from outside becomes part
# of a key, and some stores take few characters.
_OTHER_SPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/[1-9][0-9]{0,4}")

_SPLITTER = (
    "A text splitter has cut a media reference; its pieces are not embedded as words. Do not split documents that have "
    "'media_type' in their metadata: add them to the store as the loader made them."
)

_COMPOSED = ", which cannot be composed with other inputs. Leave it out of the text, and give the media itself."


def may_refer(text: Any) -> bool:
    """A quick test, made for every text that is embedded: False if it is neither a reference nor a piece of one."""
    return isinstance(text, str) and (("[" in text and OPENING in text) or torn.may_be_piece(text))


async def vectors_of_references(adapter: Adapter, texts: Sequence[Any], name: str) -> dict[int, list[float]]:
    """The vectors of those texts that hold a reference, by index; all others are to be embedded.

    A text with one genuine reference has its vector, whatever words stand around it; for words beyond its line one
    warning a call is logged. A text that only looks like a reference is to be embedded; so is one that was written with
    another API key, if its vector is not held here: for these too one warning a call.

    Args:
        adapter: keeps the vectors.
        texts: references and plain texts.
        name: what the texts are called in errors: ``texts`` or ``text``.

    Raises:
        InvalidInputError: a text holds a genuine reference of another space, one whose vector is not kept here, or two;
            or it is a piece of a reference, or the label of one.
    """
    suspects = {i: text for i, text in enumerate(texts) if may_refer(text)}
    if not suspects:
        return {}
    found = {i: references_in(text) for i, text in suspects.items()}
    whole = {i: references for i, references in found.items() if references}
    pieces = {i: [r for text in torn.joined(texts, i) for r in references_in(text)] for i in suspects if i not in whole}
    kept = await _kept(adapter, [r for references in (*whole.values(), *pieces.values()) for r in references])

    answers: dict[int, list[float]] = {}
    answered: dict[int, Reference] = {}
    for i, references in whole.items():
        genuine = [r for r in references if _is_genuine(adapter, r, kept)]
        if genuine:
            answers[i] = _answer(adapter, genuine, kept, texts[i], _label(name, i))
            answered[i] = genuine[0]
    rest = {i: text for i, text in suspects.items() if i not in answers}
    await _refuse_pieces(adapter, rest, pieces, kept, name)
    await _refuse_cut_labels(adapter, texts, answers, name)
    _refuse_cut_words(texts, answered, name)
    _warn([_label(name, i) for i in whole if i not in answers], _NOT_OURS)
    _warn([_label(name, i) for i, found in answered.items() if has_other_words(texts[i], found)], _OTHER_WORDS)
    return answers


async def refuse_references(adapter: Adapter, text: Any, name: str, remedy: str = _COMPOSED) -> None:
    """Refuse a text that holds a genuine reference, where it cannot be answered with a vector.

    Args:
        adapter: has written the reference, or keeps its vector.
        text: what may hold one.
        name: what the text is called in errors.
        remedy: what to do about it.

    Raises:
        InvalidInputError: it holds one.
    """
    if not isinstance(text, str) or OPENING not in text:
        return
    references = references_in(text)
    kept = await _kept(adapter, references)
    if any(_is_genuine(adapter, reference, kept) for reference in references):
        raise InvalidInputError(f"The text holds a media reference{remedy}", item=name)


async def _kept(adapter: Adapter, references: Iterable[Reference]) -> Kept:
    """The vectors of these references that are kept here, also those of other spaces."""
    ids: dict[str, list[str]] = {}
    for reference in references:
        if reference.space == adapter.space or _OTHER_SPACE.fullmatch(reference.space):
            ids.setdefault(reference.space, []).append(reference.id)
    return {
        (space, id): vector
        for space, wanted in ids.items()
        for id, vector in (await adapter._kept_vectors(wanted, space)).items()
    }


def _is_genuine(adapter: Adapter, reference: Reference, kept: Kept) -> bool:
    return (reference.space, reference.id) in kept or reference.is_signed(adapter)


def _answer(adapter: Adapter, genuine: Sequence[Reference], kept: Kept, text: str, label: str) -> list[float]:
    """The vector of a text that holds these references."""
    if len(genuine) > 1:
        raise InvalidInputError(
            f"{_shown(text)} holds {len(genuine)} media references, and one text has one vector. Make a document of "
            "each, or leave the references out of the text.",
            item=label,
        )
    (reference,) = genuine
    if reference.space != adapter.space:
        raise InvalidInputError(
            f"{_shown(text)} stands for a vector of {reference.space}, which does not compare with these embeddings' "
            f"{adapter.space}. Load the media again with these embeddings, or use the embeddings it was loaded with.",
            item=label,
        )
    vector = kept.get((reference.space, reference.id))
    if vector is None:
        raise InvalidInputError(
            f"{_shown(text)} stands for a vector that these embeddings do not hold; it is not embedded as text. Give "
            "the store the embeddings object that the media was loaded with, or give both the same cache=, or load the "
            "media again.",
            item=label,
        )
    return vector


async def _refuse_pieces(
    adapter: Adapter, texts: Mapping[int, str], pieces: Mapping[int, Sequence[Reference]], kept: Kept, name: str
) -> None:
    """Refuse what a text splitter has left of genuine references.

    Args:
        adapter: has written them, or keeps their vectors.
        texts: those that may be pieces, by index.
        pieces: the references that a text and those before it give together, by its index.
    """
    labels = {i: torn.bare_label(text) or torn.label_before_opening(text) for i, text in texts.items()}
    issued = await adapter._kept_labels(label for label in labels.values() if label)
    for i, text in texts.items():
        end = torn.signed_end(text)
        if (
            labels[i] in issued
            or (end is not None and end[1] == check_of(adapter, adapter.space, end[0]))
            or any(_is_genuine(adapter, reference, kept) for reference in pieces.get(i, ()))
        ):
            raise InvalidInputError(f"{_shown(text)} is a piece of a media document. {_SPLITTER}", item=_label(name, i))


async def _refuse_cut_labels(adapter: Adapter, texts: Sequence[Any], answers: Collection[int], name: str) -> None:
    """Refuse a whole reference whose label, or the beginning of it, stands in the texts before it.

    Args:
        answers: indices of the texts with a reference.
    """
    # After a text with a reference a document of its own begins.
    joined = {i: list(torn.labels_joined(texts, i)) for i in answers if i > 0 and i - 1 not in answers}
    own = {i: torn.bare_label(torn.label_of(texts[i])) for i in joined}
    issued = await adapter._kept_labels({*filter(None, own.values()), *itertools.chain(*joined.values())})
    for i, labels in joined.items():
        if own[i] not in issued and not issued.isdisjoint(labels):
            label = _label(name, i - 1)
            raise InvalidInputError(f"{_shown(texts[i - 1])} is a piece of a media document. {_SPLITTER}", item=label)


def _refuse_cut_words(texts: Sequence[Any], answered: Mapping[int, Reference], name: str) -> None:
    """Refuse a whole reference that has lost words a loader wrote before it, if these stand in the texts before it.

    Args:
        answered: the references that are answered, by the index of their texts.
    """
    first = 0  # after a text with a reference a document of its own begins
    for i, reference in sorted(answered.items()):
        words = reference.words
        if words is not None and not words.end(letters_before(texts[i], reference)):
            at = words.first_piece(texts, first, i)
            if at is not None:
                why = f"{_shown(texts[at])} is a piece of a media document. {_SPLITTER}"
                raise InvalidInputError(why, item=_label(name, at))
        first = i + 1


_NOT_OURS = (
    "%s%s: looks like a media reference, but was not written with this API key, and its vector is not held here. It "
    "was embedded as the text it is. If it is one of yours, load the media again with this key, or share its cache=."
)
_OTHER_WORDS = (
    "%s%s: has words beside its media reference. Its vector is that of the media alone; to search the words too, add "
    "them as a document of their own. (Words that a loader writes, by text=, are not warned of.)"
)


def _warn(labels: Sequence[str], message: str) -> None:
    """Log one warning for all texts of a call."""
    if labels:
        logger.warning(message, labels[0], f" (and {len(labels) - 1} more)" if len(labels) > 1 else "")


def _shown(text: str) -> str:
    """A text in an error message."""
    text = text.strip()
    return repr(text if len(text) <= 300 else f"{text[:200]} … {text[-90:]}")


def _label(name: str, index: int) -> str:
    return f"{name}[{index}]" if name.endswith("s") else name
