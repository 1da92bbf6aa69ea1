"""What LlamaIndex's handlers see of media: the events, callbacks and spans that its base class makes for texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import BoundArguments
from pathlib import Path
from typing import Any

import httpx
import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index.core.instrumentation.span import SimpleSpan
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.schema import Document as TextDocument
from llama_index_instrumentation import get_dispatcher
from pydantic import Field

from llama_index_twelvelabs import TwelveLabsEmbedding, TwelveLabsMediaEmbedder, TwelveLabsMediaReader
from tests.support import media
from tests.support.service import Service, refusal, right_answer, sent_json, vector
from twelvelabs_core import Audio, BatchError, Fixed, Image, InvalidInputError, SegmentOptions

SIGNED = "https://files.example/red.png?signature=5ecret"


def answer(request: httpx.Request) -> Any:
    """Two clips of a video for each option; one vector of anything else."""
    body = sent_json(request)
    part = body[body["input_type"]]
    if body["input_type"] != "video" or "clip" not in part.get("embedding_scope", ()):
        return right_answer(request)
    return {
        "data": [
            {
                "embedding": vector(f"{option} {start}"),
                "embedding_option": option,
                "embedding_scope": "clip",
                "start_sec": start,
                "end_sec": start + 2,
            }
            for option in part["embedding_option"]
            for start in (0, 2)
        ]
    }


class Watcher(BaseEventHandler):
    events: list[Any] = Field(default_factory=list)

    def handle(self, event: Any, **_: Any) -> None:
        self.events.append(event)


class Spans(SimpleSpanHandler):
    arguments: list[str] = Field(default_factory=list)

    def new_span(self, id_: str, bound_args: BoundArguments, *args: Any, **kwargs: Any) -> SimpleSpan:
        self.arguments.append(f"{id_} {bound_args!r}")
        return super().new_span(id_, bound_args, *args, **kwargs)


class Seen:
    """A model whose calls are watched by LlamaIndex's own handlers."""

    def __init__(self, service: Service | None = None, **settings: Any) -> None:
        self.service = service or Service(answer)
        self.watcher, self.spans = Watcher(), Spans()
        self.debug = LlamaDebugHandler(print_trace_on_end=False)
        self.model = TwelveLabsEmbedding(
            api_key=self.service.key,
            transport=self.service.transport,
            callback_manager=CallbackManager([self.debug]),
            **settings,
        )

    @property
    def ends(self) -> list[EmbeddingEndEvent]:
        """The ends of embedding calls; as many have begun, and as many callbacks were made."""
        starts = [event for event in self.watcher.events if isinstance(event, EmbeddingStartEvent)]
        ends = [event for event in self.watcher.events if isinstance(event, EmbeddingEndEvent)]
        assert len(starts) == len(ends)
        payloads = [pair[1].payload or {} for pair in self.debug.get_event_pairs(CBEventType.EMBEDDING)]
        assert [payload[EventPayload.CHUNKS] for payload in payloads] == [end.chunks for end in ends]
        assert [payload[EventPayload.EMBEDDINGS] for payload in payloads] == [end.embeddings for end in ends]
        return ends

    @property
    def shown(self) -> str:
        """Everything that handlers were shown, as text."""
        payloads = [event.payload for pair in self.debug.get_event_pairs() for event in pair]
        events = [repr(event) + event.model_dump_json() for event in self.watcher.events]
        return "\n".join([*events, *map(repr, payloads), *self.spans.arguments])


@pytest.fixture
def watch() -> Iterator[Callable[..., Seen]]:
    root = get_dispatcher()
    before = list(root.event_handlers), list(root.span_handlers)

    def watch(*args: Any, **settings: Any) -> Seen:
        seen = Seen(*args, **settings)
        root.add_event_handler(seen.watcher)
        root.add_span_handler(seen.spans)
        return seen

    yield watch
    root.event_handlers, root.span_handlers = before


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    file = tmp_path / "clip.mp4"
    file.write_bytes(media.mp4((("red", 4, 0),), fps=4))
    return file


def chunks_of(seen: Seen, call: Callable[[], Any]) -> list[str]:
    """The chunks of the only event that a call makes."""
    before = len(seen.ends)
    call()
    (end,) = seen.ends[before:]
    assert len(end.chunks) == len(end.embeddings)
    return end.chunks


def test_every_kind_of_media_makes_events(watch: Callable[..., Seen], files: Path, clip: Path) -> None:
    seen, red, low = watch(), str(files / "red.png"), str(files / "low.wav")
    model = seen.model
    assert chunks_of(seen, lambda: model.get_image_embedding(red)) == [red]
    assert chunks_of(seen, lambda: model.get_image_embedding_batch([red, files / "blue.png"])) == [
        red,
        str(files / "blue.png"),
    ]
    assert chunks_of(seen, lambda: model.get_audio_embedding(Audio(low, end_sec=0.9))) == [low]
    assert chunks_of(seen, lambda: model.get_audio_embedding_batch([low])) == [low]
    assert chunks_of(seen, lambda: model.get_video_embedding(clip)) == [str(clip)]
    assert chunks_of(seen, lambda: model.get_video_embedding_batch([clip])) == [str(clip)]
    assert chunks_of(seen, lambda: model.get_composed_embedding("in blue", images=[red])) == [f"in blue + {red}"]
    assert chunks_of(seen, lambda: model.query_bundle(image=red)) == [red]
    assert chunks_of(seen, lambda: model.query_bundle("in blue", image=red)) == [f"in blue + {red}"]
    assert seen.ends[0].embeddings == [model.get_image_embedding(red)]


async def test_every_async_method_makes_the_same_events(watch: Callable[..., Seen], files: Path, clip: Path) -> None:
    seen, red, low = watch(), str(files / "red.png"), str(files / "low.wav")
    model = seen.model
    await model.aget_image_embedding(red)
    await model.aget_image_embedding_batch([red])
    await model.aget_audio_embedding(low)
    await model.aget_audio_embedding_batch([low])
    await model.aget_video_embedding(clip)
    await model.aget_video_embedding_batch([clip])
    await model.aget_composed_embedding("in blue", images=[red])
    await model.aquery_bundle(image=red)
    await model.aget_segments(clip, embedding_option="visual")
    composed = f"in blue + {red}"
    clips = ["clip.mp4 00:00:00-00:00:02 visual", "clip.mp4 00:00:02-00:00:04 visual"]
    expected = [[red], [red], [low], [low], [str(clip)], [str(clip)], [composed], [red], clips]
    assert [end.chunks for end in seen.ends] == expected
    assert len(seen.spans.completed_spans) == len(expected)


def test_segments_are_one_event_with_a_chunk_for_each(watch: Callable[..., Seen], clip: Path) -> None:
    seen = watch()
    segments = seen.model.get_segments(clip, segmentation=Fixed(2), embedding_option=("visual", "audio"))
    (end,) = seen.ends
    assert end.chunks == [
        "clip.mp4 00:00:00-00:00:02 visual",
        "clip.mp4 00:00:00-00:00:02 audio",
        "clip.mp4 00:00:02-00:00:04 visual",
        "clip.mp4 00:00:02-00:00:04 audio",
    ]
    assert end.embeddings == [segment.vector for segment in segments]


async def test_the_media_embedder_makes_an_event_for_files_and_one_for_texts(
    watch: Callable[..., Seen], files: Path, clip: Path
) -> None:
    seen = watch()
    embedder = TwelveLabsMediaEmbedder(embed_model=seen.model, options=SegmentOptions(embedding_option="visual"))
    documents = [
        *TwelveLabsMediaReader().load_data([files / "red.png", clip]),
        TextDocument(text="a red bike"),
    ]
    nodes = embedder(documents)
    media, text = seen.ends
    clips = ["clip.mp4 00:00:00-00:00:02 visual", "clip.mp4 00:00:02-00:00:04 visual"]
    assert media.chunks == ["red.png whole visual", *clips]
    assert text.chunks == ["a red bike"]
    assert [*media.embeddings, *text.embeddings] == [node.embedding for node in nodes]
    await embedder.acall(documents)
    assert [end.chunks for end in seen.ends[2:]] == [media.chunks, text.chunks]


def test_files_that_are_skipped_are_not_among_the_chunks(watch: Callable[..., Seen], files: Path) -> None:
    seen, blue = watch(), files / "blue.png"
    documents = TwelveLabsMediaReader().load_data([files / "red.png", blue])
    documents[0].metadata["source"] = str(files / "missing.png")
    nodes = TwelveLabsMediaEmbedder(embed_model=seen.model, on_error="skip")(documents)
    (end,) = seen.ends
    assert end.chunks == ["blue.png whole visual"]
    assert end.embeddings == [node.embedding for node in nodes]


def test_the_spans_are_below_that_of_the_caller(watch: Callable[..., Seen], clip: Path) -> None:
    seen = watch()
    embedder = TwelveLabsMediaEmbedder(embed_model=seen.model)
    embedder(TwelveLabsMediaReader().load_data([clip]))
    names = {span.id_: span.id_.partition("-")[0] for span in seen.spans.completed_spans}
    found = [(names[s.id_], names.get(s.parent_id or "")) for s in seen.spans.completed_spans]
    assert found == [
        ("TwelveLabsEmbedding._embed_media", "TwelveLabsMediaEmbedder.__call__"),
        ("TwelveLabsMediaEmbedder.__call__", None),
    ]
    (start,) = [event for event in seen.watcher.events if isinstance(event, EmbeddingStartEvent)]
    assert names[start.span_id or ""] == "TwelveLabsEmbedding._embed_media"


def test_texts_make_the_events_of_the_base_class_alone(watch: Callable[..., Seen]) -> None:
    seen = watch()
    assert chunks_of(seen, lambda: seen.model.get_text_embedding_batch(["a", "b"])) == ["a", "b"]
    assert chunks_of(seen, lambda: seen.model.get_query_embedding("a")) == ["a"]
    assert chunks_of(seen, lambda: seen.model.query_bundle("a")) == ["a"]


def test_an_empty_batch_makes_no_event(watch: Callable[..., Seen]) -> None:
    seen = watch()
    assert seen.model.get_video_embedding_batch([]) == []
    assert seen.model.get_image_embedding_batch([]) == []
    assert not seen.ends


def test_no_content_no_signature_no_key(watch: Callable[..., Seen]) -> None:
    seen, content = watch(), media.png("red")
    assert chunks_of(seen, lambda: seen.model.get_image_embedding(content)) == [f"{len(content)} bytes"]
    assert chunks_of(seen, lambda: seen.model.get_image_embedding(SIGNED)) == ["https://files.example/red.png"]
    assert chunks_of(seen, lambda: seen.model.get_image_embedding(Image(content, filename="a.png"))) == ["a.png"]
    assert "5ecret" not in seen.shown
    assert seen.service.key not in seen.shown
    assert repr(content)[2:40] not in seen.shown


def test_a_call_that_fails_has_no_end_but_its_error(watch: Callable[..., Seen], files: Path) -> None:
    seen = watch(Service(lambda _: refusal(400)))
    with pytest.raises(InvalidInputError):
        seen.model.get_image_embedding(files / "red.png")
    with pytest.raises(BatchError):
        seen.model.get_image_embedding_batch([files / "red.png", files / "blue.png"])
    embedder = TwelveLabsMediaEmbedder(embed_model=seen.model)
    with pytest.raises(BatchError):
        embedder(TwelveLabsMediaReader().load_data([files / "red.png", files / "blue.png"]))
    assert not [event for event in seen.watcher.events if isinstance(event, EmbeddingEndEvent)]
    errors = [pair[1].payload for pair in seen.debug.get_event_pairs(CBEventType.EMBEDDING)]
    assert [type((payload or {})[EventPayload.EXCEPTION]) for payload in errors] == [
        InvalidInputError,
        BatchError,
        BatchError,
    ]
    assert len(seen.spans.dropped_spans) == 4  # and the embedder's own
