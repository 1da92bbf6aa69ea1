"""Put one video into a store and ask with one image, with LangChain and with LlamaIndex, and print what each of the
three kinds of traces shows: LangChain's runs as LangSmith gets them, LlamaIndex' events, and OpenTelemetry's spans.
Runs on a local emulator; no key is needed.

python examples/traces.py
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langchain_core.tracers.schemas import Run
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation import get_dispatcher
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import sample_media
from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, TwelveLabsRetriever
from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentRetriever,
)
from twelvelabs_emulator import Emulator


def run_of(run: Run) -> dict[str, Any]:
    """A run in LangSmith's format, without what says the same twice."""
    found = {
        "name": run.name,
        "run_type": run.run_type,
        "id": str(run.id),
        "parent_run_id": str(run.parent_run_id) if run.parent_run_id else None,
        "trace_id": str(run.trace_id),
        "dotted_order": run.dotted_order,
        "seconds": round((run.end_time - run.start_time).total_seconds(), 3) if run.end_time else None,
        "inputs": run.inputs,
        "outputs": run.outputs,
        "error": run.error,
        "metadata": (run.extra or {}).get("metadata"),
        "child_runs": [run_of(child) for child in run.child_runs],
    }
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def short(value: Any) -> Any:
    """Documents by their text, and long numbers by what fits a line."""
    return getattr(value, "page_content", None) or str(value)


class Events(BaseEventHandler):
    """Prints LlamaIndex' events: vectors by their number and length, nodes by their text."""

    def handle(self, event: Any, **_: Any) -> None:
        """One event, as LlamaIndex sends it."""
        span = (event.span_id or "").partition("-")[0]
        told: dict[str, Any] = {}
        if hasattr(event, "model_dict"):
            told = event.model_dict
        elif hasattr(event, "chunks"):
            told = {"chunks": event.chunks, "embeddings": [f"{len(vector)} floats" for vector in event.embeddings]}
        elif hasattr(event, "nodes"):
            told = {"nodes": [f"{hit.node.get_content()} {hit.score:.3f}" for hit in event.nodes]}
        print(f"{event.class_name()} in {span or 'no span'}: {json.dumps(told)}")


def with_langchain(model: TwelveLabsEmbeddings, video: Path, image: Path) -> list[Run]:
    """The runs of a chain that loads a video into a store, and of a question by an image."""
    tracer, store = RunCollectorCallbackHandler(), InMemoryVectorStore(model)

    def load(path: str) -> int:
        return len(store.add_documents(TwelveLabsMediaLoader(path, model).load()))

    RunnableLambda(load).invoke(str(video), {"callbacks": [tracer], "run_name": "ingest"})
    retriever = TwelveLabsRetriever(vectorstore=store, embeddings=model, k=2)
    retriever.by_image(str(image), config={"callbacks": [tracer], "run_name": "ask"})
    return tracer.traced_runs


def with_llama_index(model: TwelveLabsEmbedding, video: Path, image: Path) -> None:
    """An index of a video, and a question by an image."""
    nodes = TwelveLabsMediaEmbedder(embed_model=model)(TwelveLabsMediaReader().load_data(str(video)))
    index = VectorStoreIndex(nodes, embed_model=model)
    TwelveLabsMomentRetriever(index, model, similarity_top_k=2).by_image(str(image))


def main() -> None:
    """Print the traces."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    application = trace.get_tracer("application")
    folder = Path(tempfile.gettempdir()) / "twelvelabs-samples"
    sample_media.make(folder)
    video, image = folder / "picnic.mp4", folder / "picnic-cloth.png"

    with Emulator() as emulator:
        settings: dict[str, Any] = {"api_key": emulator.api_key, "base_url": emulator.base_url}
        with application.start_as_current_span("LangChain"):
            runs = with_langchain(TwelveLabsEmbeddings(**settings), video, image)
        print("LangChain's runs, as LangSmith gets them\n")
        for run in runs:
            print(json.dumps(run_of(run), indent=2, default=short))

        print("\nLlamaIndex' events\n")
        get_dispatcher().add_event_handler(Events())
        with application.start_as_current_span("LlamaIndex"):
            with_llama_index(TwelveLabsEmbedding(**settings), video, image)

    print("\nOpenTelemetry's spans\n")
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans}
    for span in spans:
        above = names.get(span.parent.span_id) if span.parent else None
        milliseconds = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
        print(f"{span.name} [{span.kind.name}] below {above}, {milliseconds:.0f} ms, {span.status.status_code.name}")
        for name, value in (span.attributes or {}).items():
            print(f"    {name} = {value!r}")


if __name__ == "__main__":
    main()
