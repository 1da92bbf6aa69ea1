"""Which of a loader's options apply to one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from twelvelabs_core import Dynamic, Fixed, InvalidInputError, Media, Model, Quadrants, SegmentOptions, Sentences
from twelvelabs_core.adapter import MEDIA_TYPES, describe, is_pdf

Options: TypeAlias = "SegmentOptions | Mapping[str, SegmentOptions] | None"


def check_options(options: Any) -> None:
    """Refuse what is not :data:`Options`.

    Raises:
        InvalidInputError: it is something else; or a mapping of something else, or by something else than kinds.
    """
    by_kind = options if isinstance(options, Mapping) else {}
    wrong = next((kind for kind in by_kind if kind not in MEDIA_TYPES), None)
    if wrong is not None:
        raise InvalidInputError(f"options= has {wrong!r}; the kinds are {', '.join(MEDIA_TYPES)}.")
    for found in by_kind.values() if isinstance(options, Mapping) else [options]:
        if found is not None and not isinstance(found, SegmentOptions):
            raise InvalidInputError(
                f"options= takes SegmentOptions(...), or a mapping from kinds to them, got {describe(found)}."
            )


def options_for(media: Media, options: Options, model: Model) -> SegmentOptions | None:
    """The options for one file; None = the model's defaults.

    Options for all kinds are reduced to those that apply to the file's kind. Options for one kind are used unchanged,
    so that those the model does not support are refused later. PDF and text files share the kind ``document``: a
    segmentation for the other one is left out.

    Args:
        media: the file. Of a document the first bytes are read.
        options: for all kinds, or by kind (``image``, ``audio``, ``video``, ``document``).
        model: whose segment options decide.
    """
    chosen = options.get(media.kind) if isinstance(options, Mapping) else options
    if chosen is None or media.kind == "image":
        return None  # an image is one segment
    if media.kind == "document":
        fits = isinstance(chosen.segmentation, Quadrants if is_pdf(media) else Sentences)
        # Documents have an embedding option of their own; those chosen for video and audio do not apply.
        return replace(chosen, segmentation=chosen.segmentation if fits else None, embedding_option=None)
    if isinstance(options, Mapping):
        return chosen
    if not isinstance(chosen.segmentation, (Fixed, Dynamic)):
        chosen = replace(chosen, segmentation=None)
    supported = model.segment_options.get(media.kind, ())
    shared = [option for option in chosen.embedding_option or () if option in supported]
    return replace(chosen, embedding_option=shared) if shared else chosen
