"""The questions to the real service, put to emulators whose answers are known: all differences found, none invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from twelvelabs_emulator import Emulator, Settings
from twelvelabs_emulator.__main__ import _parser, _settings
from twelvelabs_emulator.live import questions
from twelvelabs_emulator.live.__main__ import main
from twelvelabs_emulator.live.questions import QUESTIONS
from twelvelabs_emulator.live.report import Outcome, as_table, ask_all, differences
from twelvelabs_emulator.live.service import Service

KEY = "tlk_of_the_account"
# The published limits, as every account has some: without any there are no headers.
ACCOUNT: dict[str, Any] = {"plan": "free", "api_keys": (KEY,)}
ALIKE: dict[str, Any] = {}
OTHER: dict[str, Any] = {
    "unit_length": False,
    "reset_fraction": True,
    "over_long_text_v2_marengo30": "cut",
    "blank_text": "embed",
    "normalize_prefix": False,
    "text_image_share": False,
    "exif_orientation": "ignore",
    "v1_models": ("marengo3.0",),
    "model_name_ignores_case": True,
    "missing_model_name": "marengo3.0",
    "unknown_fields": "ignore",
    "null_fields": "refuse",
    "empty_fields": "refuse",
    "text_files": "refuse",
    "unknown_asset_status": 404,
    "not_found_status": 400,
    "unready_asset": "accept",
    "audio_v1_two_vectors": False,
    "shuffle_segments": True,
    "soundless_video": "embed",
    "task_list_filenames": False,
    "visual_text_marengo30": "visual",
    "fractional_clip_length": "accept",
    "lone_video_scope": "accept",
}
MIXED: dict[str, Any] = {
    "limit_headers": "old",
    "v2_error_shape": "flat",
    "over_long_text_code": "token_limit_exceeded",
    "audio_v1_labels": True,
    "visual_text_marengo30": "refuse",
    "lone_video_scope": "accept",
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_PAUSE_SEC", 0.01)


@pytest.fixture
def service(emulator: Emulator) -> Service:
    return Service(emulator.base_url, KEY)


def ask(service: Service) -> Outcome:
    return ask_all(service, QUESTIONS, lambda _: None)


@pytest.mark.parametrize("real", [ALIKE, OTHER, MIXED, {"v2_error_codes": "upper"}, {"limit_headers": "none"}])
def test_all_differences_are_found_and_none_is_invented(emulator: Emulator, service: Service, real: Any) -> None:
    emulator.configure(**ACCOUNT, **real)
    outcome = ask(service)
    assert outcome.stopped is None
    # Some answers hide others.
    hidden: set[str] = set()
    if real.get("limit_headers") == "none":
        hidden |= {"text_image_share", "reset_fraction"}
    if not real.get("unit_length", True):
        hidden |= {"normalize_prefix"}
    if real.get("over_long_text_v2_marengo30") == "cut":
        hidden |= {"v2_error_shape", "v2_error_codes"}
    if "over_long_text_v2_marengo30" in real or "v2_error_codes" in real:
        hidden |= {"over_long_text_code"}
    assert set(outcome.unanswered) == hidden
    assert differences(outcome, Settings()) == {name: value for name, value in real.items() if name not in hidden}
    assert service.requests <= 80 and service.media_sec <= 120


def test_a_prefix_that_is_not_scaled(emulator: Emulator, service: Service) -> None:
    emulator.configure(**ACCOUNT, normalize_prefix=False)
    assert differences(ask(service), Settings()) == {"normalize_prefix": False}


def test_the_cost_that_is_told_is_the_most(emulator: Emulator, service: Service) -> None:
    emulator.configure(**ACCOUNT, task_polls=100, task_unasked_sec=None)
    outcome = ask(service)
    assert "visual_text_marengo30" not in outcome.found and outcome.stopped is None
    assert service.requests <= sum(question.requests for question in QUESTIONS) <= 80
    assert service.media_sec == sum(question.media_sec for question in QUESTIONS) <= 120


@pytest.mark.parametrize(
    ("budget", "why"), [({"most_requests": 5}, "5 requests"), ({"most_media_sec": 20}, "20 seconds of media")]
)
def test_the_budget_ends_it(emulator: Emulator, budget: dict[str, Any], why: str) -> None:
    emulator.configure(**ACCOUNT, blank_text="embed")
    service = Service(emulator.base_url, KEY, **budget)
    outcome = ask(service)
    assert outcome.stopped is not None and why in outcome.stopped
    assert differences(outcome, Settings()) == {"blank_text": "embed"}
    assert len(emulator.requests) <= budget.get("most_requests", 80)


@pytest.mark.parametrize(
    ("change", "why"),
    [({"quota_after": 4}, "quota"), ({"api_keys": ("tlk_other",)}, "the key is refused")],
)
def test_quota_and_key_end_it(emulator: Emulator, service: Service, change: dict[str, Any], why: str) -> None:
    emulator.configure(**(ACCOUNT | change))
    outcome = ask(service)
    assert outcome.stopped is not None and why in outcome.stopped
    assert differences(outcome, Settings()) == {}


def test_a_server_that_fails_answers_nothing(emulator: Emulator, service: Service) -> None:
    emulator.configure(**ACCOUNT, faults=[{"kind": "html:502", "path": "embed-v2"}, {"kind": "drop", "path": "assets"}])
    outcome = ask(service)
    assert outcome.stopped is None and outcome.unanswered["blank_text"] == "status 502"
    assert differences(outcome, Settings()) == {}


def test_ctrl_c_keeps_what_is_known(emulator: Emulator, service: Service) -> None:
    emulator.configure(**ACCOUNT, over_long_text_v2_marengo30="cut")

    def press(line: str) -> None:
        if line.startswith("blank_text"):
            raise KeyboardInterrupt

    outcome = ask_all(service, QUESTIONS, press)
    assert outcome.stopped == "interrupted"
    assert differences(outcome, Settings()) == {"over_long_text_v2_marengo30": "cut"}


def test_an_asset_that_gets_ready_meanwhile_tells_nothing(emulator: Emulator, service: Service) -> None:
    """Its use is accepted as that of any asset."""
    emulator.configure(
        **ACCOUNT, asset_polls=0, asset_ready_sec=0.05, faults=[{"kind": "late:0.3", "path": "assets", "first": 1}]
    )
    outcome = ask(service)
    assert outcome.unanswered["unready_asset"] == "it was ready soon"
    assert service.left == []


def test_an_asset_that_cannot_be_deleted_is_named(emulator: Emulator, service: Service) -> None:
    emulator.configure(**ACCOUNT, faults=[{"kind": "status:503", "method": "DELETE"}])
    outcome = ask(service)
    (left,) = service.left
    assert f"on the account still: asset {left}." in as_table(outcome, QUESTIONS, Settings(), service)


@pytest.mark.parametrize("budget", range(12))
def test_no_budget_leaves_an_asset(emulator: Emulator, budget: int) -> None:
    emulator.configure(**ACCOUNT)
    service = Service(emulator.base_url, KEY, most_requests=budget)
    chosen = [question for question in QUESTIONS if question.settings in (("unready_asset",), ("blank_text",))]
    ask_all(service, chosen * 2, lambda _: None)
    assert len(emulator.requests) <= budget
    made = [request.method for request in emulator.requests if request.path.endswith("assets")]
    gone = [request for request in emulator.requests if request.method == "DELETE"]
    assert len(made) == len(gone) == (budget >= 5) + (budget >= 9)


def test_what_cannot_be_written_is_said_before_anything_is_paid(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWELVELABS_API_KEY", KEY)
    (tmp_path / "file").touch()
    given = ["--base-url", emulator.base_url, "--output"]
    assert main([*given, str(tmp_path / "file"), "--yes"]) == 2
    assert "Cannot write into" in capsys.readouterr().err

    def press(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", press)
    assert main([*given, str(tmp_path / "live")]) == 1
    for wrong in (["--most-requests", "-1"], ["--most-media", "nan"]):
        with pytest.raises(SystemExit):
            main([*given, str(tmp_path / "live"), *wrong])
    assert emulator.requests == []


def test_the_command(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It tells the cost and asks; what it writes makes an emulator of the same kind, and has no key in it."""
    options = ["--base-url", emulator.base_url, "--output", str(tmp_path / "live")]
    assert main(options) == 2 and "TWELVELABS_API_KEY" in capsys.readouterr().err
    monkeypatch.setenv("TWELVELABS_API_KEY", KEY)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert main(options) == 1 and emulator.requests == []
    assert "60 seconds of audio and video" in capsys.readouterr().out
    emulator.configure(**ACCOUNT, **MIXED)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert main(options) == 0
    printed = capsys.readouterr().out
    assert f"defaults: {len(MIXED)}." in printed
    written = [(tmp_path / "live" / name).read_text("utf-8") for name in ("real.json", "report.md")]
    assert KEY not in "".join([printed, *written])
    assert "| `limit_headers` | on every response, of two schemes | `'dimensions'` | `'old'` | differs |" in written[1]
    loaded = _settings(_parser().parse_args(["--settings", str(tmp_path / "live" / "real.json")]))
    assert {name: getattr(loaded, name) for name in json.loads(written[0])} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(written[0]).items()
    }
    assert all(getattr(loaded, name) == value for name, value in MIXED.items())


@pytest.mark.parametrize("text", ["[]", "{", None])
def test_a_settings_file_that_is_none(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "real.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match="--settings"):
        _settings(_parser().parse_args(["--settings", str(file)]))
