"""OpenTelemetry spans: one a call, below the caller's, with the names of the GenAI conventions, and without content."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from tests.support import media
from tests.support.service import Service, refusal, right_answer, scripted, text_of, v2_answer, vector
from tests.support.spans import Spans, attributes
from twelvelabs_core import (
    Audio,
    AuthenticationError,
    BatchError,
    Budget,
    EmbeddingClient,
    Image,
    InvalidInputError,
    QuotaExceededError,
    SegmentOptions,
    Stats,
    Video,
)
from twelvelabs_core._version import __version__


def failing(text: str, status: int = 400) -> Service:
    """A service that refuses one text."""
    return Service(lambda request: refusal(status) if text_of(request) == text else right_answer(request))


# -- names and attributes --------------------------------------------------------------------------------------------


def test_a_call_is_one_client_span_by_the_genai_conventions(spans: Spans) -> None:
    Service().client().embed("a red bike")
    span = spans.one()
    assert (span.name, span.kind) == ("embeddings marengo3.0", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert attributes(span) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "twelvelabs",
        "gen_ai.request.model": "marengo3.0",
        "gen_ai.embeddings.dimension.count": 512,
        "server.address": "api.twelvelabs.io",
        "server.port": 443,
        "twelvelabs.kinds": ("text",),
        "twelvelabs.items": 1,
        "twelvelabs.done": 1,
        "twelvelabs.failed": 0,
        "twelvelabs.requests": 1,
        "twelvelabs.retries": 0,
        "twelvelabs.paid_again": 0,
        "twelvelabs.limited": 0,
        "twelvelabs.cached": 0,
        "twelvelabs.deduplicated": 0,
        "twelvelabs.truncated": 0,
        "twelvelabs.waited_sec": 0.0,
        "twelvelabs.minutes": 0.0,
        "twelvelabs.segments": 0,
        "twelvelabs.uploaded_bytes": 0,
    }
    scope = span.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version) == ("twelvelabs_core", __version__)


def test_what_samplers_decide_by_is_known_when_the_span_begins(spans: Spans) -> None:
    begun: list[dict[str, Any]] = []

    class Watch(SpanProcessor):
        def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
            begun.append(dict(span.attributes or {}))

    spans.provider.add_span_processor(Watch())
    Service().client("marengo3.5", dimensions=128, base_url="http://localhost:8021/v1.3").embed("a")
    assert begun == [
        {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "twelvelabs",
            "gen_ai.request.model": "marengo3.5",
            "gen_ai.embeddings.dimension.count": 128,
            "server.address": "localhost",
            "server.port": 8021,
        }
    ]


def test_the_figures_are_those_of_the_call(spans: Spans, tmp_path: Path) -> None:
    answers = [refusal(503), refusal(429, retry_after="1"), None, None]
    client = Service(scripted(answers)).client(cache=tmp_path / "vectors.sqlite")
    client.embed("a")
    client.embed_many(["a", "a", "b"])
    first, second = (attributes(span, "twelvelabs.") for span in spans.of_clients())
    assert (first["requests"], first["retries"], first["limited"], first["cached"]) == (3, 2, 1, 0)
    assert (second["items"], second["done"], second["cached"]) == (3, 3, 2)
    last = client.last_run
    assert {name: value for name, value in second.items() if name != "kinds"} == {
        name: getattr(last, name) for name in Stats.__dataclass_fields__ if name in second
    }


def test_waits_for_a_rate_limit_are_in_the_span(spans: Spans) -> None:
    answers = [refusal(429, retry_after="7"), None]
    client = Service(scripted(answers)).client()
    client.embed("a")
    found = attributes(spans.one(), "twelvelabs.")
    assert found["waited_sec"] == client.last_run.waited_sec > 0


def test_tokens_that_the_server_reports(spans: Spans, tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> Any:
        return v2_answer(vector(str(len(request.content))), usage={"input_tokens": {"text": 9, "image": 258}})

    client = Service(answer).client("marengo3.5", cache=tmp_path / "vectors.sqlite")
    client.embed_many(["a", "b", "a"])
    client.embed_many(["a", "b"])
    client.embed_segments(Image(media.png("red")))
    assert client.stats.tokens == 3 * 267
    tokens = [attributes(span).get("gen_ai.usage.input_tokens") for span in spans.of_clients()]
    assert tokens == [2 * 267, None, 267]  # what is cached uses none


# -- one span a call -------------------------------------------------------------------------------------------------


def test_every_method_makes_one_span(spans: Spans) -> None:
    client, image = Service().client(), Image(media.png("red"))
    calls: list[tuple[Callable[[], Any], dict[str, Any]]] = [
        (lambda: client.embed(image), {"items": 1, "kinds": ("image",)}),
        (lambda: client.embed_many([f"text {i}" for i in range(40)]), {"items": 40, "requests": 40}),
        (lambda: client.embed_many([image, "a"]), {"items": 2, "kinds": ("image", "text")}),
        (lambda: client.embed_each(["a", ""]), {"items": 2, "failed": 1}),
        (lambda: client.embed_segments(image), {"items": 1, "segments": 1}),
        (lambda: client.embed_segments_many([image, Image(media.png("blue"))]), {"items": 2, "segments": 2}),
        (lambda: client.rows(image), {"items": 1, "segments": 1}),
        (lambda: client.rows_many([image]), {"items": 1}),
        (lambda: client.rows_each([image]), {"items": 1}),
        (lambda: list(client.stream(f"text {i}" for i in range(40))), {"items": 40, "done": 40}),
        (lambda: list(client.stream_segments([image])), {"items": 1, "segments": 1, "kinds": ("image",)}),
        (lambda: client.embed_parts(text="a", image=media.png("red")), {"items": 1, "kinds": ("image", "text")}),
    ]
    for count, (call, figures) in enumerate(calls, 1):
        call()
        found = spans.of_clients()
        assert len(found) == count
        assert attributes(found[-1], "twelvelabs.").items() >= figures.items()


def test_what_embeds_nothing_makes_no_span(spans: Spans) -> None:
    Service().client().plan(["a"])
    Service().client().embed_many([])
    assert not spans.all


def test_an_upload_embeds_nothing(spans: Spans, account: dict[str, Any]) -> None:
    client = EmbeddingClient(**account)
    asset = client.upload(Image(media.png("red")))
    assert not spans.all
    client.embed(Image(asset))
    assert spans.one()


# -- parents -----------------------------------------------------------------------------------------------------------


def parents(spans: Spans) -> list[str | None]:
    """The name of the span above each span of a client."""
    names = {span.context.span_id: span.name for span in spans.all}
    return [names[span.parent.span_id] if span.parent else None for span in spans.of_clients()]


def test_a_sync_call_is_below_the_callers_span(spans: Spans) -> None:
    client = Service().client()
    with spans.tracer.start_as_current_span("question"):
        client.embed("a")
        assert trace.get_current_span().get_span_context().span_id != 0
    client.embed("b")
    assert parents(spans) == ["question", None]


async def test_async_calls_are_below_the_span_of_their_own_task(spans: Spans) -> None:
    client = Service().client()

    async def ask(name: str) -> None:
        with spans.tracer.start_as_current_span(name) as own:
            await client.aembed(name)
            assert trace.get_current_span() is own

    await asyncio.gather(*(ask(f"question {i}") for i in range(5)))
    assert sorted(str(name) for name in parents(spans)) == [f"question {i}" for i in range(5)]


def test_what_happens_inside_a_call_is_below_its_span(spans: Spans) -> None:
    inside: list[trace.Span] = []

    def answer(request: httpx.Request) -> Any:
        inside.append(trace.get_current_span())
        return right_answer(request)

    client = Service(answer).client()
    client.embed_many(["a", "b"])
    client.embed_segments(Image(media.png("red")))
    list(client.stream(["c"]))
    many, segments, stream = spans.of_clients()
    assert [span.get_span_context() for span in inside] == [
        many.context,
        many.context,
        segments.context,
        stream.context,
    ]
    assert not trace.get_current_span().is_recording()  # nothing of it is left in the caller's context


def test_a_span_that_is_not_sampled_is_still_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = Spans(sampler=ParentBased(ALWAYS_OFF))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: spans.provider)

    def answer(request: httpx.Request) -> Any:
        with spans.tracer.start_as_current_span("request"):
            return right_answer(request)

    Service(answer).client().embed("a")
    assert not spans.all  # "request" was not sampled as a root of its own


# -- streams -----------------------------------------------------------------------------------------------------------


def test_a_stream_has_one_span_from_its_first_item_to_its_end(spans: Spans) -> None:
    client = Service().client()
    with spans.tracer.start_as_current_span("job"):
        found = client.stream(f"text {i}" for i in range(40))
    with spans.tracer.start_as_current_span("elsewhere"):
        assert next(found).index == 0
        assert not spans.of_clients()
        assert len(list(found)) == 39
    assert parents(spans) == ["job"]
    assert attributes(spans.one(), "twelvelabs.items") == {"": 40}
    assert spans.one().status.status_code is StatusCode.UNSET


def test_a_stream_that_is_never_read_has_no_span(spans: Spans) -> None:
    client = Service().client()
    del (unread := [client.stream(["a"])])[0]
    assert not unread
    assert not spans.all


def test_a_stream_that_is_left_early_has_no_error(spans: Spans) -> None:
    client = Service().client()
    for _ in client.stream(f"text {i}" for i in range(400)):
        break
    assert spans.one().status.status_code is StatusCode.UNSET
    assert 0 < attributes(spans.one())["twelvelabs.items"] < 400


def test_a_stream_inside_an_except_block_has_no_error(spans: Spans) -> None:
    client = Service().client()
    try:
        raise KeyError("of the application")
    except KeyError:
        list(client.stream(["a"]))
    assert "error.type" not in attributes(spans.one())


def test_a_stream_that_fails(spans: Spans) -> None:
    with pytest.raises(BatchError):
        list(failing("bad").client().stream(["a", "bad"]))
    assert spans.one().status.status_code is StatusCode.ERROR
    assert attributes(spans.one())["error.type"] == "BatchError"


async def test_an_async_stream(spans: Spans) -> None:
    async def texts() -> AsyncIterator[str]:
        for i in range(20):
            yield f"text {i}"

    client = failing("bad").client()
    with spans.tracer.start_as_current_span("job"):
        assert len([result async for result in client.astream(texts())]) == 20
        with pytest.raises(BatchError):
            _ = [result async for result in client.astream(["bad"])]
        results = client.astream(texts())
        await anext(results)
        await results.aclose()  # type: ignore[attr-defined]  # it is an async generator
    assert parents(spans) == ["job", "job", "job"]
    assert [attributes(span).get("error.type") for span in spans.of_clients()] == [None, "BatchError", None]


# -- errors ------------------------------------------------------------------------------------------------------------


def test_an_error_is_named_by_its_class_and_status(spans: Spans) -> None:
    answer = httpx.Response(401, json={"code": "api_key_invalid", "message": "no"}, headers={"x-trace-id": "t-1"})
    with pytest.raises(AuthenticationError):
        Service(lambda _: answer).client().embed("a")
    span = spans.one()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert not span.events  # an exception's event holds its message
    found = attributes(span)
    assert found["error.type"] == "AuthenticationError"
    assert found["http.response.status_code"] == 401
    assert found["twelvelabs.trace_id"] == "t-1"


def test_errors_before_anything_is_sent(spans: Spans) -> None:
    client = Service().client(budget=Budget(requests=1))
    with pytest.raises(InvalidInputError):
        client.embed_many(["a", ""])
    with pytest.raises(QuotaExceededError):
        client.embed_many(["a", "b"])
    refused, over = (attributes(span) for span in spans.of_clients())
    assert (refused["error.type"], refused["twelvelabs.requests"]) == ("InvalidInputError", 0)
    assert (over["error.type"], over["twelvelabs.requests"]) == ("QuotaExceededError", 1)
    assert "http.response.status_code" not in over


def test_a_used_up_quota(spans: Spans) -> None:
    with pytest.raises(QuotaExceededError):
        Service(lambda _: refusal(429, retry_after="500")).client(max_wait=120).embed("a")
    found = attributes(spans.one())
    assert (found["error.type"], found["twelvelabs.limited"], found["twelvelabs.done"]) == ("QuotaExceededError", 1, 0)


def test_a_call_that_returns_its_errors(spans: Spans) -> None:
    failing("bad").client().embed_each(["a", "bad"])
    Service(lambda _: refusal(401)).client().embed_each(["a", "b"])
    of_an_item, of_all = (attributes(span) for span in spans.of_clients())
    assert "error.type" not in of_an_item
    assert of_an_item["twelvelabs.failed"] == 1
    assert of_all["error.type"] == "AuthenticationError"


async def test_a_cancelled_call(spans: Spans) -> None:
    sent, ended = asyncio.Event(), threading.Event()
    running = asyncio.get_running_loop()

    class Watch(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            ended.set()

    spans.provider.add_span_processor(Watch())

    async def answer(_: httpx.Request) -> Any:
        running.call_soon_threadsafe(sent.set)
        await asyncio.sleep(3600)

    client = Service(answer).client()
    call = asyncio.ensure_future(client.aembed("a"))
    await sent.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(ended.wait, 30)  # the call ends on the client's own loop
    assert attributes(spans.one())["error.type"] == "CancelledError"


# -- what is not in a span ---------------------------------------------------------------------------------------------


def test_no_content_name_address_or_key(spans: Spans, tmp_path: Path) -> None:
    secret = tmp_path / "secret-plan.png"
    secret.write_bytes(media.png("red"))
    service = Service(
        lambda r: (
            httpx.Response(400, json={"message": f"{text_of(r)} is refused"})
            if b"words" in r.content
            else right_answer(r)
        )
    )
    client = service.client()
    client.embed(Image(secret))
    client.embed(Image("https://files.example/secret-plan.png?signature=abc"))
    with pytest.raises(InvalidInputError):
        client.embed("secret words")
    with pytest.raises(InvalidInputError):
        client.embed_segments(Video(tmp_path / "secret-missing.mp4"), SegmentOptions())
    assert len(spans.of_clients()) == 4
    shown = spans.shown()
    for hidden in ("secret", "files.example", "signature", service.key, "refused"):
        assert hidden not in shown


# -- without a tracer --------------------------------------------------------------------------------------------------


def test_without_a_provider_there_is_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    begun: list[Any] = []
    monkeypatch.setattr(trace, "get_tracer", begun.append)
    client = Service().client()
    client.embed("a")
    assert [r.index for r in client.stream(["b"])] == [0]
    assert not begun


def test_a_tracer_that_fails_loses_no_vector(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(SpanProcessor):
        at = "start"

        def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
            if self.at == "start":
                raise RuntimeError("no")

        def on_end(self, span: ReadableSpan) -> None:
            if self.at == "end":
                raise RuntimeError("no")

    broken = Broken()
    spans.provider.add_span_processor(broken)
    client = Service().client()
    for broken.at in ("start", "end"):
        assert client.embed("a").vector
        assert len(list(client.stream(["a", "b"]))) == 2
    assert client.stats.done == 6
    assert "the OpenTelemetry tracer raised RuntimeError" in caplog.text


def test_a_client_is_pickled_and_copied_as_before(spans: Spans) -> None:
    import copy
    import pickle

    client = EmbeddingClient(api_key="k")
    for made in (copy.copy(client), pickle.loads(pickle.dumps(client))):
        assert made._span_attributes == client._span_attributes
    assert not spans.all


def test_audio_minutes_are_in_the_span(spans: Spans) -> None:
    Service().client().embed(Audio(media.wav(440, 30, 0.5)))
    assert attributes(spans.one())["twelvelabs.minutes"] == pytest.approx(0.5)


@pytest.mark.network
def test_a_call_does_not_import_opentelemetry(script: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """In a process of its own: the tests' has imported it."""
    script(
        """
        import sys, httpx
        from twelvelabs_core import EmbeddingClient

        def answer(request):
            vector = [1.0] + [0.0] * 511
            return httpx.Response(200, json={"data": [{"embedding": vector}]})

        client = EmbeddingClient(api_key="k", transport=httpx.MockTransport(answer))
        client.embed_many(["a", "b"])
        list(client.stream(["c"]))
        assert not [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]
        """
    )


@pytest.mark.network
def test_a_provider_that_is_set_after_the_client_is_made(
    script: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    script(
        """
        import httpx
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from twelvelabs_core import EmbeddingClient

        def answer(request):
            vector = [1.0] + [0.0] * 511
            return httpx.Response(200, json={"data": [{"embedding": vector}]})

        client = EmbeddingClient(api_key="k", transport=httpx.MockTransport(answer))
        client.embed("a")
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        client.embed("b")
        assert [span.name for span in exporter.get_finished_spans()] == ["embeddings marengo3.0"]
        """
    )
