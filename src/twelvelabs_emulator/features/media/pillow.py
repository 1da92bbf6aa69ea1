"""What every use of Pillow needs: no warnings, and which errors mean a file it cannot read."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

#: The tag of an image's orientation in its EXIF data.
EXIF_ORIENTATION = 0x0112

PILLOW_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)

_lock = threading.Lock()


@contextmanager
def without_warnings() -> Iterator[None]:
    """Suppress Pillow's warnings about unusual files. One thread at a time, as Python's filters are global."""
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
