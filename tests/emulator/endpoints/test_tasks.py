"""Tasks of both versions: what they accept, when they are ready, and their results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import numpy as np
import pytest
from twelvelabs import TwelveLabs
from twelvelabs.core.api_error import ApiError
from twelvelabs.errors import BadRequestError, NotFoundError, TooManyRequestsError
from twelvelabs.wrapper.embed_client_wrapper import EmbedTasksClientWrapper

from tests.support import media
from twelvelabs_emulator import Emulator

UNKNOWN = "6b010d65f996b7b30d62dfc6"
Json = dict[str, Any]


def red_then_blue() -> bytes:
    """A video: red with a low tone for six seconds, then blue with a high one."""
    return media.mp4([("red", 6, 220), ("blue", 6, 880)])


def source(content: bytes) -> Json:
    return {"media_source": {"base64_string": media.b64(content)}}


class Tasks:
    """Tasks by plain HTTP."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def create(
        self, kind: str, content: bytes, model: str = "marengo3.5", top: Json | None = None, **given: Any
    ) -> httpx.Response:
        body = {"input_type": kind, "model_name": model, kind: {**source(content), **given}, **(top or {})}
        return self.http.post("embed-v2/tasks", json=body)

    def wait(self, answer: httpx.Response) -> Json:
        assert answer.status_code == 202, answer.text
        while True:
            task: Json = self.http.get(answer.headers["location"]).json()
            if task["status"] != "processing":
                return task

    def rows(self, *arguments: Any, **given: Any) -> list[Json]:
        task = self.wait(self.create(*arguments, **given))
        assert task["status"] == "ready", task
        data: list[Json] = task["data"]
        return data

    def text(self, words: str, model: str = "marengo3.5") -> np.ndarray:
        body = {"input_type": "multi_input", "model_name": model, "multi_input": {"input_text": words}}
        if model == "marengo3.0":
            body = {"input_type": "text", "model_name": model, "text": {"input_text": words}}
        return np.array(self.http.post("embed-v2", json=body).json()["data"][0]["embedding"])

    def v1(self, content: bytes | None = None, model: str = "marengo3.0", **fields: Any) -> httpx.Response:
        parts: list[tuple[str, Any]] = [("model_name", (None, model))]
        if content is not None:
            parts.append(("video_file", ("film.mp4", content)))
        for name, values in fields.items():
            parts += [(name, (None, str(value))) for value in (values if isinstance(values, list) else [values])]
        return self.http.post("embed/tasks", files=parts)

    def v1_segments(self, query: str = "", **fields: Any) -> tuple[list[Json], Json]:
        answer = self.v1(red_then_blue(), **fields)
        assert answer.status_code == 200, answer.text
        while True:
            task = self.http.get(f"embed/tasks/{answer.json()['_id']}?{query}").json()
            if task["status"] != "processing":
                return task["video_embedding"]["segments"], task["video_embedding"]["metadata"]


@pytest.fixture
def tasks(http: httpx.Client) -> Tasks:
    return Tasks(http)


def spans(rows: list[Json], option: str = "visual", scope: str = "clip") -> list[tuple[float, float]]:
    return [
        (row["start_sec"], row["end_sec"])
        for row in rows
        if (row["embedding_option"], row["embedding_scope"]) == (option, scope)
    ]


def counts(rows: list[Json]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["embedding_option"], row["embedding_scope"])
        found[key] = found.get(key, 0) + 1
    return found


# --- life of a task ---------------------------------------------------------------------------------------


def test_life(emulator: Emulator, http: httpx.Client, tasks: Tasks) -> None:
    emulator.configure(task_polls=2)
    made = tasks.create("image", media.png())
    assert made.status_code == 202
    task_id = made.json()["_id"]
    assert made.json() == {
        "_id": task_id,
        "status": "processing",
        "data": None,
        "metadata": {"embedding_dimension": 512},
    }
    assert made.headers["location"] == f"{emulator.base_url}/embed-v2/tasks/{task_id}"
    polls = [http.get(f"embed-v2/tasks/{task_id}").json() for _ in range(4)]
    assert [task["status"] for task in polls] == ["processing", "processing", "ready", "ready"]
    assert polls[0]["data"] is None and "metadata" not in polls[0]
    assert polls[2]["data"] == polls[3]["data"] and polls[2]["updated_at"] == polls[3]["updated_at"]
    assert polls[0]["created_at"].endswith("Z") and polls[2]["created_at"] == polls[0]["created_at"]


def test_time_to_ready(emulator: Emulator, http: httpx.Client, tasks: Tasks) -> None:
    emulator.configure(task_polls=0, task_sec=30)
    made = tasks.create("image", media.png())
    assert http.get(made.headers["location"]).json()["status"] == "processing"
    emulator.configure(clock_offset_sec=31)
    assert http.get(made.headers["location"]).json()["status"] == "ready"


def test_failures(emulator: Emulator, http: httpx.Client, tasks: Tasks) -> None:
    emulator.configure(task_failures=["The service is unstable. Try again later.", "", "Media too large."])
    found = [tasks.wait(tasks.create("image", media.png())) for _ in range(4)]
    assert [task["status"] for task in found] == ["failed", "ready", "failed", "ready"]
    assert found[0]["error"] == {"message": "The service is unstable. Try again later."}
    assert found[0]["data"] is None and "error" not in found[1]
    emulator.configure(task_failures=["no"])
    answer = tasks.v1(red_then_blue())
    http.get(f"embed/tasks/{answer.json()['_id']}")
    task = http.get(f"embed/tasks/{answer.json()['_id']}").json()
    assert task["status"] == "failed" and "segments" not in task["video_embedding"]


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("video", b"nonsense", "read"),
        ("video", media.mp4([("red", 2, 220)]), "shorter than 4 seconds"),
        ("video", media.mp4([("red", 4, 220)], size=(320, 240)), "360x360"),
        ("video", media.wav(seconds=5), "read"),
        ("audio", media.wav(seconds=2), "shorter than 4 seconds"),
        ("image", media.png(size=(64, 64)), "128x128"),
        ("document", b"\0\1\2", ".pdf"),
    ],
)
def test_bad_media_at_once_or_later(emulator: Emulator, tasks: Tasks, kind: str, content: bytes, words: str) -> None:
    answer = tasks.create(kind, content)
    if kind == "document":  # Its content is checked by the task alone.
        assert answer.status_code == 202
    else:
        assert (answer.status_code, words in answer.json()["error"]["message"]) == (400, True), answer.text
    emulator.configure(task_media_check="later")
    task = tasks.wait(tasks.create(kind, content))
    assert task["status"] == "failed" and words in task["error"]["message"]


def test_urls(emulator: Emulator, http: httpx.Client, tasks: Tasks, serve_file: Callable[[bytes], str]) -> None:
    url = serve_file(red_then_blue())

    def create(url: str) -> httpx.Response:
        video = {"media_source": {"url": url}, "embedding_option": ["visual"]}
        return http.post("embed-v2/tasks", json={"input_type": "video", "model_name": "marengo3.5", "video": video})

    task = tasks.wait(create(url))
    assert task["status"] == "ready" and task["metadata"]["input_url"] == url
    refused = create("http://127.0.0.1:9/a.mp4")
    assert refused.status_code == 400 and "could not be accessed" in refused.json()["error"]["message"]
    emulator.configure(task_media_check="later")
    assert (
        tasks.wait(create("http://127.0.0.1:9/a.mp4"))["error"]["message"] == "The source media could not be fetched."
    )
    left = list(emulator._state.files.new().parent.iterdir())
    assert left == [], "what was fetched is deleted after use"


def test_assets(http: httpx.Client, emulator: Emulator, tasks: Tasks) -> None:
    emulator.configure(asset_polls=0)
    asset = http.post("assets", data={"method": "direct"}, files={"file": ("a.wav", media.wav(seconds=5))}).json()
    body: Json = {
        "input_type": "audio",
        "model_name": "marengo3.0",
        "audio": {"media_source": {"asset_id": asset["_id"]}},
    }
    task = tasks.wait(http.post("embed-v2/tasks", json=body))
    assert task["metadata"]["input_filename"] == "a.wav"
    assert http.get(f"assets/{asset['_id']}").json()["status"] == "ready", "an asset outlives its task"
    body["audio"]["media_source"]["asset_id"] = UNKNOWN
    assert http.post("embed-v2/tasks", json=body).status_code == 403


def test_kept_for_a_week(emulator: Emulator, http: httpx.Client, tasks: Tasks) -> None:
    made = tasks.create("image", media.png())
    assert tasks.wait(made)["status"] == "ready"
    emulator.configure(clock_offset_sec=604_801)
    gone = http.get(made.headers["location"])
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "resource_not_exist")
    assert http.get("embed-v2/tasks").json()["data"] == []
    emulator.configure(expired_task="failed")
    late = http.get(made.headers["location"]).json()
    assert (late["status"], late["error"]["message"]) == ("failed", "The result is no longer available.")


def test_unknown(http: httpx.Client, tasks: Tasks) -> None:
    answer = http.get(f"embed-v2/tasks/{UNKNOWN}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_not_exist")
    assert http.get(f"embed-v2/tasks/{UNKNOWN}/status").status_code == 404, "only v1 has it"
    answer = http.get(f"embed/tasks/{UNKNOWN}")
    assert (answer.status_code, answer.json()["code"]) == (404, "resource_not_exist")
    answer = http.get("embed/tasks/nonsense/status")
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter_invalid")
    task_id = tasks.create("image", media.png()).json()["_id"]
    assert http.get(f"embed/tasks/{task_id}").status_code == 404, "a task of the other version"


def test_lists(emulator: Emulator, http: httpx.Client, tasks: Tasks) -> None:
    emulator.configure(task_polls=0, task_failures=["", "no"])
    ids = [tasks.create("image", media.png()).json()["_id"] for _ in range(3)]
    ids.append(tasks.create("audio", media.wav(seconds=5)).json()["_id"])
    one = tasks.v1(red_then_blue()).json()["_id"]
    body = http.get("embed-v2/tasks").json()
    assert [task["_id"] for task in body["data"]] == ids[::-1]
    assert [task["status"] for task in body["data"]] == ["ready", "ready", "failed", "ready"]
    assert body["page_info"] == {"limit_per_page": 10, "page": 1, "total_page": 1, "total_results": 4}
    assert body["data"][0]["audio_embedding"]["metadata"] == {
        "audio_embedding_option": ["audio"],
        "audio_embedding_scope": ["clip", "asset"],
        "duration": 5,
    }
    assert "data" not in body["data"][0]
    listed = [task["_id"] for task in http.get("embed-v2/tasks?page_limit=2&page=2&status=ready").json()["data"]]
    assert listed == [ids[0]]
    assert [task["_id"] for task in http.get("embed/tasks").json()["data"]] == [one]
    hour = timedelta(hours=1)
    for query, count in (("started_at", 0), ("ended_at", 4)):
        at = (datetime.now(timezone.utc) + hour).isoformat(timespec="seconds")
        assert len(http.get("embed-v2/tasks", params={query: at}).json()["data"]) == count
    for query in ("status=done", "page_limit=99", "started_at=yesterday"):
        answer = http.get(f"embed-v2/tasks?{query}")
        assert answer.status_code == 400 and "code" in answer.json(), "errors of the list are flat"


def test_a_lost_answer_leaves_a_task(emulator: Emulator, http: httpx.Client, tasks: Tasks) -> None:
    emulator.configure(faults=[{"path": "embed-v2/tasks", "method": "POST", "kind": "lost", "times": 1}])
    with pytest.raises(httpx.RemoteProtocolError):
        tasks.create("image", media.png())
    (orphan,) = http.get("embed-v2/tasks").json()["data"]
    assert tasks.wait(httpx.Response(202, headers={"location": f"embed-v2/tasks/{orphan['_id']}"}))["status"] == "ready"


def test_faults_while_polling(emulator: Emulator, http: httpx.Client, tasks: Tasks) -> None:
    made = tasks.create("image", media.png())
    emulator.configure(faults=[{"path": "embed-v2/tasks/*", "kind": "html:502", "first": 2}])
    assert [http.get(made.headers["location"]).status_code for _ in range(3)] == [502, 502, 200]
    emulator.configure(faults=[{"path": "embed-v2/tasks/*", "kind": "wrong_dimension"}], task_polls=0)
    assert len(http.get(made.headers["location"]).json()["data"][0]["embedding"]) == 511


def test_limits(emulator: Emulator, http: httpx.Client, tasks: Tasks) -> None:
    """Tasks share the counters of the synchronous endpoints; asking about them is free."""
    emulator.configure(limits={"audio": [2, 60]}, limit_minutes={"audio": [1, 60]})
    made = tasks.create("audio", media.wav(seconds=5))
    assert made.headers["x-ratelimit-duration-used"] == "5"
    tasks.wait(made)
    assert tasks.create("audio", media.wav(seconds=6), start_sec=4).headers["x-ratelimit-duration-used"] == "7"
    assert tasks.create("audio", media.wav(seconds=5)).status_code == 429
    emulator.configure(limits={"video": [1, 60]})
    assert [tasks.v1(red_then_blue()).status_code, tasks.v1(red_then_blue()).status_code] == [200, 429]
    assert tasks.create("image", media.png()).status_code == 202


# --- audio and video --------------------------------------------------------------------------------------


def test_video_30(tasks: Tasks) -> None:
    rows = tasks.rows("video", red_then_blue(), "marengo3.0")
    assert counts(rows) == {
        (option, scope): n
        for option in ("visual", "audio", "transcription")
        for scope, n in (("clip", 2), ("asset", 1))
    }
    assert spans(rows) == [(0, 6), (6, 12)] and spans(rows, scope="asset") == [(0, 12)]
    red, blue = (
        np.array(row["embedding"])
        for row in rows
        if (row["embedding_option"], row["embedding_scope"]) == ("visual", "clip")
    )
    query = tasks.text("a red film", "marengo3.0")
    assert query @ red > query @ blue + 0.2


def test_video_35(tasks: Tasks) -> None:
    task = tasks.wait(tasks.create("video", red_then_blue(), top={"embedding_dimension": 256}))
    rows = task["data"]
    assert counts(rows) == {
        (option, scope): n for option in ("visual", "audio") for scope, n in (("clip", 2), ("asset", 1))
    }
    assert spans(rows) == [(0, 6), (6, 12)] == spans(rows, "audio")
    assert {len(row["embedding"]) for row in rows} == {256}
    assert task["metadata"] == {
        "input_type": "video",
        "embedding_options": ["visual", "audio"],
        "embedding_scopes": ["clip", "asset"],
        "duration": 12,
        "start_offset_sec": 0,
        "end_offset_sec": 12,
        "embedding_dimension": 256,
    }
    assert task["usage"]["input_tokens"] == {"video": 258 * 12}


def test_segmentation(tasks: Tasks) -> None:
    fixed = {"strategy": "fixed", "fixed": {"duration_sec": 5}}
    visual = {"embedding_option": ["visual"], "embedding_scope": ["clip"]}
    expected = [(0, 5), (5, 10), (10, 12)]
    assert spans(tasks.rows("video", red_then_blue(), "marengo3.0", segmentation=fixed, **visual)) == expected
    new = tasks.rows("video", red_then_blue(), segmentation={"temporal": fixed}, **visual)
    assert spans(new) == expected
    part = tasks.rows("video", red_then_blue(), segmentation={"temporal": fixed}, start_sec=2, end_sec=9, **visual)
    assert spans(part) == [(2, 7), (7, 9)]
    # Each model has its own place for it.
    assert tasks.create("video", red_then_blue(), segmentation=fixed).status_code == 400
    assert tasks.create("video", red_then_blue(), "marengo3.0", segmentation={"temporal": fixed}).status_code == 400


def test_audio_is_cut_where_it_changes(tasks: Tasks) -> None:
    audio = media.wav_of(np.concatenate([media.tone(220, 4), media.tone(880, 3), media.tone(0, 4)]))
    rows = tasks.rows("audio", audio)
    assert spans(rows, "audio") == [(0, 4), (4, 7), (7, 11)]
    low, high, _ = (np.array(row["embedding"]) for row in rows if row["embedding_scope"] == "clip")
    query = tasks.text("a low tone")
    assert query @ low > query @ high + 0.2
    assert spans(tasks.rows("audio", audio, "marengo3.0"), "audio") == [(0, 6), (6, 11)]


def test_fused_with_words_about_times(tasks: Tasks) -> None:
    notes = [{"start": 1, "end": 1, "text": "a goal"}, {"start": 7, "end": 9, "text": "an interview"}]
    both = ["separate_embedding", "fused_embedding"]
    rows = tasks.rows(
        "video", red_then_blue(), embedding_type=both, time_based_metadata=notes, embedding_scope=["clip"]
    )
    assert counts(rows) == {("visual", "clip"): 2, ("audio", "clip"): 2, ("fused", "clip"): 2}
    early, late = (np.array(row["embedding"]) for row in rows if row["embedding_option"] == "fused")
    goal, interview = tasks.text("goal"), tasks.text("interview")
    assert goal @ early > goal @ late + 0.2 and interview @ late > interview @ early + 0.2


def test_uncertainty(tasks: Tasks) -> None:
    on = {"embedding_uncertainty": True}
    assert tasks.create("audio", media.wav(seconds=5), top=on).status_code == 400, "asset is in the default scope"
    rows = tasks.rows("audio", media.wav(seconds=5), top=on, embedding_scope=["local"])
    assert [len(row["embedding_uncertainty"]) for row in rows] == [512]
    (row,) = tasks.rows("image", media.png(), top={**on, "embedding_dimension": 128})
    assert len(row["embedding_uncertainty"]) == 128 == len(row["embedding"])


def test_order_may_be_shuffled(emulator: Emulator, tasks: Tasks, http: httpx.Client) -> None:
    fixed = {"temporal": {"strategy": "fixed", "fixed": {"duration_sec": 2}}}
    made = tasks.create("video", red_then_blue(), segmentation=fixed)
    ordered = tasks.wait(made)["data"]
    emulator.configure(shuffle_segments=True)
    shuffled = [http.get(made.headers["location"]).json()["data"] for _ in range(3)]
    assert any(data != ordered for data in shuffled)
    assert sorted(map(str, shuffled[0])) == sorted(map(str, ordered))


NOTE = [{"start": 0, "end": 1, "text": "x"}]


@pytest.mark.parametrize(
    ("kind", "model", "top", "given"),
    [
        ("image", "marengo3.0", {}, {}),
        ("document", "marengo3.0", {}, {}),
        ("video", "marengo2.7", {}, {}),
        ("video", "marengo3.0", {"embedding_dimension": 512}, {}),
        ("video", "marengo3.0", {"embedding_uncertainty": True}, {}),
        ("video", "marengo3.0", {}, {"time_based_metadata": NOTE}),
        ("video", "marengo3.0", {}, {"embedding_scope": ["local"]}),
        ("video", "marengo3.5", {"embedding_dimension": 1024}, {}),
        ("video", "marengo3.5", {"auto_truncate": True}, {}),
        ("video", "marengo3.5", {"text": {"input_text": "a"}}, {}),
        ("video", "marengo3.5", {"audio": {}}, {}),
        ("video", "marengo3.5", {}, {"embedding_option": ["transcription"]}),
        ("video", "marengo3.5", {}, {"embedding_option": []}),
        ("video", "marengo3.5", {}, {"embedding_type": ["fused_embedding"]}),
        ("video", "marengo3.5", {}, {"time_based_metadata": NOTE}),
        (
            "video",
            "marengo3.5",
            {},
            {"embedding_type": ["fused_embedding"], "time_based_metadata": [{"start": 2, "end": 1, "text": "x"}]},
        ),
        (
            "video",
            "marengo3.5",
            {},
            {"segmentation": {"temporal": {"strategy": "dynamic", "dynamic": {"min_duration_sec": 6}}}},
        ),
        ("video", "marengo3.5", {}, {"segmentation": {}}),
        ("video", "marengo3.5", {}, {"start_sec": 5, "end_sec": 5}),
        ("video", "marengo3.5", {}, {"start_sec": 50}),
        ("video", "marengo3.5", {}, {"end_sec": 50}),
        ("video", "marengo3.5", {}, {"colour": "red"}),
        ("image", "marengo3.5", {}, {"embedding_scope": ["clip"]}),
        ("image", "marengo3.5", {}, {"embedding_option": ["text"]}),
        ("image", "marengo3.5", {}, {"embedding_type": ["fused_embedding"]}),
        ("image", "marengo3.5", {}, {"segmentation": {"temporal": {}}}),
    ],
)
def test_refused(tasks: Tasks, kind: str, model: str, top: Json, given: Json) -> None:
    content = {"video": red_then_blue(), "image": media.png(), "document": b"words"}[kind]
    answer = tasks.create(kind, content, model, top, **given)
    assert answer.status_code == 400 and "error" in answer.json(), answer.text


def test_default_options_may_be_refused(emulator: Emulator, tasks: Tasks) -> None:
    emulator.configure(default_video_options_marengo35="refuse")
    assert tasks.create("video", red_then_blue()).status_code == 400
    assert tasks.create("video", red_then_blue(), embedding_option=["visual"]).status_code == 202


def test_a_long_video_is_not_decoded_at_full_rate(tasks: Tasks) -> None:
    """Twelve minutes of it, cut at the right second, faster than every frame could be decoded."""
    long = media.mp4([("red", 300, 0), ("blue", 420, 0)], fps=2, audio=False)
    began = time.perf_counter()
    fixed = {"temporal": {"strategy": "fixed", "fixed": {"duration_sec": 10}}}
    rows = tasks.rows("video", long, embedding_option=["visual"], embedding_scope=["clip"], segmentation=fixed)
    assert time.perf_counter() - began < 20
    assert len(rows) == 72
    red = tasks.text("red")
    near = [red @ np.array(row["embedding"]) for row in rows]
    assert min(near[:30]) > max(near[30:])


# --- documents --------------------------------------------------------------------------------------------

PAGES = ["a red bike on a road", "blue sky over water"]
TEXT = b"One cat sat. Two dogs ran! Three birds flew? Four fish swam. Five."


def sentences(most: Any, overlap: Any = None) -> Json:
    sequential: Json = {"strategy": "sentence", "max_sentences": most}
    return {"sequential": sequential if overlap is None else {**sequential, "overlap_sentences": overlap}}


def test_pages(tasks: Tasks) -> None:
    rows = tasks.rows("document", media.pdf(PAGES))
    assert [(row["embedding_option"], row["embedding_scope"]) for row in rows] == [("visual", "page")] * 2
    assert [(row["start_page_number"], row["end_page_number"], row["quadrant"]) for row in rows] == [
        (1, 1, None),
        (2, 2, None),
    ]
    first, second = (np.array(row["embedding"]) for row in rows)
    assert tasks.text("bike") @ first > tasks.text("bike") @ second + 0.2
    assert tasks.text("sky") @ second > tasks.text("sky") @ first + 0.2


def test_quarters_of_pages(tasks: Tasks) -> None:
    rows = tasks.rows("document", media.pdf(PAGES), segmentation={"spatial": {"strategy": "quadrants"}})
    names = [None, "top_left", "top_right", "bottom_left", "bottom_right"]
    assert [(row["start_page_number"], row["quadrant"]) for row in rows] == [
        (n, name) for n in (1, 2) for name in names
    ]
    assert len({tuple(row["embedding"]) for row in rows}) == 10


def test_whole_documents(tasks: Tasks) -> None:
    pdf = media.pdf(PAGES)
    rows = tasks.rows("document", pdf, embedding_option=["visual", "text"], embedding_scope=["asset"])
    assert [(row["embedding_option"], row["embedding_scope"]) for row in rows] == [
        ("visual", "asset"),
        ("text", "asset"),
    ]
    (row,) = tasks.rows("document", TEXT)
    assert (row["embedding_option"], row["embedding_scope"]) == ("text", "asset")


def test_chunks(tasks: Tasks) -> None:
    both = ["local", "asset"]
    rows = tasks.rows("document", TEXT, embedding_scope=both, segmentation=sentences(2, 1))
    assert [(row["embedding_scope"], row.get("chunk_index")) for row in rows] == [
        *(("chunk", n) for n in range(4)),
        ("asset", None),
    ]
    dogs = tasks.text("dogs")
    near = [float(dogs @ np.array(row["embedding"])) for row in rows[:4]]
    assert min(near[:2]) > max(near[2:]) + 0.2, "the second sentence is in the first two chunks"
    assert len(tasks.rows("document", TEXT, embedding_scope=["local"], segmentation=sentences(2))) == 3
    (only,) = tasks.rows("document", TEXT, embedding_scope=["local"], segmentation=sentences(9))
    assert only["chunk_index"] == 0


@pytest.mark.parametrize(
    ("content", "given", "top"),
    [
        (b"words", {"embedding_scope": ["local"]}, {}),
        (b"words", {"segmentation": {}}, {}),
        (b"words", {"segmentation": sentences(2)}, {}),
        (b"words", {"embedding_scope": ["local"], "segmentation": {"sequential": {"strategy": "sentence"}}}, {}),
        (b"words", {"embedding_scope": ["local"], "segmentation": sentences(2, 2)}, {}),
        (b"words", {"embedding_scope": ["local"], "segmentation": {"spatial": {"strategy": "standard"}}}, {}),
        (b"words", {"embedding_option": ["visual"]}, {}),
        (b"words", {"embedding_type": ["fused_embedding"]}, {}),
        (b"words", {}, {"embedding_uncertainty": True}),
        (None, {"embedding_option": ["text"]}, {}),
        (None, {"embedding_option": ["text", "visual"], "embedding_scope": ["local", "asset"]}, {}),
        (None, {"segmentation": sentences(2)}, {}),
        (None, {"embedding_scope": ["asset"], "segmentation": {"spatial": {"strategy": "quadrants"}}}, {}),
        (None, {"segmentation": {"spatial": {"strategy": "halves"}}}, {}),
        (None, {}, {"embedding_uncertainty": True}),
    ],
)
def test_refused_documents(tasks: Tasks, content: bytes | None, given: Json, top: Json) -> None:
    answer = tasks.create("document", content or media.pdf(PAGES), top=top, **given)
    assert answer.status_code == 400, answer.text


def test_uncertainty_of_chunks(tasks: Tasks) -> None:
    given = {"embedding_scope": ["local"], "segmentation": sentences(5)}
    (row,) = tasks.rows("document", TEXT, top={"embedding_uncertainty": True}, **given)
    assert len(row["embedding_uncertainty"]) == 512


def test_documents_that_fail(tasks: Tasks) -> None:
    many = tasks.wait(tasks.create("document", media.pdf(65)))
    assert (
        many["status"],
        many["error"]["message"].endswith("Document (65 pages) exceeds maximum limit of 64 pages."),
    ) == ("failed", True)
    quarters = tasks.create("document", media.pdf(13), segmentation={"spatial": {"strategy": "quadrants"}})
    assert tasks.wait(quarters)["status"] == "failed"
    long = tasks.wait(tasks.create("document", b"word " * 2001))
    assert "context window" in long["error"]["message"]


# --- version 1 --------------------------------------------------------------------------------------------


def test_v1(http: httpx.Client, tasks: Tasks) -> None:
    made = tasks.v1(red_then_blue())
    assert (made.status_code, set(made.json())) == (200, {"_id"})
    path = f"embed/tasks/{made.json()['_id']}"
    first, second = http.get(f"{path}/status").json(), http.get(f"{path}/status").json()
    assert (first["status"], second["status"]) == ("processing", "ready")
    metadata = {
        "input_filename": "film.mp4",
        "video_clip_length": 6,
        "video_embedding_scope": ["clip"],
        "video_embedding_option": ["visual", "audio", "transcription"],
        "duration": 12,
    }
    assert second == {
        "_id": made.json()["_id"],
        "status": "ready",
        "model_name": "marengo3.0",
        "video_embedding": {"metadata": metadata},
    }
    task = http.get(path).json()
    assert task["video_embedding"]["metadata"] == metadata and "created_at" in task
    segments = task["video_embedding"]["segments"]
    assert len(segments) == 6 and set(segments[0]) == {
        "start_offset_sec",
        "end_offset_sec",
        "embedding_scope",
        "embedding_option",
        "float",
    }
    red, blue = (np.array(item["float"]) for item in segments if item["embedding_option"] == "visual")
    query = tasks.text("red", "marengo3.0")
    assert query @ red > query @ blue + 0.2


def test_v1_options(emulator: Emulator, tasks: Tasks) -> None:
    found, metadata = tasks.v1_segments(
        "embedding_option=visual&embedding_option=audio", video_clip_length=10, video_embedding_scope=["clip", "video"]
    )
    assert metadata["video_embedding_scope"] == ["clip", "video"]
    visual = [item for item in found if item["embedding_option"] == "visual"]
    assert {item["embedding_option"] for item in found} == {"visual", "audio"}
    assert [(item["start_offset_sec"], item["end_offset_sec"], item["embedding_scope"]) for item in visual] == [
        (0, 10, "clip"),
        (10, 12, "clip"),
        (0, 12, "video"),
    ]
    found, _ = tasks.v1_segments("embedding_option=visual", video_start_offset_sec=1, video_end_offset_sec=8.5)
    assert [(item["start_offset_sec"], item["end_offset_sec"]) for item in found] == [(1, 7)], (
        "under two seconds is left out"
    )
    emulator.configure(fractional_clip_length="accept")
    assert tasks.v1(red_then_blue(), video_clip_length="6.0").status_code == 200


def test_v1_27(tasks: Tasks) -> None:
    found, _ = tasks.v1_segments(model="Marengo-retrieval-2.7")
    assert {item["embedding_option"] for item in found} == {"visual-text", "audio"}
    assert {len(item["float"]) for item in found} == {1024}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"video_clip_length": 1}, "parameter_invalid"),
        ({"video_clip_length": 11}, "parameter_invalid"),
        ({"video_clip_length": "6.0"}, "parameter_invalid"),
        ({"video_clip_length": "long"}, "parameter_invalid"),
        ({"video_start_offset_sec": 2}, "parameter_invalid"),
        ({"video_end_offset_sec": 2}, "parameter_invalid"),
        ({"video_start_offset_sec": 5, "video_end_offset_sec": 4}, "parameter_invalid"),
        ({"video_start_offset_sec": 5, "video_end_offset_sec": 13}, "parameter_invalid"),
        ({"video_embedding_scope": "video"}, "parameter_invalid"),
        ({"video_embedding_scope": ["clip", "asset"]}, "parameter_invalid"),
        ({"model": "marengo3.5"}, "parameter_invalid"),
        ({"language": "en"}, "parameter_unknown"),
        ({"content": None}, "parameter_not_provided"),
        ({"content": b"nonsense"}, "video_file_broken"),
        ({"content": media.mp4([("red", 2, 220)])}, "video_duration_too_short"),
        ({"content": media.mp4([("red", 4, 220)], size=(960, 360))}, "video_resolution_invalid_aspect_ratio"),
        ({"content": None, "video_url": "http://127.0.0.1:9/a.mp4"}, "parameter_invalid"),
    ],
)
def test_v1_refused(http: httpx.Client, tasks: Tasks, fields: Json, code: str) -> None:
    answer = tasks.v1(**{"content": red_then_blue(), **fields})
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert http.get("embed/tasks").json()["data"] == []


def test_v1_needs_a_form(http: httpx.Client) -> None:
    assert http.post("embed/tasks", json={"model_name": "marengo3.0"}).status_code == 400


def test_v1_url_wins(tasks: Tasks, http: httpx.Client, serve_file: Callable[[bytes], str]) -> None:
    url = serve_file(red_then_blue())
    made = tasks.v1(b"nonsense", video_url=url).json()
    metadata = http.get(f"embed/tasks/{made['_id']}/status").json()["video_embedding"]["metadata"]
    assert metadata["input_url"] == url and "input_filename" not in metadata


# --- the official SDK -------------------------------------------------------------------------------------


def test_sdk_v1(emulator: Emulator, sdk: TwelveLabs, capsys: pytest.CaptureFixture[str]) -> None:
    made = sdk.embed.tasks.create(
        model_name="marengo3.0",
        video_file=("a.mp4", red_then_blue()),
        video_clip_length=6,
        video_embedding_scope=["clip", "video"],
    )
    assert made.id is not None
    assert sdk.embed.tasks.status(made.id).status == "processing"
    assert isinstance(sdk.embed.tasks, EmbedTasksClientWrapper)
    done = sdk.embed.tasks.wait_for_done(made.id, sleep_interval=0.01)
    assert done.status == "ready" and capsys.readouterr().out == ""
    found = sdk.embed.tasks.retrieve(made.id, embedding_option=["visual"])
    assert found.video_embedding is not None and found.video_embedding.segments is not None
    assert [segment.embedding_scope for segment in found.video_embedding.segments] == ["clip", "clip", "video"]
    assert len(found.video_embedding.segments[0].float_ or ()) == 512
    assert [task.id for task in sdk.embed.tasks.list(status="ready")] == [made.id]
    with pytest.raises(BadRequestError):
        sdk.embed.tasks.create(model_name="marengo3.0", video_file=("a.mp4", red_then_blue()), video_clip_length=11)
    emulator.configure(limits={"video": [0, 60]})
    with pytest.raises(ApiError) as refused:
        sdk.embed.tasks.create(model_name="marengo3.0", video_file=("a.mp4", red_then_blue()))
    assert refused.value.status_code == 429


def test_sdk_v2(emulator: Emulator, sdk: TwelveLabs) -> None:
    made = sdk.embed.v_2.tasks.create(
        input_type="video",
        model_name="marengo3.5",
        embedding_dimension=256,
        video={  # type: ignore[arg-type]
            "media_source": {"base64_string": media.b64(red_then_blue())},
            "embedding_option": ["visual"],
            "segmentation": {"temporal": {"strategy": "fixed", "fixed": {"duration_sec": 6}}},
        },
    )
    assert made.status == "processing" and made.metadata is not None and made.metadata.embedding_dimension == 256
    assert sdk.embed.v_2.tasks.retrieve(made.id).data is None
    done = sdk.embed.v_2.tasks.retrieve(made.id)
    assert done.status == "ready" and done.data is not None
    assert [(item.start_sec, item.end_sec, len(item.embedding)) for item in done.data] == [
        (0, 6, 256),
        (6, 12, 256),
        (0, 12, 256),
    ]
    pages = sdk.embed.v_2.tasks.create(
        input_type="document",
        model_name="marengo3.5",
        document={"media_source": {"base64_string": media.b64(media.pdf(PAGES))}},  # type: ignore[arg-type]
    )
    sdk.embed.v_2.tasks.retrieve(pages.id)
    data = sdk.embed.v_2.tasks.retrieve(pages.id).data
    assert data is not None and [item.start_page_number for item in data] == [1, 2]
    assert [task.id for task in sdk.embed.v_2.tasks.list(page_limit=1)] == [pages.id, made.id]
    with pytest.raises(NotFoundError):
        sdk.embed.v_2.tasks.retrieve(UNKNOWN)
    emulator.configure(limits={"text": [0, 60]})
    with pytest.raises(TooManyRequestsError):
        sdk.embed.v_2.tasks.create(
            input_type="image",
            model_name="marengo3.5",
            image={"media_source": {"base64_string": media.b64(media.png())}},  # type: ignore[arg-type]
        )


def test_close_does_not_wait_for_long_work() -> None:
    long = media.mp4([("red", 300, 0), ("blue", 420, 0)], fps=2, audio=False)
    with Emulator() as own, httpx.Client(base_url=own.base_url + "/", headers={"x-api-key": own.api_key}) as http:
        assert Tasks(http).create("video", long, embedding_option=["visual"]).status_code == 202
        began = time.perf_counter()
    assert time.perf_counter() - began < 5
    assert not [
        thread for thread in threading.enumerate() if thread.name == "twelvelabs-emulator" and not thread.daemon
    ]


def test_start_again_after_close() -> None:
    own = Emulator()
    for _ in range(2):
        with own, httpx.Client(base_url=own.base_url + "/", headers={"x-api-key": own.api_key}) as http:
            assert http.get("embed-v2/tasks").json()["data"] == []
            again = Tasks(http)
            assert again.wait(again.create("image", media.png()))["status"] == "ready"


@pytest.mark.parametrize("shown", [True, False])
def test_file_names_in_lists(emulator: Emulator, http: httpx.Client, tasks: Tasks, shown: bool) -> None:
    """Of a form's file and of an asset; a file inside a JSON request has no name."""
    emulator.configure(task_list_filenames=shown, asset_polls=0)
    assert tasks.v1(red_then_blue()).status_code == 200
    file = {"file": ("upload-1.mp4", red_then_blue())}
    asset_id = http.post("assets", data={"method": "direct"}, files=file).json()["_id"]
    body = {"input_type": "video", "model_name": "marengo3.5", "video": {"media_source": {"asset_id": asset_id}}}
    assert http.post("embed-v2/tasks", json=body).status_code == 202
    assert tasks.create("video", red_then_blue()).status_code == 202

    def names(path: str) -> list[Any]:
        return [task["video_embedding"]["metadata"].get("input_filename") for task in http.get(path).json()["data"]]

    assert names("embed/tasks") == ["film.mp4" if shown else None]
    assert names("embed-v2/tasks") == [None, "upload-1.mp4" if shown else None]


# --- what is not documented -------------------------------------------------------------------------------


def make_v1(http: httpx.Client, model: str = "marengo3.0", **fields: str) -> httpx.Response:
    form = {"model_name": (None, model), **{name: (None, value) for name, value in fields.items()}}
    return http.post("embed/tasks", files={**form, "video_file": ("a.mp4", red_then_blue())})


def test_the_scope_video_alone(emulator: Emulator, http: httpx.Client) -> None:
    assert make_v1(http, video_embedding_scope="video").status_code == 400
    emulator.configure(lone_video_scope="accept", task_polls=0)
    task_id = make_v1(http, video_embedding_scope="video").json()["_id"]
    found = http.get(f"embed/tasks/{task_id}").json()["video_embedding"]
    assert found["metadata"]["video_embedding_scope"] == ["video"]
    assert {(s["embedding_scope"], s["start_offset_sec"], s["end_offset_sec"]) for s in found["segments"]} == {
        ("video", 0, 12)
    }


def test_visual_text_of_marengo30(emulator: Emulator, http: httpx.Client) -> None:
    emulator.configure(task_polls=0)
    path = f"embed/tasks/{make_v1(http).json()['_id']}?embedding_option=visual-text"

    def options() -> set[str]:
        segments = http.get(path).json()["video_embedding"]["segments"]
        return {segment["embedding_option"] for segment in segments}

    assert options() == set()
    emulator.configure(visual_text_marengo30="visual")
    assert options() == {"visual"}
    emulator.configure(visual_text_marengo30="refuse")
    assert http.get(path).status_code == 400
    old = make_v1(http, "Marengo-retrieval-2.7").json()["_id"]
    assert http.get(f"embed/tasks/{old}?embedding_option=visual-text").status_code == 200
