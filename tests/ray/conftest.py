"""Ray for the tests of this folder: one local cluster, started by the first test that asks for it."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent

# Ray imports it, and it keeps the class of sockets that it finds: in a unit test the one that refuses, and then the
# emulator's server has that for the rest of the run.
with contextlib.suppress(ImportError):
    importlib.import_module("uvloop")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ray warns of its own settings, wherever its context is made first."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:.use_.*. is deprecated:DeprecationWarning"))


@pytest.fixture(scope="package")
def ray() -> Iterator[Any]:
    """Ray with two CPUs, and no reports to anybody."""
    settings = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray.data

        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
    yield ray
    ray.shutdown()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
