"""A postprocessor that merges neighbouring hits of any retriever into time ranges."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.callbacks import CallbackManager
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle, TextNode
from pydantic import AliasChoices, Field

from twelvelabs_core import Moment, check_space
from twelvelabs_core.adapter import as_objects, merge_hits

from .embedding import TwelveLabsEmbedding
from .settings import ComponentSettings

_NAMESPACE = uuid.UUID("3f0c2a52-7a77-5f0b-8b8e-6d5a2c1e9f04")


class TwelveLabsMomentPostprocessor(ComponentSettings, BaseNodePostprocessor):
    """Merges neighbouring segments of one video or audio file into time ranges, and refuses vectors of another space.

    .. code-block:: python

        engine = index.as_query_engine(
            similarity_top_k=20, node_postprocessors=[TwelveLabsMomentPostprocessor(embed_model=model)]
        )

    A range is a ``TextNode``: its text is ``beach.mp4 00:00:34.6-00:01:04 audio,visual``; its metadata is the best
    hit's, with the range's ``start_sec`` and ``end_sec``, ``embedding_option`` of all its hits, their number ``hits``,
    ``best_start_sec``, ``best_end_sec`` and ``best_id`` of the best hit, and ``fragment`` for a player's address
    (``#t=34.6,64``); its score and vector (if the store returned one) are the best hit's, and its id is none of its
    hits'. Images, texts and whole files stay as they are. The result is sorted by score, best first; equal scores by
    source, time and id. Put it before rerankers, which then get fewer nodes.

    Raises (when called):
        InvalidInputError: hits are of another space than the model's, or of two spaces; the message names both. Or a
            score is not a number.
    """

    gap: float = Field(default=3.0, ge=0, validation_alias=AliasChoices("gap", "merge_gap"))
    """Longest time in seconds between two hits of one range; also ``merge_gap``, as the retriever calls it."""
    pad: float = Field(default=0.0, ge=0)
    """Seconds added on both sides; never beyond the file's ends, nor into the next range."""
    embed_model: TwelveLabsEmbedding | None = None
    """The model that embedded the query. Without it the hits must still be of one space."""
    higher_is_better: bool = True
    """False if the scores are distances. LlamaIndex's stores return similarities, Chroma's too."""
    callback_manager: CallbackManager = Field(default_factory=CallbackManager, exclude=True)
    """LlamaIndex's callbacks."""

    @classmethod
    def class_name(cls) -> str:
        """Name in LlamaIndex's serialised form."""
        return "TwelveLabsMomentPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        nodes = as_objects(nodes, NodeWithScore, "nodes")
        check_space(map(metadata_of, nodes), self.embed_model.space if self.embed_model is not None else None)
        return merge_nodes(nodes, gap=self.gap, pad=self.pad, higher_is_better=self.higher_is_better)


def metadata_of(hit: NodeWithScore) -> Mapping[str, Any]:
    """A hit's metadata."""
    return hit.node.metadata


def merge_nodes(
    hits: Sequence[NodeWithScore],
    *,
    gap: float,
    pad: float = 0.0,
    higher_is_better: bool = True,
    ranked: bool = False,
) -> list[NodeWithScore]:
    """Merge neighbouring segments into ranges, best first; see :class:`TwelveLabsMomentPostprocessor`.

    Args:
        ranked: the hits come in an order that decides between equal scores.
    """
    scored = all(hit.score is not None for hit in hits)
    merged = merge_hits(
        [(hit, hit.node.metadata, hit.score) for hit in hits],
        gap=gap,
        pad=pad,
        higher_is_better=higher_is_better,
        ranked=ranked,
    )
    return [_range(found, scored) if isinstance(found, Moment) else found for found in merged]


def _range(moment: Moment, scored: bool) -> NodeWithScore:
    best: BaseNode = moment.best.node
    # The seconds are part of it: the same hits make another range with another pad.
    members = [*sorted(hit.node.node_id for hit in moment.hits), repr((moment.start_sec, moment.end_sec))]
    added = ["hits", "fragment", "best_start_sec", "best_end_sec", "best_id"]
    node = TextNode(
        id_=str(uuid.uuid5(_NAMESPACE, "|".join(members))),
        text=moment.text,
        embedding=best.embedding,
        metadata={**moment.as_metadata(), "best_id": best.metadata.get("best_id", best.node_id)},
        excluded_embed_metadata_keys=[*best.excluded_embed_metadata_keys, *added],
        excluded_llm_metadata_keys=[*best.excluded_llm_metadata_keys, *added],
        relationships=best.relationships,
    )
    return NodeWithScore(node=node, score=moment.score if scored else None)
