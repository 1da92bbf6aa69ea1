"""A small collection of which every similarity is known, and a service that knows the queries."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.service import Service, sent_json, v2_answer

AXES = {"red": 0, "bell": 1}


def towards(own: int = 2, **shares: float) -> list[float]:
    """A unit vector with these similarities to the queries; ``own`` is the axis of the rest."""
    vector = [0.0] * 512
    for name, share in shares.items():
        vector[AXES[name]] = share
    vector[own] = math.sqrt(1 - sum(share * share for share in shares.values()))
    return vector


# Every other query, and every image, is for red; every audio file is for the bell.
QUERIES = {"a bell": towards(bell=1.0), "audio": towards(bell=1.0)}


def _answer(request: httpx.Request) -> dict[str, Any]:
    body = sent_json(request)
    asked = body[body["input_type"]].get("input_text", body["input_type"])
    return v2_answer(QUERIES.get(asked, towards(red=1.0)))


def service() -> Service:
    """A service that embeds the queries."""
    return Service(_answer)


@dataclass(frozen=True)
class Entry:
    """A row of the collection."""

    id: str
    text: str
    metadata: dict[str, Any]
    vector: list[float]


def entries() -> list[Entry]:
    """Four segments in two options, and a text without one.

    ============== ============ ============ ==============
    segment        visual: red  audio: red   audio: bell
    ============== ============ ============ ==============
    a.mp4 0-5      0.9          0.05         0.3
    a.mp4 5-10     0.8          0.3          0.9
    a.mp4 60-65    0.7          0.1          0.2
    b.mp4 0-5      0.2          0.2          0.8
    ============== ============ ============ ==============
    """
    segments = [
        ("a.mp4", 0.0, 0.9, 0.05, 0.3),
        ("a.mp4", 5.0, 0.8, 0.3, 0.9),
        ("a.mp4", 60.0, 0.7, 0.1, 0.2),
        ("b.mp4", 0.0, 0.2, 0.2, 0.8),
    ]
    found = []
    for number, (source, start, visual, red, bell) in enumerate(segments):
        for option, vector in (
            ("visual", towards(10 + number, red=visual)),
            ("audio", towards(20 + number, red=red, bell=bell)),
        ):
            metadata = {
                "source": source,
                "file_name": source,
                "media_type": "video",
                "start_sec": start,
                "end_sec": start + 5,
                "duration_sec": 90.0,
                "embedding_option": option,
                "embedding_scope": "clip",
                "content_digest": source,
                "space": "marengo3.0/512",
            }
            text = f"{source} {start:g} {option}"
            found.append(Entry(str(uuid.uuid5(uuid.NAMESPACE_URL, text)), text, metadata, vector))
    note = Entry(str(uuid.uuid5(uuid.NAMESPACE_URL, "note")), "a note", {"author": "me"}, towards(30, red=0.95))
    return [*found, note]


def place(metadata: Any) -> str:
    """A hit in short: ``a5`` for the segment of ``a.mp4`` from second 5; ``note`` for the text."""
    return f"{metadata['source'][0]}{metadata['start_sec']:g}" if "source" in metadata else "note"
