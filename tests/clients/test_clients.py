"""Clients that others have written, against the emulator, each in an environment of its own: ``make clients``.

They cannot share one: version 0.4 of the official SDK and today's have the same name. Without the environments these
tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support import media
from twelvelabs_emulator import Emulator

ENVIRONMENTS = Path(os.environ.get("CLIENTS", Path(__file__).parents[2] / ".venv-clients"))


def python(client: str) -> list[str]:
    """The command that runs code with a client of Python's."""
    path = ENVIRONMENTS / client / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not path.exists():
        pytest.skip(f"needs {client}: make clients (Python {sys.version_info[0]}.{sys.version_info[1]})")
    return [str(path), "-I", "-c"]


def node(client: str) -> list[str]:
    """The command that runs code with a client of Node's, which finds it by ``NODE_PATH``."""
    if shutil.which("node") is None or not (ENVIRONMENTS / client / "node_modules").exists():
        pytest.skip(f"needs {client}: make clients (with Node and npm)")
    return ["node", "-e"]


def run(command: list[str], code: str, folder: Path, **environment: str) -> str:
    """Run code with a client in a folder with media; return what it prints."""
    for name, content in {
        "blue.png": media.png("blue"),
        "low.wav": media.wav(110, 8),
        "red.mp4": media.mp4([("red", 6, 220)]),
    }.items():
        (folder / name).write_bytes(content)
    done = subprocess.run(
        [*command, textwrap.dedent(code)],
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


# It sends files in chunks, without their length, and waits and uploads by helpers of its own, which print.
JAVASCRIPT = """
    const fs = require("fs");
    const { TwelveLabs } = require("twelvelabs-js");
    const say = console.log;
    console.log = () => {};
    const client = new TwelveLabs({});
    const modelName = "marengo3.0";
    const base64String = fs.readFileSync("red.mp4").toString("base64");

    async function until(retrieve) {
      for (;;) {
        const found = await retrieve();
        if (found.status !== "processing") return found;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }

    async function all(pages) {
      const found = [];
      for await (const item of await pages) found.push(item);
      return found;
    }

    (async () => {
      const parts = await client.embed.create({ modelName, text: "blue", imageFile: fs.createReadStream("blue.png"),
        audioFile: fs.createReadStream("low.wav"), audioStartOffsetSec: 2 });
      const embeddings = [parts.textEmbedding, parts.imageEmbedding, parts.audioEmbedding];
      say("v1", embeddings.map((embedding) => embedding.segments[0].float.length));
      const made = await client.embed.tasks.create({ modelName, videoFile: fs.createReadStream("red.mp4"),
        videoEmbeddingScope: ["clip", "video"] });
      const done = await client.embed.tasks.waitForDone(made.id, { sleepInterval: 0.01 });
      const task = await client.embed.tasks.retrieve(made.id, { embeddingOption: ["visual"] });
      say("v1 task", done.status, task.videoEmbedding.segments.map((segment) => segment.embeddingScope).sort());
      say("v1 list", (await all(client.embed.tasks.list({ pageLimit: 1 }))).length);

      const v2 = client.embed.v2;
      const text = await v2.create({ inputType: "text", modelName, text: { inputText: "a red bike" } });
      const video = await v2.create({ inputType: "video", modelName, video: { mediaSource: { base64String },
        embeddingOption: ["visual"], embeddingScope: ["asset"] } });
      const source = { name: "bike", mediaType: "video", base64String };
      const mixed = await v2.create({ inputType: "multi_input", modelName: "marengo3.5",
        multiInput: { inputText: "<@bike> but blue", mediaSources: [source] } });
      const lengths = [text, video, mixed].map((answer) => answer.data[0].embedding.length);
      say("v2", lengths, Object.keys(mixed.usage.inputTokens));
      const given = { inputType: "video", modelName, video: { mediaSource: { base64String } } };
      const started = await v2.tasks.create(given);
      const ended = await until(() => v2.tasks.retrieve(started.id));
      say("v2 task", ended.status, ended.metadata.duration, (await all(v2.tasks.list({ pageLimit: 1 }))).length);

      const direct = await client.assets.create({ method: "direct", file: fs.createReadStream("red.mp4"),
        userMetadata: JSON.stringify({ kind: "demo" }) });
      await client.assets.updateUserMetadata(direct.id, { userMetadata: { reviewed: true } });
      const asset = await until(() => client.assets.retrieve(direct.id));
      say("asset", asset.status, asset.userMetadata, asset.technicalMetadata.videoWidth);
      const spoken = await client.assets.retrieveTranscription(asset.id, { include: ["sentences"] });
      say("transcription", spoken.sentences.map((sentence) => sentence.value));
      const upload = await client.multipartUpload.uploadFile("red.mp4", { filename: "parts.mp4" });
      const uploaded = await until(() => client.assets.retrieve(upload.assetId));
      say("upload", uploaded.status, uploaded.method, uploaded.size === fs.statSync("red.mp4").size);
      await client.assets.delete(asset.id, { force: true });
      say("left", (await all(client.assets.list({ assetTypes: ["video"] }))).map((each) => each.filename));

      await v2.create({ inputType: "text", modelName, text: { inputText: " " } })
        .catch((error) => say("refused", error.constructor.name, error.statusCode));
    })();
"""


def test_sdk_of_the_time_of_27(emulator: Emulator, tmp_path: Path) -> None:
    """Version 0.4.10."""
    url = "https://example.com/a.png"
    emulator.configure(url_files={url: media.png()})
    environment = {"TWELVELABS_BASE_URL": emulator.origin, "TWELVELABS_API_KEY": emulator.api_key, "IMAGE_URL": url}
    assert run(python("sdk-0.4"), SDK_04, tmp_path, **environment).splitlines() == [
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
    printed = run(python("haystack"), HAYSTACK, tmp_path, HAYSTACK_TELEMETRY_ENABLED="False", **environment)
    assert printed.splitlines() == ["a blue boat", "[512, 512, 512]"]
    assert [request.status for request in emulator.requests] == [200] * 7


def test_javascript(emulator: Emulator, tmp_path: Path) -> None:
    """The official SDK of Node, 1.3.4."""
    emulator.configure(chunk_bytes=1_000, asset_transcript="Here it is. A red bike.")
    environment = {"TWELVELABS_BASE_URL": emulator.base_url, "TWELVE_LABS_API_KEY": emulator.api_key}
    modules = str(ENVIRONMENTS / "javascript" / "node_modules")
    printed = run(node("javascript"), JAVASCRIPT, tmp_path, NODE_PATH=modules, NO_COLOR="1", **environment)
    assert printed.splitlines() == [
        "v1 [ 512, 512, 512 ]",
        "v1 task ready [ 'clip', 'video' ]",
        "v1 list 1",
        "v2 [ 512, 512, 512 ] [ 'text', 'video' ]",
        "v2 task ready 6 1",
        "asset ready { kind: 'demo', reviewed: true } 480",
        "transcription [ 'Here it is.', 'A red bike.' ]",
        "upload ready multipart true",
        "left [ 'parts.mp4' ]",
        "refused BadRequestError 400",
    ]
