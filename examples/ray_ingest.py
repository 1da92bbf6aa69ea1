"""A Parquet file of texts and a folder of videos become one LanceDB table by Ray Data, which LangChain and LlamaIndex
then search. Set TWELVELABS_API_KEY; or try it without a key:

python -m twelvelabs_emulator          # in another terminal; then set the two variables it prints

On a cluster, four things change: ``ray.init()`` finds the cluster and its nodes have TWELVELABS_API_KEY; the paths are
of a storage that all nodes reach (``s3://…``); ``cache=`` is a store that they all reach, or a function that makes one;
and ``rate_limits=RateLimits.developer(tier, shared="redis://…")`` makes one limit of all workers. CPUs are no measure
for the number of workers: they wait for the network, so give them ``num_cpus=0.25``.
"""

import logging
import uuid
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.parquet as parquet
import ray.data

import ray
import sample_media
from ray_twelvelabs import EmbedBatch, EmbedSegments, JobStats

OUTPUT = Path(__file__).parent / "output"
METADATA = ("source", "file_name", "media_type", "start_sec", "end_sec", "embedding_option", "content_digest", "space")


def rows(found: pa.Table) -> pa.Table:
    """Rows as both frameworks read them in LanceDB: id, doc_id, text, vector, and metadata as one column of fields."""
    found = found.filter(compute.is_null(found["error"]))
    columns = {name: found[name].combine_chunks() for name in METADATA}
    metadata = pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
    wanted = {"id": found["id"], "doc_id": found["source"], "text": found["text"], "vector": found["embedding"]}
    return pa.table({**wanted, "metadata": metadata})


def as_text_rows(found: pa.Table) -> pa.Table:
    """Texts with their vectors, in the columns that segments have."""
    count, times = found.num_rows, pa.nulls(found.num_rows, pa.float64())
    ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, text)) for text in found["text"].to_pylist()]
    same = {"source": "captions.parquet", "file_name": "captions.parquet", "media_type": "text"}
    columns = {name: pa.array([value] * count, pa.string()) for name, value in same.items()}
    columns |= {"id": pa.array(ids), "embedding_option": pa.array(["text"] * count), "content_digest": pa.array(ids)}
    columns |= {"start_sec": times, "end_sec": times}
    for name, column in columns.items():
        found = found.append_column(name, column)
    return rows(found)


def ingest(folder: Path, database: Path, table: str, cache: Path) -> JobStats:
    """Embed the captions and videos of a folder, and write them into a table of LanceDB."""
    stats = JobStats()
    workers = ray.data.ActorPoolStrategy(min_size=1, max_size=2)
    how: dict[str, Any] = {"compute": workers, "num_cpus": 0.25, "batch_format": "pyarrow"}
    settings = {"cache": str(cache), "stats": stats}
    texts = ray.data.read_parquet(str(folder / "captions.parquet")).map_batches(
        EmbedBatch, fn_constructor_kwargs={"text": "text", **settings}, batch_size=1024, **how
    )
    videos = ray.data.from_items([{"path": str(path)} for path in sorted(folder.glob("*.mp4"))]).map_batches(
        EmbedSegments, fn_constructor_kwargs={"video": "path", **settings}, batch_size=16, **how
    )
    as_rows: dict[str, Any] = {"batch_format": "pyarrow", "zero_copy_batch": True}
    everything = texts.map_batches(as_text_rows, **as_rows).union(videos.map_batches(rows, **as_rows))
    import lancedb  # after ray.init(): it warns of every process that is forked from its own

    # As they are finished, so that a job that ends early leaves what it has.
    connection, made = lancedb.connect(str(database)), None
    for batch in everything.iter_batches(batch_format="pyarrow", batch_size=None):
        if made is None:
            made = connection.create_table(table, batch, mode="overwrite")
        else:
            made.add(batch)
    return stats


def search_langchain() -> None:
    """Search the table with LangChain."""
    from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsRetriever

    with warnings.catch_warnings():  # langchain-community says that it is no longer developed
        warnings.simplefilter("ignore", DeprecationWarning)
        from langchain_community.vectorstores import LanceDB

    model = TwelveLabsEmbeddings(model="marengo3.0")
    store = LanceDB(embedding=model, uri=str(OUTPUT), table_name="items")
    retriever = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=2, fuse={"visual": 1})
    print("LangChain: ", [document.page_content for document in retriever.invoke("a swimming pool")])


def search_llama_index() -> None:
    """Search the same table with LlamaIndex."""
    from llama_index.core import VectorStoreIndex
    from llama_index.vector_stores.lancedb import LanceDBVectorStore

    from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMomentRetriever

    model = TwelveLabsEmbedding(model_name="marengo3.0")
    index = VectorStoreIndex.from_vector_store(LanceDBVectorStore(str(OUTPUT), "items"), embed_model=model)
    retriever = TwelveLabsMomentRetriever(index, model, similarity_top_k=2, fuse={"visual": 1, "text": 1})
    print("LlamaIndex:", [hit.node.get_content() for hit in retriever.retrieve("bread on a checked cloth")])


def main() -> None:
    """Make the samples, embed them, and search the table with both frameworks."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    sample_media.make()
    media = Path(__file__).parent / "media"
    captions = ["A thin moon in a black sky.", "Bread on a red and white checked cloth.", " "]
    parquet.write_table(pa.table({"text": captions}), media / "captions.parquet")
    print(ingest(media, OUTPUT, "items", OUTPUT / "ray.sqlite"))

    search_langchain()
    search_llama_index()
    ray.shutdown()


if __name__ == "__main__":
    main()
