"""The site's pages: each in the navigation, each link with a file behind it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.site import FROM_ROOT, REPOSITORY, ROOT, docstrings, fetched, page, write

CONFIGURATION = (ROOT / "mkdocs.yml").read_text("utf-8")


def test_every_page_is_in_the_navigation(tmp_path: Path) -> None:
    write(tmp_path / "pages")
    navigation = re.findall(r"^ +- .+: (\S+\.md)$", CONFIGURATION, re.MULTILINE)
    assert sorted(navigation) == sorted(found.name for found in (tmp_path / "pages").glob("*.md"))


def test_links_have_files_behind_them(tmp_path: Path) -> None:
    write(tmp_path / "pages")
    for found in (tmp_path / "pages").glob("*.md"):
        for link in re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", found.read_text("utf-8")):
            if link.startswith(REPOSITORY):
                assert (ROOT / link.removeprefix(REPOSITORY)).exists(), (found.name, link)
            elif not link.startswith("http"):
                assert (tmp_path / "pages" / link).exists(), (found.name, link)


def test_links_are_moved() -> None:
    assert page("[a](docs/limits.md#two-lanes)", ROOT) == "[a](limits.md#two-lanes)"
    assert page("[a](../examples/traces.py)", ROOT / "docs") == f"[a]({REPOSITORY}examples/traces.py)"
    assert page("[a](../CHANGELOG.md) [b](https://example.com) [c](#d)", ROOT / "docs") == (
        f"[a]({FROM_ROOT['CHANGELOG.md']}) [b](https://example.com) [c](#d)"
    )


def test_nothing_is_fetched_while_reading() -> None:
    assert re.search(r"^  font: false\b", CONFIGURATION, re.MULTILINE)
    # With a repo_url a page asks GitHub for its stars.
    assert not re.search(r"extra_javascript|cdn|analytics|repo_url", CONFIGURATION)


def test_what_a_browser_would_fetch() -> None:
    """`make docs` looks for it in every page that it has built."""
    outside = '<script src="https://a.example/a.js"></script><link rel=stylesheet href=//b.example/b.css>'
    inside = '<link rel="canonical" href="https://c.example/"><img src="d.svg"><a href="https://e.example/">e</a>'
    assert fetched(outside + inside) == ["https://a.example/a.js", "//b.example/b.css"]


def test_docstrings_become_markdown() -> None:
    given = "Raises :class:`~twelvelabs_core.CacheError`.\n\n    .. code-block:: python\n\n        embed()\n"
    assert docstrings(given) == "Raises ``CacheError``.\n\n\n        embed()\n"


def test_the_scheme_follows_the_system_until_a_reader_chooses() -> None:
    """A first visit takes the first palette, and remembers it: `light` would stay when the system turns dark."""
    palettes = re.findall(r'^    - media: "(.*)"$', CONFIGURATION, re.MULTILINE)
    assert palettes == ["(prefers-color-scheme)", "(prefers-color-scheme: light)", "(prefers-color-scheme: dark)"]


def test_the_readme_s_figures_are_the_benchmarks() -> None:
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    measured = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    rate = re.search(r"at ([\d.]+) of the rate of bare aiohttp", readme)
    row = re.search(r"^\| Texts a second \| embed_documents / aiohttp \+ orjson \| ([\d.]+) ×", measured, re.MULTILINE)
    assert rate and row and rate[1] == row[1]
    times = re.search(r"`embed_documents` did ([\d.]+) times as many as the SDK in threads", measured)
    assert "less than a third of the time that the official SDK takes" in readme and times and float(times[1]) > 3


def test_the_picture_shows_every_adapter() -> None:
    picture = (ROOT / "docs" / "architecture.svg").read_text("utf-8")
    adapters = {path.name for path in (ROOT / "src").glob("*_twelvelabs")}
    assert {*re.findall(r">(\w+_twelvelabs)<", picture)} == adapters
