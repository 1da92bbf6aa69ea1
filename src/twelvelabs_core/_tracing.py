"""OpenTelemetry: one client span for each call, by its conventions for embeddings.

Nothing here imports OpenTelemetry: whoever has set a tracer provider has imported it. Without one, a call costs a look
into ``sys.modules``.

Names are those of ``gen_ai.client.embeddings`` (github.com/open-telemetry/semantic-conventions-genai,
``docs/gen-ai/client-embeddings.md``); what they have no name for is under ``twelvelabs.``, named as in
:class:`twelvelabs_core.Stats`. A span holds no content, no name of a file, no address but the server's, and no message
of an error, which may quote any of them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ._errors import TwelveLabsError
from ._version import __version__

logger = logging.getLogger("twelvelabs_embeddings")

T = TypeVar("T")

SCOPE = "twelvelabs_core"
PROVIDER = "twelvelabs"
# The span tells its own time; of tasks in progress, none is left when it ends.
NOT_SHOWN = ("elapsed_sec", "tasks_waiting", "tokens")


def span_attributes(model: str, dimensions: int, base_url: str) -> dict[str, str | int]:
    """What all spans of a client have in common. It is known before they begin, so that samplers may decide by it."""
    server = urlsplit(base_url)
    port = server.port or (80 if server.scheme == "http" else 443)
    return {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": model,
        "gen_ai.embeddings.dimension.count": dimensions,
        **({"server.address": server.hostname, "server.port": port} if server.hostname else {}),
    }


def callers_context() -> Any:
    """OpenTelemetry's context here, for a span that begins later; None = nobody records spans."""
    return _quietly(lambda: None if _tracing() is None else sys.modules["opentelemetry.context"].get_current())


def begin_span(attributes: Mapping[str, str | int], parent: Any = None) -> CallSpan | None:
    """Begin the span of a call; None = nobody records spans.

    Args:
        attributes: those of the client, from :func:`span_attributes`.
        parent: the context it belongs to, from :func:`callers_context`; by default the one here.
    """
    return _quietly(lambda: _begin(attributes, parent))


def _begin(attributes: Mapping[str, str | int], parent: Any) -> CallSpan | None:
    trace = _tracing()
    if trace is None:
        return None
    name = f"{attributes['gen_ai.operation.name']} {attributes['gen_ai.request.model']}"
    tracer = trace.get_tracer(SCOPE, __version__)
    span = tracer.start_span(name, context=parent, kind=trace.SpanKind.CLIENT, attributes=dict(attributes))
    return CallSpan(trace, span, parent)


def _tracing() -> Any:
    """The module ``opentelemetry.trace``; None if it is not imported, or no tracer provider is set."""
    trace = sys.modules.get("opentelemetry.trace")
    provider = getattr(trace, "get_tracer_provider", None)  # not there yet while another thread imports the module
    return None if provider is None or isinstance(provider(), trace.ProxyTracerProvider) else trace  # type: ignore[union-attr]


def _quietly(trace: Callable[[], T | None]) -> T | None:
    """A tracer that fails (its exporter, its sampler) must not fail the call it shows."""
    try:
        return trace()
    except Exception as error:
        logger.warning("the OpenTelemetry tracer raised %s; a call has no span, or not all of it", type(error).__name__)
        return None


class CallSpan:
    """The span of one call.

    Attributes:
        kinds: of the items: ``text``, ``image``, ``audio``, ``video``, ``document``, ``composed``.
    """

    def __init__(self, trace: Any, span: Any, parent: Any) -> None:
        self._trace, self._span, self._parent = trace, span, parent
        self.kinds: set[str] = set()

    def enter(self) -> None:
        """Have everything that the running task does from now on belong to the span: spans of an HTTP client, logs."""

        def attach() -> None:
            context = self._trace.set_span_in_context(self._span, self._parent)
            sys.modules["opentelemetry.context"].attach(context)  # for the task's own copy of the context: no detach

        _quietly(attach)

    def end(self, figures: Mapping[str, float], error: BaseException | None = None) -> None:
        """End the span.

        Args:
            figures: the statistics of the call, by their names in ``Stats``.
            error: what ended the call.
        """

        def end() -> None:
            try:
                self._span.set_attributes(self._figures(figures))
                if error is not None and not isinstance(error, GeneratorExit):  # whoever reads a stream has enough
                    self._span.set_attributes(_of_error(error))
                    self._span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))
            finally:
                self._span.end()

        _quietly(end)

    def _figures(self, figures: Mapping[str, float]) -> dict[str, Any]:
        shown: dict[str, Any] = {
            f"twelvelabs.{name}": value for name, value in figures.items() if name not in NOT_SHOWN
        }
        if self.kinds:
            shown["twelvelabs.kinds"] = sorted(self.kinds)
        if figures.get("tokens"):
            shown["gen_ai.usage.input_tokens"] = figures["tokens"]
        return shown


def _of_error(error: BaseException) -> dict[str, str | int]:
    """The class of an error, and what the server said that is no text: its status, and the id to quote to support."""
    found: dict[str, str | int] = {"error.type": type(error).__name__}
    if isinstance(error, TwelveLabsError):
        if error.status is not None:
            found["http.response.status_code"] = error.status
        if error.trace_id is not None:
            found["twelvelabs.trace_id"] = error.trace_id
    return found
