"""``POST /embed-v2``: JSON, one item, one answer.

marengo3.0 has one object an input type (``text``, ``image``, ``text_image``, ``audio``, ``video``) and
``multi_input`` for pictures; marengo3.5 takes everything as ``multi_input``, a lone text too (SDK 1.3.6).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .._errors import InvalidInputError
from .._inputs import Composed, Media
from .._models import Kind, Model, models_that
from .._options import SegmentOptions, option_fields
from .requests import MediaPayload, Request, json_request

__all__ = ["check_composed", "composed", "media", "segments", "text"]

MAX_SOURCES = 10
_PLACEHOLDER = re.compile(r"<@([^<>]+)>")
# The options that give exactly one vector for a whole file. 3.0's default would answer with every clip and option.
_ONE_VECTOR = {"audio": ["audio"], "video": ["visual"]}


def text(model: Model, input_text: str, *, dimensions: int, auto_truncate: bool | None) -> Request:
    """A text alone."""
    if model.request_form == "multi_input":
        return _multi_input(model, frozenset({"text"}), input_text, (), dimensions, auto_truncate)
    body = {"input_type": "text", "model_name": model.name, "text": {"input_text": input_text}}
    return json_request("embed-v2", frozenset({"text"}), body)


def media(model: Model, content: MediaPayload, *, dimensions: int) -> Request:
    """One piece of media, as one vector: for sounds and films scope ``asset``, option ``audio`` or ``visual``."""
    kinds = frozenset({content.kind})
    if model.request_form == "multi_input":
        return _multi_input(model, kinds, None, (content,), dimensions, None)
    part: dict[str, Any] = {"media_source": content.source()}
    if content.kind in _ONE_VECTOR:
        if content.start_sec is not None:
            part["start_sec"] = content.start_sec
        if content.end_sec is not None:
            part["end_sec"] = content.end_sec
        part["embedding_option"] = _ONE_VECTOR[content.kind]
        part["embedding_scope"] = ["asset"]
    return json_request("embed-v2", kinds, {"input_type": content.kind, "model_name": model.name, content.kind: part})


def segments(
    model: Model, content: MediaPayload, options: SegmentOptions, *, dimensions: int, task: bool, is_text: bool = False
) -> Request:
    """One piece of media, as many vectors: at once (marengo3.0 alone), or as a task."""
    part: dict[str, Any] = {"media_source": content.source()}
    if content.start_sec is not None:
        part["start_sec"] = content.start_sec
    if content.end_sec is not None:
        part["end_sec"] = content.end_sec
    part.update(option_fields(options, model, content.kind, is_text=is_text))
    body: dict[str, Any] = {"input_type": content.kind, "model_name": model.name, content.kind: part}
    if len(model.dimensions) > 1:
        body["embedding_dimension"] = dimensions
    if options.embedding_uncertainty:
        body["embedding_uncertainty"] = True
    return json_request("embed-v2/tasks" if task else "embed-v2", frozenset({content.kind}), body)


def composed(
    model: Model,
    input_text: str | None,
    contents: Sequence[MediaPayload],
    *,
    dimensions: int,
    auto_truncate: bool | None,
) -> Request:
    """A text and media fused into one vector. 3.0 has a shorter form for the common text and one picture."""
    kinds: frozenset[Kind] = frozenset({c.kind for c in contents} | ({"text"} if input_text else set()))
    if model.request_form == "typed" and input_text and len(contents) == 1 and contents[0].name is None:
        part = {"input_text": input_text, "media_source": contents[0].source()}
        body = {"input_type": "text_image", "model_name": model.name, "text_image": part}
        return json_request("embed-v2", kinds, body)
    return _multi_input(model, kinds, input_text, contents, dimensions, auto_truncate)


def _multi_input(
    model: Model,
    kinds: frozenset[Kind],
    input_text: str | None,
    contents: Sequence[MediaPayload],
    dimensions: int,
    auto_truncate: bool | None,
) -> Request:
    part: dict[str, Any] = {}
    if input_text is not None:
        part["input_text"] = input_text
    if contents:
        part["media_sources"] = [
            {**({"name": c.name} if c.name else {}), "media_type": c.kind, **c.source()} for c in contents
        ]
    body: dict[str, Any] = {"input_type": "multi_input", "model_name": model.name, "multi_input": part}
    if len(model.dimensions) > 1:  # a fixed-length model refuses the field
        body["embedding_dimension"] = dimensions
    if model.truncation == "auto_truncate" and auto_truncate is not None and input_text is not None:
        body["auto_truncate"] = auto_truncate
    return json_request("embed-v2", kinds, body)


def check_composed(item: Composed, model: Model, *, is_pdf: Sequence[bool], label: str) -> None:
    """The rules of ``multi_input`` that can be told before sending (SDK 1.3.6, field documentation).

    Args:
        is_pdf: for each source, whether it is a PDF.

    Raises:
        InvalidInputError: a rule is broken; the message says which and what to do.
    """

    def refuse(why: str) -> InvalidInputError:
        return InvalidInputError(why, item=label)

    if "composed" not in {kind for kinds in model.inputs.values() for kind in kinds}:
        raise refuse(
            f"{model.name} cannot fuse several inputs into one vector. " + models_that("do it", kind="composed")
        )
    if item.text is not None and not item.text.strip():
        raise refuse("has an empty text; leave text out to use the media alone.")
    if item.text is None and not item.media:
        raise refuse("is empty: give a text, media, or both.")
    if len(item.media) > MAX_SOURCES:
        raise refuse(f"has {len(item.media)} sources; the API takes {MAX_SOURCES}.")
    for source in item.media:
        if not isinstance(source, Media):
            raise refuse(f"expected Image, Audio, Video or Document in media, got a {type(source).__name__}.")
        if source.kind not in model.composed_media:
            takes = ", ".join(sorted(model.composed_media))
            raise refuse(
                f"{model.name} composes {takes} only, not {source.kind}. "
                + models_that(f"compose {source.kind}", kind=source.kind)
                if source.kind == "document"
                else f"{model.name} composes {takes} only, not {source.kind}; marengo3.5 can."
            )
    _check_names(item, refuse)
    kinds = {source.kind for source in item.media}
    if len(kinds) > 1 and item.text is None:
        raise refuse(
            f"mixes {' and '.join(sorted(kinds))} without a text; the API needs one that says how they belong together."
        )
    if any(is_pdf) and (len(item.media) > 1 or item.text is not None):
        raise refuse("a PDF must be the only source and stands without a text. Embed it alone.")
    if kinds == {"document"} and not any(is_pdf) and (item.text is not None or len(item.media) > 1):
        raise refuse(
            "is all text (text documents, with a text or each other). Join the texts, or add a picture, sound or film."
        )


def _check_names(item: Composed, refuse: Any) -> None:
    names = [source.name for source in item.media if source.name]
    if len(names) != len(set(names)):
        raise refuse(f"uses a name twice: {sorted({n for n in names if names.count(n) > 1})}.")
    for reference in _PLACEHOLDER.findall(item.text or ""):
        if reference not in names:
            known = f"names given: {', '.join(names)}" if names else "no source has a name"
            raise refuse(f"the text refers to <@{reference}>, but {known}. Give one source name={reference!r}.")
