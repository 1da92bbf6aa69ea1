"""Fault rules, and which request each rule applies to. `middleware.fault_effects` has what happens then."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator

from .formats import API_PREFIX

#: Kinds that alter a successful response.
ALTERATIONS = ("part_error", "no_segments", "extra_fields", "no_metadata", "nan", "wrong_dimension", "empty_data")
_KINDS = "status:503, html:502, slow:2.0, late:2.0, drop, drop_half, lost, not_json, echo_key, "
_KINDS += ", ".join(ALTERATIONS)
_KIND = re.compile(
    r"status:[45]\d\d(:\w+)?|html:[2345]\d\d|(slow|late):\d+(\.\d+)?|drop|drop_half|lost|not_json|echo_key|"
    + "|".join(ALTERATIONS),
    re.ASCII,
)
_OTHER_VERSION = re.compile(r"v\d+(\.\d+)?/", re.ASCII)


class Fault(BaseModel):
    """One rule: what happens to which requests.

    ``kind`` is what happens:

    - ``status:503``: an error response; ``status:402:usage_limit_exceeded`` also sets the code
    - ``html:502``: an HTML page
    - ``drop``, ``drop_half``: the connection closes before, or in the middle of, the response
    - ``lost``: the request is performed, then the connection closes
    - ``slow:2.0``: a delay in seconds
    - ``late:2.0``: the request is performed, and its response delayed
    - ``not_json``: a truncated JSON body
    - ``echo_key``: an error that repeats the API key
    - an altered response: ``part_error`` (v1: ``error_message``), ``no_segments`` (``segments`` and ``data``
      removed), ``empty_data``, ``extra_fields``, ``no_metadata``, ``nan``, ``wrong_dimension``

    ``path`` (with or without ``/v1.3/``, wildcards allowed) and ``method`` select requests; ``upload-part`` selects the
    parts of multipart uploads, ``upload-part/3`` the third parts. Of these the rule applies to every
    ``every``-th, to the ``first`` ones, or to each with a ``probability`` (drawn from ``seed``), otherwise to
    all; ``times`` is the most often it applies.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: str
    path: str = "*"
    method: str | None = None
    every: Annotated[int, Field(ge=1)] | None = None
    first: Annotated[int, Field(ge=0)] | None = None
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    times: Annotated[int, Field(ge=0)] | None = None
    seed: int = 0

    @field_validator("kind")
    @classmethod
    def _check_kind(cls, kind: str) -> str:
        if not _KIND.fullmatch(kind):
            raise ValueError(f"there is no such kind of fault; the kinds are {_KINDS}")
        return kind

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        relative = path.removeprefix(API_PREFIX).removeprefix(API_PREFIX[1:] + "/").lstrip("/")
        if "://" in path or "?" in relative or not relative or _OTHER_VERSION.match(relative):
            raise ValueError(f"it must be a path below {API_PREFIX}/, such as embed-v2/tasks/*")
        return relative

    @model_validator(mode="after")
    def _check_selection(self) -> Fault:
        if sum(value is not None for value in (self.every, self.first, self.probability)) > 1:
            raise ValueError("give one of every, first and probability")
        return self

    @model_serializer(mode="wrap")
    def _without_unset(self, serialize: Callable[[Fault], dict[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}

    def selects(self, method: str, path: str) -> bool:
        """Return whether a request has this rule's method and path."""
        if self.method is not None and self.method.upper() != method:
            return False
        any_part = self.path == "upload-part" and path.startswith("upload-part/")
        return any_part or fnmatchcase(path, self.path)


class FaultSchedule:
    """Applies the rules in order: the first rule that applies wins, and later rules do not see that request."""

    def __init__(self) -> None:
        self._rules: Sequence[Fault] = ()
        self.reset()

    def reset(self) -> None:
        """Restart every rule from its first request."""
        self._seen = [0] * len(self._rules)
        self._applied = [0] * len(self._rules)
        self._random = [random.Random(rule.seed) for rule in self._rules]  # Repeatable on purpose.

    def next(self, rules: Sequence[Fault], method: str, path: str) -> Fault | None:
        """Return the fault for this request, if any, and count it. Another ``rules`` object restarts."""
        if rules is not self._rules:
            self._rules = rules
            self.reset()
        for number, rule in enumerate(rules):
            if not rule.selects(method, path) or (rule.times is not None and self._applied[number] >= rule.times):
                continue
            self._seen[number] += 1
            if self._applies(number, rule):
                self._applied[number] += 1
                return rule
        return None

    def _applies(self, number: int, rule: Fault) -> bool:
        if rule.every is not None:
            return self._seen[number] % rule.every == 0
        if rule.first is not None:
            return self._seen[number] <= rule.first
        if rule.probability is not None:
            return self._random[number].random() < rule.probability
        return True
