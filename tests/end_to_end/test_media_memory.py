"""Memory while many large images are embedded, in a process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import media
from tests.support.raw_server import answering, raw_server, response
from tests.support.service import v2_answer, vector

pytestmark = pytest.mark.network

COUNT, SIZE, BUDGET = 60, 6_000_000, 20_000_000

SCRIPT = """
import resource, sys
sys.path.insert(0, {path!r})
from pathlib import Path
from twelvelabs_core import EmbeddingClient, Image
client = EmbeddingClient(api_key="tlk_0123456789", base_url={url!r}, max_media_bytes={budget})
paths = sorted(Path({folder!r}).glob("*.jpg"))
client.embed(Image(paths[0]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert len(client.embed_many([Image(path) for path in paths])) == {count}
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
assert grown < {budget} / 1e6 + 40, grown
"""


def test_the_bytes_held_stay_within_the_budget(
    tmp_path: Path, script: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """360 MB of images (480 in base64) by 20 MB; read whole, 60 at a time would take more than a gigabyte."""
    jpeg = media.jpeg()
    for number in range(COUNT):
        with (tmp_path / f"{number:03}.jpg").open("wb") as file:
            file.write(jpeg)
            file.truncate(SIZE + number)  # zeros that take no room on the disk
            file.seek(0, 2)
            file.write(jpeg[-2:])
    body = json.dumps(v2_answer(vector("image"))).encode()
    with raw_server(answering(response(body))) as server:
        root = str(Path(__file__).parents[2] / "src")
        values = {"budget": BUDGET, "count": COUNT, "folder": str(tmp_path), "url": server.base_url, "path": root}
        script(SCRIPT.format(**values))
        assert len(server.requests) == COUNT + 1
