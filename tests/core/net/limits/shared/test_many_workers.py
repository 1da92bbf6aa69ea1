"""The simulation of ``docs/scale.md``, small."""

from __future__ import annotations

import pytest

from tests.simulation import HEAD, Scenario, line, simulate, table


def test_forty_workers_share_a_declared_limit_evenly() -> None:
    scenario = Scenario("40", 40, 400, 10.0, 4)
    found = simulate(scenario)
    assert (found.rejected, found.unfinished) == (0, 0)
    assert scenario.theoretical_sec <= found.took_sec <= 1.1 * scenario.theoretical_sec
    assert found.most <= 3
    assert len(line(scenario, found)) == len(HEAD)
    assert table([line(scenario, found)]).count("\n") == 2


def test_killed_workers_hold_nobody_up_for_long() -> None:
    scenario = Scenario("killed", 20, 400, 10.0, 4, killed=2)
    found = simulate(scenario)
    assert found.rejected == 0
    assert found.unfinished > 0
    assert found.took_sec <= 1.3 * scenario.theoretical_sec


@pytest.mark.parametrize("told", ["headers", "429s"])
def test_a_limit_that_nobody_declared(told: str) -> None:
    found = simulate(Scenario(told, 20, 400, 10.0, 4, told=told))
    assert found.unfinished == 0
    assert found.rejected <= 0.25 * 1_600


def test_without_sharing_most_requests_are_refused() -> None:
    found = simulate(Scenario("alone", 20, 400, 10.0, 3, shared=False))
    assert found.rejected > 100
