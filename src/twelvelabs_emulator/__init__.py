"""A local server with TwelveLabs' Embed API, for development and tests without a key.

Its vectors are toys: media are described in words (colour, stripes, motion, pitch, loudness), and words are
hashed into directions. There are no weights and none of TwelveLabs' models: search quality is no measure of
the real service. Requests, responses and errors are the API's.

    python -m twelvelabs_emulator --port 8765

From Python: `Emulator` runs it in a thread, `create_app` returns the ASGI application, `Settings` has every
setting, and `RecordedRequest` is an item of ``Emulator.requests``.

Imports go one way: ``app`` → ``middleware`` and ``endpoints`` → ``store`` → ``features`` → ``protocol``.
"""

from __future__ import annotations

from .app import create_app
from .protocol.request_log import RecordedRequest
from .protocol.settings import Settings
from .server import Emulator

__all__ = ["Emulator", "RecordedRequest", "Settings", "create_app"]
