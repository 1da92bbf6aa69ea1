"""Requests to ``POST /embed-v2`` and ``/embed-v2/tasks``: JSON, one item each.

marengo3.0 has one object for each input type (``text``, ``image``, ``text_image``, ``audio``, ``video``), and
``multi_input`` for several images; marengo3.5 takes everything as ``multi_input``, a text alone too (SDK 1.3.6).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from pydantic_core import to_json

from .._errors import InvalidInputError
from .._inputs import Composed, Media
from .._models import Kind, Model, models_that
from .._options import Fixed, Quadrants, Segmentation, SegmentOptions, Sentences, own_option
from .requests import MediaPayload, Request, json_request

MAX_SOURCES = 10
_TEXT: frozenset[Kind] = frozenset({"text"})
_PLACEHOLDER = re.compile(r"<@([^<>]+)>")


def text(model: Model, input_text: str, *, dimensions: int, auto_truncate: bool | None) -> Request:
    """The request for one text. Its response is read as it comes, by :func:`~.responses.v2_text`."""
    if model.request_form == "multi_input":
        request = _multi_input(model, _TEXT, input_text, (), dimensions, auto_truncate)
        request.reads = "body"
        return request
    head, tail = _around_text(model.name)
    return Request("embed-v2", _TEXT, json=b"".join((head, to_json(input_text), tail)), reads="body")


@lru_cache
def _around_text(model_name: str) -> tuple[bytes, bytes]:
    """The JSON around a text: written once, and not for each."""
    body = {"input_type": "text", "model_name": model_name, "text": {"input_text": ""}}
    head, tail = to_json(body).rsplit(b'""', 1)
    return head, tail


def media(
    model: Model, payload: MediaPayload, options: SegmentOptions, *, dimensions: int, task: bool, is_text: bool = False
) -> Request:
    """The request for one media file: its segments, or one vector of the whole file.

    Args:
        task: create a task, instead of a synchronous request.
        is_text: a document is ``.txt`` or ``.md``, not PDF.

    A synchronous request of marengo3.5, or of an image, has no options: it gives one vector of the whole file.
    """
    kinds = frozenset({payload.kind})
    if not task and model.request_form == "multi_input":
        return _multi_input(model, kinds, None, (payload,), dimensions, None)
    part: dict[str, Any] = {"media_source": payload.source()}
    if payload.start_sec is not None:
        part["start_sec"] = payload.start_sec
    if payload.end_sec is not None:
        part["end_sec"] = payload.end_sec
    if task or payload.kind != "image":
        part.update(_option_fields(options, model, payload.kind, is_text=is_text))
    body: dict[str, Any] = {"input_type": payload.kind, "model_name": model.name, payload.kind: part}
    if len(model.dimensions) > 1:  # a model of one length refuses the field
        body["embedding_dimension"] = dimensions
    if options.embedding_uncertainty:
        body["embedding_uncertainty"] = True
    return json_request("embed-v2/tasks" if task else "embed-v2", kinds, body, (payload,))


def composed(
    model: Model,
    input_text: str | None,
    payloads: Sequence[MediaPayload],
    *,
    dimensions: int,
    auto_truncate: bool | None,
) -> Request:
    """The request for one vector of a text and media. marengo3.0 has a shorter form for a text with one image."""
    kinds: frozenset[Kind] = frozenset({p.kind for p in payloads} | ({"text"} if input_text else set()))
    if model.request_form == "typed" and input_text and len(payloads) == 1 and payloads[0].name is None:
        part = {"input_text": input_text, "media_source": payloads[0].source()}
        body = {"input_type": "text_image", "model_name": model.name, "text_image": part}
        return json_request("embed-v2", kinds, body, payloads)
    return _multi_input(model, kinds, input_text, payloads, dimensions, auto_truncate)


def _multi_input(
    model: Model,
    kinds: frozenset[Kind],
    input_text: str | None,
    payloads: Sequence[MediaPayload],
    dimensions: int,
    auto_truncate: bool | None,
) -> Request:
    part: dict[str, Any] = {}
    if input_text is not None:
        part["input_text"] = input_text
    if payloads:
        part["media_sources"] = [
            {**({"name": p.name} if p.name else {}), "media_type": p.kind, **p.source()} for p in payloads
        ]
    body: dict[str, Any] = {"input_type": "multi_input", "model_name": model.name, "multi_input": part}
    if len(model.dimensions) > 1:  # a model of one length refuses the field
        body["embedding_dimension"] = dimensions
    if model.truncation == "auto_truncate" and auto_truncate is not None and input_text is not None:
        body["auto_truncate"] = auto_truncate
    return json_request("embed-v2", kinds, body, payloads)


def check_composed(item: Composed, model: Model, *, is_pdf: Sequence[bool], label: str) -> None:
    """Refuse what breaks a documented rule of ``multi_input`` (SDK 1.3.6, field documentation).

    Args:
        is_pdf: for each source, whether it is a PDF.

    Raises:
        InvalidInputError: a rule is broken; the message says which and what to do.
    """

    def refuse(why: str) -> InvalidInputError:
        return InvalidInputError(why, item=label)

    if not model.composed_media:
        able = models_that("do it", lambda m: bool(m.composed_media))
        raise refuse(f"{model.name} cannot fuse several inputs into one vector. {able}")
    if item.text is not None and not item.text.strip():
        raise refuse("has an empty text; leave text out to use the media alone.")
    if item.text is None and not item.media:
        raise refuse("is empty: give a text, media, or both.")
    if len(item.media) > MAX_SOURCES:
        raise refuse(f"has {len(item.media)} sources; the API takes {MAX_SOURCES}.")
    for source in item.media:
        if not isinstance(source, Media):
            raise refuse(f"expected Image, Audio, Video or Document in media, got a {type(source).__name__}.")
    kinds = {source.kind for source in item.media}
    for kind in sorted(kinds - model.composed_media):
        takes = ", ".join(sorted(model.composed_media))
        able = models_that(f"compose {kind}", partial(_composes, kind))
        raise refuse(f"{model.name} composes {takes} only, not {kind}. {able}")
    _check_names(item, refuse)
    if len(kinds) > 1 and item.text is None:
        raise refuse(f"mixes {' and '.join(sorted(kinds))} without a text; several kinds of media need one.")
    if any(is_pdf) and (len(item.media) > 1 or item.text is not None):
        raise refuse("a PDF cannot be composed with a text or other media. Embed it alone.")
    if kinds == {"document"} and not any(is_pdf) and (item.text is not None or len(item.media) > 1):
        raise refuse("has text only (text documents). Join the texts into one, or add an image, audio or video.")


def _composes(kind: Kind, model: Model) -> bool:
    return kind in model.composed_media


def _check_names(item: Composed, refuse: Callable[[str], InvalidInputError]) -> None:
    names = [source.name for source in item.media if source.name]
    if len(names) != len(set(names)):
        raise refuse(f"uses a name twice: {sorted({n for n in names if names.count(n) > 1})}.")
    for reference in _PLACEHOLDER.findall(item.text or ""):
        if reference not in names:
            known = f"names given: {', '.join(names)}" if names else "no source has a name"
            raise refuse(f"the text refers to <@{reference}>, but {known}. Give one source name={reference!r}.")


def _option_fields(options: SegmentOptions, model: Model, kind: Kind, *, is_text: bool = False) -> dict[str, Any]:
    """The options as fields of the ``audio``, ``video``, ``image`` or ``document`` object of a request.

    marengo3.0 takes the segmentation at the top level, marengo3.5 inside ``temporal``.

    Args:
        is_text: a document is ``.txt`` or ``.md``, not PDF.
    """
    fields: dict[str, Any] = {}
    segmentation = _segmentation_field(options.segmentation, nested=model.request_form == "multi_input")
    if segmentation is not None:
        fields["segmentation"] = segmentation
    # Always sent: the API's pages disagree on the default (3.5 and transcription).
    default = (own_option(kind, is_text=is_text),) if kind == "document" else model.segment_options[kind]
    fields["embedding_option"] = list(options.embedding_option or default)
    scopes = ["asset"] if kind == "image" else list(options.embedding_scope)
    fields["embedding_scope"] = ["local" if s == "clip" and kind == "document" else s for s in scopes]
    if options.embedding_type:
        fields["embedding_type"] = list(options.embedding_type)
    if options.time_based_metadata:
        fields["time_based_metadata"] = [
            {"start": note.start, "end": note.end, "text": note.text} for note in options.time_based_metadata
        ]
    return fields


def _segmentation_field(segmentation: Segmentation | None, *, nested: bool) -> dict[str, Any] | None:
    if segmentation is None:
        return None
    if isinstance(segmentation, Sentences):
        how = {"strategy": "sentence", "max_sentences": segmentation.max_sentences}
        return {"sequential": {**how, "overlap_sentences": segmentation.overlap_sentences}}
    if isinstance(segmentation, Quadrants):
        return {"spatial": {"strategy": "quadrants"}}
    if isinstance(segmentation, Fixed):
        timed: dict[str, Any] = {"strategy": "fixed", "fixed": {"duration_sec": segmentation.duration_sec}}
    else:
        timed = {"strategy": "dynamic", "dynamic": {"min_duration_sec": segmentation.min_duration_sec}}
    return {"temporal": timed} if nested else timed
