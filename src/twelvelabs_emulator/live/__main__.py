"""Ask the real service: ``python -m twelvelabs_emulator.live``. The key comes from the environment alone."""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..protocol.settings import Settings
from .questions import QUESTIONS
from .report import as_settings, as_table, ask_all, differences
from .service import Service

_SERVICE = "https://api.twelvelabs.io/v1.3"
_KEY = "TWELVELABS_API_KEY"


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, print the table, write ``real.json`` and ``report.md``; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m twelvelabs_emulator.live",
        description=f"Ask the service what its documentation leaves open. Needs {_KEY}; the account is charged.",
    )
    parser.add_argument("--base-url", default=os.environ.get("TWELVELABS_BASE_URL") or _SERVICE)
    parser.add_argument("--yes", action="store_true", help="do not ask before requests are sent")
    parser.add_argument("--most-requests", type=_count, default=80, help="budget (default %(default)s)")
    parser.add_argument(
        "--most-media", type=_seconds, default=120.0, metavar="SEC", help="budget (default %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=Path("live"), help="folder to write to (default %(default)s)")
    given = parser.parse_args(arguments)
    key = os.environ.get(_KEY, "").strip()
    if not key:
        print(f"Set {_KEY} to the key of the account.", file=sys.stderr)
        return 2
    unwritable = _unwritable(given.output)
    if unwritable is not None:
        print(f"Cannot write into {given.output}: {unwritable}.", file=sys.stderr)
        return 2
    requests = min(given.most_requests, sum(question.requests for question in QUESTIONS))
    media = min(given.most_media, sum(question.media_sec for question in QUESTIONS))
    print(f"At most {requests} requests and {media:g} seconds of audio and video go to {given.base_url}.")
    print("The account is charged for them, and they count against its limits.")
    if not given.yes and not _agreed():
        print("Nothing was sent.")
        return 1
    service = Service(given.base_url, key, most_requests=given.most_requests, most_media_sec=given.most_media)
    outcome = ask_all(service, QUESTIONS, lambda line: print(line, file=sys.stderr))
    table = as_table(outcome, QUESTIONS, Settings(), service)
    print(table)
    (given.output / "real.json").write_text(as_settings(outcome), encoding="utf-8")
    (given.output / "report.md").write_text(table, encoding="utf-8")
    print(f"Differences from the emulator's defaults: {len(differences(outcome, Settings()))}.")
    print(f"The emulator behaves like this with: python -m twelvelabs_emulator --settings {given.output / 'real.json'}")
    return 0 if outcome.stopped is None else 1


def _agreed() -> bool:
    try:
        return input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        return False


def _unwritable(folder: Path) -> str | None:
    """Return why nothing can be written into a folder, which is made; before anything is paid."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__


def _count(text: str) -> int:
    """Return a number of 0 or more."""
    if int(text) < 0:
        raise ValueError
    return int(text)


def _seconds(text: str) -> float:
    """Return seconds of 0 or more."""
    if not 0 <= float(text) < math.inf:
        raise ValueError
    return float(text)


if __name__ == "__main__":
    sys.exit(main())
