"""The example, as a newcomer runs it against the emulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twelvelabs_emulator import Emulator

pytestmark = pytest.mark.network

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_table_that_both_frameworks_search(emulator: Emulator) -> None:
    (EXAMPLES / "output" / "ray.sqlite").unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "ray_ingest.py")],
        env={
            **os.environ,
            "TWELVELABS_API_KEY": emulator.api_key,
            "TWELVELABS_BASE_URL": emulator.base_url,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "disabled",
            "PYTHONPATH": os.pathsep.join([str(EXAMPLES.parent / "src"), str(EXAMPLES)]),
        },
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    summary, langchain, llama_index = done.stdout.splitlines()
    assert summary.startswith("5 of 6 items done, 1 failed, 0 cached, 30 segments, 5 requests")
    assert langchain.startswith("LangChain:  ['day-at-the-sea.mp4 00:00:12-00:00:18 visual'")
    assert llama_index.startswith("LlamaIndex: ['Bread on a red and white checked cloth.'")
