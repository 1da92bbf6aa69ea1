"""The Python blocks of the README and the documentation run as a reader would paste them, page by page, in order.

Each page runs in one process of its own, with the media files it names in the current folder, against the emulator. A
block with tests in it (``def test_…``) runs as a test file.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from tests.support import media
from twelvelabs_emulator import Emulator

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if BLOCK.search(page.read_text("utf-8"))
]


def captions() -> bytes:
    """A Parquet file."""
    made = io.BytesIO()
    parquet.write_table(pa.table({"caption": [*(f"a red bike, {number}" for number in range(30)), None]}), made)
    return made.getvalue()


VIDEO = media.mp4((("red", 6, 440), ("blue", 6, 440)), size=(360, 360), fps=4)
FILES = {
    "README.md": {"bike.jpg": media.jpeg(), "hum.wav": media.wav(60, 6), "videos/street.mp4": VIDEO},
    "langchain.md": {"poster.png": media.png("purple"), "audio/hum.wav": media.wav(60, 6), "videos/beach.mp4": VIDEO},
    "llama_index.md": {
        "bike.jpg": media.jpeg(),
        "bell.wav": media.wav(2000, 6),
        "holiday/bike.jpg": media.jpeg(),
        "holiday/beach.mp4": VIDEO,
        "mixed/ride.mp4": VIDEO,
        "mixed/notes.txt": b"A red bike, and a blue sea.",
    },
    "chat.md": {"videos/beach.mp4": VIDEO},
    "sdk.md": {"beach.mp4": VIDEO},
    "ray.md": {"captions.parquet": captions(), "videos/beach.mp4": VIDEO},
    "tracing.md": {"bike.jpg": media.jpeg()},
}
"""The media files that each page names."""

PRINTED = {
    "README.md": r"^videos/street\.mp4#t=0,\d+$",
    "langchain.md": r"^beach\.mp4 00:00:00-\S+ \S+ \[twelvelabs:\S+\] \d+ videos/beach\.mp4#t=0,\d+$",
    "chat.md": r"^A beach\. \['text', 'image', 'image', 'image', 'image', 'audio'\]$",
    "sdk.md": r"^100 %, ready\n(.*\n)*Video\('missing\.mp4'\) .*no such file",
    "ray.md": r"^30 of 31 items done, 1 failed, .*\n(.*\n)*beach\.mp4 00:00:00-\S+ \S+ 2024 marengo3\.0/512 None$",
    "tracing.md": r"^embeddings marengo3\.0 1 True\nTwelve\S+ \[\('embedding', '\S+'\)\]\n\['bike\.jpg'\] \[512\]$",
    "llama_index.md": r"^beach\.mp4 00:00:00-\S+ \S+ holiday/beach\.mp4#t=0,\d+$",
}
"""A line that each page prints."""

# Argument: the page. Blocks keep their line numbers, so that a traceback names the line of the page.
RUNNER = """
import re, sys
from pathlib import Path
import pytest

page = Path(sys.argv[1])
text = page.read_text("utf-8")
names = {"__name__": "page"}
for number, block in enumerate(re.finditer(sys.argv[2], text, re.DOTALL | re.MULTILINE)):
    if re.search("^def test_", block[1], re.MULTILINE):
        test = Path(f"test_block_{number}.py")
        test.write_text(block[1], "utf-8")
        status = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "twelvelabs_pytest", str(test)])
        assert status == 0, f"the tests in block {number} fail"
    else:
        above = text.count("\\n", 0, block.start(1))
        exec(compile("\\n" * above + block[1], str(page), "exec"), names)
"""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page: Path, emulator: Emulator, tmp_path: Path) -> None:
    for name, content in FILES.get(page.name, {}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(page), BLOCK.pattern],
        cwd=tmp_path,
        env={
            **os.environ,
            "TWELVELABS_API_KEY": emulator.api_key,
            "TWELVELABS_BASE_URL": emulator.base_url,
            "ANONYMIZED_TELEMETRY": "False",  # Chroma's reports
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "disabled",  # else Ray writes a token into the home folder
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT))),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert re.search(PRINTED.get(page.name, ""), done.stdout, re.MULTILINE), done.stdout


def test_pages_with_files_have_blocks() -> None:
    """A page that is renamed, or whose blocks lose their language, is noticed."""
    assert {*FILES, *PRINTED} <= {page.name for page in PAGES}
