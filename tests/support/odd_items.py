"""Odd items of every kind: sources, names, times and texts that people pass by mistake, or that come from outside."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import media
from twelvelabs_core import Image

PNG, WAV = media.png(size=(128, 128)), media.wav(440, 1)
MP4 = media.mp4((("red", 5, 440),), size=(360, 360), fps=2)
PDF = media.pdf(1)


class Raises:
    """A file object whose methods raise."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.name = "odd.png"

    def read(self, *_: Any) -> bytes:
        raise self.error

    def seek(self, *_: Any) -> int:
        raise self.error

    def tell(self) -> int:
        return 0


class ReadsText(io.StringIO):
    """A file that was opened as text."""


def closed(content: bytes) -> io.BytesIO:
    file = io.BytesIO(content)
    file.close()
    return file


def closed_image() -> Any:
    from PIL import Image as Pillow

    image = Pillow.open(io.BytesIO(PNG))
    image.close()
    return image


def image_of_mode(mode: str, size: tuple[int, int] = (130, 130)) -> Any:
    from PIL import Image as Pillow

    return Pillow.new(mode, size)


SOURCES: list[Callable[[], Any]] = [
    lambda: None,
    lambda: "",
    lambda: "x",
    lambda: "\0",
    lambda: "\ud800.png",
    lambda: "missing.png",
    lambda: "a" * 5000,
    lambda: ".",
    lambda: Path(),
    lambda: Path(__file__).parent,
    lambda: b"",
    lambda: b"\xff",
    lambda: bytearray(PNG),
    lambda: memoryview(PNG),
    lambda: PNG,
    lambda: WAV,
    lambda: MP4,
    lambda: PDF,
    lambda: io.BytesIO(PNG),
    lambda: io.BytesIO(),
    lambda: closed(PNG),
    lambda: ReadsText("text"),
    lambda: Raises(OSError("disk gone")),
    lambda: Raises(ValueError("odd")),
    lambda: Raises(RuntimeError("odd")),
    lambda: Raises(KeyError("odd")),
    lambda: object(),
    lambda: 5,
    lambda: math.nan,
    lambda: ["a.png"],
    lambda: {"url": "x"},
    lambda: "http://",
    lambda: "http://[",
    lambda: "https://exa mple.com/x.png",
    lambda: "https://example.com/\ud800.png",
    lambda: "https://example.com:99999999/x.png",
    lambda: "https://user:pass@example.com/x.png?X-Amz-Signature=1",
    lambda: "HTTP://EXAMPLE.COM/x.png",
    lambda: "data:",
    lambda: "data:image/png;base64,!!!",
    lambda: "data:image/png;base64," + media.b64(PNG),
    lambda: "data:image/png,%ff",
    lambda: "file://",
    lambda: "file:///nowhere.png",
    lambda: "ftp://example.com/x.png",
    closed_image,
    lambda: image_of_mode("I;16B"),
    lambda: image_of_mode("I;16"),
    lambda: image_of_mode("F"),
    lambda: image_of_mode("CMYK"),
    lambda: image_of_mode("1"),
    lambda: image_of_mode("P"),
    lambda: image_of_mode("LAB"),
    lambda: image_of_mode("HSV"),
    lambda: image_of_mode("RGBA"),
    lambda: image_of_mode("RGB", (0, 0)),
    lambda: image_of_mode("RGB", (1, 400)),
    lambda: Image(PNG),
]
NAMES: list[Any] = [None, "", "coat", "\ud800", "a b", "<@x>", "\0", 5, "é" * 300, "a\r\nb"]
TIMES: list[Any] = [None, 0, 1.5, -1, math.nan, math.inf, "a", "1", True, [], 10**400]
TEXTS: list[Any] = [
    "", " ", "\n", "\0", "\ud800", "a\udfff", "red", "🙂" * 600, "word " * 3000, "<@coat> red", "<@", "a" * 100_000,
    "[twelvelabs:marengo3.0/512/00000000-0000-0000-0000-000000000000]", "film.mp4 00:00:00-00:00:06 visual",
    None, 5, 1.5, b"bytes", [], {}, object(), True, "\x1b[0m", "\u202e", "\ufeff",
]  # fmt: skip
