"""Clients that others have written, against the emulator, each in an environment of its own: ``make clients``.

They cannot share one: version 0.4 of the official SDK and today's have the same name. Without the environments these
tests are skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support import media
from twelvelabs_emulator import Emulator

ENVIRONMENTS = Path(os.environ.get("CLIENTS", Path(__file__).parents[2] / ".venv-clients"))


def run(client: str, code: str, folder: Path, **environment: str) -> str:
    """Run code with a client's Python in a folder with media; return what it prints."""
    python = ENVIRONMENTS / client / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        pytest.skip(f"needs {client}: make clients (Python {sys.version_info[0]}.{sys.version_info[1]})")
    for name, content in {
        "blue.png": media.png("blue"),
        "low.wav": media.wav(110, 8),
        "red.mp4": media.mp4([("red", 6, 220)]),
    }.items():
        (folder / name).write_bytes(content)
    done = subprocess.run(
        [python, "-I", "-c", textwrap.dedent(code)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


# It sends each text twice, as a field and as a file, and asks the emulator for nothing else than the service.
SDK_04 = """
    import os, time
    from twelvelabs import TwelveLabs

    client = TwelveLabs(api_key=os.environ["TWELVELABS_API_KEY"])
    model = "Marengo-retrieval-2.7"

    def first(part):
        return len(part.segments[0].embeddings_float)

    text = client.embed.create(model, text="a red bike", text_truncate="start")
    print("text", first(text.text_embedding))
    both = client.embed.create(model, text="blue", image_file="blue.png", audio_file="low.wav",
                               audio_start_offset_sec=2)
    print("parts", first(both.text_embedding), first(both.image_embedding), first(both.audio_embedding))
    by_url = client.embed.create(model, image_url=os.environ["IMAGE_URL"])
    print("url", first(by_url.image_embedding))
    task = client.embed.task.create(model, video_file="red.mp4", video_clip_length=3,
                                    video_embedding_scopes=["clip", "video"])
    task.wait_for_done(sleep_interval=0.01)
    done = client.embed.task.retrieve(task.id, embedding_option=["visual-text"])
    print("video", done.status, sorted({s.embedding_scope for s in done.video_embedding.segments}))
    print("list", [each.id == task.id for each in client.embed.task.list()])
    try:
        client.embed.create(model, text="word " * 90, text_truncate="none")
    except Exception as error:
        print("refused", type(error).__name__)
"""

HAYSTACK = """
    import asyncio
    from haystack import Document, Pipeline
    from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack_integrations.components.embedders.twelvelabs import TwelveLabsDocumentEmbedder, TwelveLabsTextEmbedder

    documents = [Document(content=text) for text in ("my red bike", "a blue boat", "some green grass")]
    embedder = TwelveLabsDocumentEmbedder(progress_bar=False)
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    store.write_documents(embedder.run(documents)["documents"])
    pipeline = Pipeline()
    pipeline.add_component("text", TwelveLabsTextEmbedder())
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=1))
    pipeline.connect("text.embedding", "retriever.query_embedding")
    print(pipeline.run({"text": {"text": "a blue boat"}})["retriever"]["documents"][0].content)
    found = asyncio.run(embedder.run_async(documents))["documents"]
    print([len(document.embedding) for document in found])
"""


def test_sdk_of_the_time_of_27(emulator: Emulator, tmp_path: Path) -> None:
    """Version 0.4.10."""
    url = "https://example.com/a.png"
    emulator.configure(url_files={url: media.png()})
    environment = {"TWELVELABS_BASE_URL": emulator.origin, "TWELVELABS_API_KEY": emulator.api_key, "IMAGE_URL": url}
    assert run("sdk-0.4", SDK_04, tmp_path, **environment).splitlines() == [
        "text 1024",
        "parts 1024 1024 1024",
        "url 1024",
        "video ready ['clip', 'video']",
        "list [True]",
        "refused BadRequestError",
    ]


def test_haystack(emulator: Emulator, tmp_path: Path) -> None:
    """deepset's integration, 2.0.0, in a pipeline with its store."""
    environment = {"TWELVELABS_BASE_URL": emulator.base_url, "TWELVELABS_API_KEY": emulator.api_key}
    printed = run("haystack", HAYSTACK, tmp_path, HAYSTACK_TELEMETRY_ENABLED="False", **environment)
    assert printed.splitlines() == ["a blue boat", "[512, 512, 512]"]
    assert [request.status for request in emulator.requests] == [200] * 7
