"""``examples/app_with_tests``: a RAG application whose own tests pass, and fail where it is broken."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.pytest_plugin.conftest import Run, outcome

EXAMPLE = Path(__file__).parents[2] / "examples" / "app_with_tests"


def test_its_tests_pass_without_key_and_network(run_pytest: Run, tmp_path: Path) -> None:
    for file in EXAMPLE.glob("*.py"):
        shutil.copy(file, tmp_path)
    assert sum(len(file.read_text("utf-8").splitlines()) for file in EXAMPLE.glob("*.py")) < 100
    options = ("--disable-socket", "--allow-unix-socket", "--strict-markers")
    done = run_pytest("", *options, plugins=("pytest_socket",))
    assert outcome(done) == "4 passed", done.stdout + done.stderr


def test_its_tests_find_a_mistake(run_pytest: Run, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "test_app.py", tmp_path)
    code = (EXAMPLE / "app.py").read_text("utf-8")
    (tmp_path / "app.py").write_text(code.replace("*notes, *photos", "*notes"))
    done = run_pytest("", "-k", "answers")
    assert outcome(done).startswith("1 failed"), done.stdout
