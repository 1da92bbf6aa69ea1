"""Queries of a retriever that LlamaIndex has no form for: by media, by a text and media, by one query an option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.schema import QueryBundle

from twelvelabs_core import Composed, Item, Media
from twelvelabs_core.adapter import FOR_TEXT, as_media, checked_queries, options_for


@dataclass
class ItemQuery(QueryBundle):
    """A query whose vectors the retriever makes, so that it is embedded inside the retriever's event.

    Attributes:
        queries: texts and media, by option; ``""`` for all options.
        options: what ``fuse="rrf"`` searches.
    """

    queries: Mapping[str, Item] = field(default_factory=dict)
    options: Sequence[str] = FOR_TEXT


def media_query(kind: type[Media], source: Any) -> ItemQuery:
    """A query by media."""
    (media,) = as_media(kind, [source])
    return ItemQuery("", queries={"": media}, options=options_for(media))


def composed_query(text: str | None, **media: Any) -> ItemQuery:
    """A query by a text and media together; its words are for whatever else reads the query."""
    return ItemQuery(text or "", queries={"": Composed.of(text, **media)})


def query_by_option(queries: Any) -> ItemQuery:
    """A query that has one for each option.

    Raises:
        InvalidInputError: as :func:`twelvelabs_core.adapter.checked_queries`.
    """
    checked = checked_queries(queries)
    return ItemQuery(" ".join(query for query in checked.values() if isinstance(query, str)), queries=checked)
