"""Second runs over a folder, as docs/llama_index.md shows them: the same ids, and no rows of files that are gone."""

from __future__ import annotations

import itertools
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import HierarchicalNodeParser, SentenceSplitter
from llama_index.core.schema import BaseNode, Document, NodeRelationship, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore

from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMediaEmbedder, TwelveLabsMediaReader
from tests.support import media
from tests.support.stores import QdrantClient

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant")


@pytest.fixture
def mixed(files: Path, tmp_path: Path) -> Path:
    """A recipe of many sentences, one of them twice, a note, an image and an audio file."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "recipe.txt").write_text("Soak the beans. " * 60 + "Then cook them. " * 60)
    (folder / "note.txt").write_text("a red bike")
    for name in ("red.png", "low.wav"):
        shutil.copy(files / name, folder / name)
    return folder


def read(folder: Path, **settings: Any) -> list[Document]:
    extractor: Any = TwelveLabsMediaReader().file_extractor()
    return SimpleDirectoryReader(str(folder), recursive=True, file_extractor=extractor, **settings).load_data()


def by_text(nodes: Any) -> list[tuple[str, str]]:
    return sorted((node.get_content(), node.node_id) for node in nodes)


@pytest.mark.parametrize("filename_as_id", [False, True])
@pytest.mark.parametrize("split", [False, True])
def test_every_node_of_a_mixed_folder_keeps_its_id(
    llama: TwelveLabsEmbedding, mixed: Path, split: bool, filename_as_id: bool
) -> None:
    def run() -> list[BaseNode]:
        documents: list[BaseNode] = [*read(mixed, filename_as_id=filename_as_id)]
        nodes = SentenceSplitter(chunk_size=60, chunk_overlap=0)(documents) if split else documents
        return list(TwelveLabsMediaEmbedder(embed_model=llama)(nodes))

    first = run()
    assert by_text(first) == by_text(run())
    assert len({uuid.UUID(node.node_id) for node in first}) == len(first), "Qdrant takes no other ids"
    assert (max(Counter(node.get_content() for node in first).values()) > 1) is split, "equal chunks"

    (mixed / "note.txt").write_text("a blue bike")
    changed = set(by_text(run())) ^ set(by_text(first))
    assert {text for text, _ in changed} == {"a red bike", "a blue bike"}


def test_texts_that_were_split_name_their_neighbours(llama: TwelveLabsEmbedding, mixed: Path) -> None:
    documents: list[BaseNode] = [document for document in read(mixed) if "recipe" in document.metadata["file_name"]]
    nodes = SentenceSplitter(chunk_size=60, chunk_overlap=0)(documents)
    made = TwelveLabsMediaEmbedder(embed_model=llama)(nodes)
    assert {node.node_id for node in made}.isdisjoint({node.node_id for node in nodes})
    for before, after in itertools.pairwise(made):
        assert before.relationships[NodeRelationship.NEXT].node_id == after.node_id  # type: ignore[union-attr]
        assert after.relationships[NodeRelationship.PREVIOUS].node_id == before.node_id  # type: ignore[union-attr]
    assert {node.ref_doc_id for node in made} == {documents[0].node_id}


def test_texts_that_were_split_twice_name_their_parts(llama: TwelveLabsEmbedding, mixed: Path) -> None:
    documents: list[BaseNode] = [document for document in read(mixed) if "recipe" in document.metadata["file_name"]]
    nodes = HierarchicalNodeParser.from_defaults(chunk_sizes=[120, 60])(documents)
    made = {node.node_id: node for node in TwelveLabsMediaEmbedder(embed_model=llama)(nodes)}
    parents = [node for node in made.values() if node.child_nodes]
    assert parents
    for parent in parents:
        for child in parent.child_nodes or ():
            assert made[child.node_id].parent_node.node_id == parent.node_id  # type: ignore[union-attr]


def test_ids_of_a_callers_own_are_kept(llama: TwelveLabsEmbedding, mixed: Path) -> None:
    path = {"file_path": str(mixed / "note.txt")}
    nodes = [TextNode(text="a red bike", id_="mine", metadata=path), TextNode(text="a red bike")]
    made = TwelveLabsMediaEmbedder(embed_model=llama)(nodes)
    assert [node.node_id for node in made] == ["mine", nodes[1].node_id]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    client = QdrantClient(path=str(tmp_path / "qdrant"))
    yield QdrantVectorStore("media", client=client)
    client.close()


@pytest.mark.parametrize("reader", ["media", "mixed"])
def test_a_file_that_was_moved_or_removed_leaves_no_rows_in_qdrant(
    llama: TwelveLabsEmbedding, files: Path, tmp_path: Path, store: Any, reader: str
) -> None:
    """The recipe of the docs: a docstore that is kept, and deletes what is gone."""
    folder, kept = tmp_path / "folder", tmp_path / "docstore.json"
    folder.mkdir()
    for old, new in (("red.mp4", "a.mp4"), ("low.wav", "hum.wav")):
        shutil.copy(files / old, folder / new)
    if reader == "mixed":
        (folder / "note.txt").write_text("a red bike")

    def run() -> dict[str, int]:
        """As in a process of its own: only the store and the docstore are kept."""
        documents = (
            read(folder, filename_as_id=True) if reader == "mixed" else TwelveLabsMediaReader().load_data(folder)
        )
        docstore = SimpleDocumentStore.from_persist_path(str(kept)) if kept.exists() else SimpleDocumentStore()
        pipeline = IngestionPipeline(
            transformations=[SentenceSplitter(), TwelveLabsMediaEmbedder(embed_model=llama, vector_store=store)],
            vector_store=store,
            docstore=docstore,
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        )
        pipeline.run(documents=documents)
        docstore.persist(str(kept))
        found, _ = store.client.scroll("media", limit=100)
        return dict(Counter(point.payload["file_name"] for point in found))

    text = {"note.txt": 1} if reader == "mixed" else {}
    assert run() == {"a.mp4": 3, "hum.wav": 2, **text}
    assert run() == {"a.mp4": 3, "hum.wav": 2, **text}
    (folder / "a.mp4").rename(folder / "b.mp4")
    assert run() == {"b.mp4": 3, "hum.wav": 2, **text}
    (folder / "hum.wav").write_bytes(media.wav(4000, 2))
    assert run() == {"b.mp4": 3, "hum.wav": 2, **text}
    (folder / "b.mp4").unlink()
    assert run() == {"hum.wav": 2, **text}
