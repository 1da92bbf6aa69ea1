"""Short forms of the chaos suite (``make chaos``), each a few seconds."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.scenario import SCENARIOS, Run
from tests.chaos.scenarios import load

load()

SHORT = {
    "each-fault": 0.02,
    "mix-langchain-async": 0.01,
    "mix-llama-index-sync-cache": 0.01,
    "away": 0.02,
    "key": 0.02,
    "one-flight": 0.02,
    "clock": 0.02,
    "damaged-cache": 0.05,
    "changing-images": 0.05,
    "long-stream": 0.002,
    "many-clients": 0.02,
}
"""Scenarios and their share of the full number of items."""


@pytest.mark.parametrize("name", SHORT)
def test_short_form(name: str, tmp_path: Path) -> None:
    run = Run(seed=1, scale=SHORT[name], folder=tmp_path)
    SCENARIOS[name].do(run)
    assert not run.failures, "\n".join(run.failures)
    assert run.outcome


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no kill -9")
@pytest.mark.parametrize("name", ["kill-texts", "kill-tasks", "disk-full", "damaged-while-open"])
def test_short_form_with_processes(name: str, tmp_path: Path) -> None:
    run = Run(seed=1, scale=0.001, folder=tmp_path)
    SCENARIOS[name].do(run)
    assert not run.failures, "\n".join(run.failures)


def test_a_broken_promise_is_noted() -> None:
    run = Run(seed=1, scale=1, folder=Path())
    assert run.check(True, "kept") and not run.failures
    assert not run.check(False, "not kept") and run.failures == ["not kept"]


def test_there_are_thirty_kinds_of_fault_among_good_answers() -> None:
    assert sum(kind.mix for kind in KINDS.values()) >= 30
    assert {kind.did for kind in KINDS.values()} == {"performed", "untold", "refused"}
