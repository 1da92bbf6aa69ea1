"""Reading a JSON object key by key, so that what nobody asked for is known to be unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import invalid, missing, unknown_field
from .settings import Settings

__all__ = ["Fields"]


class Fields:
    """One JSON object of a request. Every reader raises the API's 400 for a value of the wrong kind."""

    def __init__(self, value: Any, path: str, settings: Settings) -> None:
        if not isinstance(value, dict):
            raise invalid(path or "body", "It must be an object.")
        self._values: dict[str, Any] = value
        self._path = path
        self._settings = settings
        self._read: set[str] = set()

    def path(self, name: str) -> str:
        """Name a key as error messages do: ``video.media_source``."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """Tell whether a key was sent with a value."""
        return self._get(name) is not None

    def names(self) -> list[str]:
        """Return the keys that were sent with a value."""
        return [name for name in self._values if self.has(name)]

    def _get(self, name: str) -> Any:
        value = self._values.get(name)
        if value is None and name in self._values and self._settings.null_fields == "refuse":
            raise invalid(self.path(name), "It must not be null.")
        return value

    def _take(self, name: str, required: bool) -> Any:
        self._read.add(name)
        value = self._get(name)
        if value is None and required:
            raise missing(self.path(name))
        return value

    def string(self, name: str, *, required: bool = False, choices: Sequence[str] | None = None) -> str | None:
        """Read a string, perhaps one of a few."""
        value = self._take(name, required)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid(self.path(name), "It must be a string.")
        if choices is not None and value not in choices:
            raise invalid(self.path(name), f"It must be one of: {', '.join(choices)}.")
        return value

    def boolean(self, name: str) -> bool | None:
        """Read true or false."""
        value = self._take(name, False)
        if value is not None and not isinstance(value, bool):
            raise invalid(self.path(name), "It must be true or false.")
        return value

    def number(self, name: str, *, low: float, high: float | None = None, required: bool = False) -> float | None:
        """Read a number within bounds, which belong to the range."""
        value = self._take(name, required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            raise invalid(self.path(name), "It must be a number.")
        if value < low or (high is not None and value > high):
            bounds = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
            raise invalid(self.path(name), f"It must be {bounds}.")
        return float(value)

    def integer(self, name: str, *, low: int, high: int | None = None, required: bool = False) -> int | None:
        """Read a whole number within bounds, which belong to the range."""
        value = self.number(name, low=low, high=high, required=required)
        if value is not None and value != int(value):
            raise invalid(self.path(name), "It must be a whole number.")
        return None if value is None else int(value)

    def anything(self, name: str) -> Any:
        """Read a value whatever it is."""
        return self._take(name, False)

    def whole(self, name: str, choices: Sequence[int]) -> int | None:
        """Read a whole number that must be one of a few."""
        value = self._take(name, False)
        if value is None:
            return None
        if isinstance(value, bool) or value not in choices:
            raise invalid(self.path(name), f"It must be one of: {', '.join(map(str, choices))}.")
        return int(value)

    def strings(self, name: str, choices: Sequence[str], default: Sequence[str]) -> list[str]:
        """Read a list of words, each one of a few; sent twice counts once."""
        value = self._take(name, False)
        if value is None:
            return list(default)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise invalid(self.path(name), "It must be a list of strings that is not empty.")
        for item in value:
            if item not in choices:
                raise invalid(self.path(name), f"Each item must be one of: {', '.join(choices)}.")
        return list(dict.fromkeys(value))

    def child(self, name: str, *, required: bool = False) -> Fields | None:
        """Read an object."""
        value = self._take(name, required)
        return None if value is None else Fields(value, self.path(name), self._settings)

    def needed(self, name: str) -> Fields:
        """Read an object that must be there."""
        return Fields(self._take(name, True), self.path(name), self._settings)

    def children(self, name: str) -> list[Fields]:
        """Read a list of objects; absent is the empty list."""
        value = self._take(name, False)
        if value is None:
            return []
        if not isinstance(value, list):
            raise invalid(self.path(name), "It must be a list.")
        return [Fields(item, f"{self.path(name)}[{number}]", self._settings) for number, item in enumerate(value)]

    def done(self) -> None:
        """Refuse the keys that nobody read."""
        for name in self._values:
            if name not in self._read and self._settings.unknown_fields == "refuse":
                raise unknown_field(self.path(name))
