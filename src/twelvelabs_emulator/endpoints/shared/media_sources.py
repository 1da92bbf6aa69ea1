"""Reading the media and the model that a request names."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...features.media.source import Source
from ...protocol.errors import ApiError, invalid, missing
from ...protocol.json_bodies import join_path
from ...protocol.models import MODELS, Model
from ...protocol.settings import Settings
from ...store.assets import Assets
from ...store.downloads import read_url, save_url
from .v2_inputs import MediaSource

# The largest file that the API accepts anywhere.
_MAX_FILE_BYTES = 10_000_000_000


def find_model(name: str | None, served: Sequence[str], settings: Settings) -> Model:
    """Return the model of a request, if the endpoint serves it. Raises the API's 400."""
    if name is None:
        if settings.missing_model_name == "refuse":
            raise missing("model_name")
        name = settings.missing_model_name
    for known in served:
        same = name.casefold() == known.casefold() if settings.model_name_ignores_case else name == known
        if same and known in MODELS:
            return MODELS[known]
    raise invalid("model_name", f"This endpoint serves: {', '.join(served) or 'no model'}.")


@dataclass(frozen=True)
class SourceReader:
    """Reads the media of one request. With ``new_file``, downloads are kept on disk instead of in memory."""

    settings: Settings
    assets: Assets
    new_file: Callable[[], Path] | None = None

    async def read(self, media: MediaSource, path: str) -> Source:
        """Read a source; ``path`` names its place in the request. Raises the API's 400 or 403."""
        if media.url is not None:
            return await self.from_url(media.url, join_path(path, "url"))
        if media.base64_string is not None:
            parameter = join_path(path, "base64_string")
            content = await asyncio.to_thread(_decode_base64, media.base64_string, parameter)
            return Source(content, parameter, "base64_string")
        assert media.asset_id is not None  # Validated: exactly one is set.
        return self.assets.source(media.asset_id, join_path(path, "asset_id"), self.settings)

    async def read_later(self, media: MediaSource, path: str) -> Source | None:
        """Read the source of a task; ``None`` for a URL that fails, where the settings let the task fail."""
        try:
            return await self.read(media, path)
        except ApiError:
            if media.url and self.settings.task_media_check == "later":
                return None
            raise

    async def from_url(self, url: str, parameter: str) -> Source:
        """Fetch a URL. Raises the API's 400."""
        try:
            content = await asyncio.to_thread(self._fetch, url)
        except (OSError, ValueError) as error:
            why = f"The media at the URL could not be accessed ({error}). Provide a direct link to a raw media file."
            raise invalid(parameter, why) from None
        source = Source(content, parameter, "url", url=url)
        if not source.size:
            raise invalid(parameter, "The file at the URL is empty.")
        return source

    def _fetch(self, url: str) -> bytes | Path:
        if self.new_file is None:
            return read_url(url, self.settings)
        return save_url(url, self.new_file(), _MAX_FILE_BYTES, self.settings)


def _decode_base64(value: str, parameter: str) -> bytes:
    if value[:5].casefold() == "data:":
        raise invalid(parameter, "Send the base64 data alone, without a `data:` prefix.")
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(parameter, "It is not valid base64.") from None
    if not content:
        raise invalid(parameter, "It must not be empty.")
    return content
