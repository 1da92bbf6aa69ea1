"""The fixtures, the marker and the record mode, as a project's tests use them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.pytest_plugin.conftest import Run, outcome
from twelvelabs_emulator import Emulator

ROOT = Path(__file__).parents[2]

FIXTURES = """
    import os

    import pytest
    from twelvelabs_core import EmbeddingClient, QuotaExceededError

    keys = set()

    def client(**settings):
        return EmbeddingClient(max_retries=0, **settings)

    @pytest.mark.parametrize("number", [1, 2])
    def test_it_is_reset_and_the_key_is_new(twelvelabs_env, number):
        assert os.environ["TWELVELABS_BASE_URL"] == twelvelabs_env.base_url
        assert os.environ["TWELVELABS_API_KEY"] == twelvelabs_env.api_key
        assert "TWELVE_LABS_API_KEY" not in os.environ
        assert twelvelabs_env.requests == [] and twelvelabs_env.settings.megabyte == 1_000_000
        keys.add(twelvelabs_env.api_key)
        assert len(keys) == number
        assert len(client().embed("a red bike").vector) == 512
        twelvelabs_env.configure(megabyte=1)
        assert len(twelvelabs_env.requests) == 1

    def test_the_environment_is_as_before(twelvelabs_emulator):
        assert os.environ["TWELVE_LABS_API_KEY"] == "tlk_real" and "TWELVELABS_BASE_URL" not in os.environ

    @pytest.mark.twelvelabs(plan="tier1", megabyte=2)
    class TestOfAClass:
        @pytest.mark.twelvelabs(plan="free", faults=[{"kind": "status:503", "first": 1}])
        def test_the_marker_of_the_function_comes_first(self, twelvelabs_env):
            assert (twelvelabs_env.settings.plan, twelvelabs_env.settings.megabyte) == ("free", 2)
            with pytest.raises(Exception, match="503"):
                client().embed("a")
            client().embed("a")

        def test_that_of_the_class(self, twelvelabs_emulator):
            assert twelvelabs_emulator.settings.plan == "tier1"

        def test_one_that_needs_no_emulator(self):
            pass

    @pytest.mark.twelvelabs(quota_after=1)
    def test_the_next_day(twelvelabs_env, twelvelabs_clock):
        mine = client()
        mine.embed("a")
        with pytest.raises(QuotaExceededError):
            mine.embed("b")
        twelvelabs_clock.advance(days=1)
        mine.embed("b")
        with pytest.raises(ValueError, match="ahead"):
            twelvelabs_clock.advance(hours=-1)

    def test_a_job_is_ready_at_once(twelvelabs_emulator, twelvelabs_clock):
        twelvelabs_clock.advance(minutes=2, seconds=1)
        assert twelvelabs_emulator.settings.clock_offset_sec == 121

    @pytest.mark.twelvelabs(plan="free")
    def test_wrong_without_fixture():
        pass

    @pytest.mark.twelvelabs("free")
    def test_wrong_by_position(twelvelabs_env):
        pass

    @pytest.mark.twelvelabs(colour="red")
    def test_wrong_setting(twelvelabs_env):
        pass
"""


def test_fixtures_marker_and_clock(run_pytest: Run) -> None:
    done = run_pytest(FIXTURES, "--strict-markers", environment={"TWELVE_LABS_API_KEY": "tlk_real"})
    assert outcome(done) == "8 passed, 3 errors", done.stdout
    assert "needs the fixture twelvelabs_env or twelvelabs_emulator" in done.stdout
    assert "takes settings by name, such as plan='free'" in done.stdout
    assert "no such setting: colour" in done.stdout


def test_it_works_with_other_plugins(run_pytest: Run) -> None:
    """Sockets forbidden but for the emulator, asynchronous tests, workers of pytest-xdist if there is one."""
    code = """
        import socket
        import pytest
        from twelvelabs_core import EmbeddingClient

        def test_the_emulator(twelvelabs_env):
            assert EmbeddingClient().embed("a").vector

        async def test_from_a_coroutine(twelvelabs_env):
            assert (await EmbeddingClient().aembed("a")).vector

        def test_no_other_host(twelvelabs_emulator):
            with pytest.raises(RuntimeError, match="192.0.2.1"), pytest.warns(UserWarning):
                socket.create_connection(("192.0.2.1", 80), timeout=0.1)

        @pytest.mark.filterwarnings("ignore")
        def test_no_socket():
            with pytest.raises(RuntimeError, match="socket"):
                socket.socket()
    """
    options = ["--disable-socket", "--allow-unix-socket", "--strict-markers"]
    options += ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    done = run_pytest(code, *options, plugins=("pytest_socket", "pytest_asyncio.plugin"))
    assert outcome(done) == "4 passed", done.stdout + done.stderr


def test_a_client_that_an_app_made_at_its_import_asks_nobody(run_pytest: Run) -> None:
    """It has the service's address, and here a real key: its requests would be charged."""
    code = """
        import pytest
        from twelvelabs_core import EmbeddingClient, InvalidInputError

        made_at_import = EmbeddingClient()

        def test_it(twelvelabs_env):
            with pytest.raises(InvalidInputError, match="https://api.twelvelabs.io; nothing was sent"):
                made_at_import.embed("a red bike")
            assert EmbeddingClient().embed("a red bike").vector

        async def test_from_a_coroutine(twelvelabs_emulator):
            with pytest.raises(InvalidInputError, match="Make the client in the test"):
                await made_at_import.aembed("a red bike")
    """
    options = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    environment = {"TWELVELABS_API_KEY": "tlk_real", "TWELVELABS_BASE_URL": ""}
    done = run_pytest(code, *options, plugins=("pytest_asyncio.plugin",), environment=environment)
    assert outcome(done) == "2 passed", done.stdout + done.stderr


def test_a_client_without_the_address_asks_nobody_either(run_pytest: Run) -> None:
    """The app is imported by the test, and the fixture alone sets no address."""
    code = """
        import pytest

        def test_it(twelvelabs_emulator):
            from twelvelabs_core import EmbeddingClient, InvalidInputError
            with pytest.raises(InvalidInputError, match="https://api.twelvelabs.io; nothing was sent"):
                EmbeddingClient().embed("a red bike")
    """
    done = run_pytest(code, environment={"TWELVELABS_API_KEY": "tlk_real", "TWELVELABS_BASE_URL": ""})
    assert outcome(done) == "1 passed", done.stdout + done.stderr


def test_it_costs_nothing_where_it_is_not_used(run_pytest: Run) -> None:
    code = """
        import sys

        def test_nothing_is_imported():
            heavy = {"twelvelabs_core", "twelvelabs_emulator", "starlette", "uvicorn", "numpy", "pydantic", "httpx"}
            assert not heavy & set(sys.modules)
    """
    assert outcome(run_pytest(code, "--strict-markers")) == "1 passed"


def test_without_the_extra_it_says_what_to_install(run_pytest: Run) -> None:
    code = """
        import sys
        sys.modules["starlette"] = None

        def test_it(twelvelabs_env):
            pass
    """
    done = run_pytest(code)
    assert outcome(done) == "1 error"
    assert "pip install 'twelvelabs-embeddings[emulator]'" in done.stdout


def test_the_entry_point_is_the_module() -> None:
    """Under its own name: pytest then takes ``-p twelvelabs_pytest`` and the entry point as one plugin."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.search(r'^\[project\.entry-points\.pytest11\]\ntwelvelabs_pytest = "twelvelabs_pytest"$', text, re.M)


RECORDED = """
    import os
    import pytest
    from twelvelabs_core import EmbeddingClient

    @pytest.mark.twelvelabs(recording="answers")
    def test_recorded(twelvelabs_env):
        vector = EmbeddingClient().embed("a red bike").vector
        assert vector == [round(number, 6) for number in vector]
        assert len(twelvelabs_env.requests) == 1

    def test_of_the_emulator(twelvelabs_env):
        assert os.environ["TWELVELABS_API_KEY"] != "tlk_of_the_account"
        assert EmbeddingClient().embed("a blue boat").vector
"""


def test_answers_are_recorded_with_a_key_and_replayed_without(run_pytest: Run, tmp_path: Path) -> None:
    key = "tlk_of_the_account"
    done = run_pytest(RECORDED)
    assert outcome(done) == "1 failed, 1 passed" and "No answer is recorded" in done.stdout
    done = run_pytest("", "--twelvelabs-record", environment={"TWELVELABS_API_KEY": "", "TWELVE_LABS_API_KEY": ""})
    assert outcome(done) == "1 passed, 1 error" and "needs a real key in TWELVELABS_API_KEY" in done.stdout
    with Emulator() as service:
        service.configure(api_keys=(key,))
        real = {"TWELVELABS_API_KEY": key, "TWELVELABS_BASE_URL": service.base_url}
        forbidden = ("--disable-socket", "--allow-unix-socket")  # Not for those that are recorded.
        done = run_pytest("", "--twelvelabs-record", *forbidden, plugins=("pytest_socket",), environment=real)
        assert outcome(done) == "2 passed", done.stdout
        (request,) = service.requests
        assert request.body["text"] == {"input_text": "a red bike"}
    (file,) = (tmp_path / "answers").iterdir()
    assert json.loads(file.read_text())["status"] == 200 and key not in file.read_text()
    assert outcome(run_pytest("")) == "2 passed"
