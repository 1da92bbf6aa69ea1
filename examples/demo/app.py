"""The demo from its arguments to its exit code."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from sample_media import make
from twelvelabs_core import TwelveLabsError

from . import report_html
from .media import MOST, VIDEOS_AT_MOST, Library, MediaError, find
from .queries import Answer, Progress, Query, Search, Stored, file_queries, sample_queries, text_query
from .report_text import Terminal, counted
from .service import Service, ServiceError, connect

__all__ = ["main", "run"]

EXAMPLES = Path(__file__).resolve().parent.parent
SAMPLES = EXAMPLES / "media"
PAGE = EXAMPLES / "output" / "demo.html"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Returns 0, 1 if the service refused or failed, or 2 if arguments or files cannot be used."""
    options = _options(arguments)
    # The frameworks log every request and collection, which would hide the answers.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    terminal = Terminal()
    try:
        folder = _folder(options.media)
        with connect() as service:
            library = _library(folder, options, service, terminal)
            queries = _queries(library, options.query, own=options.media is not None)
            for line in service.about:
                terminal.line(line)
            terminal.line()
            terminal.library(library)
            answers, stored = run(library, queries, service, terminal)
            page = report_html.write(options.page, library, service, answers, stored)
        _ending(terminal, answers, page, own=options.media is not None)
    except (MediaError, ServiceError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except TwelveLabsError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # demo | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def run(
    library: Library, queries: Sequence[Query], service: Service, terminal: Terminal
) -> tuple[Mapping[str, list[Answer]], list[Stored]]:
    """Fill each framework's store, ask all queries, and print the answers.

    Returns:
        The answers by framework, and the vectors of the files, which are the same in each store.
    """
    answers: dict[str, list[Answer]] = {}
    stored: list[Stored] = []
    for title, framework in _frameworks():
        terminal.heading(title)
        began = time.perf_counter()
        search = framework(library, service, partial(terminal.progress, "Embedding"))
        terminal.line(f"{counted(library)}: embedded and stored in {time.perf_counter() - began:.1f} s")
        began = time.perf_counter()
        answers[title] = [search.ask(query) for query in queries]
        asked = "1 query" if len(queries) == 1 else f"{len(queries)} queries"
        terminal.line(f"{asked}: answered in {time.perf_counter() - began:.1f} s")
        terminal.answers(answers[title])
        stored = search.stored() if hasattr(search, "stored") else stored
    return answers, stored


def _library(folder: Path, options: argparse.Namespace, service: Service, terminal: Terminal) -> Library:
    """The emulator costs nothing and gets all files; the real service as many as were asked for."""
    most, videos = (None, None) if service.toy else (MOST, VIDEOS_AT_MOST)
    return find(
        folder,
        most=options.most or most,
        videos=videos if options.videos is None else options.videos,
        progress=partial(terminal.progress, "Looking at files"),
    )


def _frameworks() -> Iterator[tuple[str, Callable[[Library, Service, Progress], Search]]]:
    """Each framework's search, imported just before its use: imports take seconds, and output should appear before."""
    from .langchain_search import LangChainSearch

    yield LangChainSearch.title, LangChainSearch

    from .llama_index_search import LlamaIndexSearch

    yield LlamaIndexSearch.title, LlamaIndexSearch


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Search images, video, audio and text by text or media.",
    )
    parser.add_argument("--media", metavar="FOLDER", help="search your own images, video, audio and text")
    parser.add_argument("--query", metavar="TEXT", help="search with a text of your own")
    parser.add_argument(
        "--most", metavar="N", type=int, help=f"files of a kind taken at most (default {MOST}; all on the emulator)"
    )
    parser.add_argument(
        "--videos",
        metavar="N",
        type=int,
        help=f"videos taken at most (default {VIDEOS_AT_MOST}, as they cost by the minute; all on the emulator)",
    )
    parser.add_argument("--page", metavar="FILE", type=Path, default=PAGE, help="where to write the HTML page")
    options = parser.parse_args(arguments)
    if options.query is not None and not options.query.strip():
        parser.error("the query is empty")
    if options.most is not None and options.most < 1:
        parser.error("--most must be 1 or more")
    if options.videos is not None and options.videos < 0:
        parser.error("--videos must be 0 or more")
    return options


def _folder(media: str | None) -> Path:
    if media is not None:
        return Path(media).expanduser()
    make(SAMPLES)
    return SAMPLES


def _queries(library: Library, text: str | None, *, own: bool) -> list[Query]:
    queries = [text_query(library, text.strip())] if text else []
    if own:
        queries += file_queries(library)
    elif not queries:
        queries = sample_queries(library)
    if not queries:
        raise MediaError(f"one file alone ({library.items[0].name!r}) has nothing to find; add files or give a QUERY")
    return queries


def _ending(terminal: Terminal, answers: Mapping[str, list[Answer]], page: Path, *, own: bool) -> None:
    terminal.line()
    first = [answer.right(kind) for found in answers.values() for answer in found for kind in answer.query.expected]
    if first:
        terminal.line(f"{sum(first)} of {len(first)} lists begin with the expected file or scene.")
    terminal.line(f"The same as a page, with images, videos and audio: {page}")
    if not own:
        terminal.line('Your own files:  make demo MEDIA=some/folder QUERY="what you look for"')
