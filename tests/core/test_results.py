"""Results: what their ``repr`` shows, which is never the vector."""

from __future__ import annotations

import pytest

from twelvelabs_core import Embedding, Segment


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (Embedding([0.0] * 3, "marengo3.0/512"), "Embedding(3 floats, marengo3.0/512)"),
        (Embedding([0.0], "s", truncated=True), "Embedding(1 floats, s, truncated)"),
        (Segment([0.0] * 2), "Segment(2 floats)"),
        (Segment([0.0], 0.0, 6.5, "visual", "clip"), "Segment(1 floats, 0-6.5 s, visual, clip)"),
        (Segment([0.0], scope="asset"), "Segment(1 floats, asset)"),
    ],
)
def test_repr(result: object, shown: str) -> None:
    assert repr(result) == shown
