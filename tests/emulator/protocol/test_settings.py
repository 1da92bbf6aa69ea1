"""Settings: what is accepted, how changes are applied, and the command line."""

from __future__ import annotations

from typing import Any

import pytest

from twelvelabs_emulator import Settings
from twelvelabs_emulator.protocol.faults import Fault
from twelvelabs_emulator.protocol.settings import choices, from_text


@pytest.mark.parametrize(
    "changes",
    [
        {"limits": {"words": [1, 1]}},
        {"limits": {"text": [1]}},
        {"limits": {"text": [1, 0]}},
        {"limits": {"text": [[1, 2, 3]]}},
        {"limits": [1, 2]},
        {"limit_minutes": {"text": [1, 1]}},
        {"plan": "gold"},
        {"retry_after": "soon"},
        {"quota_after": -1},
        {"quota_after": "many"},
    ],
)
def test_settings_are_checked(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        Settings(**changes)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("limits", '{"text": [5, 1]}', {"text": ((5, 1.0),)}),
        ("limit_minutes", '{"audio": [[1, 60], [9, 3600]]}', {"audio": ((1, 60.0), (9, 3600.0))}),
        ("plan", "tier2", "tier2"),
        ("plan", "none", None),
        ("quota_after", "3", 3),
        ("retry_after", "11382", 11382),
        ("retry_after", "date", "date"),
        ("faults", '[{"kind": "drop", "every": 3}]', (Fault(kind="drop", every=3),)),
        ("task_failures", '["one, two", "three"]', ("one, two", "three")),
        ("v1_models", "marengo3.0", ("marengo3.0",)),
        ("unknown_asset_status", "404", 404),
        ("text_image_share", "false", False),
        ("task_sec", "1.5", 1.5),
    ],
)
def test_settings_on_the_command_line(name: str, text: str, value: Any) -> None:
    assert getattr(Settings().replace(**{name: from_text(name, text)}), name) == value


def test_replace_keeps_unchanged_values_as_they_are() -> None:
    """Counters and fault rules start again only if their own setting is replaced."""
    before = Settings(limits={"text": (5, 60)}, faults=[{"kind": "drop"}], asset_failures=["no"])
    after = before.replace(latency_sec=1)
    assert after.latency_sec == 1 and before.latency_sec == 0
    assert after.limits is before.limits
    assert after.faults is before.faults
    assert after.asset_failures is before.asset_failures


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "no such setting: colour"),
        ({"palns": "free"}, "no such setting: palns; did you mean plan?"),
        ({"plan": "gold"}, "plan: Input should be 'free', 'tier1', 'tier2' or 'tier3'; got 'gold'"),
        ({"faults": [{"kind": "drop", "often": 3}]}, "no such setting: faults.0.often"),
        ({"latency_sec": True}, "latency_sec: Input should be a valid number; got True"),
        ({"latency_sec": float("inf")}, "latency_sec: Input should be a finite number; got inf"),
        (
            {"retry_after": "soon"},
            "retry_after: Input should be 'seconds', 'date', 'none' or a number; got 'soon'",
        ),
        (
            {"faults": [{"kind": "quake"}]},
            "faults.0.kind: there is no such kind of fault; the kinds are status:503, html:502, slow:2.0, late:2.0, "
            "drop, drop_half, lost, not_json, echo_key, part_error, no_segments, extra_fields, no_metadata, nan, "
            "wrong_dimension, empty_data; got 'quake'",
        ),
        ({"api_keys": "tlk_a"}, "api_keys: Input should be a valid tuple; got 'tlk_a'"),
    ],
)
def test_replace_explains_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        Settings().replace(**changes)
    assert str(error.value) == message


def test_settings_are_frozen_and_comparable() -> None:
    assert Settings() == Settings() and Settings(megabyte=1) != Settings()
    with pytest.raises(ValueError, match="frozen"):
        Settings().megabyte = 1
    with pytest.raises(ValueError, match="colour"):
        Settings(colour="red")  # type: ignore[call-arg]


def test_json_has_no_keys_and_no_python_objects() -> None:
    settings = Settings(faults=[{"kind": "drop", "times": 1}], limits={"text": [5, 1]}, url_files={"http://a": b""})
    shown = settings.as_json()
    assert set(Settings.model_fields) - set(shown) == {"api_keys", "count_tokens", "url_files"}
    assert shown["faults"] == [{"kind": "drop", "path": "*", "times": 1, "seed": 0}]
    assert shown["limits"] == {"text": [[5, 1]]}


def test_choices() -> None:
    assert choices("limit_body") == ("flat", "nested", "empty")
    assert choices("megabyte") == ()


def test_unknown_names_on_the_command_line() -> None:
    for name in ("colour", "count_tokens", "url_files"):
        with pytest.raises(ValueError, match=name):
            from_text(name, "1")


def test_the_clock_can_be_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    assert Settings(clock_offset_sec=60).now() == 1060
