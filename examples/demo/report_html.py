"""Answers as one HTML page that needs no other file, no server and no network.

The files are in the page as ``data:`` URIs, and their vectors too: the page itself searches by whatever is clicked
(``gallery.js``). This module puts together what the page knows.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from .code_lines import all_code
from .embedded import data_uri, loudness, still, thumbnail
from .media import KINDS, Item, Kind, Library, named
from .queries import DEEP, GAP, NEAR, Answer, Hit, Stored
from .report_text import by_reason
from .service import Service

__all__ = ["MEDIA_BYTES", "page", "write"]

MEDIA_BYTES = 12_000_000
"""Audio and video embedded at most, in bytes of the files; of the rest the page has stills, and can search by them."""

TOYS_LEAST = 0.15
"""Cosine of the emulator's vectors below which a hit is chance. Of the models' vectors no such number is known."""

_HERE = Path(__file__).resolve().parent

_TOYS = 'The vectors are <a href="#about" data-about>toys of the local emulator</a>, not TwelveLabs’ models.'

# What to show first of the samples' answers: by the query's title, which kind of file it finds.
_STRIKING: dict[str, Kind] = {
    "low-hum.wav": "video",
    "chessboard.png  +  “the same in red”": "image",
    "“an orange and purple sunset sky”": "video",
}


def write(
    path: Path,
    library: Library,
    service: Service,
    answers: Mapping[str, Sequence[Answer]],
    stored: Sequence[Stored] = (),
) -> Path:
    """Write the page, and return where it is.

    Args:
        path: the file to write.
        library: the files that were searched.
        service: who made the vectors.
        answers: by framework, one answer for each query.
        stored: the vectors of the files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(library, service, answers, stored), encoding="utf-8")
    return path.resolve()


def page(
    library: Library, service: Service, answers: Mapping[str, Sequence[Answer]], stored: Sequence[Stored] = ()
) -> str:
    """The page as text."""
    # "<" ends no script inside a JSON string when it is written as its code.
    data = json.dumps(_data(library, service, answers, stored), ensure_ascii=False).replace("<", "\\u003c")
    about = " ".join(service.about)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Images, video, audio and text, found by one another</title>
<style>
{_part("gallery.css")}</style>
<body>
<a class="skip" href="#main">Skip to the results</a>
<header>
<h1><a href="#">Images, video, audio and text, found by one another</a></h1>
<p class="counts">{_counts(library, answers, stored)}</p>
<p class="soft"><b>Click an image, audio, a scene or a text: the page searches by it.</b>
Point at a scene or audio, or press ▶, and it plays. {_TOYS if service.toy else ""}</p>
</header>
<main id="main" tabindex="-1"><noscript>This page searches with JavaScript, which is switched off.</noscript></main>
<footer>
<p class="about" id="about">{escape(about)}</p>
<p>Searched: <code>{escape(library.folder.resolve().name)}</code>, each file as one vector, videos scene by scene,
through {escape(" and ".join(answers))}. The number beside a file is the cosine of the angle between its vector and the
query’s: 1 is the same direction, 0 nothing in common. Compare numbers within one list only. What is far below the best
is faded.</p>
{_left_out(library)}
</footer>
<script type="application/json" id="data">{data}</script>
<script>
{_part("gallery.js")}</script>
</body>
</html>
"""


def _part(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _counts(library: Library, answers: Mapping[str, Sequence[Answer]], stored: Sequence[Stored]) -> str:
    """What was searched, and how many lists begin with what was expected."""
    first = [answer.right(kind) for found in answers.values() for answer in found for kind in answer.query.expected]
    counts = [(len(library.of(kind)), named(kind, len(library.of(kind)))) for kind in KINDS]
    scenes = len({(one.name, one.span) for one in stored if one.span})
    counts += [(scenes, "scene" if scenes == 1 else "scenes")]
    right = f'<b class="right">{sum(first)} of {len(first)}</b> lists begin with the expected file or scene'
    parts = [right] if first else []
    return " · ".join([*parts, *(f"<b>{number}</b> {name}" for number, name in counts if number)])


def _left_out(library: Library) -> str:
    if not library.notes:
        return ""
    rows = "".join(
        f"<dt>{escape(why)} ({len(names)})</dt><dd>{', '.join(f'<code>{escape(name)}</code>' for name in names)}</dd>"
        for why, names in by_reason(library).items()
    )
    summary = f"{len(library.notes)} notes on files: left out or shortened"
    return f"<details><summary>{summary}</summary><dl>{rows}</dl></details>"


def _data(
    library: Library, service: Service, answers: Mapping[str, Sequence[Answer]], stored: Sequence[Stored]
) -> dict[str, Any]:
    place = {item.name: number for number, item in enumerate(library.items)}
    stored = [one for one in stored if one.name in place]
    vectors = np.array([one.vector for one in stored], dtype="<f4")
    spans: dict[str, set[float]] = {}
    for one in stored:
        spans.setdefault(one.name, set()).update(one.span[:1] if one.span else ())
    for found in answers.values():
        for hit in (hit for answer in found for hits in answer.hits.values() for hit in hits):
            spans.setdefault(hit.item.name, set()).update(hit.span[:1] if hit.span else ())
    media = _that_fit(library)
    return {
        "items": [_shown(item, sorted(spans.get(item.name, ())), item in media) for item in library.items],
        "vectors": [[place[one.name], *(one.span or (None, None)), one.by] for one in stored],
        "numbers": _packed(vectors),
        "queries": _queries(answers, place),
        "code": all_code(),
        "rules": {"near": NEAR, "gap": GAP, "deep": DEEP, "most": 3, "least": TOYS_LEAST if service.toy else 0},
    }


def _that_fit(library: Library) -> set[Item]:
    """The audio and video files that the page has room for: the smallest first, so that most are there."""
    sizes = sorted(
        ((item.path.stat().st_size, item) for item in library.items if item.kind in ("audio", "video")),
        key=lambda pair: pair[0],
    )
    room, fit = MEDIA_BYTES, set()
    for size, item in sizes:
        room -= size
        if room < 0:
            break
        fit.add(item)
    return fit


def _shown(item: Item, starts: Sequence[float], embedded: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": item.name, "kind": item.kind}
    if item.kind == "image":
        shown["image"] = thumbnail(item.path)
    elif item.kind == "text":
        shown["text"] = item.text
    elif item.kind == "audio":
        shown["bars"], shown["seconds"] = loudness(item.path)
    else:
        shown["stills"] = {f"{start:g}": still(item.path, start) for start in starts or [0.0]}
    if embedded:
        shown["media"] = data_uri(item.path)
    return shown


def _queries(answers: Mapping[str, Sequence[Answer]], place: Mapping[str, int]) -> list[dict[str, Any]]:
    queries = []
    for same_query in zip(*answers.values(), strict=True):
        query = same_query[0].query
        vector = next((answer.vector for answer in same_query if len(answer.vector)), ())
        is_text_file = query.file is not None and query.file.kind == "text"
        queries.append(
            {
                "title": query.title,
                "text": query.text,
                "item": place[query.file.name] if query.file else None,
                "sort": "text file" if is_text_file else query.sort,
                "striking": _STRIKING.get(query.title),
                "vector": _packed(np.array(vector, dtype="<f4")),
                "lists": {
                    kind: [
                        {"by": list(frameworks), "hits": hits}
                        for frameworks, hits in _lists(dict(zip(answers, same_query, strict=True)), kind, place)
                    ]
                    for kind in query.seeks
                },
            }
        )
    # The striking ones stand first, in the order in which they are named.
    order = {title: number for number, title in enumerate(_STRIKING)}
    return sorted(queries, key=lambda query: order.get(query["title"], len(order)))


def _lists(
    by_framework: Mapping[str, Answer], kind: Kind, place: Mapping[str, int]
) -> list[tuple[list[str], list[list[Any]]]]:
    """One list if all frameworks found the same in the same order, as they mostly do: the vectors are the same."""
    lists: dict[tuple[str, ...], tuple[list[str], list[Hit]]] = {}
    for framework, answer in by_framework.items():
        hits = answer.hits[kind]
        lists.setdefault(tuple(hit.label for hit in hits), ([], hits))[0].append(framework)
    return [
        (frameworks, [[place[hit.item.name], hit.score, *(hit.span or (None, None)), hit.by] for hit in hits])
        for frameworks, hits in lists.values()
    ]


def _packed(numbers: np.ndarray) -> str:
    """32-bit floats, little end first, as base64."""
    return base64.b64encode(np.ascontiguousarray(numbers, dtype="<f4").tobytes()).decode()
