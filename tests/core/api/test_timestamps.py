"""Timestamps, as the API writes them."""

from __future__ import annotations

import pytest

from twelvelabs_core._api.timestamps import read_timestamp


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("2026-11-01T10:00:00Z", 1793527200),
        ("2026-11-01T10:00:00", 1793527200),
        ("2026-11-01T10:00:00.5Z", 1793527200.5),
        ("2026-11-01T10:00:00.123456789Z", 1793527200.123456789),
        ("2026-11-01T11:30:00+01:30", 1793527200),
        ("2026-11-01T08:00:00-0200", 1793527200),
        ("used up since 2026-10-31T00:00:00Z, try again after 2026-11-01T10:00:00Z.", 1793527200),
        ("2026-13-01T10:00:00Z", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_read_timestamp(text: str, epoch: float | None) -> None:
    assert read_timestamp(text) == epoch
