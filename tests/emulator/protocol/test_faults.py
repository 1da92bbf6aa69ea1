"""Fault rules: which are valid, and which requests they apply to."""

from __future__ import annotations

from typing import Any

import pytest

from twelvelabs_emulator import Settings
from twelvelabs_emulator.protocol.faults import Fault, FaultSchedule


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "earthquake"},
        {"kind": "status:200"},
        {"kind": "slow:now"},
        {"kind": "late"},
        {"path": "embed"},
        {"kind": "drop", "often": 3},
        {"kind": "drop", "every": 0},
        {"kind": "drop", "first": 1, "every": 2},
        {"kind": "drop", "probability": 2},
        {"kind": "drop", "times": 1.5},
        {"kind": "drop", "path": 3},
        "drop",
    ],
)
def test_rules_are_checked(rule: Any) -> None:
    with pytest.raises(ValueError, match="faults"):
        Settings(faults=[rule])


@pytest.mark.parametrize(
    ("rule", "method", "path", "expected"),
    [
        ({}, "GET", "embed", True),
        ({"path": "embed"}, "POST", "embed-v2", False),
        ({"path": "embed-v2/tasks/*"}, "GET", "embed-v2/tasks/1", True),
        ({"method": "post"}, "POST", "embed", True),
        ({"method": "POST"}, "GET", "embed", False),
        ({"path": "upload-part"}, "PUT", "upload-part/3", True),
        ({"path": "upload-part/2"}, "PUT", "upload-part/3", False),
    ],
)
def test_selection(rule: dict[str, Any], method: str, path: str, expected: bool) -> None:
    assert Fault(kind="drop", **rule).selects(method, path) is expected


def applied(rules: tuple[Fault, ...], count: int) -> list[str | None]:
    schedule = FaultSchedule()
    found = [schedule.next(rules, "POST", "embed") for _ in range(count)]
    return [None if fault is None else fault.kind for fault in found]


def test_the_first_rule_that_applies_wins() -> None:
    rules = (Fault(kind="drop", every=2), Fault(kind="lost", first=2))
    assert applied(rules, 6) == ["lost", "drop", "lost", "drop", None, "drop"]


def test_times_ends_a_rule() -> None:
    assert applied((Fault(kind="drop", every=2, times=1),), 5) == [None, "drop", None, None, None]


def test_probability_is_reproducible() -> None:
    rules = (Fault(kind="drop", probability=0.5, seed=3),)
    assert applied(rules, 50) == applied(rules, 50)
    assert 10 < applied(rules, 50).count("drop") < 40


@pytest.mark.parametrize("path", ["embed-v2/tasks", "/v1.3/embed-v2/tasks", "v1.3/embed-v2/tasks", "/embed-v2/tasks"])
def test_a_path_may_begin_with_the_version(path: str) -> None:
    assert Fault(kind="drop", path=path).selects("GET", "embed-v2/tasks")


@pytest.mark.parametrize(
    "path", ["http://127.0.0.1:8765/v1.3/embed", "/v1.3/", "", "embed/tasks?page=1", "/v1.2/embed", "v2/embed"]
)
def test_a_path_that_never_applies_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"a path below /v1\.3/"):
        Fault(kind="drop", path=path)
