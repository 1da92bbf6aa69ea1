"""The same decision in Python and inside Redis."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from hypothesis import given

from tests.support.redis import MISSING, RedisServer, is_installed
from tests.support.reports import conversations
from twelvelabs_core._net.limits.shared.decision import Report, decide, new_state

pytestmark = [pytest.mark.network, pytest.mark.skipif(not is_installed(), reason=MISSING)]


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    import redis

    with RedisServer() as server, redis.Redis.from_url(server.url) as client:
        yield client.register_script(
            resources.files("twelvelabs_core._net.limits.shared").joinpath("decision.lua").read_text()
        )


@given(conversation=conversations())
def test_the_same_reports_give_the_same_grants(script: Any, conversation: list[tuple[Report, float]]) -> None:
    state, key = new_state(), uuid.uuid4().hex
    for report, elapsed in conversation:
        expected = decide(state, report, elapsed)
        found = json.loads(script(keys=[key], args=[json.dumps(report), repr(elapsed)]))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            if name != "born":
                assert (
                    list(found[name] or []) == pytest.approx(value)
                    if name == "free"
                    else found[name] == pytest.approx(value, abs=1e-6)
                ), name
        state = json.loads(json.dumps(state))
