"""Answers of the real service, recorded in a folder: one file for each different request.

A request is known by its method, its path and query, and its fields: files and base64 data by their size and SHA-256,
names of files not at all, as clients make them up. Of equal requests the last answer is kept, so a task is ready at
the first poll; an error never takes the place of an answer. Vectors are rounded. The API key is in no file.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: Decimals of the numbers of recorded vectors.
DECIMALS = 6
#: Statuses of refusals that say something about the request. All others are about the account or the moment.
_REFUSALS = {400, 404, 409, 413}
# What clients make up anew each time.
_MADE_UP = {"filename", "content_type"}
_VECTORS = {"embedding", "embedding_uncertainty", "float"}
_MAX_SHOWN = 300


@dataclass(frozen=True)
class Recorded:
    """An answer. ``location``: that header's path below the API's prefix; ``request``: what was asked, for a reader."""

    request: str
    status: int
    body: Any
    location: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the request was performed."""
        return 200 <= self.status < 300


def identity(method: str, path: str, query: Iterable[tuple[str, str]], body: Any) -> str:
    """Return what a request is known by, as JSON.

    Args:
        method: in upper case.
        path: below the API's prefix.
        query: its parameters, in any order.
        body: the fields, with files and base64 data as the request log has them.
    """
    parameters = sorted(pair for pair in query if pair[0] not in _MADE_UP)
    known = [method, path.strip("/"), parameters, _normalized(body)]
    return json.dumps(known, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def shown(known_by: str) -> str:
    """Return an identity, shortened for a reader."""
    return known_by if len(known_by) <= _MAX_SHOWN else known_by[:_MAX_SHOWN] + "…"


def load(folder: Path, known_by: str) -> Recorded | None:
    """Return the answer to a request; ``None`` if none is recorded. Raises ``OSError`` or ``ValueError``."""
    try:
        text = _path(folder, known_by).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return Recorded(**json.loads(text))


def keep(folder: Path, known_by: str, answer: Recorded) -> None:
    """Write an answer, in one step, unless it is an error that may not come again. Raises ``OSError``."""
    if not answer.is_success and (answer.status not in _REFUSALS or load(folder, known_by) is not None):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, suffix=".tmp", delete=False) as file:
        json.dump(asdict(answer), file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
    Path(file.name).replace(_path(folder, known_by))


def rounded(value: Any, inside: str = "") -> Any:
    """Return a JSON value with the numbers of its vectors rounded to `DECIMALS`."""
    if isinstance(value, dict):
        return {name: rounded(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item, inside) for item in value]
    return round(value, DECIMALS) if isinstance(value, float) and inside in _VECTORS else value


def _path(folder: Path, known_by: str) -> Path:
    return folder / f"{hashlib.sha256(known_by.encode()).hexdigest()[:32]}.json"


def _normalized(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _normalized(item) for name, item in value.items() if item is not None and name not in _MADE_UP}
    if isinstance(value, list):
        return [_normalized(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
