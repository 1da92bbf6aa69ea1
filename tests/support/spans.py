"""OpenTelemetry spans, recorded in memory by the real SDK."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer


class Spans:
    """A tracer provider that keeps every span that has ended.

    Args:
        settings: of the ``TracerProvider``, such as its sampler.
    """

    def __init__(self, **settings: Any) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**settings)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def tracer(self) -> Tracer:
        """Of an application that calls the client."""
        return self.provider.get_tracer("application")

    @property
    def all(self) -> list[ReadableSpan]:
        """Every span that has ended, in that order."""
        return list(self._exporter.get_finished_spans())

    def one(self) -> ReadableSpan:
        """The only span of a client."""
        (found,) = self.of_clients()
        return found

    def of_clients(self) -> list[ReadableSpan]:
        """The spans of clients, in the order of their ends."""
        return [span for span in self.all if span.instrumentation_scope.name == "twelvelabs_core"]  # type: ignore[union-attr]

    def shown(self) -> str:
        """Everything that the spans hold, as text."""
        return "\n".join(span.to_json() for span in self.all)


def attributes(span: ReadableSpan, prefix: str = "") -> dict[str, Any]:
    """The attributes of a span whose names begin with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in (span.attributes or {}).items() if k.startswith(prefix)}
