"""JSON as a broken or hostile server sends it: any type in any place, and numbers that JSON cannot have."""

from __future__ import annotations

import json
from typing import Any

import httpx
from hypothesis import strategies as st

plain = st.sampled_from([None, True, False, 0, -1, 7, 10**30, 0.5, 1e308, float("inf"), float("nan"), "", "x", "é\x00"])
names = st.sampled_from(["_id", "status", "é"])
anything = plain | st.lists(plain, max_size=2) | st.dictionaries(names, plain, max_size=2)


def answer_of(body: Any) -> httpx.Response:
    """A 200 with any JSON, ``Infinity`` and ``NaN`` included."""
    return httpx.Response(200, content=json.dumps(body).encode())
