"""Images as vectors."""

from __future__ import annotations

from ..protocol.models import Model
from ..protocol.settings import Settings
from .media.opening import open_image
from .media.source import Source
from .vectors import Vector, embed_words
from .words.image import image_words


def embed_image(source: Source, model: Model, settings: Settings) -> Vector:
    """Embed an image. Slow: call it in a thread. Raises the API's 400 or 413."""
    return embed_words(image_words(open_image(source, model, settings)), model)
