"""Clocks that differ."""

from __future__ import annotations

import time

from twelvelabs_core import EmbeddingClient, TwelveLabsError

from ..scenario import Run, scenario, serving
from ..truth import identity_of_text, judge
from .faults import settings


@scenario("clock", limit_sec=120)
def clock(run: Run) -> None:
    """The server's clock an hour and a day ahead and behind, with a rate limit: waits are by the server's clock."""
    texts = [f"text {i} by another clock" for i in range(60 if run.scale >= 0.1 else 30)]
    clocks = (3600.0, -3600.0, 86_400.0, -86_400.0, 0.0)
    for ahead in clocks if run.scale >= 0.1 else clocks[:2]:
        with serving(clock_sec=ahead, window=(20, 0.5)) as server:
            client = EmbeddingClient(**settings(**server.account()), max_wait=10.0)
            started = time.monotonic()
            vectors: list[list[float] | None] = [None] * len(texts)
            try:
                vectors = [found.vector for found in client.embed_many(texts)]
            except TwelveLabsError as error:
                run.check(False, f"clock {ahead:+g} s: {error!r:.200}")
            found = judge([identity_of_text(text) for text in texts], vectors)
            took = time.monotonic() - started
            run.add(items=len(texts), right=found["right"], limited=client.stats.limited)
            run.check(found["right"] == len(texts), f"clock {ahead:+g} s: {dict(found)}")
            run.check(took < 15, f"clock {ahead:+g} s: {took:.1f} s for what takes 2")
    run.tried = f"{len(texts)} texts within 20 requests per 0.5 s, the server's clock 0, ±1 h and ±24 h off"
