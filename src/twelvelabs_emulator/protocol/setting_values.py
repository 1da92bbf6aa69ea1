"""What a setting may be: checked, read from a command line, and written as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

from .faults import Fault
from .plans import CATEGORIES, Windows

__all__ = ["checked", "plain", "read_text"]


def checked(name: str, hint: Any, value: Any) -> Any:
    """Return a value as the setting holds it. Raises ``ValueError``, naming the setting."""
    if name in _OWN:
        return _OWN[name](name, value)
    if type(None) in get_args(hint):
        if value is None:
            return None
        (hint,) = [kind for kind in get_args(hint) if kind is not type(None)]
    if get_origin(hint) is Literal:
        if value not in get_args(hint) or isinstance(value, bool):
            raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(hint)))}; got {value!r}")
    elif hint is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false; got {value!r}")
    elif hint in (int, float):
        if isinstance(value, bool) or not isinstance(value, (int, hint)) or not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be a number from 0; got {value!r}")
    elif hint is str:
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a string; got {value!r}")
    elif hint == tuple[str, ...]:
        if isinstance(value, str) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{name} must be a list of strings; got {value!r}")
        return tuple(value)
    return value


def _url_files(name: str, value: Any) -> Any:
    return MappingProxyType(dict(value))


def _limits(name: str, value: Any) -> Mapping[str, Windows]:
    if isinstance(value, MappingProxyType):
        return value  # Checked before. The same object: counters go on when another setting is changed.
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must map categories to windows; got {value!r}")
    found: dict[str, Windows] = {}
    for category, windows in value.items():
        if category not in CATEGORIES:
            raise ValueError(f"{name}: there is no category {category!r}; there are {', '.join(CATEGORIES)}")
        if name == "limit_minutes" and category not in ("audio", "video"):
            raise ValueError(f"{name}: only audio and video have minutes; got {category!r}")
        found[category] = _windows(name, windows)
    return MappingProxyType(found)


def _windows(name: str, value: Any) -> Windows:
    listed = value if isinstance(value, (list, tuple)) else [value]
    if len(listed) == 2 and all(_is_number(item) for item in listed):
        listed = [listed]
    windows = []
    for pair in listed:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(_is_number(item) for item in pair):
            raise ValueError(f"{name}: a window is (how much, seconds); got {pair!r}")
        if pair[0] < 0 or pair[1] <= 0:
            raise ValueError(f"{name}: a window has room from 0 and lasts more than 0 seconds; got {pair!r}")
        windows.append((pair[0], float(pair[1])))
    return tuple(windows)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _retry_after(name: str, value: Any) -> str | float:
    if value in ("seconds", "date", "none") or (_is_number(value) and 0 <= value < 1e10):
        good: str | float = value
        return good
    raise ValueError(f"{name} must be 'seconds', 'date', 'none' or a number of seconds; got {value!r}")


def _faults(name: str, value: Any) -> tuple[Fault, ...]:
    if isinstance(value, tuple) and all(isinstance(rule, Fault) for rule in value):
        return value  # The same object: what has struck stays counted when another setting is changed.
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{name} must be a list of rules; got {value!r}")
    return tuple([Fault.of(rule) for rule in value])


_OWN = {
    "url_files": _url_files,
    "limits": _limits,
    "limit_minutes": _limits,
    "retry_after": _retry_after,
    "faults": _faults,
}


def read_text(hint: Any, text: str) -> Any:
    """Read a value from the command line; whether it is a good one is found out when it is set."""
    if type(None) in get_args(hint):
        if text.lower() in ("", "none", "null"):
            return None
        (hint,) = [kind for kind in get_args(hint) if kind is not type(None)]
    if hint is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if hint in (int, float):
        return hint(text)
    if hint == tuple[str, ...]:
        return json.loads(text) if text.startswith("[") else tuple(item for item in text.split(",") if item)
    if get_origin(hint) is Literal:
        return next((choice for choice in get_args(hint) if str(choice) == text), text)
    if hint is str:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def plain(value: Any) -> Any:
    """Return a value as JSON can say it."""
    if isinstance(value, Fault):
        return value.as_json()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
