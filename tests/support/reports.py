"""Reports of workers to a shared limit, at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from twelvelabs_core._net.limits.shared.decision import PLENTY, Report


def a_report(**changes: Any) -> Report:
    """A worker that tells and asks nothing, but for ``changes``."""
    report: Report = {
        "worker": "a",
        "seq": 0,
        "holds": [0, 0],
        "settled": [],
        "rejected": [],
        "gate": 0,
        "told": [],
        "windows": [],
        "share": 0,
        "kept_sec": PLENTY,
        "quick": 0,
        "ask": [[0, 0, 0], [0, 0, 0]],
    }
    return {**report, **changes}  # type: ignore[typeddict-item]


def ask(bulk: int = 0, *, spare: int = 0, interactive: int = 0, minutes: float = 0.0) -> list[list[float]]:
    return [[interactive, 0, minutes], [bulk, spare, minutes]]


_windows = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 10, 100]),
        st.sampled_from([0.5, 2.0, 60.0, 86_400.0]),
        st.just(0),
        st.integers(0, 3),
        st.integers(0, 1),
    ),
    max_size=2,
    unique_by=lambda window: window[1],
)
_minutes = st.sampled_from([0, 0, 0.25, 1.1])


@st.composite
def conversations(draw: st.DrawFn) -> list[tuple[Report, float]]:
    """Reports of some workers with the seconds that passed before each: no rule but their form."""
    windows = [list(window) for window in draw(_windows)]
    if draw(st.booleans()):
        windows.append([10.5, 3.0, 1, 0.5, 0])
    seqs = dict.fromkeys("abcd", 0)
    told = []
    for _ in range(draw(st.integers(1, 25))):
        worker = draw(st.sampled_from("abcd"))
        seqs[worker] += draw(st.integers(0, 1))
        ages = sorted(draw(st.lists(st.floats(0, 4), max_size=3)), reverse=True)
        report = a_report(
            worker=worker,
            seq=seqs[worker],
            holds=[draw(st.integers(0, 20)), draw(_minutes)],
            settled=[[age, draw(st.integers(0, 30)), draw(_minutes)] for age in ages],
            rejected=draw(st.sampled_from([[], [], [], [-1], [0.3], [2]])),
            gate=draw(st.sampled_from([0, 0, 0, 0.5])),
            told=draw(
                st.sampled_from([[], [], [0.1, 3, 1.5, -1], [0.0, 50, -1, 60], [0.3, -1, 2.0, -1], [0.0, 0, 0.5, 40]])
            ),
            windows=windows,
            share=draw(st.sampled_from([0, 0.05, 0.5])),
            kept_sec=draw(st.sampled_from([0, 5, PLENTY])),
            quick=draw(st.sampled_from([0, 0, 1])),
            ask=[
                [draw(st.sampled_from([0, 0, 1, 3])), 0, draw(_minutes)],
                [draw(st.sampled_from([0, 1, 10, 64])), draw(st.sampled_from([0, 5, 100])), draw(_minutes)],
            ],
        )
        told.append((report, draw(st.sampled_from([-3.0, 0.0, 0.004, 0.3, 2.0, 7.0, 70.0]))))
    return told
