"""Ray's workers on one shared limit: none of their requests is refused."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ray_twelvelabs import EmbedBatch, JobStats
from twelvelabs_core import RateLimits, Window
from twelvelabs_emulator import Emulator

pytestmark = pytest.mark.network

LIMIT, SECONDS, TEXTS = 100, 2.0, 400


def test_four_workers_keep_a_declared_limit(ray: Any, emulator: Emulator, tmp_path: Path) -> None:
    emulator.configure(api_keys=(), limits={"text": ((LIMIT, SECONDS),)}, window="sliding")
    stats = JobStats()
    limits = RateLimits(text=(Window(LIMIT, SECONDS),), shared=str(tmp_path / "limits.sqlite"))
    settings: dict[str, Any] = {
        "text": "caption",
        "base_url": emulator.base_url,
        "api_key": SecretStr(f"tlk_{uuid.uuid4().hex}"),
        "rate_limits": limits,
        "stats": stats,
    }
    rows = (
        ray.data.from_items([{"caption": f"text {number}"} for number in range(TEXTS)])
        .map_batches(
            EmbedBatch,
            fn_constructor_kwargs=settings,
            batch_size=TEXTS // 8,
            compute=ray.data.ActorPoolStrategy(size=4),
            num_cpus=0.25,
        )
        .take_all()
    )
    assert [row["error"] for row in rows] == [None] * TEXTS
    total = stats.total()
    assert (total.requests, total.limited) == (TEXTS, 0)
    assert len(stats.by_worker()) >= 2  # one that starts late may find nothing left
    sent = sorted(request.received for request in emulator.requests if "embed" in request.path)
    # The first window at once, the others one after another; the workers need not start at the same moment.
    assert sent[-1] - sent[0] >= (TEXTS / LIMIT - 1) * SECONDS
