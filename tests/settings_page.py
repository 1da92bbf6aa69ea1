"""docs/settings.md: every setting with its type, default, unit and meaning, made from signatures and docstrings.

python -m tests.settings_page --write
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, TwelveLabsRetriever
from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentPostprocessor,
    TwelveLabsMomentRetriever,
)
from ray_twelvelabs import EmbedBatch, EmbedSegments
from tests.support.made_part import MadePart
from twelvelabs_core import Budget, EmbeddingClient, RateLimits, RetryPolicy, SegmentOptions, Window
from twelvelabs_emulator import Settings

PART = MadePart("settings.md", "python -m tests.settings_page --write")
SECTIONS: dict[type, str] = {
    EmbeddingClient: "Both adapters and Ray's classes take these too, but for `retry`. An unknown setting is refused.",
    TwelveLabsEmbeddings: "Beside those of the client.",
    TwelveLabsMediaLoader: "",
    TwelveLabsRetriever: "All but the first two may be given to one call: `retriever.invoke(query, k=3)`.",
    TwelveLabsEmbedding: "Beside those of the client. `model=` is `model_name=`.",
    TwelveLabsMediaEmbedder: "",
    TwelveLabsMediaReader: "",
    TwelveLabsMomentRetriever: "All but the first two may be given to one call: `moments.by_image(path, fuse='rrf')`.",
    TwelveLabsMomentPostprocessor: "",
    EmbedBatch: "Beside those of the client, but for `budget`.",
    EmbedSegments: "Beside those of the client, but for `budget`.",
    SegmentOptions: "",
    RateLimits: "`RateLimits.free()`, `.developer(tier)` and `.own(per_minute=, per_day=)` make the usual ones.",
    Window: "",
    RetryPolicy: "",
    Budget: "",
    Settings: "Of `Emulator(Settings(...))`, `emulator.configure(...)`, `--set` and `@pytest.mark.twelvelabs(...)`.",
}
WHEN = {
    "model": "you choose a space; then every vector has to be made again",
    "api_key": "it is not in the environment, or there are several accounts",
    "base_url": "you use the emulator or a proxy",
    "api_version": "you want the other endpoint",
    "dimensions": "the store must be smaller; then every vector has to be made again",
    "truncate": 'the end of long texts matters: `"average"`',
    "count_tokens": "you have a tokenizer: less is cut",
    "max_concurrency": "your account allows more at a time, or your machine fewer",
    "max_media_bytes": "memory is short, or large images are converted",
    "rate_limits": "your plan is known, or several processes use the account",
    "rate_limiter": "your app has a limiter already",
    "max_wait": "a user waits (seconds), or a night's job may wait (an hour, a day)",
    "max_retries": "your own code tries again: `0`",
    "retry": "you want other pauses",
    "timeout": "your network is slow",
    "total_timeout": "one attempt may take longer than ten minutes",
    "cache": "always, but for a try",
    "cache_errors": "going on matters more than paying once",
    "budget": "a mistake could cost too much",
    "keep_assets": "you use the files again",
    "task_timeout": "videos take hours",
    "transport": "you test, or need connections of your own",
}
"""When to change a setting of the client; those of the other classes say it by their meaning."""
UNITS = {"seconds": "s", "minutes": "minutes", "megabyte": "MB", "bytes": "bytes", "requests": "requests"}
"""Units of numbers, by the words in which their meaning begins."""
OF_NAMES = {"_sec": "s", "megabyte": "bytes", "pad": "s", "gap": "s", "time": "s", "base": "s", "cap": "s"}
"""Units of numbers, by how their names end; these win."""


@dataclass(frozen=True)
class Setting:
    """One row of a table."""

    name: str
    type: str
    default: str
    meaning: str

    @property
    def unit(self) -> str:
        """The unit of a number; empty for what has none."""
        if not re.search(r"\b(int|float)\b|^_(Amount|Count)", self.type) or self.name.endswith("batch_size"):
            return ""
        for end, unit in OF_NAMES.items():
            if self.name.endswith(end):
                return unit
        found = re.search("|".join(UNITS), self.meaning.lower())
        return UNITS[found[0]] if found else ""

    @property
    def value(self) -> tuple[str, str]:
        """The type, and the default with its unit; the unit alone where no default is a number."""
        number = self.unit and self.default not in ("", "`None`")
        unit = self.unit if number or not self.unit else f"in {self.unit}"
        return self.type.replace("|", "or"), " ".join(filter(None, (self.default, unit)))


def settings(cls: type) -> list[Setting]:
    """The settings of a class, in the order of its source: fields, or arguments of its constructor."""
    module = sys.modules[cls.__module__]
    (node,) = (
        found
        for found in ast.parse(inspect.getsource(module)).body
        if isinstance(found, ast.ClassDef) and found.name == cls.__name__
    )
    described = _described(inspect.getdoc(cls) or "")
    makers = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    if makers:
        described |= _described(inspect.getdoc(cls.__init__) or "")  # type: ignore[misc]
        found = list(_arguments(makers[0], described, module))
    else:
        found = list(_fields(node, described | _comments(inspect.getsource(cls)), module))
    undescribed = [setting.name for setting in found if not setting.meaning]
    assert not undescribed, f"{cls.__name__}: no docstring describes {undescribed}"
    return found


def _arguments(made: ast.FunctionDef, described: dict[str, str], module: Any) -> Iterator[Setting]:
    spec = made.args
    missing: list[ast.expr | None] = [None] * (len(spec.args) - len(spec.defaults))
    pairs = [*zip(spec.args, [*missing, *spec.defaults], strict=True)][1:]
    for argument, default in [*pairs, *zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]:
        assert argument.annotation is not None
        yield Setting(
            argument.arg,
            _type(argument.annotation, module),
            _default(default, module),
            described.get(argument.arg, ""),
        )


def _fields(node: ast.ClassDef, described: dict[str, str], module: Any) -> Iterator[Setting]:
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        name, kind = field.target.id, ast.unparse(field.annotation)
        if name.startswith("_") or "ClassVar" in kind or (field.value and "init=False" in ast.unparse(field.value)):
            continue
        meaning = described.get(name, "")
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            meaning = _plain(str(after.value.value))
        yield Setting(name, _type(field.annotation, module), _default(field.value, module), meaning)


def _described(doc: str) -> dict[str, str]:
    """Name -> meaning, of the sections ``Args:`` and ``Attributes:`` of a docstring."""
    found = {}
    for section in re.findall(r"^(?:Args|Attributes):\n((?:(?:    .*)?\n?)*)", doc, re.MULTILINE):
        for names, meaning in re.findall(r"^    ([a-z][\w, ]*): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
            found.update({name.strip(): _plain(meaning) for name in names.split(",")})
    return found


def _comments(source: str) -> dict[str, str]:
    """Name -> the ``#:`` comment above a field; two fields in a row share one."""
    found: dict[str, str] = {}
    for comment, fields in re.findall(r"((?:^ +#: .*\n)+)((?:^ +\w+: .*\n)+)", source, re.MULTILINE):
        meaning = _plain(re.sub(r"^ +#: ", "", comment, flags=re.MULTILINE))
        found.update(dict.fromkeys(re.findall(r"^ +(\w+):", fields, re.MULTILINE), meaning))
    return found


def _plain(text: str) -> str:
    """A docstring's words as one line of Markdown."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    text = " ".join(text.replace("``", "`").split()).replace("|", "\\|")
    return text[:1].upper() + text[1:]


def _type(node: ast.expr, module: Any) -> str:
    if isinstance(node, ast.BinOp):
        return f"{_type(node.left, module)} or {_type(node.right, module)}"
    if isinstance(node, ast.Subscript):
        outer, inner = ast.unparse(node.value), node.slice
        if outer == "Literal":
            return ", ".join(map(ast.unparse, inner.elts if isinstance(inner, ast.Tuple) else [inner]))
        if outer in ("Annotated", "SkipJsonSchema"):
            return _type(inner.elts[0] if isinstance(inner, ast.Tuple) else inner, module)
    if isinstance(node, ast.Name):
        value = getattr(module, node.id, None)
        if get_origin(value) is Literal:
            return ", ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in get_args(value))
        return {"_Amount": "float", "_Offset": "float", "_Count": "int", "_Strings": "list[str]"}.get(node.id, node.id)
    return ast.unparse(node).replace("'", '"').replace("|", "or")


def _default(node: ast.expr | None, module: Any) -> str:
    """The default as code; a constant as its value; nothing where a value must be given."""
    if node is None:
        return ""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Field", "field"):
        given = {one.arg: one.value for one in node.keywords}
        if "default_factory" in given:
            made = ast.unparse(given["default_factory"])
            return {"dict": "{}", "_secret": "from the environment"}.get(made, "")
        chosen = given.get("default", node.args[0] if node.args else None)
        return _default(chosen, module)
    value = getattr(module, node.id, None) if isinstance(node, ast.Name) else None
    return f"`{value!r}`" if isinstance(value, (str, int, float)) else f"`{ast.unparse(node)}`"


def text() -> str:
    """The sections of the page."""
    parts = []
    for cls, about in SECTIONS.items():
        title = "The emulator's `Settings`" if cls is Settings else f"`{cls.__name__}`"
        rows = [
            f"| `{one.name}` | {'<br>'.join(filter(None, one.value))} | {one.meaning}{_when(cls, one)} |"
            for one in settings(cls)
        ]
        head = ["| setting | type, default, unit | meaning |", "|---|---|---|"]
        parts.append("\n".join([f"## {title}", "", *([about, ""] if about else []), *head, *rows]) + "\n")
    return "\n".join(parts)


def _when(cls: type, setting: Setting) -> str:
    return f" **Change it when** {WHEN[setting.name]}." if cls is EmbeddingClient else ""


if __name__ == "__main__":
    PART.main(text, "The page of all settings, made from the code.")
