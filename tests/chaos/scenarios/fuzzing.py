"""The fuzz tests of ``tests/``, many more cases of each."""

from __future__ import annotations

import importlib
import re
import sys
import time
from types import ModuleType
from typing import Any

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis.errors import HypothesisException

from twelvelabs_core import no_waiting

from ..scenario import Run, scenario

CASES = 100_000
# Cases of one test against those of another: those of whole clients take milliseconds, those of readers do not.
_SHARES = {
    "core.api": 3.0,
    "core.net": 2.0,
    "core.media": 1.0,
    "core.embed": 1.0,
    "core.cache": 0.5,
    "langchain": 0.5,
    "llama_index": 0.3,
}


def _tests() -> list[tuple[str, ModuleType, str]]:
    found = []
    for room in _SHARES:
        module = importlib.import_module(f"tests.{room}.test_fuzz")
        found += [(room, module, name) for name in vars(module) if name.startswith("test_")]
    return found


def _failures(error: BaseException) -> list[str]:
    inner = getattr(error, "exceptions", None)
    if inner:
        return [line for one in inner for line in _failures(one)]
    notes = " ".join(" ".join(note.split()) for note in getattr(error, "__notes__", ()))
    where = ""
    trace = error.__traceback__
    while trace is not None:
        if "/src/" in trace.tb_frame.f_code.co_filename:
            where = f" at {trace.tb_frame.f_code.co_filename.rpartition('/src/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return [f"{type(error).__name__}: {str(error)[:160]}{where} ({re.sub('# [^(]*?generated value', '', notes)[:300]})"]


@scenario("fuzz", limit_sec=3600)
def fuzz(run: Run) -> None:
    """Answers, headers, items, files and cache entries at random: only this package's errors come out, in time."""
    tests = _tests()
    total = sum(_SHARES[room] for room, _, _ in tests)
    cases = 0
    slowest = 0.0
    for room, module, name in tests:
        share = max(20, round(run.count(CASES) * _SHARES[room] / total))
        profile = settings(
            max_examples=share,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink],
        )
        test: Any = hypothesis.seed(run.seed)(profile(getattr(module, name)))
        counted = _Counted(test)
        started = time.monotonic()
        try:
            with no_waiting():
                test()
        except (Exception, HypothesisException) as error:
            for line in _failures(error):
                run.check(False, f"{room}/{name}: {line}")
        cases += counted.cases
        slowest = max(slowest, time.monotonic() - started)
        print(
            f"  {room}/{name}: {counted.cases} cases, {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True
        )
    run.outcome = {"tests": len(tests), "cases": cases, "failures": len(run.failures)}
    run.tried = f"{cases:,} cases by {len(tests)} fuzz tests (hypothesis)"


class _Counted:
    """Counts the cases of a hypothesis test."""

    def __init__(self, test: Any) -> None:
        self.cases = 0
        inner = test.hypothesis.inner_test

        def counting(*args: Any, **kwargs: Any) -> Any:
            self.cases += 1
            return inner(*args, **kwargs)

        counting.__signature__ = __import__("inspect").signature(inner)  # type: ignore[attr-defined]
        test.hypothesis.inner_test = counting
