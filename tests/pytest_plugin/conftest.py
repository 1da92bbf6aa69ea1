"""Runs of pytest in processes of their own, as in a user's project."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

#: Runs the files of a project; returns the finished process.
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_pytest(tmp_path: Path) -> Run:
    """Write a test file and run it, with this plugin and those that are named: what else is installed is left out."""

    def run(
        code: str, *options: str, plugins: tuple[str, ...] = (), environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        if code:
            (tmp_path / "test_it.py").write_text(textwrap.dedent(code))
        loaded = [argument for name in ("twelvelabs_pytest", *plugins) for argument in ("-p", name)]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *loaded, *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=150,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200", **(environment or {})},
        )

    return run


def outcome(done: subprocess.CompletedProcess[str]) -> str:
    """The last line of pytest's output, without the time."""
    lines = done.stdout.strip().splitlines() or [done.stderr]
    return lines[-1].strip("= ").rpartition(" in ")[0]
