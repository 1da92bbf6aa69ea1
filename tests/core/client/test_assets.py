"""Assets of the caller's: as sources, listed, deleted; and URLs under a name of the caller's own."""

from __future__ import annotations

import pickle
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import media
from tests.support.service import Service, right_answer, sent_json, vector
from twelvelabs_core import (
    Asset,
    Audio,
    Composed,
    Document,
    EmbeddingClient,
    Image,
    InvalidInputError,
    Media,
    SegmentOptions,
    Video,
)
from twelvelabs_core.adapter import content_digest, is_pdf, media_from

ID = "6298d673f1090f1100476d4c"


class Server:
    """Has assets by id, and embeds whatever it is sent."""

    def __init__(self, **assets: Any) -> None:
        self.assets = assets
        self.listed: list[list[str]] | None = None
        self.asked: list[str] = []
        self.service = Service(self.answer)

    def answer(self, request: httpx.Request) -> Any:
        path = request.url.path.partition("/v1.3/")[2]
        self.asked.append(f"{request.method} {path}" + (f"?{request.url.query.decode()}" if request.url.query else ""))
        if path == "assets":
            return self._page(int(request.url.params["page"]))
        if not path.startswith("assets/"):
            labels = {"embedding_option": "audio", "embedding_scope": "asset"}
            if request.method == "GET":
                return {"_id": "t1", "status": "ready", "data": [{"embedding": vector("task"), **labels}]}
            if "tasks" in path:
                return httpx.Response(202, json={"_id": "t1", "status": "processing"})
            answer = right_answer(request)
            answer["data"][0] |= labels
            return answer
        asset_id = path.removeprefix("assets/")
        if asset_id not in self.assets:
            return httpx.Response(403, json={"code": "read_not_allowed", "message": f"not allowed: {asset_id}"})
        if request.method == "DELETE":
            del self.assets[asset_id]
            return httpx.Response(204)
        found = self.assets[asset_id]
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        return {"_id": asset_id, **found}

    def _page(self, page: int) -> Any:
        assert self.listed is not None
        ids = self.listed[page - 1] if page <= len(self.listed) else []
        data = [{"_id": i, "status": "ready", "filename": f"{i}.mp4"} for i in ids]
        return {"data": data, "page_info": {"page": page, "total_page": len(self.listed)}}

    def client(self, **options: Any) -> EmbeddingClient:
        return self.service.client(**options)


READY = {"status": "ready", "file_type": "audio/mpeg", "duration": 7.5}


# -- values ------------------------------------------------------------------------------------------------------


def test_assets_are_equal_if_their_ids_are() -> None:
    assert Asset(ID) == Asset(ID, "ready", "a.mp4") != Asset("other")
    assert len({Asset(ID), Asset(ID, "processing")}) == 1
    assert pickle.loads(pickle.dumps(Video(Asset(ID)))) == Video(Asset(ID))


@pytest.mark.parametrize("wrong", ["", "../indexes/x", "a b", "a" * 200, None, 7, b"a1"])
def test_what_is_no_id_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="not the id of an asset"):
        Asset(wrong)


def test_a_text_names_an_asset_by_its_scheme() -> None:
    with pytest.raises(InvalidInputError, match="not the id of an asset"):
        Video("asset://../x")
    assert content_digest(Video(f"asset://{ID}")) == content_digest(Video(Asset(ID)))
    assert media_from(Asset(ID, mime="image/png")) == Image(Asset(ID))
    with pytest.raises(InvalidInputError, match=r"does not say what it holds; wrap it: Video"):
        media_from(f"asset://{ID}")


@pytest.mark.parametrize(
    ("mime", "kind"),
    [
        ("video/mp4", "video"),
        ("audio/*", "audio"),
        ("application/pdf", "document"),
        ("text/markdown", "document"),
        ("application/zip", None),
        (None, None),
    ],
)
def test_the_kind_of_an_asset_is_that_of_its_type(mime: str | None, kind: str | None) -> None:
    assert Asset(ID, mime=mime).kind == kind
    assert is_pdf(Document(Asset(ID, mime="application/pdf")))
    assert not is_pdf(Document(Asset(ID, mime="text/plain")))


def test_an_asset_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"is audio; use Audio\(\.\.\.\)"):
        Video(Asset(ID, mime="audio/mpeg"))


def test_a_path_that_looks_like_an_id_says_how_to_pass_one() -> None:
    server = Server()
    with pytest.raises(InvalidInputError, match=rf"no such file.*Asset\('{ID}'\)"):
        server.client().embed(Video(ID))
    assert server.asked == []


# -- as sources --------------------------------------------------------------------------------------------------


def test_an_asset_of_elsewhere_is_looked_up_once_and_named_in_the_request() -> None:
    server = Server(a1=READY)
    found = server.client().embed(Audio(Asset("a1")))
    assert found.vector == vector("audio")
    assert server.asked == ["GET assets/a1", "POST embed-v2"]
    assert sent_json(server.service.requests[-1])["audio"]["media_source"] == {"asset_id": "a1"}


def test_an_asset_that_is_ready_needs_no_look_and_is_sent_by_its_length() -> None:
    server = Server()
    client = server.client()
    client.embed(Audio(Asset("a1", "ready", duration_sec=60.0)))
    assert server.asked == ["POST embed-v2"]
    assert client.last_run.minutes == 1.0
    with pytest.raises(InvalidInputError, match="start_sec"):
        client.embed(Audio(Asset("a1", "ready", duration_sec=60.0), start_sec=70))


def test_an_asset_that_is_processing_is_waited_for() -> None:
    server = Server(a1=[{"status": "processing"}, {"status": "processing"}, READY])
    server.client().embed(Audio(Asset("a1")))
    assert server.asked.count("GET assets/a1") == 3


def test_assets_are_composed() -> None:
    server = Server(a1={"status": "ready", "file_type": "image/png"})
    server.client().embed(Composed("in blue", [Image(Asset("a1"))]))
    assert sent_json(server.service.requests[-1])["text_image"]["media_source"] == {"asset_id": "a1"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": "failed", "error": {"message": "broken container"}}, "broken container"),
        ({"status": "ready", "file_type": "video/mp4"}, r"is video; use Video\(\.\.\.\)"),
    ],
)
def test_an_asset_that_cannot_be_used_is_an_error_and_nothing_is_paid(answer: dict[str, Any], message: str) -> None:
    server = Server(a1=answer)
    with pytest.raises(InvalidInputError, match=message) as caught:
        server.client().embed(Audio(Asset("a1")), name="tune")
    assert "tune" in str(caught.value.item)
    assert server.asked == ["GET assets/a1"]


def test_an_asset_of_another_account_is_an_error() -> None:
    with pytest.raises(InvalidInputError) as caught:
        Server().client().embed(Audio(Asset("a1")))
    assert "belongs to another account" in str(caught.value)


def test_a_text_document_known_by_its_id_alone_is_refused() -> None:
    server = Server(a1={"status": "ready", "file_type": "text/plain"})
    with pytest.raises(InvalidInputError, match=r"Document\(client\.asset\('a1'\)\)"):
        server.client(model="marengo3.5").embed_segments(Document(Asset("a1")))


@pytest.mark.parametrize("model", ["marengo3.0"])
def test_v1_takes_no_assets(model: str, tmp_path: Path) -> None:
    server = Server(a1=READY)
    client = server.client(model=model, api_version="v1")
    for call in (lambda: client.embed(Audio(Asset("a1"))), lambda: client.embed_segments(Audio(Asset("a1")))):
        with pytest.raises(InvalidInputError, match="v1 takes no assets"):
            call()
    (tmp_path / "a.wav").write_bytes(media.wav())
    with pytest.raises(InvalidInputError, match="v1 takes no assets"):
        client.upload(tmp_path / "a.wav")
    assert server.asked == []


def test_a_long_asset_is_embedded_by_a_task() -> None:
    server = Server()
    found = server.client().embed(Audio(Asset("a1", "ready", duration_sec=1200.0)))
    assert found.vector == vector("task")
    assert server.asked == ["POST embed-v2/tasks", "GET embed-v2/tasks/t1"]


def test_an_asset_has_one_cache_entry_whatever_is_known_of_it(tmp_path: Path) -> None:
    server = Server(a1=READY)
    client = server.client(cache=tmp_path / "cache.sqlite")
    client.embed(Audio(Asset("a1")))
    again = client.embed(Audio("asset://a1"))
    assert again.cached
    assert client.embed(Audio(Asset("a1", "ready", "b.mp3"))).cached
    assert not client.embed(Audio(Asset("a1", "ready"), start_sec=1)).cached


def test_an_asset_uploaded_here_has_the_cache_entry_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(media.wav())
    server = Server()
    client = server.client(cache=tmp_path / "cache.sqlite")
    client.embed(Audio(file))
    assert client.embed(Audio(Asset("a1", "ready", content_digest=content_digest(Audio(file))))).cached


def test_rows_of_an_asset_name_it() -> None:
    server = Server(a1={**READY, "filename": "hum-0123456789abcdef01234567.mp3"})
    client = server.client()
    whole = SegmentOptions(embedding_option="audio", embedding_scope="asset")
    (row,) = client.rows(Audio(client.asset("a1")), whole)
    assert (row.metadata["source"], row.metadata["file_name"]) == ("asset://a1", "hum.mp3")
    assert row.text.startswith("hum.mp3 whole audio")
    (again,) = client.rows(Audio("asset://a1", filename="hum.mp3"), whole)
    assert again.id == row.id


# -- lists and deletion ------------------------------------------------------------------------------------------


def test_what_the_service_knows_of_an_asset() -> None:
    server = Server(
        a1={
            "status": "ready",
            "filename": "beach-0123456789abcdef01234567.mp4",
            "file_type": "video/mp4",
            "size": 5,
            "duration": 7,
            "created_at": "2026-11-01T10:00:00.5Z",
        }
    )
    found = server.client().asset("a1")
    assert (found.status, found.filename, found.kind, found.size, found.duration_sec, found.error) == (
        *("ready", "beach.mp4", "video", 5, 7.0, None),
    )
    assert found.created_at == datetime(2026, 11, 1, 10, 0, 0, 500_000, timezone.utc)
    failed = Server(a1={"status": "failed", "error": {"message": "broken\ncontainer"}}).client().asset("a1")
    assert (failed.status, failed.error) == ("failed", "broken container")


async def test_lists_go_on_to_their_end_and_name_each_once() -> None:
    server = Server()
    server.listed = [["a5", "a4"], ["a4", "a3"], ["a2"]]  # one was created between the first two pages
    client = server.client()
    found = client.assets(kind="video", filename="be")
    assert next(found).id == "a5"
    assert server.asked == ["GET assets?asset_types=video&filename=be&page=1&page_limit=50"]
    assert [asset.id for asset in found] == ["a4", "a3", "a2"]
    assert [asset.id async for asset in client.aassets()] == ["a5", "a4", "a3", "a2"]
    assert client.stats.requests == 6


def test_a_list_without_an_end_ends() -> None:
    service = Service(lambda _: {"data": [{"_id": "a1"}, {"no": "id"}, 7]})
    assert [asset.id for asset in service.client().assets()] == ["a1"]
    assert len(service.requests) == 2
    with pytest.raises(InvalidInputError, match="kind='film' is not one of image, audio, video, document"):
        service.client().assets(kind="film")  # type: ignore[arg-type]


def test_a_list_to_which_a_whole_page_was_added_goes_on() -> None:
    server = Server()
    server.listed = [["a6", "a5"], ["a6", "a5"], ["a4", "a3"], ["a2"]]
    assert [asset.id for asset in server.client().assets()] == ["a6", "a5", "a4", "a3", "a2"]


def test_a_list_that_is_always_its_first_page_ends() -> None:
    service = Service(lambda _: {"data": [{"_id": "a1"}], "page_info": {"page": 1, "total_page": 3}})
    assert [asset.id for asset in service.client().assets()] == ["a1"]
    assert len(service.requests) == 3


async def test_an_asset_is_deleted_by_itself_or_its_id() -> None:
    server = Server(a1=READY, a2=READY)
    client = server.client()
    client.delete_asset(Asset("a1"))
    await client.adelete_asset("a2", force=True)
    assert server.asked == ["DELETE assets/a1", "DELETE assets/a2?force=true"]
    with pytest.raises(InvalidInputError, match="not the id"):
        client.delete_asset("../indexes/7")
    with pytest.raises(InvalidInputError):
        client.delete_asset("a1")


# -- uploads that are refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("missing.mp4", "no such file"),
        ("https://h.example/a.mp4", "the service fetches itself"),
        (Video(Asset("a1")), "is an asset already"),
        (Document(b"%PDF-1.7"), "does not take document"),
        (Audio(b"no audio"), "not a readable audio file"),
        (b"bytes", "does not say what it holds"),
        (["a.mp4"], "does not say what it holds"),
    ],
)
def test_what_cannot_be_uploaded_is_refused(given: Any, message: str) -> None:
    server = Server()
    with pytest.raises(InvalidInputError, match=message):
        server.client().upload(given)
    assert server.asked == []


@pytest.mark.parametrize("progress", ["yes", 7])
def test_progress_is_a_function_or_a_bar(progress: Any, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(media.wav())
    server = Server()
    with pytest.raises(InvalidInputError, match="progress= takes a function"):
        server.client().upload(tmp_path / "a.wav", progress=progress)
    assert server.asked == []


# -- cache_key ---------------------------------------------------------------------------------------------------


def by_token(token: str, **more: Any) -> Media:
    return Audio(f"https://cdn.example/{token}/a.mp3?session={token}", **more)


def test_an_address_that_changes_keeps_its_cache_entry_by_a_key(tmp_path: Path) -> None:
    server = Server()
    client = server.client(cache=tmp_path / "cache.sqlite")
    client.embed(by_token("x", cache_key="tune-7"))
    assert client.embed(by_token("y", cache_key="tune-7")).cached
    assert not client.embed(by_token("y")).cached
    assert not client.embed(by_token("y", cache_key="tune-8")).cached
    assert sent_json(server.service.requests[0])["audio"]["media_source"] == {
        "url": "https://cdn.example/x/a.mp3?session=x"
    }


def test_a_key_makes_rows_ids_by_content() -> None:
    client = Server().client()
    whole = SegmentOptions(embedding_option="audio", embedding_scope="asset")
    one, other = (
        client.rows(by_token(token, cache_key="tune-7"), whole, id_from="content")[0].id for token in ("x", "y")
    )
    assert one == other
    assert content_digest(by_token("x", cache_key="tune-7")) == content_digest(by_token("y", cache_key="tune-7"))


@pytest.mark.parametrize(
    ("source", "key", "message"),
    [
        ("a.mp3", "k", "is for URLs alone"),
        (b"a", "k", "is for URLs alone"),
        (Asset("a1"), "k", "is for URLs alone"),
        ("https://h.example/a.mp3", "", "not empty"),
        ("https://h.example/a.mp3", 7, "must be a str"),
        ("https://h.example/a.mp3", "\ud800", "broken Unicode"),
    ],
)
def test_a_key_of_what_is_read_here_is_refused(source: Any, key: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Audio(source, cache_key=key)
