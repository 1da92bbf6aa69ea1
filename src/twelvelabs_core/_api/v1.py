"""Requests to ``POST /embed``: multipart; several kinds in one call, each embedded separately (API page)."""

from __future__ import annotations

from typing import Any

from .._models import Kind, Model
from .requests import MediaPayload, Request


def request(
    model: Model,
    *,
    text: str | None = None,
    text_truncate: str | None = None,
    image: MediaPayload | None = None,
    audio: MediaPayload | None = None,
) -> Request:
    """The request for any of the three parts.

    Fields: ``model_name``, ``text``, ``text_truncate`` (2.7 only), ``image_url`` or ``image_file``,
    ``audio_url`` or ``audio_file``, ``audio_start_offset_sec``. Absent fields are left out: an empty ``text`` field
    counts as a text.
    """
    form: list[tuple[str, Any]] = [("model_name", model.name)]
    kinds: set[Kind] = set()
    if text is not None:
        kinds.add("text")
        form.append(("text", text))
        if text_truncate is not None and model.truncation == "text_truncate":
            form.append(("text_truncate", text_truncate))
    for payload in (image, audio):
        if payload is None:
            continue
        kinds.add(payload.kind)
        if payload.url is not None:
            form.append((f"{payload.kind}_url", payload.url))
        else:
            form.append((f"{payload.kind}_file", (payload.filename, payload.content, payload.mime)))
    if audio is not None and audio.start_sec is not None:
        form.append(("audio_start_offset_sec", _number(audio.start_sec)))
    return Request("embed", frozenset(kinds), form=form)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
