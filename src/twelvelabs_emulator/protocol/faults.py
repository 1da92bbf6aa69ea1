"""Faults on demand: which request meets one. What happens then is in `breakage`."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["Fault", "FaultLine"]

#: What an answer of the endpoint is turned into, by kind.
CHANGES = ("part_error", "no_segments", "extra_fields", "no_metadata", "nan", "wrong_dimension", "empty_data")
_KIND = re.compile(
    r"status:[45]\d\d(:\w+)?|html:[2345]\d\d|slow:\d+(\.\d+)?|drop|drop_half|lost|not_json|echo_key|"
    + "|".join(CHANGES)
)


@dataclass(frozen=True)
class Fault:
    """One rule.

    ``kind`` is what happens: ``status:503`` (an error answer; ``status:402:usage_limit_exceeded`` also says
    the code), ``html:502``, ``drop`` (the connection closes without an answer), ``drop_half`` (in the middle
    of it), ``lost`` (the request is performed, then the connection closes), ``slow:2.0`` (seconds),
    ``not_json``, ``echo_key`` (an error that repeats the key), or a change to a good answer: ``part_error``
    (v1: ``error_message``), ``no_segments`` (no ``segments`` or ``data`` at all), ``empty_data``,
    ``extra_fields``, ``no_metadata``, ``nan``, ``wrong_dimension``.

    ``path`` and ``method`` are the requests it is for: a path after ``/v1.3/``, such as ``embed-v2`` or
    ``embed-v2/tasks/*``; ``upload-part`` is the parts of multipart uploads, ``upload-part/3`` the third ones.
    Of these it meets every ``every``-th, or the ``first`` so many, or each with a ``probability`` (drawn from
    ``seed``), or else all; ``times`` ends it after so many.
    """

    kind: str
    path: str = "*"
    method: str | None = None
    every: int | None = None
    first: int | None = None
    probability: float | None = None
    times: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or not _KIND.fullmatch(self.kind):
            raise ValueError(f"faults: there is no kind {self.kind!r}")
        if not isinstance(self.path, str) or not isinstance(self.method, (str, type(None))):
            raise ValueError("faults: path and method must be strings")
        for name, least in (("every", 1), ("first", 0), ("times", 0)):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ValueError(f"faults: {name} must be a whole number from {least}; got {value!r}")
        chance = self.probability
        if chance is not None and (not isinstance(chance, (int, float)) or not 0 <= chance <= 1):
            raise ValueError(f"faults: probability must be between 0 and 1; got {chance!r}")
        if sum(value is not None for value in (self.every, self.first, self.probability)) > 1:
            raise ValueError("faults: give one of every, first and probability")

    @classmethod
    def of(cls, value: Any) -> Fault:
        """Read a rule given as a mapping. Raises ``ValueError``."""
        if isinstance(value, Fault):
            return value
        if not isinstance(value, Mapping):
            raise ValueError(f"faults: a rule must be an object; got {value!r}")
        unknown = set(value) - {item.name for item in fields(cls)}
        if unknown or "kind" not in value:
            raise ValueError(f"faults: a rule needs a kind and knows no {', '.join(map(repr, unknown)) or 'others'}")
        return cls(**value)

    def as_json(self) -> dict[str, Any]:
        """Return what was given."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def is_for(self, method: str, path: str) -> bool:
        """Tell whether a request is one of those that may meet it."""
        if self.method is not None and self.method.upper() != method:
            return False
        whole_kind = self.path == "upload-part" and path.startswith("upload-part/")
        return whole_kind or fnmatchcase(path, self.path)


class FaultLine:
    """The rules in order. The first that strikes is the one; those after it do not see that request."""

    def __init__(self) -> None:
        self._rules: Sequence[Fault] = ()
        self.reset()

    def reset(self) -> None:
        """Begin again from the first request."""
        self._seen = [0] * len(self._rules)
        self._struck = [0] * len(self._rules)
        self._random = [random.Random(rule.seed) for rule in self._rules]  # Repeatable, so not a secret.

    def next(self, rules: Sequence[Fault], method: str, path: str) -> Fault | None:
        """Return the fault that this request meets, if any, and count it."""
        if rules is not self._rules:
            self._rules = rules
            self.reset()
        for number, rule in enumerate(rules):
            if not rule.is_for(method, path) or (rule.times is not None and self._struck[number] >= rule.times):
                continue
            self._seen[number] += 1
            if self._strikes(number, rule):
                self._struck[number] += 1
                return rule
        return None

    def _strikes(self, number: int, rule: Fault) -> bool:
        if rule.every is not None:
            return self._seen[number] % rule.every == 0
        if rule.first is not None:
            return self._seen[number] <= rule.first
        if rule.probability is not None:
            return self._random[number].random() < rule.probability
        return True
