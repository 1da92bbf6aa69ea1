"""Mutation testing: change one place of the core at a time, and see whether a unit test fails.

A fixed seed draws mutants uniformly from all places that can be changed. Each is tested on a temporary copy of ``src``,
by the tests of its own folder first, and if they pass, by all unit tests. What no program's behaviour depends on is
left alone: docstrings, types, messages, log texts, decorators, ``__all__`` and the version.

    python tests/mutations.py --count 60 --seed 7
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SWAPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
#: Calls whose arguments are texts for people.
MESSAGES = {"debug", "info", "warning", "error", "exception", "warn", "warn_once"}
#: Only the plugins that the tests need: the others take longer to import than most tests to run.
PYTEST = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_socket"]
#: Assignments that say nothing about behaviour.
NAMES = {"__all__", "__slots__", "__version__"}


@dataclass(frozen=True)
class Mutant:
    """One change: ``node`` of ``path`` becomes ``code``."""

    path: Path
    node: ast.expr
    code: str

    @property
    def change(self) -> str:
        return f"{ast.unparse(self.node)}  ->  {self.code}"

    def apply(self, source: bytes) -> bytes:
        """Return the file with this change; positions are lines and bytes."""
        lines = source.splitlines(keepends=True)
        start = sum(map(len, lines[: self.node.lineno - 1])) + self.node.col_offset
        end = sum(map(len, lines[: (self.node.end_lineno or 0) - 1])) + (self.node.end_col_offset or 0)
        return source[:start] + f"({self.code})".encode() + source[end:]


def mutated(node: ast.expr, *, condition: bool) -> Iterator[ast.expr]:
    """Yield what an expression may become."""
    match node:
        case ast.Compare(ops=ops):
            for number, op in enumerate(ops):
                changed = copy.deepcopy(node)
                changed.ops[number] = SWAPS[type(op)]()
                yield changed
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str() | bytes() as value) if len(value.split()) <= 1:  # several words are a message
            yield ast.Constant(value + (b"X" if isinstance(value, bytes) else "X"))  # type: ignore[operator]
    if condition:
        yield ast.UnaryOp(ast.Not(), node)


def children(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Yield what is below a node and may be changed, each with whether it decides a branch."""
    skipped: list[Any] = []
    match node:
        case ast.JoinedStr() | ast.Raise() | ast.Import() | ast.ImportFrom():
            return
        case ast.Expr(value=ast.Constant()):
            return  # a docstring
        case ast.Assign(targets=[ast.Name(id=name)]) if name in NAMES:
            return
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.Subscript(value=ast.Name(id="Literal")):
            return
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=args) if name in MESSAGES:
            skipped = list(args)
        case ast.Call(func=ast.Name(id="cast" | "TypeVar"), args=args):
            skipped = args[:1]
        case ast.AnnAssign() | ast.arg():
            skipped = [node.annotation]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            skipped = [*node.decorator_list, node.returns]
        case ast.ClassDef():
            skipped = [*node.decorator_list, *node.bases, *node.keywords]
    test = getattr(node, "test", None)
    for child in ast.iter_child_nodes(node):
        if not any(child is other for other in skipped):
            yield child, child is test and not isinstance(node, ast.Assert)


def mutants(path: Path) -> list[Mutant]:
    """List every change that can be made in a file."""
    found: list[Mutant] = []

    def visit(node: ast.AST, condition: bool) -> None:
        if isinstance(node, ast.expr):
            found.extend(Mutant(path, node, ast.unparse(new)) for new in mutated(node, condition=condition))
        if isinstance(node, ast.Return) and node.value is not None:
            is_none = isinstance(node.value, ast.Constant) and node.value.value is None
            found.append(Mutant(path, node.value, "0" if is_none else "None"))
        for child, decides in children(node):
            visit(child, decides)

    visit(ast.parse(path.read_bytes()), False)
    return found


def own_tests(path: Path, package: Path) -> list[str]:
    """Return the tests of a file's folder, or of the file if it lies in no folder."""
    name = path.relative_to(package).parts[0].removesuffix(".py").strip("_")
    folder = package.parents[1] / "tests" / package.name.replace("twelvelabs", "").strip("_")
    return [str(found) for found in (folder / name, folder / f"test_{name}.py") if found.exists()]


def run(tests: Sequence[str], root: Path, source: Path, timeout: float | None) -> tuple[bool, str]:
    """Run tests against a copy of the source; return whether none fails, and the last line they print."""
    command = [sys.executable, *PYTEST, "-m", "not network", *tests]
    paths = [str(source), str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONPYCACHEPREFIX": str(source.parent / "bytecode"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            passed = process.wait(timeout) in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False, "timeout"
        output.seek(0)
        lines = output.read().strip().splitlines()
    return passed, lines[-1] if lines else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1], help="the repository")
    parser.add_argument("--package", default="twelvelabs_core", help="the package to change")
    parser.add_argument("--count", type=int, default=60, help="how many mutants")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--list", action="store_true", help="only list the mutants that would be tried")
    parser.add_argument("tests", nargs="*", default=["tests"], help="the unit tests")
    options = parser.parse_args()

    # A shell's background job ignores Ctrl-C, and so would the tests that press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    root = options.root.resolve()
    package = root / "src" / options.package
    files = sorted(package.rglob("*.py"))
    places = [mutant for file in files for mutant in mutants(file)]
    chosen = random.Random(options.seed).sample(places, options.count)
    chosen.sort(key=lambda m: (m.path, m.node.lineno, m.node.col_offset))
    print(f"{len(places)} possible mutants in {len(files)} files; {len(chosen)} drawn with seed {options.seed}")

    def where(mutant: Mutant) -> str:
        return f"{mutant.path.relative_to(root / 'src')}:{mutant.node.lineno}: {mutant.change}"

    if options.list:
        print(*map(where, chosen), sep="\n")
        return 0

    survivors: list[Mutant] = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(root / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        started = time.monotonic()
        passed, line = run(options.tests, root, source, None)
        if not passed:
            print(f"the tests fail without a mutant: {line}")
            return 2
        timeout = 30 + 2 * (time.monotonic() - started)
        for number, mutant in enumerate(chosen, 1):
            file = source / mutant.path.relative_to(root / "src")
            file.write_bytes(mutant.apply(file.read_bytes()))
            os.utime(file, (number, number))  # a time of its own, so that no bytecode is taken for another's
            for tests in filter(None, (own_tests(mutant.path, package), options.tests)):
                passed, line = run(tests, root, source, timeout)
                if not passed:
                    break
            shutil.copy2(mutant.path, file)
            if passed:
                survivors.append(mutant)
            print(f"{number:3} {'SURVIVED' if passed else 'killed  '} {where(mutant)}   [{line}]", flush=True)

    print(f"\n{len(survivors)} of {len(chosen)} mutants survived")
    print(*map(where, survivors), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
