"""A local server that speaks TwelveLabs' Embed API, for work and tests without a key.

Its vectors are honest toys: media are measured (colour, stripes, motion, pitch, loudness) into words, and
words are hashed into directions. No weights, none of TwelveLabs' models: how well it finds things says
nothing about the real service. Requests, answers and errors are the API's.

    python -m twelvelabs_emulator --port 8765

From Python: `Emulator` runs it in a thread, `create_app` gives the ASGI application, `Settings` holds every
switch, and `RecordedRequest` is an item of ``Emulator.requests``.
"""

from __future__ import annotations

from .app import create_app
from .protocol.request_log import RecordedRequest
from .protocol.settings import Settings
from .server import Emulator

__all__ = ["Emulator", "RecordedRequest", "Settings", "create_app"]
