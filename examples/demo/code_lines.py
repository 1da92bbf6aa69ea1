"""The lines of code that make a list, in each framework, as `langchain_search` and `llama_index_search` have them.

``TEXT`` and ``FILE`` stand for what is asked. The tests run these lines against the demo's own stores.
"""

from __future__ import annotations

import json
import re

from .media import KINDS, Kind
from .queries import Query

__all__ = ["SORTS", "code_lines", "filled"]

SORTS = ("text", "image", "audio", "video", "text + image", "text file", "scene")
"""What a query can be made of; ``text file`` is a text of the library, ``scene`` a segment that was found before."""

_LANGCHAIN_VECTOR = {
    "text": "vector = embeddings.embed_query(TEXT)",
    "image": "vector = embeddings.embed_image([FILE])[0]",
    "audio": "vector = embeddings.embed_audio([FILE])[0]",
    "video": "vector = embeddings.embed_video([FILE])[0]",
    "text + image": "vector = embeddings.embed_composed(TEXT, images=[FILE])",
    "text file": "vector = embeddings.embed_query(Path(FILE).read_text())",
    "scene": "vector = embeddings.embed_documents([scene.page_content])[0]  # a scene found before: nothing is sent",
}
_LLAMA_INDEX_VECTOR = {
    "text": "vector = model.get_query_embedding(TEXT)",
    "image": "vector = model.get_image_embedding(FILE)",
    "audio": "vector = model.get_audio_embedding(FILE)",
    "video": "vector = model.get_video_embedding(FILE)",
    "text + image": "vector = model.get_composed_embedding(TEXT, images=[FILE])",
    "text file": "vector = model.get_query_embedding(Path(FILE).read_text())",
    "scene": (  # found before; nothing is sent
        'point = text_store.client.retrieve("texts_audio_videos", [scene.metadata["best_id"]], with_vectors=True)[0]\n'
        "vector = point.vector"
    ),
}


def code_lines(sort: str, kind: Kind) -> dict[str, str]:
    """The lines by framework; what they find is in ``found``, best first."""
    return {
        "LangChain + Chroma": _langchain(sort, kind),
        "LlamaIndex + Qdrant": _llama_index(sort, kind),
    }


def filled(template: str, query: Query) -> str:
    """The lines with what is asked in its place."""
    asked = {"TEXT": query.text or "", "FILE": query.file.name if query.file else ""}
    # At once: what is asked may hold the other word.
    return re.sub("TEXT|FILE", lambda found: json.dumps(asked[found[0]], ensure_ascii=False), template)


def _langchain(sort: str, kind: Kind) -> str:
    if kind == "video":
        only = '{"kind": "video"}'
        if sort == "video":  # its own scenes would fill the list
            only = '{"$and": [{"kind": "video"}, {"file": {"$ne": FILE}}]}'
        return (
            f"{_LANGCHAIN_VECTOR[sort]}\n"
            f"scenes = store.similarity_search_by_vector_with_relevance_scores(vector, k=40, filter={only})\n"
            "near = near_the_best([(scene, 1 - distance) for scene, distance in scenes])\n"
            "found = merge_segments(near, gap=1)"
        )
    if sort == "text":
        return f'found = store.similarity_search(TEXT, k=4, filter={{"kind": "{kind}"}})'
    found = f'found = store.similarity_search_by_vector(vector, k=4, filter={{"kind": "{kind}"}})'
    return f"{_LANGCHAIN_VECTOR[sort]}\n{found}"


def _llama_index(sort: str, kind: Kind) -> str:
    others = ', MetadataFilter(key="file", value=FILE, operator="!=")' if sort == kind == "video" else ""
    only = f'only = MetadataFilters(filters=[MetadataFilter(key="kind", value="{kind}"){others}])\n'
    method = {("text", "image"): "text_to_image", ("image", "image"): "image_to_image"}.get((sort, kind))
    if method is None and sort == "text" and kind != "video":
        method = "text"
    if method:
        asked = "TEXT" if sort == "text" else "FILE"
        depth = "image_similarity_top_k" if kind == "image" else "similarity_top_k"
        return (
            f"{only}retriever = index.as_retriever({depth}=4, filters=only)\n"
            f"found = retriever.{method}_retrieve({asked})"
        )
    store = "image_store" if kind == "image" else "text_store"
    lines = (
        f"{_LLAMA_INDEX_VECTOR[sort]}\n{only}"
        f"plain = VectorStoreIndex.from_vector_store({store}, embed_model=model)\n"
        f"retriever = plain.as_retriever(similarity_top_k={40 if kind == 'video' else 4}, filters=only)\n"
    )
    if kind != "video":
        return f'{lines}found = retriever.retrieve(QueryBundle("", embedding=vector))'
    return (
        f'{lines}scenes = retriever.retrieve(QueryBundle("", embedding=vector))\n'
        "near = near_the_best([(scene, scene.score) for scene in scenes])\n"
        "moments = TwelveLabsMomentPostprocessor(embed_model=model, gap=1)\n"
        "found = moments.postprocess_nodes([scene for scene, _ in near])"
    )


def all_code() -> dict[str, dict[str, str]]:
    """The lines of every sort of query and kind of file: ``{"audio>video": {"LangChain + Chroma": …}}``."""
    return {f"{sort}>{kind}": code_lines(sort, kind) for sort in SORTS for kind in KINDS}
