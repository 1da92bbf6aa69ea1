"""Cases as a Markdown page and an SVG image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from .figures import Bar, Case, Row

__all__ = ["load", "save", "write_docs"]

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs"

INTRO = """# Benchmarks

`make bench` measures all of this again. (`.venv/bin/python -m benchmarks` takes `--quick` for less of it, `--only NAME`
for one case, `--runs N` for more rounds.)

Each client is measured in turn with the others in the same run, against the same server process on the same machine:
where other programs run too, only ratios have a meaning. A ratio is taken within each round; the table has the
median of the rounds, and the least and the most. The server answers over HTTP with vectors of 512 floats made before
(`benchmarks/server.py`), and counts the requests: "sent" and "refused" are what it received and refused. Under each
case stands how fast the machine was: texts a second belong to a machine, and so do ratios between a client that the
latency holds back and one that the CPU does. What holds on any machine is the CPU time of a text, as a ratio. Nothing
here says anything about TwelveLabs' own speed.
"""


def save(case: Case) -> None:
    """One file a case; the page is made from the newest of each."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{case.name}.json").write_text(json.dumps(case.as_json(), indent=1))


def load(names: Sequence[str]) -> list[Case]:
    """The newest result of each case that has one, in the order of ``names``."""
    files = [RESULTS / f"{name}.json" for name in names]
    return [Case.from_json(json.loads(file.read_text())) for file in files if file.exists()]


def write_docs(cases: Sequence[Case]) -> Path:
    """``docs/benchmarks.md`` and its image."""
    throughput = [case for case in cases if case.name == "throughput"]
    lines = [INTRO]
    if throughput:
        (DOCS / "benchmarks.svg").write_text(image(throughput[0]))
        lines += ["![Texts a second, by client](benchmarks.svg)", ""]
    lines += ["## Against the bars", "", *summary(cases), ""]
    for case in cases:
        lines += section(case)
    page = DOCS / "benchmarks.md"
    page.write_text("\n".join(lines).rstrip() + "\n")
    return page


def summary(cases: Sequence[Case]) -> list[str]:
    """One line a bar."""
    lines = ["| case | figure | median | least – most | bar | |", "|---|---|---|---|---|---|"]
    for case in cases:
        for bar in case.bars:
            sign = "≥" if bar.at_least else "≤"
            verdict = "met" if bar.met else f"**{bar.missing:.0%} short**"
            spread = f"{shown(min(bar.samples), bar.unit)} – {shown(max(bar.samples), bar.unit)}"
            limit = f"{sign} {shown(bar.bound, bar.unit)}"
            median = shown(bar.median, bar.unit)
            lines.append(f"| {case.title} | {bar.what} | {median} | {spread} | {limit} | {verdict} |")
    return lines


def section(case: Case) -> list[str]:
    """How a case was measured, and its samples."""
    lines = [f"## {case.title}", "", f"`{case.name}`: {case.how}", ""]
    lines += ["| | median | least | most | rounds |", "|---|---|---|---|---|"]
    lines += [_row_line(row) for row in case.rows]
    lines += ["", *case.notes, *([""] if case.notes else [])]
    where = case.where
    how = " (`--quick`)" if where["quick"] else ""
    speed = f"; {where['speed']}" if "speed" in where else ""
    lines += [
        f"<sub>Measured{how} {where['date']}, Python {where['python']}, {where['cpus']} CPUs, "
        f"load average {where['load_before']:.1f} before, {where['load_after']:.1f} after{speed}.</sub>",
        "",
    ]
    return lines


def _row_line(row: Row) -> str:
    figures = (row.median, min(row.samples), max(row.samples))
    return "| " + " | ".join([row.name, *(shown(x, row.unit) for x in figures), str(len(row.samples))]) + " |"


def shown(figure: float, unit: str) -> str:
    """As many digits as mean something."""
    if unit == "share":
        return f"{figure:.1%}"
    if unit == "×":
        return f"{figure:.2f} ×"
    whole = abs(figure) >= 100 or figure == int(figure)
    return (f"{figure:,.0f}" if whole else f"{figure:.3g}") + (f" {unit}" if unit else "")


# -- the image -----------------------------------------------------------------------------------------------------

WIDTH, LABELS, BAR_HEIGHT, STEP, TOP = 800, 250, 22, 34, 64
OURS, YARDSTICK, OTHERS = "#0d7a5f", "#8a8f98", "#c2c6cc"
STYLE = """
 text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1c1f23 }
 .title { font-size: 16px; font-weight: 600 } .quiet { fill: #5b626b; font-size: 12px } .ours { font-weight: 600 }
 .ground { fill: #ffffff } .range { stroke: #1c1f23; stroke-opacity: 0.5 }
 @media (prefers-color-scheme: dark) {
  text { fill: #e8eaed } .quiet { fill: #a5abb3 } .ground { fill: #14171a } .range { stroke: #e8eaed }
 }
"""


def image(case: Case) -> str:
    """Bars of texts a second: medians, with a line from the least to the most."""
    ours = {bar.what.split(" / ")[0] for bar in case.bars} | {"aembed_documents"}
    most = max(max(row.samples) for row in case.rows)
    scale = (WIDTH - LABELS - 90) / most
    height = TOP + STEP * len(case.rows) + 14
    count = case.how.split(" texts")[0]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="Texts a second, by client">',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>',
        '<text class="title" x="20" y="30">Texts a second</text>',
        f'<text class="quiet" x="20" y="49">{count} texts, 50 ms an answer, 64 connections, the same server; '
        "median, and least to most of all rounds</text>",
    ]
    for i, row in enumerate(sorted(case.rows, key=lambda row: -row.median)):
        y = TOP + STEP * i
        middle = y + BAR_HEIGHT / 2
        mine = row.name in ours
        colour = OURS if mine else YARDSTICK if row.name.startswith("aiohttp") else OTHERS
        length, low, high = (LABELS + x * scale for x in (row.median, min(row.samples), max(row.samples)))
        style = ' class="ours"' if mine else ""
        parts += [
            f'<text{style} x="{LABELS - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect x="{LABELS}" y="{y}" width="{length - LABELS:.1f}" height="{BAR_HEIGHT}" rx="3" fill="{colour}"/>',
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" class="range"/>',
            f'<text{style} x="{max(length, high) + 8:.1f}" y="{middle + 4:.1f}">{row.median:,.0f}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def verdict(bar: Bar) -> str:
    """For the terminal."""
    sign = "≥" if bar.at_least else "≤"
    outcome = "met" if bar.met else f"{bar.missing:.0%} SHORT"
    return f"  {bar.what}: {shown(bar.median, bar.unit)} (bar {sign} {shown(bar.bound, bar.unit)}): {outcome}"
