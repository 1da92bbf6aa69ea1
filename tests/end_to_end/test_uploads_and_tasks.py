"""Files too large for a request, videos too long for an answer at once: what is sent, kept, taken up again, deleted."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import struct
import subprocess
import sys
import textwrap
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from twelvelabs_core import (
    Audio,
    BatchError,
    Document,
    Dynamic,
    EmbeddingClient,
    Fixed,
    Image,
    InvalidInputError,
    QuotaExceededError,
    RateLimits,
    SegmentOptions,
    Sentences,
    ServerError,
    TimedText,
    Video,
    Window,
    no_waiting,
    plan_parts,
)
from twelvelabs_emulator import Emulator

VIDEO = media.mp4([("red", 6, 220), ("blue", 6, 880)])
SIX = SegmentOptions(segmentation=Fixed(6), embedding_option="visual")


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with no_waiting():
        yield


@pytest.fixture(autouse=True)
def _account(emulator: Emulator) -> None:
    """A key that no other test has: a quota used up here stays so for the account, as long as the process lasts."""
    emulator.configure(api_keys=(f"tlk_{uuid.uuid4().hex}",))


@pytest.fixture
def client(emulator: Emulator) -> Callable[..., EmbeddingClient]:
    def make(model: str = "marengo3.0", **settings: Any) -> EmbeddingClient:
        return EmbeddingClient(model, base_url=emulator.base_url, api_key=emulator.api_key, **settings)

    return make


@pytest.fixture(scope="session")
def large_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 40 MB: over what is sent inside a request. The padding is a box that players pass over."""
    path = tmp_path_factory.mktemp("videos") / "large video.mp4"
    padding = 40_000_000
    path.write_bytes(VIDEO + struct.pack(">I4s", 8 + padding, b"free") + bytes(padding))
    return path


def asked(emulator: Emulator) -> list[str]:
    """The requests, with ids left out: ``POST assets``, ``GET assets/*``."""
    return [
        f"{r.method} {re.sub('[0-9a-f]{24}', '*', r.path.removeprefix('/v1.3/').removeprefix('/').partition('?')[0])}"
        for r in emulator.requests
    ]


def count(emulator: Emulator) -> Counter[str]:
    return Counter(asked(emulator))


# -- uploads ---------------------------------------------------------------------------------------------------------


def test_a_large_video_goes_up_as_an_asset_and_is_deleted(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path
) -> None:
    found = client().embed_segments(Video(large_video), SIX)
    assert [(s.start_sec, s.end_sec) for s in found] == [(0, 6), (6, 12)]
    assert count(emulator)["POST assets"] == 1
    assert asked(emulator)[-2:] == ["POST embed-v2", "DELETE assets/*"]
    assert client().embed(Video(large_video)).vector  # one vector: the same way


def test_an_asset_is_deleted_after_a_refusal_too(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path
) -> None:
    emulator.configure(faults=({"path": "embed-v2", "kind": "status:400"},))
    with pytest.raises(InvalidInputError, match=r"large video\.mp4"):
        client().embed_segments(Video(large_video), SIX)
    assert asked(emulator)[-1] == "DELETE assets/*"


def test_an_asset_can_be_kept_and_is_found_by_content(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path, tmp_path: Path
) -> None:
    kept = client(keep_assets=True, cache=tmp_path / "cache.sqlite")
    kept.embed_segments(Video(large_video), SIX)
    kept.embed_segments(Video(large_video), SegmentOptions(segmentation=Fixed(4), embedding_option="visual"))
    assert count(emulator)["POST assets"] == 1
    assert not any(line.startswith("DELETE") for line in asked(emulator))


def test_a_failed_upload_names_the_file(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path
) -> None:
    emulator.configure(asset_failures=("The container is broken",))
    with pytest.raises(InvalidInputError, match=r"large video\.mp4.*The container is broken"):
        client().embed_segments(Video(large_video), SIX)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> int:
    """Let the 40 MB count as too large for one upload, and parts be small, so that there are many."""
    monkeypatch.setattr("twelvelabs_core._embed.route.DIRECT_BYTES", 1_000_000)
    emulator.configure(chunk_bytes=2_000_000, first_upload_urls=5)
    return -(-(40_000_000 + len(VIDEO) + 8) // 2_000_000)


def test_a_larger_video_goes_up_in_parts(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path, small_parts: int
) -> None:
    run = client()
    found = run.embed_segments(Video(large_video), SIX)
    assert [(s.start_sec, s.end_sec) for s in found] == [(0, 6), (6, 12)]
    parts = [line for line in asked(emulator) if line.startswith("PUT upload-part")]
    assert len(parts) == len(set(parts)) == small_parts
    assert run.last_run.uploaded_bytes == large_video.stat().st_size
    uploads = [r for r in emulator.requests if r.method == "PUT"]
    assert not any("x-api-key" in {k.lower() for k in r.headers} for r in uploads)


async def test_a_kept_asset_that_two_calls_need_at_a_time_is_uploaded_once(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path, small_parts: int
) -> None:
    run = client(keep_assets=True)
    others = SegmentOptions(segmentation=Fixed(6), embedding_option="audio")
    visual, audio, asset = await asyncio.gather(
        run.aembed_segments(Video(large_video), SIX),
        run.aembed_segments(Video(large_video), others),
        run.aupload(large_video),
    )
    assert [s.option for s in visual + audio] == ["visual", "visual", "audio", "audio"]
    assert asset.status == "ready"
    parts = [line for line in asked(emulator) if line.startswith("PUT upload-part")]
    assert len(parts) == small_parts


def test_a_part_that_fails_is_sent_again_alone(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path, small_parts: int
) -> None:
    emulator.configure(faults=({"path": "upload-part/3", "times": 1, "kind": "status:503"},))
    client().embed_segments(Video(large_video), SIX)
    parts = count(emulator)
    again = [line for line, times in parts.items() if line.startswith("PUT") and times > 1]
    assert again == ["PUT upload-part/*/3"]
    assert sum(times for line, times in parts.items() if line.startswith("PUT")) == small_parts + 1


def test_a_part_whose_address_has_expired_gets_a_new_one(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path, small_parts: int
) -> None:
    emulator.configure(faults=({"path": "upload-part/3", "times": 2, "kind": "status:403"},))
    assert client(max_retries=0).embed_segments(Video(large_video), SIX)
    parts = count(emulator)
    assert parts["PUT upload-part/*/3"] == 3
    assert sum(times for line, times in parts.items() if line.startswith("PUT")) <= small_parts + 2


@pytest.mark.parametrize("in_parts", [False, True])
def test_a_file_that_shrinks_while_it_is_uploaded_is_an_error(
    in_parts: bool,
    client: Callable[..., EmbeddingClient],
    emulator: Emulator,
    large_video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "shrinks.mp4"
    path.write_bytes(large_video.read_bytes())
    if in_parts:
        monkeypatch.setattr("twelvelabs_core._embed.route.DIRECT_BYTES", 1_000_000)
        emulator.configure(chunk_bytes=15_000_000)
    real, opened = Path.open, []

    def open_and_shrink(self: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(self)
        if self == path and opened.count(path) == digested + 1:
            os.truncate(path, 10_000_000)
        return real(self, *arguments, **options)

    digested = 2  # its head is read, and its digest, before it is sent
    monkeypatch.setattr(Path, "open", open_and_shrink)
    with pytest.raises(InvalidInputError, match=r"shrinks\.mp4.*has changed"):
        client(cache=tmp_path / "cache.sqlite").embed_segments(Video(path), SIX)
    monkeypatch.undo()
    assert not any(line.startswith("POST embed") for line in asked(emulator))


def test_a_process_killed_between_parts_sends_again_what_was_on_the_way_at_most(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path, small_parts: int, tmp_path: Path
) -> None:
    """Parts that arrived and were not reported are reported by the next run."""
    reports = {"path": "assets/multipart-uploads/*", "method": "POST", "kind": "drop"}
    emulator.configure(faults=(reports,), first_upload_urls=50)
    script = f"""
        from twelvelabs_core import EmbeddingClient, Fixed, SegmentOptions, Video
        from twelvelabs_core._embed import route
        route.DIRECT_BYTES = 1_000_000
        client = EmbeddingClient("marengo3.0", base_url={emulator.base_url!r}, api_key={emulator.api_key!r},
                                 cache={str(tmp_path / "cache.sqlite")!r})
        client.embed_segments(Video({str(large_video)!r}), SegmentOptions(segmentation=Fixed(6)))
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    deadline = time.monotonic() + 60
    while sum(line.startswith("PUT") for line in asked(emulator)) < 10:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    emulator.configure(faults=())
    options = SegmentOptions(segmentation=Fixed(6))
    assert client(cache=tmp_path / "cache.sqlite").embed_segments(Video(large_video), options)
    sent = sum(line.startswith("PUT") for line in asked(emulator))
    assert sent <= small_parts + 4  # four at a time
    assert count(emulator)["POST assets/multipart-uploads"] == 1


# -- tasks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "options", "expected"),
    [
        (Video(VIDEO), SegmentOptions(segmentation=Fixed(6)), {("visual", "clip"): 2, ("audio", "clip"): 2}),
        (
            Video(VIDEO),
            SegmentOptions(segmentation=Dynamic(4), embedding_scope=("clip", "asset"), embedding_option="visual"),
            {("visual", "clip"): 2, ("visual", "asset"): 1},
        ),
        (
            Video(VIDEO),
            SegmentOptions(
                segmentation=Fixed(6),
                embedding_type="fused_embedding",
                time_based_metadata=[TimedText(0, 6, "a red scene")],
            ),
            {("fused", "clip"): 2},
        ),
        (Document(media.pdf(3)), SegmentOptions(), {("visual", "page"): 3}),
        (
            Document(b"One. Two. Three.", filename="a.txt"),
            SegmentOptions(segmentation=Sentences(2)),
            {("text", "chunk"): 2},
        ),
        (Image(media.png("red")), SegmentOptions(), {("visual", "asset"): 1}),
    ],
    ids=["fixed", "dynamic", "fused", "pages", "chunks", "image"],
)
def test_marengo35_segments_in_its_own_format(
    client: Callable[..., EmbeddingClient], emulator: Emulator, item: Any, options: SegmentOptions, expected: Any
) -> None:
    emulator.configure(shuffle_segments=True)
    found = client("marengo3.5", dimensions=128).embed_segments(item, options)
    assert Counter((s.option, s.scope) for s in found) == expected
    assert {len(s.vector) for s in found} == {128}
    clips = [s.start_sec for s in found if s.scope == "clip"]
    assert clips == sorted(clips)  # type: ignore[type-var]


def test_uncertainty_comes_with_each_vector(client: Callable[..., EmbeddingClient]) -> None:
    found = client("marengo3.5").embed_segments(Video(VIDEO), SegmentOptions(embedding_uncertainty=True))
    assert all(s.uncertainty is not None and len(s.uncertainty) == len(s.vector) for s in found)


def test_v1_segments_videos_by_its_own_tasks(client: Callable[..., EmbeddingClient], emulator: Emulator) -> None:
    options = SegmentOptions(segmentation=Fixed(6), embedding_option="visual", embedding_scope=("clip", "asset"))
    found = client(api_version="v1").embed_segments(Video(VIDEO), options)
    assert [(s.start_sec, s.end_sec, s.scope) for s in found] == [(0, 6, "clip"), (6, 12, "clip"), (0, 12, "asset")]
    assert asked(emulator)[0] == "POST embed/tasks"


def test_audio_too_long_for_a_request_becomes_a_task(
    client: Callable[..., EmbeddingClient], emulator: Emulator
) -> None:
    assert client("marengo3.5").embed(Audio(media.wav(440, 40, 0.5))).vector
    assert count(emulator)["POST embed-v2/tasks"] == 1
    assert count(emulator)["POST embed-v2"] == 0


def test_an_unknown_length_is_learned_from_the_refusal(
    client: Callable[..., EmbeddingClient], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twelvelabs_core._media.probe._by_pyav", lambda _: None)
    monkeypatch.setattr("twelvelabs_core._media.probe._by_wave", lambda _: None)
    assert client("marengo3.5").embed(Audio(media.wav(440, 40, 0.5))).vector
    assert asked(emulator)[:2] == ["POST embed-v2", "POST embed-v2/tasks"]


def test_a_task_that_fails_for_a_while_is_made_again(
    client: Callable[..., EmbeddingClient], emulator: Emulator
) -> None:
    emulator.configure(task_failures=("Service unstable, try again later",))
    assert client("marengo3.5").embed_segments(Video(VIDEO))
    assert count(emulator)["POST embed-v2/tasks"] == 2


def test_a_task_that_fails_for_good_names_the_file(client: Callable[..., EmbeddingClient], emulator: Emulator) -> None:
    emulator.configure(task_failures=("The media could not be processed",))
    with pytest.raises(InvalidInputError, match=r"video\[0\].*The media could not be processed"):
        client("marengo3.5").embed_segments(Video(VIDEO), name="video[0]")
    assert count(emulator)["POST embed-v2/tasks"] == 1


def test_a_task_whose_response_is_lost_is_not_created_twice(
    client: Callable[..., EmbeddingClient], emulator: Emulator, tmp_path: Path
) -> None:
    emulator.configure(faults=({"path": "embed-v2/tasks", "method": "POST", "times": 1, "kind": "lost"},))
    run = client("marengo3.5", cache=tmp_path / "cache.sqlite")
    assert run.embed_segments(Video(VIDEO))
    assert count(emulator)["POST embed-v2/tasks"] == 1
    assert count(emulator)["GET embed-v2/tasks"] == 1
    assert run.last_run.paid_again == 0


@pytest.fixture(scope="module")
def alike() -> list[Video]:
    """Videos of the same length and frame, which no list tells apart but by their names."""
    return [Video(media.mp4([(c, 5, 220)], size=(360, 360), fps=2)) for c in ("red", "green", "blue", "white")]


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("kind", ["lost", "status:503"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_videos_whose_responses_are_lost_get_their_own_vectors(
    client: Callable[..., EmbeddingClient],
    emulator: Emulator,
    tmp_path: Path,
    alike: list[Video],
    cached: bool,
    shown: bool,
    kind: str,
    version: str,
) -> None:
    """Three of four at once, while another client of the account has tasks of the same kind."""
    path, model = ("embed/tasks", "marengo3.0") if version == "v1" else ("embed-v2/tasks", "marengo3.5")
    settings: dict[str, Any] = {"api_version": version, "cache": tmp_path / "cache.sqlite" if cached else None}
    expected = client(model, api_version=version).embed_segments_many(alike)
    emulator.configure(task_list_filenames=shown, faults=({"path": path, "method": "POST", "first": 3, "kind": kind},))
    run, before = client(model, **settings), count(emulator)[f"POST {path}"]
    found = run.embed_segments_many(alike)
    assert [[s.vector for s in one] for one in found] == [[s.vector for s in one] for one in expected]
    named = shown and (cached or version == "v1")
    assert run.last_run.paid_again == (3 if kind == "lost" and not named else 0)
    refused = 3 if kind == "status:503" else 0
    assert count(emulator)[f"POST {path}"] - before == len(alike) + run.last_run.paid_again + refused


def test_without_a_name_in_the_list_it_is_created_again_and_counted(
    client: Callable[..., EmbeddingClient], emulator: Emulator, tmp_path: Path
) -> None:
    """A small file without a cache has no name; with one, the service may not show it."""
    lost = {"path": "embed-v2/tasks", "method": "POST", "times": 1, "kind": "lost"}
    for shown, cache in ((True, None), (False, tmp_path / "cache.sqlite")):
        emulator.reset()
        emulator.configure(api_keys=(f"tlk_{uuid.uuid4().hex}",), task_list_filenames=shown, faults=(lost,))
        run = client("marengo3.5", cache=cache)
        assert run.embed_segments(Video(VIDEO))
        assert count(emulator)["POST embed-v2/tasks"] == 2
        assert run.last_run.paid_again == 1


def test_a_task_that_takes_too_long_is_taken_up_by_the_next_run(
    client: Callable[..., EmbeddingClient], emulator: Emulator, tmp_path: Path
) -> None:
    emulator.configure(task_polls=30, task_unasked_sec=None, asset_polls=0)
    settings: dict[str, Any] = {"cache": tmp_path / "cache.sqlite"}
    with pytest.raises(ServerError, match="the next run resumes it"):
        client("marengo3.5", task_timeout=0.001, **settings).embed_segments(Video(VIDEO))
    assert client("marengo3.5", **settings).embed_segments(Video(VIDEO))
    assert count(emulator)["POST embed-v2/tasks"] == 1


def test_a_process_killed_while_waiting_is_followed_by_one_that_goes_on(
    client: Callable[..., EmbeddingClient], emulator: Emulator, large_video: Path, tmp_path: Path
) -> None:
    """No second upload, no second task, and the asset is deleted in the end."""
    emulator.configure(task_sec=3.0)
    script = f"""
        from twelvelabs_core import EmbeddingClient, Video
        client = EmbeddingClient("marengo3.5", base_url={emulator.base_url!r}, api_key={emulator.api_key!r},
                                 cache={str(tmp_path / "cache.sqlite")!r})
        client.embed_segments(Video({str(large_video)!r}))
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    deadline = time.monotonic() + 30
    while "GET embed-v2/tasks/*" not in asked(emulator):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    found = client("marengo3.5", cache=tmp_path / "cache.sqlite").embed_segments(Video(large_video))
    assert found
    assert count(emulator)["POST assets"] == 1
    assert count(emulator)["POST embed-v2/tasks"] == 1
    assert asked(emulator)[-1] == "DELETE assets/*"


def test_segments_are_kept_in_the_cache(
    client: Callable[..., EmbeddingClient], emulator: Emulator, tmp_path: Path
) -> None:
    cache = tmp_path / "cache.sqlite"
    options = SegmentOptions(embedding_uncertainty=True)
    first = client("marengo3.5", cache=cache).embed_segments(Video(VIDEO), options)
    sent = len(emulator.requests)
    assert client("marengo3.5", cache=cache).embed_segments(Video(VIDEO), options) == first
    assert len(emulator.requests) == sent


def test_one_bad_video_does_not_fail_the_others(client: Callable[..., EmbeddingClient], emulator: Emulator) -> None:
    emulator.configure(task_failures=("The media could not be processed",))
    videos = [Video(VIDEO), Video(media.mp4([("green", 6, 330)])), Video(media.mp4([("white", 6, 330)]))]
    with pytest.raises(BatchError) as caught:
        client("marengo3.5", max_concurrency=1).embed_segments_many(videos)
    assert [found is None for found in caught.value.results] == [True, False, False]


def test_ten_videos_keep_within_the_limits(client: Callable[..., EmbeddingClient], emulator: Emulator) -> None:
    """Ten at once, four in any half second: no refusal, and no longer than the limit and the slowest task impose."""
    emulator.configure(limits={"video": [[4, 0.5]]}, task_sec=0.3)
    videos = [Video(media.mp4([("red", 4, 200 + i)], size=(360, 360), fps=2)) for i in range(10)]
    limits = RateLimits(video=(Window(4, 0.5),))
    from twelvelabs_core._net import pace

    pace._waiting = True  # here the waiting is what is tested
    run = client("marengo3.5", rate_limits=limits)
    found = run.embed_segments_many(videos, SegmentOptions(embedding_option="visual"))
    assert all(found)
    assert len(found) == 10
    assert not any(r.status == 429 for r in emulator.requests)
    assert run.last_run.limited == 0


# -- refused before anything is sent ---------------------------------------------------------------------------------


def long_wav(tmp_path: Path, hours: float) -> Path:
    """A WAV whose header tells its length; sparse, so that it takes no room."""
    path = tmp_path / "long.wav"
    rate = 8_000
    size = int(hours * 3600 * rate)
    header = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8)
    with path.open("wb") as file:
        file.write(header + b"data" + struct.pack("<I", size))
        file.truncate(len(header) + 8 + size)
    return path


@pytest.mark.parametrize(
    ("model", "source", "options", "words"),
    [
        ("marengo3.5", VIDEO, {"embedding_option": "transcription"}, r"marengo3\.5 has no option 'transcription'"),
        ("marengo3.0", media.wav(440, 5, 0.5), {}, r"video\.mp4.*is WAV.*Use Audio"),
        ("marengo3.0", media.mp4([("red", 5, 220)], size=(100, 100)), {}, r"video\.mp4.*100x100 pixels.*360x360"),
        ("marengo3.0", b"", {}, r"video\.mp4.*no content"),
        ("marengo3.0", "https://www.youtube.com/watch?v=abc", {}, r"youtube\.com.*direct link"),
        ("marengo3.0", "/", {}, r"is a directory"),
        ("marengo3.0", VIDEO, {"segmentation": Sentences(2)}, r"Sentences does not divide video"),
        ("marengo3.0", VIDEO, {"segmentation": Fixed(11)}, r"duration_sec=11 must be 2 to 10"),
        ("marengo3.0", VIDEO, {"embedding_uncertainty": True}, r"marengo3\.5 has both"),
    ],
)
def test_impossible_input_is_refused_with_the_file_and_the_remedy(
    client: Callable[..., EmbeddingClient], emulator: Emulator, model: str, source: Any, options: Any, words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        client(model).embed_segments(
            Video(source, filename="video.mp4"), SegmentOptions(**options), name="paths[0] video.mp4"
        )
    assert emulator.requests == []


def test_audio_of_three_hours_is_refused_where_only_a_synchronous_request_is_possible(
    client: Callable[..., EmbeddingClient], emulator: Emulator, tmp_path: Path
) -> None:
    path = long_wav(tmp_path, 0.99)
    with pytest.raises(InvalidInputError, match=r"long\.wav.*59 min.*one request takes 10 min.*plan_parts"):
        client(api_version="v1").embed(Audio(path))
    with pytest.raises(InvalidInputError, match=r"long\.wav.*5 h 00 min.*a task takes 4 h 00 min.*plan_parts"):
        client().embed(Audio(long_wav(tmp_path, 5)))
    assert emulator.requests == []


def test_an_over_long_video_is_planned_as_parts_that_overlap() -> None:
    parts = plan_parts(10 * 3600)
    assert parts[0].start_sec == 0
    assert parts[-1].end_sec == 10 * 3600
    assert all(part.end_sec - part.start_sec <= 4 * 3600 for part in parts)
    assert all(a.end_sec - b.start_sec == pytest.approx(10) for a, b in itertools.pairwise(parts))
    with pytest.raises(InvalidInputError):
        plan_parts(100, longest_sec=5, overlap_sec=5)


def test_a_used_up_daily_quota_keeps_the_finished_videos(
    client: Callable[..., EmbeddingClient], emulator: Emulator
) -> None:
    emulator.configure(quota_after=1, retry_after=11_382)
    videos = [Video(VIDEO), Video(media.mp4([("green", 6, 330)]))]
    with pytest.raises(QuotaExceededError) as caught:
        client("marengo3.5", max_concurrency=1).embed_segments_many(videos)
    assert [found is None for found in caught.value.results] == [False, True]
