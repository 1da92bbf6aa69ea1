"""Requests to ``/assets`` and ``/assets/multipart-uploads``, for files too large for an embedding request, and reading
their responses: ids, counts and addresses are checked, whatever JSON comes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic_core import to_json

from .._assets import Asset
from .._errors import InvalidInputError, MalformedResponseError
from .._inputs import MAX_SECONDS
from .errors import one_line
from .names import is_name, own_name, read_id, read_url
from .pages import list_page
from .requests import Request, SentFile
from .timestamps import read_time

UPLOADS = "assets/multipart-uploads"

MAX_PARTS = 100_000  # of 5 MB, there are 2,000 in the largest file that the API takes
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE = re.compile(r"[ -~]{0,1000}")
# What the connection itself sets, and what must not leave for another host.
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "x-api-key"})


def create(file: SentFile, filename: str, mime: str) -> Request:
    """Upload one file as an asset. Without preview and thumbnail."""
    form: list[tuple[str, Any]] = [
        ("method", "direct"),
        ("file", (filename, file, mime)),
        ("filename", filename),
        ("enable_hls", "false"),
        ("enable_thumbnail", "false"),
    ]
    return Request("assets", form=form, categories=("upload",))


def retrieve(asset_id: str) -> Request:
    """Ask for the state of an asset."""
    return Request(f"assets/{asset_id}", method="GET")


def find(filename: str) -> Request:
    """List the assets whose name contains ``filename``, newest first; 50 at most."""
    return Request(f"assets?filename={quote(filename, safe='')}&page=1&page_limit=50", method="GET")


def delete(asset_id: str, *, force: bool = False) -> Request:
    """Delete an asset.

    Args:
        force: also if indexes refer to it.
    """
    return Request(f"assets/{asset_id}{'?force=true' if force else ''}", method="DELETE", reads="headers")


def create_multipart(filename: str, kind: str, total_size: int) -> Request:
    """Begin an upload in parts. Documents have none (SDK)."""
    body = {
        "filename": filename,
        "type": kind,
        "total_size": total_size,
        "enable_hls": False,
        "enable_thumbnail": False,
    }
    return Request(UPLOADS, json=to_json(body), categories=("upload",))


def part(url: str, content: SentFile, headers: Mapping[str, str]) -> Request:
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


def list_assets(page: int, *, kind: str | None = None, filename: str | None = None) -> Request:
    """Ask for a page of the account's assets.

    Args:
        page: from 1.
        kind: of the files; None = all.
        filename: a part of the name.
    """
    return list_page("assets", page, asset_types=kind, filename=filename)


def read_asset(response: Mapping[str, Any]) -> Asset:
    """An asset, from a response that creates or retrieves it, or from an entry of a list.

    Raises:
        MalformedResponseError: no id.
    """
    error = response.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    size, mime = response.get("size"), response.get("file_type")
    return Asset(
        read_id(response.get("_id"), "asset"),
        str(response.get("status", "ready")),
        own_name(response.get("filename")),
        mime if isinstance(mime, str) else None,
        size if type(size) is int else None,
        _seconds(response.get("duration")),
        read_time(response.get("created_at")),
        one_line(message) if message else None,
    )


def _seconds(found: Any) -> float | None:
    return float(found) if type(found) in (int, float) and 0 <= found < MAX_SECONDS else None


def usable(asset: Asset) -> Asset:
    """An asset that is ready, or will be.

    Raises:
        InvalidInputError: the server could not process the file.
    """
    if asset.status == "failed":
        raise InvalidInputError(f"the server could not process the upload: {asset.error or 'no reason given'}")
    return asset


def find_named(response: Mapping[str, Any], filename: str, size: int | None) -> str | None:
    """The id of the asset in a list that was uploaded under ``filename``, a name that only one upload has.

    Args:
        size: of the file, in bytes; an asset of another size is not taken.
    """
    for entry in _objects(response.get("data")):
        listed = entry.get("size")
        if is_name(entry.get("filename"), filename) and (type(listed) is not int or size in (None, listed)):
            try:
                return usable(read_asset(entry)).id
            except (InvalidInputError, MalformedResponseError):
                continue
    return None


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """An upload in parts, as the server planned it.

    Attributes:
        part_size: bytes of each part but the last.
        parts: how many there are, numbered from 1.
        headers: to send with each part.
    """

    id: str
    asset_id: str
    part_size: int
    parts: int
    headers: Mapping[str, str]


def read_upload(described: Mapping[str, Any], size: int) -> UploadPlan:
    """An upload, from the response that began it or from the journal's entry.

    Args:
        size: of the file, in bytes; the parts must make it up exactly.

    Raises:
        MalformedResponseError: something is missing, or the parts do not fit the file.
    """
    part_size, parts = described.get("chunk_size"), described.get("total_chunks")
    if type(part_size) is not int or type(parts) is not int:
        raise MalformedResponseError("The response does not describe an upload: no chunk_size or no total_chunks.")
    if part_size < 1 or not 1 <= parts <= MAX_PARTS or parts != -(-size // part_size):
        raise MalformedResponseError(
            f"The response plans {parts} parts of {part_size} bytes for an upload of {size} bytes."
        )
    headers = described.get("upload_headers") or {}
    return UploadPlan(
        read_id(described.get("upload_id"), "upload (upload_id)"),
        read_id(described.get("asset_id"), "asset (asset_id)"),
        part_size,
        parts,
        _read_headers(headers),
    )


def read_part_urls(response: Mapping[str, Any], parts: int, base_url: str) -> dict[int, str]:
    """The presigned addresses in a response, by the number of their part.

    Raises:
        MalformedResponseError: an address cannot be used.
    """
    return {
        index: read_url(entry.get("url"), base_url)
        for entry in _objects(response.get("upload_urls"))
        if type(index := entry.get("chunk_index")) is int and 1 <= index <= parts
    }


@dataclass(frozen=True, slots=True)
class UploadState:
    """What a page of an upload's state says.

    Attributes:
        status: ``active``, ``completed``, ``failed``, ``expired``; empty if the server did not say.
        arrived: the parts that the server knows to have arrived.
        pages: how many pages there are.
    """

    status: str
    arrived: frozenset[int]
    pages: int


def read_upload_state(response: Mapping[str, Any], parts: int) -> UploadState:
    """A page of an upload's state."""
    arrived = frozenset(
        index
        for entry in _objects(response.get("uploaded_chunks"))
        if entry.get("status") == "completed" and type(index := entry.get("index")) is int and 1 <= index <= parts
    )
    info = response.get("page_info")
    pages = info.get("total_page") if isinstance(info, dict) else None
    return UploadState(str(response.get("status") or ""), arrived, min(pages, parts) if type(pages) is int else 1)


def _read_headers(found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or len(found) > 50:
        raise MalformedResponseError("The response has upload_headers that are no headers.")
    headers = {}
    for name, value in found.items():
        text = value if isinstance(value, str) else str(value) if type(value) is int else ""
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(text):
            raise MalformedResponseError("The response has upload_headers that are no headers.")
        if name.lower() not in _OWN_HEADERS:
            headers[name] = text
    return headers


def _objects(found: Any) -> list[dict[str, Any]]:
    """The objects of a JSON list; empty for anything else."""
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
