"""The ``x-api-key`` header."""

from __future__ import annotations

import hmac

from ..protocol.errors import ApiError
from ..protocol.settings import Settings

__all__ = ["check_key"]


def check_key(given: str | None, settings: Settings) -> None:
    """Raise the API's 401 unless the key is let in. The message never says the key back."""
    if given and not settings.api_keys:
        return
    offered = (given or "").encode()
    if given and any(hmac.compare_digest(offered, key.encode()) for key in settings.api_keys):
        return
    raise ApiError(
        401,
        "api_key_invalid",
        "The API key is invalid or has expired." if given else "The `x-api-key` header is missing.",
        shape="flat",
    )
