"""The example that prints traces: one video put into a store and one question by an image, in both frameworks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_prints_all_three_traces() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "traces.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT / "examples")))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    langchain, llama_index, spans = re.split(r"^LlamaIndex' events$|^OpenTelemetry's spans$", done.stdout, flags=re.M)
    runs = re.findall(r'"name": "(\S+)",\s+"run_type": "(\w+)"', langchain)
    assert runs == [
        ("ingest", "chain"),
        ("TwelveLabsMediaLoader", "chain"),
        ("TwelveLabsEmbeddings", "embedding"),
        ("ask", "retriever"),
    ]
    events = re.findall(r"^(\w+) in (\S+?):", llama_index, flags=re.M)
    embedding = ["EmbeddingStartEvent", "EmbeddingEndEvent"]
    assert [event for event, _ in events if event.startswith("Embedding")] == 2 * embedding
    assert ("RetrievalEndEvent", "TwelveLabsMomentRetriever.retrieve") in events
    found = re.findall(r"^(embeddings \S+) \[CLIENT\] below (\w+), \d+ ms, UNSET$", spans, flags=re.M)
    assert found == 2 * [("embeddings marengo3.0", "LangChain")] + 2 * [("embeddings marengo3.0", "LlamaIndex")]
    assert spans.count("twelvelabs.kinds = ('video',)") == spans.count("twelvelabs.kinds = ('image',)") == 2
