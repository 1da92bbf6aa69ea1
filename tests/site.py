"""The pages of the site: docs/, the changelog and the contributor's guide, with links that lead somewhere there too.

python -m tests.site build/docs
python -m tests.site --check build/site
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/twelvelabs-embeddings/twelvelabs-embeddings/blob/main/"
FROM_ROOT = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
_LINK = re.compile(r"\]\((?!https?://|#)([^)\s#]+)(#[^)\s]*)?\)")


def page(text: str, folder: Path) -> str:
    """A page with its links as the site needs them.

    Args:
        text: Markdown, whose links are relative to ``folder``.
        folder: where it stands in the repository.
    """

    def moved(link: re.Match[str]) -> str:
        target = (folder / link[1]).resolve()
        if target.parent == ROOT / "docs":
            return f"]({target.name}{link[2] or ''})"
        name = str(target.relative_to(ROOT))
        return f"]({FROM_ROOT.get(name, REPOSITORY + name)}{link[2] or ''})"

    return _LINK.sub(moved, text)


def docstrings(source: str) -> str:
    """A module's text with the roles and directives of Sphinx in its docstrings as Markdown."""
    source = re.sub(r":(?:class|meth|func|data|attr|mod):`~?(?:[\w.]*\.)?(\w+)`", r"``\1``", source)
    return re.sub(r"^ *\.\. code-block:: python\n", "", source, flags=re.MULTILINE)


def write(folder: Path) -> None:
    """Write all pages and figures into a folder, which is emptied first, and the modules of the API page beside it."""
    modules = folder.parent / "src"
    shutil.rmtree(modules, ignore_errors=True)
    shutil.copytree(ROOT / "src", modules, ignore=shutil.ignore_patterns("__pycache__"))
    for module in modules.rglob("*.py"):
        module.write_text(docstrings(module.read_text("utf-8")), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    for source in (ROOT / "docs").glob("*.md"):
        (folder / source.name).write_text(page(source.read_text("utf-8"), ROOT / "docs"), "utf-8")
    for name, new in FROM_ROOT.items():
        (folder / new).write_text(page((ROOT / name).read_text("utf-8"), ROOT), "utf-8")


def fetched(html: str) -> list[str]:
    """What a browser would fetch from other hosts to show a page: scripts, styles, fonts, images, frames."""
    tags = re.findall(r"<(?:script|img|iframe|source|video|audio|link)\b[^>]*>", html)
    shown = [tag for tag in tags if not re.search(r"rel=[\"']?(?:canonical|prev|next|alternate)\b", tag)]
    return [url for tag in shown for url in re.findall(r"(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)", tag)]


def main() -> None:
    """Write them where the command line says, or check a site that was built of them."""
    parser = argparse.ArgumentParser(description="The pages of the site, for Zensical.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true", help="fail if a page in this folder needs another host")
    options = parser.parse_args()
    if not options.check:
        write(options.folder)
        return
    found = {path.name: fetched(path.read_text("utf-8")) for path in options.folder.rglob("*.html")}
    assert found, f"no pages in {options.folder}"
    if any(found.values()):
        parser.error(f"fetched from other hosts: { ({name: urls for name, urls in found.items() if urls}) }")


if __name__ == "__main__":
    main()
