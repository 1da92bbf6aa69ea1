"""A pytest plugin: the emulator and the clock of rate limits as fixtures, for the tests of your own application.

.. code-block:: python

    def test_search(twelvelabs_env):              # the emulator runs; address and key are in the environment
        assert search("a red bike")               # your code, unchanged
        assert len(twelvelabs_env.requests) == 1

    @pytest.mark.twelvelabs(plan="free", faults=[{"kind": "status:503", "first": 2}])
    def test_search_on_a_bad_day(twelvelabs_env): ...

pytest loads it in every run where the package is installed, so it imports nothing of the package before a test asks for
a fixture. ``-p no:twelvelabs_pytest`` turns it off.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from twelvelabs_emulator import Emulator

__all__ = ["Clock", "twelvelabs_clock", "twelvelabs_emulator", "twelvelabs_env"]

_RECORD = "--twelvelabs-record"
_ADDRESS, _KEY, _OTHER_KEY = "TWELVELABS_BASE_URL", "TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY"
_SERVICE = "https://api.twelvelabs.io/v1.3"
_LOOPBACK = "127.0.0.1"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the record mode."""
    parser.getgroup("twelvelabs").addoption(
        _RECORD,
        action="store_true",
        help=f"tests with @pytest.mark.twelvelabs(recording=...) ask the real service (needs {_KEY}, and is charged) "
        "and record its answers",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "twelvelabs(**settings): settings of the emulator for this test, such as plan='free' or faults=[...]; "
        "recording='folder' (beside the test) gives recorded answers",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where pytest-socket forbids sockets, allow the tests that use the emulator this machine, and nothing else."""
    allowed = config.getoption("--allow-hosts", default=None)
    if not allowed and not config.getoption("--disable-socket", default=False):
        return
    hosts = [*(allowed.split(",") if allowed else ()), _LOOPBACK]
    for item in items:
        own = any(item.get_closest_marker(name) for name in ("allow_hosts", "enable_socket", "disable_socket"))
        if own or not _uses_emulator(item):
            continue
        if config.getoption(_RECORD) and any("recording" in mark.kwargs for mark in item.iter_markers("twelvelabs")):
            item.add_marker(pytest.mark.enable_socket)
        else:
            item.add_marker(pytest.mark.allow_hosts(hosts))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker without a fixture: the test would run with nothing of what it says."""
    if any(mark.name == "twelvelabs" for mark in item.own_markers) and not _uses_emulator(item):
        pytest.fail("@pytest.mark.twelvelabs needs the fixture twelvelabs_env or twelvelabs_emulator.", pytrace=False)


def _uses_emulator(item: pytest.Item) -> bool:
    return "twelvelabs_emulator" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def _twelvelabs_running() -> Iterator[Emulator]:
    """Start one emulator for the whole run; with pytest-xdist, one for each worker."""
    try:
        from twelvelabs_emulator import Emulator, Settings
    except ModuleNotFoundError as error:
        install = "pip install 'twelvelabs-embeddings[emulator]'"
        pytest.fail(f"The emulator needs the package {error.name}: {install}", pytrace=False)
    with Emulator(Settings(api_keys=())) as emulator:
        yield emulator


@pytest.fixture
def twelvelabs_emulator(request: pytest.FixtureRequest, _twelvelabs_running: Emulator) -> Iterator[Emulator]:
    """The emulator, reset for each test, with the settings of its marker: ``.base_url``, ``.api_key``, ``.requests``.

    It accepts any key. ``.api_key`` is new for each test, so that no test finds an account whose limit another has used
    up. A client that was made before, with the service's address and perhaps a real key, sends nothing.
    """
    _twelvelabs_running.reset()
    _twelvelabs_running.configure(**_settings(request.node))
    from twelvelabs_core import local_only  # Here: a project that does not use the fixture imports nothing.

    with local_only():
        yield _twelvelabs_running
    _twelvelabs_running.reset()


@pytest.fixture
def twelvelabs_env(
    request: pytest.FixtureRequest, twelvelabs_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Emulator:
    """The emulator, whose address and key are in the environment, where clients look for them.

    Make the client in the test, or in what the test calls: one that was made before has another address.
    """
    monkeypatch.setenv(_ADDRESS, twelvelabs_emulator.base_url)
    if twelvelabs_emulator.settings.record_from is None:  # Otherwise the key is the real one.
        monkeypatch.setenv(_KEY, twelvelabs_emulator.api_key)
        monkeypatch.delenv(_OTHER_KEY, raising=False)
    return twelvelabs_emulator


class Clock:
    """The time of the emulator, and of the rate limits of this process's clients."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass at once: windows of rate limits empty, tasks and assets get ready, upload URLs expire.

        Raises:
            ValueError: it would not pass forwards.
        """
        passed = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if passed <= 0:
            raise ValueError(f"the clock can only be moved ahead, not by {passed:g} seconds")
        self._emulator.configure(clock_offset_sec=self._emulator.settings.clock_offset_sec + passed)
        core = sys.modules.get("twelvelabs_core")
        if core is not None:  # Otherwise this process has no client whose clock there is.
            core.advance_clock(passed)


@pytest.fixture
def twelvelabs_clock(twelvelabs_emulator: Emulator) -> Clock:
    """Time that passes at once: ``twelvelabs_clock.advance(days=1)``."""
    return Clock(twelvelabs_emulator)


def _settings(node: pytest.Item) -> dict[str, Any]:
    """Return the settings of a test's markers: those of the function before those of its class and module."""
    settings: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("twelvelabs"))):
        if marker.args:
            pytest.fail("@pytest.mark.twelvelabs takes settings by name, such as plan='free'.", pytrace=False)
        settings |= marker.kwargs
    if settings.get("recording") is not None:
        settings["recording"] = node.path.parent / Path(settings["recording"])
        if node.config.getoption(_RECORD):
            if not (os.environ.get(_KEY) or os.environ.get(_OTHER_KEY)):
                pytest.fail(f"{_RECORD} needs a real key in {_KEY}.", pytrace=False)
            settings["record_from"] = os.environ.get(_ADDRESS) or _SERVICE
    return settings
