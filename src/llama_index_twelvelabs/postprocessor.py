"""Neighbouring hits become time ranges, after any retriever."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import Field

from twelvelabs_core import Moment, check_space, clock, merge_moments

from .embedding import TwelveLabsEmbedding

__all__ = ["TwelveLabsMomentPostprocessor", "check_hits", "merge_hits"]

_NAMESPACE = uuid.UUID("3f0c2a52-7a77-5f0b-8b8e-6d5a2c1e9f04")


class TwelveLabsMomentPostprocessor(BaseNodePostprocessor):
    """Joins neighbouring segments of one film or sound into time ranges, and refuses vectors of another space.

    .. code-block:: python

        engine = index.as_query_engine(
            similarity_top_k=20, node_postprocessors=[TwelveLabsMomentPostprocessor(embed_model=model)]
        )

    A range is a ``TextNode``: text ``film.mp4 00:00:34.6-00:01:04 audio,visual``, metadata of its best hit with the
    range's ``start_sec`` and ``end_sec``, ``embedding_option`` with all that were hit, ``hits`` (how many), and
    ``fragment`` for a player's address (``#t=34.6,64``); its score is the best hit's. Pictures, texts and whole files
    stay as they are. Sorted by score, best first. Put it before rerankers that read texts: they read fewer.

    Raises (when called):
        InvalidInputError: hits of another space than the model's, or of two spaces; the message names both.
    """

    gap: float = Field(default=3.0, ge=0)
    """Seconds between two hits that still belong together."""
    pad: float = Field(default=0.0, ge=0)
    """Seconds added on both sides; never over the file's ends, nor into the next range."""
    embed_model: TwelveLabsEmbedding | None = None
    """The model that made the query's vector. Without it the hits must still be of one space."""

    @classmethod
    def class_name(cls) -> str:
        """Name in LlamaIndex's serialised form."""
        return "TwelveLabsMomentPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        check_hits(nodes, self.embed_model.space if self.embed_model is not None else None)
        return merge_hits(nodes, gap=self.gap, pad=self.pad)


def check_hits(hits: Sequence[NodeWithScore], space: str | None) -> None:
    """Refuse hits of another space than ``space``, or of two if it is None."""
    abouts = [hit.node.metadata for hit in hits]
    known = space or next((str(about["space"]) for about in abouts if about.get("space")), None)
    if known is not None:
        check_space(abouts, known)


def merge_hits(hits: Sequence[NodeWithScore], *, gap: float, pad: float = 0.0) -> list[NodeWithScore]:
    """Join neighbouring segments into ranges, best first; see :class:`TwelveLabsMomentPostprocessor`."""
    scored = all(hit.score is not None for hit in hits)
    order = {id(hit): float(hit.score or 0.0) if scored else -float(rank) for rank, hit in enumerate(hits)}
    places = {id(hit): place for place, hit in enumerate(hits)}
    moments = merge_moments(((hit, hit.node.metadata, order[id(hit)]) for hit in hits), gap=gap, pad=pad)
    joined = {id(hit) for moment in moments for hit in moment.hits}
    ranges = [
        (-moment.score, min(places[id(hit)] for hit in moment.hits), _range(moment, scored)) for moment in moments
    ]
    ranges += [(-order[id(hit)], places[id(hit)], hit) for hit in hits if id(hit) not in joined]
    return [hit for *_, hit in sorted(ranges, key=lambda entry: entry[:2])]


def _range(moment: Moment, scored: bool) -> NodeWithScore:
    hits: Sequence[NodeWithScore] = moment.hits
    best = next(hit.node for hit in hits if hit.node.metadata is moment.metadata)
    parts: list[Mapping[str, Any]] = [hit.node.metadata for hit in hits]
    options = ",".join(sorted({str(about["embedding_option"]) for about in parts if about.get("embedding_option")}))
    metadata: dict[str, Any] = {
        **moment.metadata,
        "start_sec": moment.start_sec,
        "end_sec": moment.end_sec,
        "hits": len(hits),
        "fragment": moment.fragment,
    }
    if options:
        metadata["embedding_option"] = options
    name = str(metadata.get("file_name") or moment.source)
    words = f"{name} {clock(moment.start_sec)}-{clock(moment.end_sec)} {options}".rstrip()
    members = "|".join(sorted(hit.node.node_id for hit in hits))
    node = TextNode(
        id_=best.node_id if len(hits) == 1 else str(uuid.uuid5(_NAMESPACE, members)),
        text=words,
        metadata=metadata,
        excluded_embed_metadata_keys=[*best.excluded_embed_metadata_keys, "hits", "fragment"],
        excluded_llm_metadata_keys=[*best.excluded_llm_metadata_keys, "hits", "fragment"],
        relationships=best.relationships,
    )
    return NodeWithScore(node=node, score=moment.score if scored else None)
