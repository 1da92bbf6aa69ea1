"""Requests to ``/assets`` and ``/assets/multipart-uploads``, for files too large for an embedding request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from .._errors import InvalidInputError, MalformedResponseError
from .requests import FileRange, Request

UPLOADS = "assets/multipart-uploads"


def create(file: Path | bytes, filename: str, mime: str) -> Request:
    """Upload one file as an asset. A path is streamed. Without preview and thumbnail."""
    form: list[tuple[str, Any]] = [
        ("method", "direct"),
        ("file", (filename, file, mime)),
        ("filename", filename[-255:]),
        ("enable_hls", "false"),
        ("enable_thumbnail", "false"),
    ]
    return Request("assets", form=form, categories=("upload",))


def retrieve(asset_id: str) -> Request:
    """Ask for the state of an asset."""
    return Request(f"assets/{asset_id}", method="GET")


def delete(asset_id: str) -> Request:
    """Delete an asset."""
    return Request(f"assets/{asset_id}", method="DELETE", reads="headers")


def create_multipart(filename: str, kind: str, total_size: int) -> Request:
    """Begin an upload in parts. Documents have none (SDK)."""
    body = {
        "filename": filename[-255:],
        "type": kind,
        "total_size": total_size,
        "enable_hls": False,
        "enable_thumbnail": False,
    }
    return Request(UPLOADS, json=to_json(body), categories=("upload",))


def part(url: str, content: bytes | FileRange, headers: dict[str, str]) -> Request:
    """Send one part to its presigned address, without the API key."""
    return Request(url, method="PUT", content=content, headers=headers, reads="headers")


def more_urls(upload_id: str, start: int, count: int) -> Request:
    """Ask for the addresses of ``count`` (1 to 50) parts from number ``start``."""
    return Request(f"{UPLOADS}/{upload_id}/presigned-urls", json=to_json({"start": start, "count": count}))


def complete(upload_id: str, parts: Sequence[tuple[int, str, int]]) -> Request:
    """Report parts (number, ETag, size) as uploaded; 1 to 50."""
    done = [
        {"chunk_index": index, "proof": etag, "proof_type": "etag", "chunk_size": size} for index, etag, size in parts
    ]
    return Request(f"{UPLOADS}/{upload_id}", json=to_json({"completed_chunks": done}))


def uploaded(upload_id: str, page: int) -> Request:
    """Ask which parts of an upload have arrived, 50 a page.

    Args:
        page: from 1.
    """
    return Request(f"{UPLOADS}/{upload_id}?page={page}&page_limit=50", method="GET")


def read_asset(response: dict[str, Any]) -> tuple[str, str]:
    """Id and status (``processing``, ``ready``) of an asset.

    Raises:
        InvalidInputError: the server could not process the file.
        MalformedResponseError: no id.
    """
    asset_id = response.get("_id")
    if not isinstance(asset_id, str):
        raise MalformedResponseError("The response has no asset id.")
    status = str(response.get("status", "ready"))
    if status == "failed":
        message = (response.get("error") or {}).get("message") or "no reason given"
        raise InvalidInputError(f"the server could not process the upload: {message}")
    return asset_id, status
