"""Which of a loader's options apply to one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from twelvelabs_core import Dynamic, Fixed, Media, Model, Quadrants, SegmentOptions, Sentences
from twelvelabs_core.adapter import is_pdf

Options: TypeAlias = "SegmentOptions | Mapping[str, SegmentOptions] | None"


def options_for(media: Media, options: Options, model: Model) -> SegmentOptions | None:
    """The options for one file; None = the model's defaults.

    Options for all kinds are reduced to what the file's kind takes. Options given for a kind are used as they are, so
    that what the model does not take is refused; but PDF and text share the kind ``document``, and the segmentation of
    one does not apply to the other.

    Args:
        media: the file. Of a document the first bytes are read.
        options: for all kinds, or by kind (``image``, ``audio``, ``video``, ``document``).
        model: whose segment options decide.
    """
    by_kind = isinstance(options, Mapping)
    own = options.get(media.kind) if isinstance(options, Mapping) else options
    if own is None or media.kind == "image":
        return None  # an image is one segment
    if media.kind == "document":
        fits = isinstance(own.segmentation, Quadrants if is_pdf(media) else Sentences)
        # A document has one embedding option; those chosen for other kinds are not about it.
        return replace(own, segmentation=own.segmentation if fits else None, embedding_option=None)
    if by_kind:
        return own
    if not isinstance(own.segmentation, (Fixed, Dynamic)):
        own = replace(own, segmentation=None)
    has = model.segment_options.get(media.kind, ())
    shared = [option for option in own.embedding_option or () if option in has]
    return replace(own, embedding_option=shared) if shared else own
