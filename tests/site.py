"""The pages of the site: docs/, the changelog and the contributor's guide, with links that lead somewhere there too.

python -m tests.site build/docs
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


def write(folder: Path) -> None:
    """Write all pages and figures into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    for source in (ROOT / "docs").glob("*.md"):
        (folder / source.name).write_text(page(source.read_text("utf-8"), ROOT / "docs"), "utf-8")
    for name, new in FROM_ROOT.items():
        (folder / new).write_text(page((ROOT / name).read_text("utf-8"), ROOT), "utf-8")


def main() -> None:
    """Write them where the command line says."""
    parser = argparse.ArgumentParser(description="The pages of the site, for Zensical.")
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
