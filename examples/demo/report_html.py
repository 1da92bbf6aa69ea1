"""Answers as one HTML page: each query with the files found.

Images are in the page as small copies; audio and videos are linked, videos from the moment that was found.
"""

from __future__ import annotations

import base64
import functools
import io
import os
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import av
from PIL import Image

from .media import HEADINGS, Item, Kind, Library
from .queries import Answer, Hit, Span
from .report_text import counted
from .service import Service

__all__ = ["page", "write"]

_THUMBNAIL = (320, 240)

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #616973; --line: #d9dde2; --paper: #fff; --card: #f5f6f8;
  --note: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a3abb5; --line: #3a4048; --paper: #16181b;
  --card: #202429; --note: #3b3216; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.15rem; margin: 0; }
h3, h4 { font-size: .9rem; margin: 1rem 0 .4rem; color: var(--soft); font-weight: 600; }
p { margin: .4rem 0; }
.about { background: var(--note); border-radius: .5rem; padding: .6rem .9rem; }
.soft, figcaption { color: var(--soft); font-size: .875rem; }
article { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1.25rem; }
.asked { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; }
.asked img { width: 9rem; }
.asked video { width: 15rem; max-width: 100%; }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: .75rem;
  list-style: none; margin: 0; padding: 0; }
li { background: var(--card); border-radius: .5rem; padding: .6rem; }
figure { margin: 0; display: flex; flex-direction: column; gap: .4rem; height: 100%; }
figcaption { margin-top: auto; display: flex; justify-content: space-between; gap: .5rem; }
figcaption span:last-child { flex: none; }
img, video { display: block; width: 100%; height: auto; border-radius: .3rem; }
li img { aspect-ratio: 3 / 2; object-fit: contain; }
video { background: #000; max-height: 20rem; }
audio { width: 100%; min-width: 12rem; }
.asked audio { width: 18rem; max-width: 100%; }
blockquote { margin: 0; }
meter { width: 100%; height: .6rem; }
summary { cursor: pointer; }
"""


def write(
    path: Path,
    library: Library,
    service: Service,
    answers: Mapping[str, Sequence[Answer]],
) -> Path:
    """Write the page, and return where it is. ``answers`` holds, by framework, one answer for each query."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(library, service, answers, beside=path.parent), encoding="utf-8")
    return path.resolve()


def page(library: Library, service: Service, answers: Mapping[str, Sequence[Answer]], *, beside: Path = Path()) -> str:
    """The page as text; videos and audio are linked as seen from the folder ``beside``."""
    sections = [
        _asked(dict(zip(answers, same_query, strict=True)), beside)
        for same_query in zip(*answers.values(), strict=True)
    ]
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Images, video, audio and text, found by one another</title>
<style>{_STYLE}</style>
<body>
<header>
<h1>Images, video, audio and text, found by one another</h1>
<p class="about">{escape(" ".join(service.about))}</p>
<p>Searched: {escape(counted(library))} in <code>{escape(str(library.folder))}</code>, each as one vector, videos
scene by scene, through {escape(" and ".join(answers))}. The number beside a file is the cosine of the angle between its
vector and the query’s: 1 is the same direction, 0 nothing in common. Compare numbers within one list only.</p>
{_notes(library)}
</header>
<main>
{"".join(sections)}
</main>
</body>
</html>
"""


def _notes(library: Library) -> str:
    if not library.notes:
        return ""
    rows = "".join(f"<li><code>{escape(name)}</code>: {escape(why)}</li>" for name, why in library.notes)
    many = len(library.notes)
    summary = f"{many} note{'s' if many > 1 else ''} on files"
    return f'<details class="soft"><summary>{summary}</summary><ul>{rows}</ul></details>'


def _asked(by_framework: Mapping[str, Answer], beside: Path) -> str:
    query = next(iter(by_framework.values())).query
    words = f"<h2>“{escape(query.text)}”</h2>" if query.text else ""
    file = f"<div>{_shown(query.file, beside)}</div>" if query.file else ""
    name = f"<h2>{escape(query.file.name)}</h2>" if query.file and not query.text else ""
    lists = "".join(_found(kind, by_framework, beside) for kind in query.seeks)
    return f"""<article>
<p class="soft">{query.sort.capitalize()} as the query</p>
<div class="asked">{file}{name}{words}</div>
{lists}
</article>
"""


def _found(kind: Kind, by_framework: Mapping[str, Answer], beside: Path) -> str:
    """One list if all frameworks found the same in the same order, as they mostly do: the vectors are the same."""
    by_result: dict[tuple[str, ...], list[str]] = {}
    for framework, answer in by_framework.items():
        by_result.setdefault(tuple(hit.label for hit in answer.hits[kind]), []).append(framework)
    parts = [f"<h3>{'Moments of videos' if kind == 'video' else HEADINGS[kind].capitalize()}</h3>"]
    for frameworks in by_result.values():
        hits = by_framework[frameworks[0]].hits[kind]
        parts += [f"<h4>{escape(' and '.join(frameworks))}</h4>"] if len(by_result) > 1 else []
        parts.append(f"<ol>{''.join(_hit(hit, beside) for hit in hits)}</ol>" if hits else "<p>Nothing.</p>")
    return "\n".join(parts)


def _hit(hit: Hit, beside: Path) -> str:
    share = max(0.0, min(1.0, hit.score))
    return (
        f"<li><figure>{_shown(hit.item, beside, hit.span)}"
        f"<figcaption><span>{escape(hit.label)}{f' ({escape(hit.by)})' if hit.by else ''}</span>"
        f"<span>{hit.score:.2f}</span></figcaption>"
        f'<meter min="0" max="1" value="{share:.3f}">{hit.score:.2f}</meter></figure></li>\n'
    )


def _shown(item: Item, beside: Path, span: Span | None = None) -> str:
    if item.kind == "image":
        return f'<img src="{_thumbnail(item.path)}" alt="{escape(item.name)}">'
    if item.kind == "video":
        # The fragment makes a player begin and end there.
        source = escape(_link(item.path, beside)) + (f"#t={span[0]:g},{span[1]:g}" if span else "")
        still = _still(item.path, span[0] if span else 0.0)
        poster = f' poster="{still}"' if still else ""
        title = escape(item.name)
        return f'<video controls playsinline preload="metadata" src="{source}"{poster} title="{title}"></video>'
    if item.kind == "audio":
        source = escape(_link(item.path, beside))
        return f'<audio controls preload="none" src="{source}" title="{escape(item.name)}"></audio>'
    words = item.text if len(item.text) <= 240 else item.text[:239].rstrip() + "…"
    return f"<blockquote>“{escape(words)}”</blockquote>"


@functools.cache
def _thumbnail(path: Path) -> str:
    with warnings.catch_warnings(), Image.open(path) as image:
        warnings.simplefilter("ignore")  # Pillow's warnings about unusual files
        image.thumbnail(_THUMBNAIL)
        shown = image.convert("RGBA")
        # JPEG has no transparency: a white background shows instead.
        paper = Image.new("RGBA", shown.size, "white")
        paper.alpha_composite(shown)
        return _inside(paper.convert("RGB"))


@functools.cache
def _still(path: Path, start: float) -> str | None:
    """The frame 0.25 s after a time, when a cut there is over; None if it cannot be decoded."""
    last: av.VideoFrame | None = None
    try:
        with av.open(str(path)) as video:
            first = (video.start_time or 0) / av.time_base
            video.seek(round((first + start) * av.time_base))  # to the key frame before it
            for last in video.decode(video.streams.video[0]):
                if last.time is None or last.time >= first + start + 0.25:
                    break
        image: Image.Image | None = last.to_image() if last is not None else None  # type: ignore[no-untyped-call]
    except (av.error.FFmpegError, ValueError, IndexError):
        return None
    if image is None:
        return None
    image.thumbnail(_THUMBNAIL)
    return _inside(image)


def _inside(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def _link(path: Path, beside: Path) -> str:
    try:
        relative = Path(os.path.relpath(path.resolve(), beside.resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_uri()
    return quote(relative)
