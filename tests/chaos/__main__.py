"""``python -m tests.chaos``: run the scenarios one by one, print a table, end with 1 if a promise was not kept."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.support.made_part import MadePart

from .scenario import ROOT, SCENARIOS, Run, Scenario, processes, python_environment
from .scenarios import load

LEAST_LIMIT_SEC = 300.0
PART = MadePart("reliability.md", "python -m tests.chaos --write")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a name, or a pattern such as 'mix-*'"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of items and rounds")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PART.page}")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--result", help=argparse.SUPPRESS)
    given = parser.parse_args()
    load()
    if given.child:
        return _child(SCENARIOS[given.child], given.seed, given.scale, Path(given.result))
    chosen = [s for s in SCENARIOS.values() if not given.only or any(fnmatchcase(s.name, o) for o in given.only)]
    if given.list or not chosen:
        for found in SCENARIOS.values():
            print(f"{found.name:28} {found.summary}")
        return 0 if given.list else 2
    rows = []
    for found in chosen:
        rows.append(run_scenario(found, given.seed, given.scale))
        _print_row(rows[-1])
    print("\n" + table(rows))
    if given.write:
        write_table(rows)
    failed = [row for row in rows if row["failures"]]
    print(f"{len(rows) - len(failed)} of {len(rows)} scenarios passed (seed {given.seed}, scale {given.scale:g}).")
    return 1 if failed else 0


def run_scenario(found: Scenario, seed: int, scale: float) -> dict[str, Any]:
    """Run a scenario in a process of its own, with everything it starts killed at its time limit."""
    limit = max(LEAST_LIMIT_SEC, found.limit_sec * scale)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        result = Path(folder) / "result.json"
        arguments = ["--child", found.name, "--result", str(result), "--seed", str(seed), "--scale", str(scale)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos", *arguments],
            cwd=ROOT,
            env=python_environment(CHAOS_LIMIT=str(limit)),
            start_new_session=True,
        )
        hung = False
        try:
            process.wait(limit + 5)
        except subprocess.TimeoutExpired:
            hung = True
        finally:
            for pid in processes(session=process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        row: dict[str, Any] = {"tried": "", "outcome": {}, "failures": []}
        with contextlib.suppress(OSError, ValueError):
            row = json.loads(result.read_text())
        if hung:
            row["failures"].append(f"hung: killed after {limit:.0f} s")
        elif not result.with_suffix(".done").exists():
            row["failures"].append(f"the process ended with status {process.returncode} before its end")
    return {**row, "name": found.name, "summary": found.summary, "seconds": time.monotonic() - started}


def _child(found: Scenario, seed: int, scale: float, result: Path) -> int:
    """The scenario itself, in this process."""
    logging.getLogger().addHandler(logging.NullHandler())  # a hundred thousand warnings are of no use here
    faulthandler.dump_traceback_later(max(1.0, float(os.environ["CHAOS_LIMIT"]) - 2))
    folder = result.parent / "work"
    folder.mkdir()
    run = Run(seed, scale, folder, result)
    try:
        found.do(run)
    except Exception:
        run.failures.append("the scenario itself failed: " + traceback.format_exc()[-1500:])
    run.save()
    result.with_suffix(".done").touch()
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.flush()
    return 0


def _print_row(row: dict[str, Any]) -> None:
    mark = "FAILED" if row["failures"] else "passed"
    print(f"{mark} {row['name']} ({row['seconds']:.1f} s): {_figures(row)}", flush=True)
    for failure in row["failures"]:
        print("    " + failure.replace("\n", "\n    "), flush=True)


def _figures(row: dict[str, Any]) -> str:
    figures = ((name.replace("_", " "), figure) for name, figure in row["outcome"].items() if name[0] != "_")
    return ", ".join(f"{name} {_plain(figure)}" for name, figure in figures)


def _plain(figure: Any) -> str:
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:,.1f}" if isinstance(figure, float) else str(figure)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = ["| scenario | what was tried | what came out | |", "|---|---|---|---|"]
    for row in rows:
        first = "; ".join(failure.splitlines()[0][:120] for failure in row["failures"][:3])
        passed = f"{len(row['failures'])} not kept: {first}" if row["failures"] else "passed"
        lines.append(f"| `{row['name']}` | {row['tried'] or row['summary']} | {_figures(row)} | {passed} |")
    return "\n".join(lines) + "\n"


def write_table(rows: list[dict[str, Any]]) -> None:
    """Replace the rows of the page's table that were run; the others stay."""
    kept = {line.split("`")[1]: line for line in PART.read().splitlines() if line.startswith("| `")}
    fresh = table(rows).splitlines()
    kept.update({line.split("`")[1]: line for line in fresh[2:]})
    PART.write("\n".join([*fresh[:2], *(kept[name] for name in SCENARIOS if name in kept)]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
