"""Routes: request or task, inline or uploaded, by kind, size, length and options; and the parts of over-long files."""

from __future__ import annotations

from typing import Any

import pytest

from twelvelabs_core import MODELS, Audio, Document, Image, Media, SegmentOptions, Video
from twelvelabs_core._embed.route import Route, route
from twelvelabs_core._media.file import MediaFile
from twelvelabs_core._media.probe import Probe
from twelvelabs_core._options import whole_file

M30, M35 = MODELS["marengo3.0"], MODELS["marengo3.5"]
MB = 1_000_000


def file(item: Media, mime: str = "", **fields: Any) -> MediaFile:
    duration = fields.pop("duration", None)
    return MediaFile(item, "x", mime=mime, measured=Probe(duration), **fields)


VIDEO, AUDIO = Video("a.mp4"), Audio("a.mp3")


@pytest.mark.parametrize(
    ("model", "given", "options", "way"),
    [
        (M30, file(VIDEO, size=MB, duration=600.0), None, Route("inline", task=False)),
        (M30, file(VIDEO, size=MB, duration=600.5), None, Route("inline", task=True)),
        (M30, file(VIDEO, size=37 * MB, duration=60.0), None, Route("direct", task=False)),
        (M30, file(VIDEO, size=201 * MB, duration=601.0), None, Route("multipart", task=True)),
        (M30, file(VIDEO, url="u"), None, Route("inline", task=False, or_task=True)),
        (
            M30,
            file(Video("a.mp4", start_sec=300, end_sec=605), size=MB, duration=605.0),
            None,
            Route("inline", task=True),
        ),
        (M30, file(VIDEO, size=MB, duration=6.0), SegmentOptions(), Route("inline", task=False)),
        (M30, file(Image("a.png"), size=MB), None, Route("inline", task=False)),
        (M35, file(VIDEO, size=MB, duration=6.0), None, Route("inline", task=True)),
        (M35, file(AUDIO, size=MB, duration=30.0), None, Route("inline", task=False)),
        (M35, file(AUDIO, size=MB, duration=31.0), None, Route("inline", task=True)),
        (M35, file(AUDIO, url="u"), None, Route("inline", task=False, or_task=True)),
        (M35, file(Audio("a.mp3", start_sec=2), size=MB, duration=6.0), None, Route("inline", task=True)),
        (M35, file(AUDIO, size=MB, duration=6.0), SegmentOptions(), Route("inline", task=True)),
        (M35, file(Image("a.png"), size=MB), SegmentOptions(embedding_uncertainty=True), Route("inline", task=True)),
        (M35, file(Document("a.pdf"), "application/pdf", size=MB), None, Route("inline", task=False)),
        (M35, file(Document("a.pdf"), "application/pdf", size=MB), SegmentOptions(), Route("inline", task=True)),
        (M35, file(Document("a.txt"), "text/plain", size=MB), None, Route("inline", task=False)),
        (M35, file(Document("a.txt"), "text/plain", size=33 * MB), None, Route("direct", task=True)),
    ],
)
def test_route(model: Any, given: MediaFile, options: SegmentOptions | None, way: Route) -> None:
    asked = options or whole_file(given.kind, is_text=given.is_text)
    assert route(model, "v2", given, asked) == way
