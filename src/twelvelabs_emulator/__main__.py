"""The command ``python -m twelvelabs_emulator``."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .protocol.settings import Settings, choices, from_text
from .server import Emulator

_NOTICE = """\
Its vectors are toys: words that describe the media, hashed. No weights, not TwelveLabs' models.
Search quality is no measure of the real service; requests, responses and errors are the API's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        settings = _settings(given)
    except ValueError as error:
        parser.error(str(error))
    if given.log_requests:
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
        logging.getLogger("twelvelabs_emulator").setLevel(logging.INFO)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    emulator = Emulator(settings, host=given.host, port=given.port)
    try:
        emulator.start()
    except OSError as error:
        why = f"{error.strerror}. --port 0 takes a free one."
        print(f"cannot listen on {given.host}:{given.port}: {why}", file=sys.stderr)
        return 1
    with emulator:
        print(_greeting(emulator), flush=True)
        while not stopped.wait(0.5):  # A wait without a timeout cannot be interrupted on every system.
            pass
    print("stopped", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m twelvelabs_emulator",
        description="A local server with TwelveLabs' Embed API. " + " ".join(_NOTICE.split()),
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="0 = a free one (default %(default)s)")
    parser.add_argument("--latency", type=float, metavar="MS", help="minimum time to a response")
    parser.add_argument("--api-key", action="append", metavar="K", help="an accepted key; may be repeated")
    parser.add_argument("--any-key", action="store_true", help="accept every key that is not empty")
    parser.add_argument("--log-requests", action="store_true", help="print a line for every request")
    parser.add_argument(
        "--over-long-text",
        choices=choices("over_long_text_v2_marengo30"),
        help="marengo3.0 on v2, over 500 tokens; undocumented (default refuse)",
    )
    parser.add_argument("--settings", metavar="FILE", help="a JSON file of settings, as `make live` writes it")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting, as GET /_emulator/settings lists them (lists and mappings as JSON); may be repeated",
    )
    return parser


def _settings(given: argparse.Namespace) -> Settings:
    changes = _from_file(given.settings) if given.settings else {}
    if given.latency is not None:
        changes["latency_sec"] = given.latency / 1000
    if given.any_key:
        changes["api_keys"] = ()
    elif given.api_key:
        changes["api_keys"] = tuple(given.api_key)
    if given.over_long_text:
        changes["over_long_text_v2_marengo30"] = given.over_long_text
    for pair in given.set:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--set {pair}: not NAME=VALUE")
        changes[name] = from_text(name, value)
    return Settings().replace(**changes)


def _from_file(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"--settings {path}: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"--settings {path}: not a JSON object")
    return found


def _greeting(emulator: Emulator) -> str:
    any_key = not emulator.settings.api_keys
    return f"""\
TwelveLabs Embed API, emulated, at {emulator.base_url}
{_NOTICE}

  export TWELVELABS_BASE_URL={emulator.base_url}
  export TWELVELABS_API_KEY={emulator.api_key}{"   # or any other" if any_key else ""}

Requests so far: GET {emulator.origin}/_emulator/requests. Stop with Ctrl-C."""


if __name__ == "__main__":
    sys.exit(main())
