"""The open points: each question finds the value of one or more of the emulator's settings."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..protocol.sending import Answer
from . import samples
from .service import NotAnswered, Part, Service

_TEXT = {"input_type": "text", "model_name": "marengo3.0", "text": {"input_text": "a red bike"}}
_UNKNOWN = "6298d673f1090f1100476d4c"
_VIDEO_SEC, _AUDIO_SEC = 6, 30
_POLLS, _PAUSE_SEC = 12, 2.0

Found = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One question about some settings. ``requests`` and ``media_sec`` are the most that it takes; ``find`` asks it."""

    settings: tuple[str, ...]
    requests: int
    find: Callable[[Service], Found]
    media_sec: float = 0.0


def _accepted(response: Answer) -> bool:
    """Whether a request was served. Raises `NotAnswered` for a refusal that is not about the request."""
    if response.status in (200, 201, 202):
        return True
    if response.status in (400, 413):
        return False
    raise NotAnswered(f"status {response.status}")


def _either(name: str, yes: Any, no: Any, response: Answer) -> Found:
    return {name: yes if _accepted(response) else no}


def _v2(service: Service, **changes: Any) -> Answer:
    body = {name: value for name, value in (_TEXT | changes).items() if value is not ...}
    return service.ask("POST", "embed-v2", body=body)


def _v1(service: Service, media_sec: float = 0.0, path: str = "embed", **fields: Any) -> Answer:
    form: dict[str, Part] = {"model_name": (None, "marengo3.0")}
    form |= {name: value if isinstance(value, tuple) else (None, value) for name, value in fields.items()}
    return service.ask("POST", path, form=form, media_sec=media_sec)


def _vector(response: Answer) -> list[float]:
    if not _accepted(response):
        raise NotAnswered("refused")
    found: list[float] = response.json()["data"][0]["embedding"]
    return found


def _is_unit(vector: list[float]) -> bool:
    return abs(math.sqrt(sum(number * number for number in vector)) - 1) < 1e-3


def _cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.sqrt(
        sum(a * a for a in one) * sum(b * b for b in other)
    )


def _inside(content: bytes) -> dict[str, Any]:
    return {"media_source": {"base64_string": base64.b64encode(content).decode()}}


def _image(service: Service, content: bytes) -> Answer:
    return service.ask(
        "POST", "embed-v2", body={"input_type": "image", "model_name": "marengo3.0", "image": _inside(content)}
    )


def _text(service: Service) -> Found:
    response = _v2(service)
    found: Found = {"unit_length": _is_unit(_vector(response))}
    headers = [name.lower() for name in response.headers if name.lower().startswith("x-ratelimit-")]
    style = "dimensions" if "x-ratelimit-dimensions" in headers else "old" if headers else "none"
    found["limit_headers"] = style
    resets = [value for name, value in response.headers.items() if name.lower().endswith("-reset")]
    if resets:
        found["reset_fraction"] = "." in resets[0]
    return found


def _long(service: Service) -> Found:
    response = _v2(service, text={"input_text": "word " * 3_000})
    if _accepted(response):
        return {"over_long_text_v2_marengo30": "cut"}
    body = response.json()
    nested = "error" in body
    code = (body["error"] if nested else body)["code"]
    found: Found = {"over_long_text_v2_marengo30": "refuse", "v2_error_shape": "nested" if nested else "flat"}
    found["v2_error_codes"] = "upper" if code.isupper() else "lower"
    return found if code.isupper() else found | {"over_long_text_code": code}


def _prefix(service: Service) -> Found:
    body = {"input_type": "multi_input", "model_name": "marengo3.5", "multi_input": {"input_text": "a red bike"}}
    if not _is_unit(_vector(service.ask("POST", "embed-v2", body=body))):
        raise NotAnswered("no vector has length 1")
    short = service.ask("POST", "embed-v2", body=body | {"embedding_dimension": 128})
    return {"normalize_prefix": _is_unit(_vector(short))}


def _counters(service: Service) -> Found:
    left = []
    for response in (_v2(service), _image(service, samples.split_image()), _v2(service)):
        left += [int(value) for name, value in response.headers.items() if name.lower().endswith("-remaining")][-1:]
    used = left[0] - left[2] if len(left) == 3 else 0
    if used not in (1, 2):
        raise NotAnswered("no count in the headers, or others use the account")
    return {"text_image_share": used == 2}


def _exif(service: Service) -> Found:
    tagged, shown, stored = (
        _vector(_image(service, content))
        for content in (
            samples.split_image(orientation=6),
            samples.split_image(turned=True),
            samples.split_image(),
        )
    )
    return {"exif_orientation": "apply" if _cosine(tagged, shown) > _cosine(tagged, stored) else "ignore"}


def _old_model(service: Service) -> Found:
    accepted = _accepted(_v1(service, model_name="Marengo-retrieval-2.7", text="a red bike"))
    return {"v1_models": ("Marengo-retrieval-2.7", "marengo3.0") if accepted else ("marengo3.0",)}


def _speech(service: Service) -> Found:
    audio = ("tone.wav", samples.tone(6))
    response = _v1(service, media_sec=6, audio_file=audio)
    if not _accepted(response):
        raise NotAnswered("refused")
    segments = response.json()["audio_embedding"]["segments"]
    return {
        "audio_v1_two_vectors": len(segments) == 2,
        "audio_v1_labels": any(segment.get("embedding_option") for segment in segments),
    }


def _order(service: Service) -> Found:
    audio = _inside(samples.tone(_AUDIO_SEC)) | {"segmentation": {"strategy": "fixed", "fixed": {"duration_sec": 3}}}
    body = {"input_type": "audio", "model_name": "marengo3.0", "audio": audio}
    response = service.ask("POST", "embed-v2", body=body, media_sec=_AUDIO_SEC)
    if not _accepted(response):
        raise NotAnswered("refused")
    starts: dict[Any, list[float]] = {}
    for item in response.json()["data"]:
        starts.setdefault((item["embedding_option"], item["embedding_scope"]), []).append(item["start_sec"])
    return {"shuffle_segments": any(times != sorted(times) for times in starts.values())}


def _soundless(service: Service) -> Found:
    video = _inside(samples.soundless_video(_VIDEO_SEC))
    body = {"input_type": "video", "model_name": "marengo3.0", "video": video}
    response = service.ask("POST", "embed-v2", body=body, media_sec=_VIDEO_SEC)
    if not _accepted(response):
        raise NotAnswered("refused")
    options = {item["embedding_option"] for item in response.json()["data"]}
    return {"soundless_video": "embed" if "audio" in options else "omit"}


def _tasks(service: Service) -> Found:
    name, video = "open-point.mp4", samples.soundless_video(_VIDEO_SEC)
    made = _v1(service, _VIDEO_SEC, "embed/tasks", video_file=(name, video))
    if not _accepted(made):
        raise NotAnswered("refused")
    task_id = made.json()["_id"]
    listed = {task["_id"]: task for task in service.ask("GET", "embed/tasks").json()["data"]}
    found: Found = {}
    if task_id in listed:
        found["task_list_filenames"] = name in str(listed[task_id])
    for _ in range(_POLLS):
        status = service.ask("GET", f"embed/tasks/{task_id}/status").json().get("status")
        if status != "processing":
            break
        time.sleep(_PAUSE_SEC)
    else:
        return found
    if status == "ready":
        asked = service.ask("GET", f"embed/tasks/{task_id}", query={"embedding_option": "visual-text"})
        segments = asked.json().get("video_embedding", {}).get("segments") if _accepted(asked) else []
        found["visual_text_marengo30"] = "visual" if segments else "none" if _accepted(asked) else "refuse"
    return found


def _clip_length(service: Service) -> Found:
    video = ("a.mp4", samples.soundless_video(_VIDEO_SEC))
    made = _v1(service, _VIDEO_SEC, "embed/tasks", video_file=video, video_clip_length="6.0")
    return _either("fractional_clip_length", "accept", "refuse", made)


def _lone_scope(service: Service) -> Found:
    video = ("a.mp4", samples.soundless_video(_VIDEO_SEC))
    made = _v1(service, _VIDEO_SEC, "embed/tasks", video_file=video, video_embedding_scope="video")
    return _either("lone_video_scope", "accept", "refuse", made)


def _asset(service: Service) -> Found:
    file = ("a.jpg", samples.split_image())
    made = service.ask("POST", "assets", form={"method": (None, "direct"), "file": file}, then=3)
    if not _accepted(made):
        raise NotAnswered("refused")
    asset_id = made.json()["_id"]
    try:
        if made.json()["status"] != "processing":
            raise NotAnswered("it was ready at once")
        image = {"media_source": {"asset_id": asset_id}}
        body = {"input_type": "image", "model_name": "marengo3.0", "image": image}
        used = service.ask("POST", "embed-v2", body=body)
        if _accepted(used) and service.ask("GET", f"assets/{asset_id}").json().get("status") != "processing":
            raise NotAnswered("it was ready soon")
        return _either("unready_asset", "accept", "refuse", used)
    finally:
        _delete(service, asset_id)


def _delete(service: Service, asset_id: str) -> None:
    service.left.append(asset_id)
    if service.ask("DELETE", f"assets/{asset_id}").status in (200, 204, 404):
        service.left.remove(asset_id)


def _missing(name: str, path: str, statuses: tuple[int, ...]) -> Callable[[Service], Found]:
    def find(service: Service) -> Found:
        status = service.ask("GET", path).status
        if status not in statuses:
            raise NotAnswered(f"status {status}")
        return {name: status}

    return find


_BLANK, _IMAGE = {"input_text": "   "}, ("a.jpg", samples.split_image())

#: What the documentation says, where it says something.
DOCUMENTED = {
    "limit_headers": "on every response, of two schemes",
    "v2_error_shape": "nested",
    "text_image_share": "both readings",
    "v1_models": "2.7 has ended",
    "missing_model_name": "both readings",
    "unknown_fields": "refused",
    "unknown_asset_status": "404",
    "not_found_status": "404",
    "unready_asset": "must be ready",
    "fractional_clip_length": "a number",
    "lone_video_scope": "together with clip",
    "over_long_text_v2_marengo30": "at most 500 tokens",
}
QUESTIONS = [
    Question(("unit_length", "limit_headers", "reset_fraction"), 1, _text),
    Question(
        ("over_long_text_v2_marengo30", "v2_error_shape", "v2_error_codes", "over_long_text_code"),
        1,
        _long,
    ),
    Question(("blank_text",), 1, lambda s: _either("blank_text", "embed", "refuse", _v2(s, text=_BLANK))),
    Question(("normalize_prefix",), 2, _prefix),
    Question(("text_image_share",), 3, _counters),
    Question(("exif_orientation",), 3, _exif),
    Question(("v1_models",), 1, _old_model),
    Question(
        ("model_name_ignores_case",),
        1,
        lambda s: _either("model_name_ignores_case", True, False, _v2(s, model_name="MARENGO3.0")),
    ),
    Question(
        ("missing_model_name",),
        1,
        lambda s: _either("missing_model_name", "marengo3.0", "refuse", _v2(s, model_name=...)),
    ),
    Question(
        ("unknown_fields",),
        1,
        lambda s: _either("unknown_fields", "ignore", "refuse", _v2(s, field_of_tomorrow=1)),
    ),
    Question(("null_fields",), 1, lambda s: _either("null_fields", "absent", "refuse", _v2(s, image=None))),
    Question(
        ("empty_fields",),
        1,
        lambda s: _either("empty_fields", "absent", "refuse", _v1(s, text="", image_file=_IMAGE)),
    ),
    Question(
        ("text_files",),
        1,
        lambda s: _either("text_files", "accept", "refuse", _v1(s, text=("text.txt", "a red bike"))),
    ),
    Question(("unknown_asset_status",), 1, _missing("unknown_asset_status", f"assets/{_UNKNOWN}", (403, 404))),
    Question(("not_found_status",), 1, _missing("not_found_status", f"embed-v2/tasks/{_UNKNOWN}", (404, 400))),
    Question(("unready_asset",), 4, _asset),
    Question(("audio_v1_two_vectors", "audio_v1_labels"), 1, _speech, 6),
    Question(("shuffle_segments",), 1, _order, _AUDIO_SEC),
    Question(("soundless_video",), 1, _soundless, _VIDEO_SEC),
    Question(("task_list_filenames", "visual_text_marengo30"), 3 + _POLLS, _tasks, _VIDEO_SEC),
    Question(("fractional_clip_length",), 1, _clip_length, _VIDEO_SEC),
    Question(("lone_video_scope",), 1, _lone_scope, _VIDEO_SEC),
]
"""In the order in which they are asked: the cheapest first."""
