"""Its tests: ``pytest examples/app_with_tests``. They need no key and no network, only ``[langchain,emulator]``."""

from __future__ import annotations

from pathlib import Path

import pytest
from app import Library
from langchain_core.language_models import FakeListChatModel
from PIL import Image

from twelvelabs_core import QuotaExceededError, ServerError, no_waiting
from twelvelabs_emulator import Emulator
from twelvelabs_pytest import Clock


@pytest.fixture
def library(twelvelabs_env: Emulator, tmp_path: Path) -> Library:
    (tmp_path / "bike.txt").write_text("The red bike belongs to Ann.")
    (tmp_path / "boat.txt").write_text("The boat sails at noon.")
    Image.new("RGB", (256, 256), "blue").save(tmp_path / "sea.png")
    return Library(tmp_path, FakeListChatModel(responses=["Ann's."]))


def test_it_answers_from_what_fits_the_question(library: Library, twelvelabs_env: Emulator) -> None:
    answer, sources = library.ask("Whose is the red bike?")
    assert answer == "Ann's."
    assert sources[0] == "bike.txt"
    assert library.ask("a blue photo")[1][0] == "sea.png"
    assert len(twelvelabs_env.requests) == 3 + 2, "a request for each file and each question"


@pytest.mark.twelvelabs(faults=[{"kind": "status:503", "path": "embed-v2", "first": 2}])
def test_it_survives_a_server_that_fails_twice(twelvelabs_env: Emulator, request: pytest.FixtureRequest) -> None:
    with no_waiting():
        library = request.getfixturevalue("library")
        assert library.ask("the red bike")[1][0] == "bike.txt"


def test_it_says_when_the_server_is_down(library: Library, twelvelabs_env: Emulator) -> None:
    twelvelabs_env.configure(faults=[{"kind": "status:503"}])
    with no_waiting(), pytest.raises(ServerError):
        library.ask("the red bike")


@pytest.mark.twelvelabs(limits={"text": (4, 86_400)})
def test_a_used_up_quota_is_back_the_next_day(library: Library, twelvelabs_clock: Clock) -> None:
    library.ask("the red bike")
    with pytest.raises(QuotaExceededError):
        library.ask("the boat")
    twelvelabs_clock.advance(days=1)
    assert library.ask("the boat")[1][0] == "boat.txt"
