"""Ray's workers on one shared limit, of which none of their requests is refused, and on one shared cache."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from pydantic import SecretStr

from ray_twelvelabs import EmbedBatch, JobStats
from tests.support.redis import MISSING, RedisServer, is_installed
from twelvelabs_core import RateLimits, Window
from twelvelabs_emulator import Emulator

pytestmark = pytest.mark.network

LIMIT, SECONDS, TEXTS = 100, 2.0, 400


def embedded(ray: Any, texts: list[str], **settings: Any) -> list[dict[str, Any]]:
    """The rows of some texts, embedded by four workers."""
    rows: list[dict[str, Any]] = (
        ray.data.from_items([{"caption": text} for text in texts])
        .map_batches(
            EmbedBatch,
            fn_constructor_kwargs={"text": "caption", **settings},
            batch_size=len(texts) // 8,
            compute=ray.data.ActorPoolStrategy(size=4),
            num_cpus=0.25,
        )
        .take_all()
    )
    return rows


def test_four_workers_keep_a_declared_limit(ray: Any, emulator: Emulator, shared_place: str) -> None:
    emulator.configure(api_keys=(), limits={"text": ((LIMIT, SECONDS),)}, window="sliding")
    stats = JobStats()
    rows = embedded(
        ray,
        [f"text {number}" for number in range(TEXTS)],
        base_url=emulator.base_url,
        api_key=SecretStr(f"tlk_{uuid.uuid4().hex}"),
        rate_limits=RateLimits(text=(Window(LIMIT, SECONDS),), shared=shared_place),
        stats=stats,
    )
    assert [row["error"] for row in rows] == [None] * TEXTS
    total = stats.total()
    assert (total.requests, total.limited) == (TEXTS, 0)
    assert len(stats.by_worker()) >= 2  # one that starts late may find nothing left
    sent = sorted(request.received for request in emulator.requests if "embed" in request.path)
    # The first window at once, the others one after another; the workers need not start at the same moment.
    assert sent[-1] - sent[0] >= (TEXTS / LIMIT - 1) * SECONDS


@pytest.mark.skipif(not is_installed(), reason=MISSING)
def test_four_workers_that_share_a_redis_pay_for_each_text_once(ray: Any, account: dict[str, Any]) -> None:
    stats = JobStats()
    texts = [f"text {number % 50}" for number in range(400)]  # each in every batch
    with RedisServer() as server:
        rows = embedded(ray, texts, **account, cache=server.url, stats=stats)
        assert [row["error"] for row in rows] == [None] * 400
        assert stats.total().requests == 50
        assert len({tuple(row["embedding"]) for row in rows}) == 50
        embedded(ray, texts, **account, cache=SecretStr(server.url), stats=stats)
        assert stats.total().requests == 50
