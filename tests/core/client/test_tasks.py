"""Tasks that any client of the account has created: listed, and taken up by their ids."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

from tests.support.service import Service, refusal, vector
from twelvelabs_core import Audio, EmbeddingClient, InvalidInputError, SegmentOptions, ServerError, Task

CREATED = "2026-11-01T10:00:00.250Z"


def entry(start: float | None, option: str = "visual", scope: str = "clip", length: int = 512) -> dict[str, Any]:
    end = None if start is None else start + 6
    labels = {"embedding_option": option, "embedding_scope": scope, "start_sec": start, "end_sec": end}
    return {"embedding": vector(f"{option}{start}", length), **labels}


class Server:
    """Has one v2 task, or v1 task, of a model.

    Attributes:
        processing: how often it is found processing.
        listed: the list shows it.
    """

    def __init__(self, model: str = "marengo3.0", **settings: Any) -> None:
        self.model, self.processing, self.listed, self.status = model, 0, True, "ready"
        self.data = [entry(6), entry(0), entry(None, scope="asset")]
        self.metadata: dict[str, Any] = {"input_type": "video", "input_filename": "a-0123456789abcdef01234567.mp4"}
        self.error: Any = None
        self.__dict__.update(settings)
        self.asked: list[str] = []
        self.service = Service(self.answer)

    def answer(self, request: httpx.Request) -> Any:
        path = request.url.path.partition("/v1.3/")[2]
        self.asked.append(f"{request.method} {path}" + (f"?{request.url.query.decode()}" if request.url.query else ""))
        times = {"created_at": CREATED, "updated_at": CREATED}
        if path in ("embed-v2/tasks", "embed/tasks"):
            about = {"_id": "t1", "model_name": self.model, "status": self.status, **times}
            shown = [{**about, "video_embedding": {"metadata": self.metadata}}] if self.listed else []
            return {"data": shown, "page_info": {"page": 1, "total_page": 1}}
        if path not in ("embed-v2/tasks/t1", "embed/tasks/t1", "embed/tasks/t1/status"):
            return refusal(404)
        self.processing -= 1
        if self.processing >= 0:
            return {"_id": "t1", "status": "processing", **times}
        if path.startswith("embed/"):
            segments = [
                {"float": e["embedding"], "start_offset_sec": e["start_sec"], "embedding_option": "visual"}
                for e in self.data
                if e["start_sec"] is not None
            ]
            video = {"metadata": self.metadata, **({} if path.endswith("status") else {"segments": segments})}
            return {"_id": "t1", "model_name": self.model, "status": self.status, "video_embedding": video, **times}
        data = self.data if self.status == "ready" else None
        return {
            "_id": "t1",
            "status": self.status,
            "data": data,
            "metadata": self.metadata,
            "error": self.error,
        } | times

    def client(self, **options: Any) -> EmbeddingClient:
        return self.service.client(**options)


async def test_a_task_is_waited_for_and_its_vectors_are_returned() -> None:
    server = Server(processing=2)
    seen: list[Task] = []
    client = server.client()
    task = client.task("t1", on_status=seen.append)
    assert [t.status for t in seen] == ["processing", "processing", "ready"]
    assert (task.id, task.status, task.kind, task.model, task.filename) == (
        "t1",
        "ready",
        "video",
        "marengo3.0",
        "a.mp4",
    )
    assert task.created_at == datetime(2026, 11, 1, 10, 0, 0, 250_000, timezone.utc)
    assert [(s.start_sec, s.scope) for s in task.segments] == [(0, "clip"), (6, "clip"), (None, "asset")]
    assert task.embedding is not None
    assert (task.embedding.vector, task.embedding.space) == (vector("visualNone"), "marengo3.0/512")
    # Around its time, to see which model it is of.
    assert server.asked[-1] == (
        "GET embed-v2/tasks?started_at=2026-11-01T09%3A59%3A58Z&ended_at=2026-11-01T10%3A00%3A02Z&page=1&page_limit=50"
    )
    assert (await client.atask("t1")).segments == task.segments
    assert client.last_run.segments == 3


def test_without_waiting_a_task_is_as_it_is_now() -> None:
    server = Server(processing=1)
    seen: list[Task] = []
    task = server.client().task("t1", wait=False, on_status=seen.append)
    assert (task.status, task.segments, task.embedding) == ("processing", (), None)
    assert [t.status for t in seen] == ["processing"]
    assert len(server.asked) == 1
    failed = Server(status="failed", error={"message": "broken file"}).client().task("t1", wait=False)
    assert (failed.status, failed.error) == ("failed", "broken file")


@pytest.mark.parametrize(
    ("error", "kind"), [("broken file", InvalidInputError), ("service unstable, try again later", ServerError)]
)
def test_a_failed_task_is_an_error(error: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=error):
        Server(status="failed", error={"message": error}).client().task("t1")


@pytest.mark.parametrize("listed", [True, False])
def test_a_task_of_another_model_is_refused_however_long_its_vectors_are(listed: bool) -> None:
    server = Server("marengo3.5", listed=listed, metadata={"input_type": "video", "embedding_dimension": 512})
    with pytest.raises(InvalidInputError, match="do not compare") as caught:
        server.client().task("t1")
    assert caught.value.item == "task t1"
    assert ("marengo3.5" if listed else "another model") in str(caught.value)
    assert server.client(model="marengo3.5").task("t1").space == "marengo3.5/512"
    with pytest.raises(InvalidInputError, match="do not compare"):
        Server("marengo3.0", listed=listed).client(model="marengo3.5").task("t1")


def test_v1_tasks_are_taken_up_by_v1_clients() -> None:
    server = Server(processing=1)
    task = server.client(api_version="v1").task("t1")
    assert server.asked == ["GET embed/tasks/t1/status", "GET embed/tasks/t1/status", "GET embed/tasks/t1"]
    assert [(s.start_sec, s.scope, s.option) for s in task.segments] == [(0, "clip", "visual"), (6, "clip", "visual")]
    assert (task.model, task.kind) == ("marengo3.0", "video")


@pytest.mark.parametrize("wrong", ["../assets/a1", "", None, 7])
def test_what_is_no_id_of_a_task_is_refused(wrong: Any) -> None:
    server = Server()
    with pytest.raises(InvalidInputError, match="not the id of a task"):
        server.client().task(wrong)
    assert server.asked == []


def test_a_status_is_told_to_a_function() -> None:
    server = Server()
    with pytest.raises(InvalidInputError, match="on_status= takes a function"):
        server.client().task("t1", on_status=True)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="on_status= takes a function"):
        server.client().embed_segments(Audio("https://h.example/a.mp3"), on_status="print")  # type: ignore[arg-type]
    assert server.asked == []


def test_an_unknown_task_is_an_error_that_names_it() -> None:
    with pytest.raises(InvalidInputError) as caught:
        Server().client().task("t2")
    assert caught.value.item == "task t2"


async def test_tasks_are_listed_without_vectors() -> None:
    server = Server()
    client = server.client()
    (found,) = client.tasks(status="ready")
    assert (found.id, found.model, found.kind, found.filename, found.segments) == (
        *("t1", "marengo3.0", "video", "a.mp4", ()),
    )
    assert server.asked == ["GET embed-v2/tasks?status=ready&page=1&page_limit=50"]
    assert [task.id async for task in client.atasks()] == ["t1"]
    assert [task.id for task in server.client(api_version="v1").tasks()] == ["t1"]
    assert server.asked[-1] == "GET embed/tasks?page=1&page_limit=50"
    with pytest.raises(InvalidInputError, match="status='done' is not one of"):
        client.tasks(status="done")  # type: ignore[arg-type]


def test_a_callback_that_raises_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[Task] = []

    def raise_error(task: Task) -> None:
        calls.append(task)
        raise ValueError("secret")

    assert Server(processing=3).client().task("t1", on_status=raise_error).status == "ready"
    assert len(calls) == 1
    assert "on_status= raised ValueError" in caplog.text and "secret" not in caplog.text


async def test_embedding_tells_the_states_of_its_own_task() -> None:
    server = Server(processing=1)

    def answer(request: httpx.Request) -> Any:
        if request.method == "POST":
            return httpx.Response(202, json={"_id": "t1", "status": "processing"})
        return server.answer(request)

    seen: list[str] = []
    service = Service(answer)
    options = SegmentOptions(embedding_option="audio")
    server.data = [entry(0, "audio")]
    url = Audio("https://h.example/a.mp3")
    client = service.client(model="marengo3.5")
    found = client.embed_segments(url, options, on_status=lambda task: seen.append(task.status))
    assert [s.start_sec for s in found] == [0]
    assert seen == ["processing", "ready"]
    assert await client.aembed_segments(url, options, on_status=lambda task: seen.append(task.status)) == found
    assert len(seen) == 3
