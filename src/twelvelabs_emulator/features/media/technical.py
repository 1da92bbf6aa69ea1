"""The technical metadata of a file: its container, streams, pixels and pages, as the API names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from ...protocol.formats import json_seconds
from .decoding import DecodingError, open_container
from .pillow import EXIF_ORIENTATION, PILLOW_ERRORS, without_warnings
from .source import Probe, Source

_BITS = {"1": 1, "I": 32, "F": 32, "I;16": 16}


def technical_metadata(path: Path, probe: Probe, size: int) -> dict[str, Any]:
    """Return what a file says about itself. What it does not say, or the API would derive, is left out.

    Args:
        path: the file.
        probe: what it is.
        size: its size in bytes.
    """
    values: dict[str, Any] = {"file_size_bytes": size, "file_mime_type": probe.mime}
    if probe.duration is not None:
        values[f"{probe.kind}_duration_seconds"] = json_seconds(probe.duration)
    if probe.width is not None:
        values |= {f"{probe.kind}_width": probe.width, f"{probe.kind}_height": probe.height}
    if probe.kind == "image":
        values |= _image(path)
    elif probe.kind in ("audio", "video"):
        values |= _streams(path)
    elif probe.mime == "application/pdf":
        values |= _pdf(path)
    return values


def _image(path: Path) -> dict[str, Any]:
    try:
        with without_warnings(), Image.open(path) as image:
            values: dict[str, Any] = {
                "image_format": image.format,
                "image_color_space": image.mode,
                "image_bit_depth": _BITS.get(image.mode, 8),
                "has_alpha": image.has_transparency_data,
                "is_animated": getattr(image, "is_animated", False),
            }
            orientation = image.getexif().get(EXIF_ORIENTATION)
    except PILLOW_ERRORS:
        return {}
    return values if orientation is None else values | {"image_orientation": orientation}


def _streams(path: Path) -> dict[str, Any]:
    try:
        with open_container(Source(path, "file", "file")) as container:
            values: dict[str, Any] = {
                "file_container_format": container.format.name,
                "total_video_streams": len(container.streams.video),
                "total_audio_streams": len(container.streams.audio),
                "has_audio": bool(container.streams.audio),
            }
            for stream in container.streams.video[:1]:
                codec = stream.codec_context
                values["video_codec"] = codec.name
                if codec.height:
                    values["storage_aspect_ratio"] = round(codec.width / codec.height, 4)
                if stream.average_rate:
                    values["video_fps"] = round(float(stream.average_rate), 3)
                if stream.bit_rate:
                    values["video_bitrate_bps"] = stream.bit_rate
            for stream in container.streams.audio[:1]:
                codec = stream.codec_context
                values |= {
                    "audio_codec": codec.name,
                    "audio_sample_rate": codec.sample_rate,
                    "audio_channels": codec.channels,
                }
                if stream.duration is not None and stream.time_base is not None:
                    values["audio_duration_seconds"] = json_seconds(float(stream.duration * stream.time_base))
    except DecodingError:
        return {}
    return values


def _pdf(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            reader = PdfReader(file)
            values: dict[str, Any] = {
                "document_pdf_version": reader.pdf_header.removeprefix("%PDF-"),
                "document_is_encrypted": reader.is_encrypted,
            }
            if not reader.is_encrypted:
                page = reader.pages[0].mediabox
                values |= {
                    "document_page_count": len(reader.pages),
                    "document_page_width_pt": float(page.width),
                    "document_page_height_pt": float(page.height),
                }
    except (PyPdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return {}
    return values
