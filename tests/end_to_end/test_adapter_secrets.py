"""Both adapters copied, pickled and printed: they go on working, and show their key nowhere. Failing calls are in
``test_key_of_failures.py``.
"""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import dumpd, dumps

from tests.support.adapters import KEY, Model
from twelvelabs_core import AuthenticationError, TwelveLabsError
from twelvelabs_emulator import Emulator

Make = Callable[..., Model]
SECRET = KEY.removeprefix("tlk_")

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "cloudpickle": lambda model: pickle.loads(pytest.importorskip("cloudpickle").dumps(model)),  # Ray, Spark
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda model: model.model_copy(),
    "model_copy-deep": lambda model: model.model_copy(deep=True),
}


@pytest.fixture(params=["argument", "TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY", "TWELVELABS_API_KEY, api_key=None"])
def keyed(framework: str, make: Make, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Model:
    """An adapter whose key came by argument or from the environment, where it is no more."""
    if request.param == "argument":
        return make()
    name, _, none = request.param.partition(", ")
    with monkeypatch.context() as environment:
        environment.setenv(name, KEY)
        base_url = make().adapter.base_url
        settings: dict[str, Any] = {"api_key": None} if none else {}
        return Model.make(framework, base_url=base_url, max_retries=0, **settings)


@pytest.mark.parametrize("how", list(COPIES))
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
def test_copies_work(keyed: Model, how: str, used: bool, caplog: pytest.LogCaptureFixture) -> None:
    if used:
        keyed.texts(["red", "blue"])
    again = Model(keyed.framework, COPIES[how](keyed.adapter))
    assert again.texts(["red", "blue"]) == keyed.texts(["red", "blue"])
    assert again.adapter.model_dump() == keyed.adapter.model_dump()
    assert not caplog.records, "LlamaIndex warns of attributes that do not pickle"


def test_settings_survive(make: Make) -> None:
    """Each setting, for a setting that is lost in a worker process falls back to a default there without a word."""
    numbers = {"dimensions": 256, "max_concurrency": 3, "max_retries": 2, "timeout": 5.0}
    given = {**numbers, "truncate": "none", "count_tokens": len}
    again = COPIES["pickle"](make(model="marengo3.5", **given).adapter)
    assert {name: getattr(again, name) for name in given} == given
    assert again.space == "marengo3.5/256"


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
def test_model_copy_with_a_change_uses_it(make: Make, emulator: Emulator, used: bool) -> None:
    model = make()
    if used:
        model.text("red")
    other = Model(
        model.framework, model.adapter.model_copy(update={model.model_field: "marengo3.5", "dimensions": 128})
    )
    assert len(other.text("red")) == 128
    assert emulator.requests[-1].body["model_name"] == "marengo3.5"
    assert (model.adapter.space, other.adapter.space) == ("marengo3.0/512", "marengo3.5/128")
    assert len(model.text("red")) == 512


def test_model_copy_with_a_change_keeps_the_key(keyed: Model) -> None:
    changed = Model(keyed.framework, keyed.adapter.model_copy(update={"max_concurrency": 2}))
    assert changed.text("red") == keyed.text("red")


def test_assignment_takes_effect(model: Model, emulator: Emulator) -> None:
    model.text("red")
    setattr(model.adapter, model.model_field, "marengo3.5")
    model.text("red")
    assert [request.body["model_name"] for request in emulator.requests] == ["marengo3.0", "marengo3.5"]


def shown(adapter: Any) -> list[str]:
    """Everything that a program may print, log, trace or store of a model."""
    texts = [
        repr(adapter),
        str(adapter),
        repr([adapter]),
        repr(adapter.model_dump()),
        adapter.model_dump_json(),
        repr(adapter.model_dump(mode="json")),
        repr(adapter.client),
        repr(vars(adapter.client)),
        repr(dumpd(adapter)),
        dumps(adapter),
        repr(adapter.__repr_args__()),
    ]
    if hasattr(adapter, "to_dict"):
        texts += [repr(adapter.to_dict()), adapter.to_json(), repr(adapter.to_payload())]
    return texts


def test_the_key_is_not_shown(keyed: Model) -> None:
    keyed.text("red")
    assert not [text for text in shown(keyed.adapter) if SECRET in text]


def logged(error: BaseException) -> str:
    """An error as logs show it, with its causes."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize(
    "failing",
    [
        lambda model: model.text(""),
        lambda model: model.images(["missing.png"]),
        lambda model: model.texts(["red", 5]),
        lambda model: model.composed(),
    ],
)
def test_errors_do_not_show_the_key(keyed: Model, failing: Callable[[Model], Any]) -> None:
    with pytest.raises(TwelveLabsError) as caught:
        failing(keyed)
    assert SECRET not in logged(caught.value)


def test_refused_keys(make: Make, emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    emulator.configure(api_keys=("another",))
    calls: list[Callable[[], Any]] = [lambda: make().text("red"), lambda: make().texts(["red", "blue", "green"])]
    for call in calls:
        with pytest.raises(AuthenticationError) as caught:
            call()
        assert caught.value.status == 401
        assert "\n" not in str(caught.value)
        assert SECRET not in logged(caught.value)
        assert SECRET not in repr(pickle.loads(pickle.dumps(caught.value)))
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "bad",
    [
        {"model": "marengo9"},
        {"dimensions": 256},
        {"dimensions": "many"},
        {"max_concurrency": 0},
        {"max_concurrency": "x"},
        {"truncate": "middle"},
        {"base_url": "ftp://x"},
        {"timeout": None},
        {"api_key": {"key": KEY}},
        {"api_key": f"{KEY}é"},
    ],
    ids=lambda bad: "-".join(f"{name}={value}" for name, value in bad.items()).replace(KEY, "KEY"),
)
def test_errors_at_construction_do_not_show_the_key(make: Make, bad: dict[str, Any]) -> None:
    with pytest.raises(Exception) as caught:  # ours, or pydantic's
        make(**bad)
    assert SECRET not in logged(caught.value)
