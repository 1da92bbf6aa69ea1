"""Looks for a secret in everything that a program, a log or an error tracker may show.

An error tracker records, for every exception of a chain and every frame of its traceback, the ``repr`` of each local
variable, and goes a few levels into dicts and lists. So does this. Frames of the tests themselves are left out: they
hold the key that they look for.
"""

from __future__ import annotations

import base64
import html
import logging
import pickle
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

TESTS = Path(__file__).parents[1]
LEVELS = 5


def writings(secret: str) -> set[str]:
    """The secret as it may be repeated, for :func:`comparable` texts: as it is, percent-encoded, as Unicode escapes,
    for HTML, in base64.
    """
    plain = comparable(secret)
    found = {
        plain,
        comparable(html.escape(secret)),
        comparable(quote(secret, safe="")),
        *("".join(form % ord(char) for char in secret) for form in ("u%04x", "%%%02x")),
    }
    for offset in range(3):  # of the secret in a group of three bytes
        packed = base64.b64encode(bytes(offset) + secret.encode()).decode()
        steady = packed[(offset * 8 + 5) // 6 : (offset + len(secret)) * 8 // 6].lower()
        found |= {steady, steady.translate({43: "-", 47: "_"})}
    return found


def comparable(text: str) -> str:
    """A text in lower case and without backslashes, so that no escaping and no change of case hides a secret."""
    return text.lower().replace("\\", "")


def shown_in(secret: str, *things: Any) -> list[str]:
    """Where a secret is shown: a place for each, empty if nowhere.

    Args:
        things: exceptions, log records, files or folders (``Path``), dicts, lists, texts, and any object by its
            ``repr``, its ``str`` and, of an exception, its pickled form.
    """
    forms = writings(secret)
    places = (
        place for thing in things for place, text in _texts(thing) if any(form in comparable(text) for form in forms)
    )
    return sorted(set(places))


def _texts(thing: Any) -> Iterator[tuple[str, str]]:
    """Each text that a thing shows, with the place it stands in."""
    if isinstance(thing, BaseException):
        yield from _of_exception(thing, set())
    elif isinstance(thing, logging.LogRecord):
        yield from _of_record(thing)
    elif isinstance(thing, Path):
        for file in [thing, *thing.rglob("*")] if thing.is_dir() else [thing]:
            if file.is_file():
                yield f"file {file.name}", file.read_bytes().decode("latin-1")
    else:
        yield from _of_value(thing, type(thing).__name__, LEVELS)
        yield f"str of {type(thing).__name__}", str(thing)


def _of_value(value: Any, place: str, levels: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, (bytes, bytearray)):
        yield place, value.decode("latin-1")
    elif isinstance(value, Mapping) and type(value).__module__ == "builtins" and levels:
        for key, inner in value.items():
            yield from _of_value(key, f"{place} key", levels - 1)
            yield from _of_value(inner, f"{place}[{key!r}]", levels - 1)
    elif isinstance(value, (list, tuple, set, frozenset)) and levels:
        for inner in value:
            yield from _of_value(inner, f"{place}[]", levels - 1)
    try:
        yield place, repr(value)
    except Exception as error:
        yield place, f"no repr: {type(error).__name__}"


def _of_exception(error: BaseException | None, seen: set[int]) -> Iterator[tuple[str, str]]:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    name = type(error).__name__
    yield f"message of {name}", str(error)
    yield f"repr of {name}", repr(error)
    yield from _of_value(error.args, f"args of {name}", LEVELS)
    yield from _of_value(vars(error), f"attributes of {name}", LEVELS)
    yield from _of_value(getattr(error, "__notes__", []), f"notes of {name}", LEVELS)
    yield f"traceback of {name}", "".join(traceback.format_exception(error))
    yield from _of_frames(error.__traceback__, name)
    try:
        yield f"pickle of {name}", pickle.dumps(error).decode("latin-1")
    except Exception as failed:
        yield f"pickle of {name}", repr(failed)
    inner = getattr(error, "errors", None)
    for other in [error.__cause__, error.__context__, *(inner.values() if isinstance(inner, dict) else [])]:
        yield from _of_exception(other, seen)


def _of_frames(found: TracebackType | None, name: str) -> Iterator[tuple[str, str]]:
    while found is not None:
        code = found.tb_frame.f_code
        if not Path(code.co_filename).is_relative_to(TESTS):
            for variable, value in found.tb_frame.f_locals.items():
                place = f"local {variable!r} of {code.co_name} ({Path(code.co_filename).name}) in {name}"
                yield from _of_value(value, place, LEVELS)
        found = found.tb_next


def _of_record(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    yield f"log of {record.name}", record.getMessage()
    yield from _of_value(record.args, f"arguments of a log of {record.name}", LEVELS)
    yield f"log of {record.name}", f"{record.exc_text} {record.stack_info}"
    if record.exc_info:
        yield from _of_exception(record.exc_info[1], set())
