"""Multipart forms: parts by name, files in memory or on disk.

Some clients send every field as a file with a name (version 0.4 of the official SDK does), so what is a file is
told by the field, not by the part.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from .bodies import content_type_of, drain, read_body, read_once, record_of, stream_of
from .errors import ApiError, invalid, unknown_field
from .settings import Settings

# The most that a field may have, as of Starlette's parser for fields that are no files.
_MAX_TEXT_BYTES = 1 << 20


@dataclass(frozen=True)
class FormFile:
    """A file of a form: its content, or the path it was stored at. ``size`` in bytes."""

    content: bytes | Path
    filename: str | None
    size: int


class Form:
    """The parts of a form by name. Of several parts with one name, the last counts unless stated otherwise."""

    def __init__(self, parts: dict[str, list[str | FormFile]]) -> None:
        self._parts = parts

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def refuse_unknown(self, known: Sequence[str], settings: Settings) -> None:
        """Raise the API's 400 for a field that is not known, unless the settings ignore it."""
        if settings.unknown_fields == "refuse":
            for name in self._parts:
                if name not in known:
                    raise unknown_field(name)

    def string(self, name: str) -> str | None:
        """Return a field's text; ``None`` if it was not sent."""
        value = self._parts.get(name, [None])[-1]
        if isinstance(value, FormFile):
            raise invalid(name, "It must be a form field with a text, not a file.")
        return value

    def strings(self, name: str, default: str) -> list[str | FormFile]:
        """Return every different value of a repeated field."""
        return list(dict.fromkeys(self._parts.get(name, [default])))

    def seconds(self, name: str) -> float | None:
        """Return a field's number of seconds, which is finite and not negative."""
        text = self.string(name)
        if text is None:
            return None
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            raise invalid(name, "It must be a number of seconds from 0.")
        return seconds

    def file(self, name: str) -> FormFile | None:
        """Return a file; ``None`` if it was not sent. Raises the API's 400 if a text was sent in its place."""
        value = self._parts.get(name, [None])[-1]
        if isinstance(value, str):
            raise invalid(name, "It must be a file.")
        return value

    def delete_files(self, but: Path | None = None) -> None:
        """Delete the stored files, except one."""
        for values in self._parts.values():
            for value in values:
                if isinstance(value, FormFile) and isinstance(value.content, Path) and value.content != but:
                    value.content.unlink(missing_ok=True)


async def read_form(request: Request, settings: Settings) -> Form:
    """Return a form whose files stay in memory, and record it. Raises the API's 400 for any other body."""
    return await read_once(request, settings, _parse_form)


async def _parse_form(request: Request, settings: Settings) -> Form:
    body = await read_body(request, settings)
    if content_type_of(request) != "multipart/form-data":
        why = "is required but was not provided: this endpoint expects a multipart/form-data body."
        raise ApiError(400, "parameter_not_provided", f"The `model_name` parameter {why}")
    return await _collected(await _parsed(request, _single_chunk(body)), request, settings, None)


async def store_form(request: Request, settings: Settings, new_file: Callable[[], Path]) -> Form:
    """Return a form whose files go to disk, and record it. Raises the API's 400 for any other body.

    A form without files may be url-encoded, as the official SDK sends it.
    """
    content_type = content_type_of(request)
    if content_type == "application/x-www-form-urlencoded":
        data = await FormParser(request.headers, stream_of(request)).parse()
    elif content_type == "multipart/form-data" and "content-encoding" not in request.headers:
        data = await _parsed(request, stream_of(request))
    else:
        await drain(request)
        raise ApiError(400, "parameter_not_provided", "This endpoint expects a multipart/form-data body.")
    return await _collected(data, request, settings, new_file)


async def _single_chunk(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


async def _parsed(request: Request, stream: AsyncGenerator[bytes, None]) -> FormData:
    try:
        return await MultiPartParser(request.headers, stream).parse()
    except (MultiPartException, ValueError) as error:
        async for _ in stream:
            pass
        raise invalid("body", f"It is not a valid multipart form: {error}") from None


async def _collected(data: FormData, request: Request, settings: Settings, new_file: Callable[[], Path] | None) -> Form:
    parts: dict[str, list[str | FormFile]] = {}
    recorded: dict[str, Any] = {}
    try:
        for name, part in data.multi_items():
            text = part if isinstance(part, str) else _text_of(name, part, settings)
            if text == "" and settings.empty_fields == "absent":
                recorded.setdefault(name, "")
                continue
            values = parts.setdefault(name, [])
            if text is not None:
                values.append(text)
                recorded[name] = text if len(values) == 1 else [*values]
                continue
            assert isinstance(part, UploadFile)  # It is a string or a file.
            if new_file is None:
                file, digest = await asyncio.to_thread(_in_memory, part)
            else:
                file, digest = await asyncio.to_thread(_on_disk, part, new_file())
            values.append(file)
            recorded[name] = {
                "filename": part.filename,
                "content_type": part.content_type,
                "size": file.size,
                "sha256": digest,
            }
    finally:
        await data.close()
    record_of(request).body = recorded
    return Form(parts)


def _text_of(name: str, part: UploadFile, settings: Settings) -> str | None:
    """Return the text of a field that was sent as a file; ``None`` for a field of files, or what is no text."""
    if name == "file" or name.endswith("_file") or (part.size or 0) > _MAX_TEXT_BYTES:
        return None
    if settings.text_files == "refuse":
        return None
    try:
        return part.file.read().decode()
    except UnicodeDecodeError:
        part.file.seek(0)
        return None


def _in_memory(part: UploadFile) -> tuple[FormFile, str]:
    content = part.file.read()
    return FormFile(content, part.filename, len(content)), hashlib.sha256(content).hexdigest()


def _on_disk(part: UploadFile, path: Path) -> tuple[FormFile, str]:
    digest, size = hashlib.sha256(), 0
    stream: BinaryIO = part.file
    with path.open("wb") as file:
        while piece := stream.read(1 << 20):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    return FormFile(path, part.filename, size), digest.hexdigest()
