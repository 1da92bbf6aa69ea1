"""What every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from twelvelabs_emulator import Emulator


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """One emulator for the whole run. Tests ask for `emulator`, which is as new every time."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator) -> Iterator[Emulator]:
    """The API on a port of this machine: ``.base_url``, ``.api_key``, ``.requests``, ``.configure(…)``."""
    running_emulator.reset()
    yield running_emulator
    running_emulator.reset()
