"""``EmbedBatch`` as Ray calls it, inside this process."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import SecretStr

from ray_twelvelabs import EmbedBatch
from tests.support import media
from tests.support.service import Service, refusal, right_answer, text_of, v2_answer, vector
from twelvelabs_core import AuthenticationError, InvalidInputError, RateLimits


def embed(service: Service, **settings: Any) -> EmbedBatch:
    return EmbedBatch(**{"api_key": service.key, "transport": service.transport, **settings})


def float32(found: list[float]) -> list[float]:
    values: list[float] = np.array(found, np.float32).tolist()
    return values


def table(*texts: Any) -> pa.Table:
    return pa.table({"caption": pa.array(texts, pa.string()), "number": list(range(len(texts)))})


# -- what it adds ------------------------------------------------------------------------------------------------------


def test_a_vector_a_row() -> None:
    found = embed(Service(), text="caption")(table("a", "b", "a"))
    assert found.schema == pa.schema(
        [
            ("caption", pa.string()),
            ("number", pa.int64()),
            ("embedding", pa.list_(pa.float32(), 512)),
            ("space", pa.string()),
            ("error", pa.string()),
        ]
    )
    assert found["caption"].to_pylist() == ["a", "b", "a"]
    assert found["embedding"].to_pylist() == [float32(vector(text)) for text in "aba"]
    assert found["space"].to_pylist() == ["marengo3.0/512"] * 3
    assert found["error"].to_pylist() == [None] * 3


@pytest.mark.parametrize("kind", ["numpy", "pandas"])
def test_other_formats_give_the_same(kind: str) -> None:
    texts = ["a", None, "b"]
    columns = {"caption": np.array(texts, object), "number": np.arange(3)}
    batch: Any = columns if kind == "numpy" else pd.DataFrame(columns)
    found = embed(Service(), text="caption")(batch)
    assert found.to_pydict() == embed(Service(), text="caption")(table(*texts)).to_pydict()


def test_a_prefix_lets_two_columns_become_two_vectors(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(media.png("red"))
    given = pa.table({"caption": ["a"], "path": [str(tmp_path / "red.png")]})
    service = Service()
    found = embed(service, image="path", prefix="image_")(embed(service, text="caption")(given))
    assert found.column_names[2:] == [
        *("embedding", "space", "error"),
        *("image_embedding", "image_space", "image_error"),
    ]
    assert found["image_error"].to_pylist() == [None]
    assert found["embedding"].to_pylist() != found["image_embedding"].to_pylist()


def test_no_rows() -> None:
    found = embed(Service(), text="caption")(table())
    assert found.num_rows == 0
    assert found.schema.field("embedding").type == pa.list_(pa.float32(), 512)


def test_dimensions_of_another_model() -> None:
    found = embed(Service(), text="caption", model="marengo3.5", dimensions=128)(table("a"))
    assert found.schema.field("embedding").type == pa.list_(pa.float32(), 128)
    assert found["space"].to_pylist() == ["marengo3.5/128"]


# -- files -------------------------------------------------------------------------------------------------------------


def test_images_by_path_bytes_and_pixels(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(media.png("red"))
    service = Service()
    by_path = embed(service, image="image")(pa.table({"image": [str(tmp_path / "red.png"), str(tmp_path / "no.png")]}))
    assert by_path["error"].to_pylist()[0] is None
    assert by_path["error"].to_pylist()[1].startswith("InvalidInputError: ")
    by_bytes = embed(service, image="image", source="path")(
        pa.table({"image": [media.png("red"), b"", None], "path": ["a/red.png", None, "b.png"]})
    )
    assert [error is None for error in by_bytes["error"].to_pylist()] == [True, False, False]
    by_pixels = embed(service, image="image")({"image": np.zeros((2, 200, 200, 3), np.uint8)})
    assert by_pixels["error"].to_pylist() == [None, None]


def test_a_source_that_is_no_path_is_an_error_of_its_row() -> None:
    found = embed(Service(), image="image", source="path")(pa.table({"image": [media.png("red")], "path": [7]}))
    assert found["error"].to_pylist() == ["InvalidInputError: its source is a int; expected a path or URL."]


def test_audio_of_v1_names_its_own_space() -> None:
    found = embed(Service(), audio="audio", api_version="v1")(pa.table({"audio": [media.wav(440, 6)]}))
    assert found["space"].to_pylist() == ["marengo3.0/512/v1-audio"]


# -- errors ------------------------------------------------------------------------------------------------------------


def test_a_bad_row_is_an_error_in_its_column() -> None:
    def answer(request: httpx.Request) -> Any:
        return refusal(400) if text_of(request) == "refused" else right_answer(request)

    service = Service(answer)
    found = embed(service, text="caption")(table("a", "", None, "refused", "b"))
    errors = found["error"].to_pylist()
    assert errors[0] is None
    assert errors[1] == "InvalidInputError: is an empty text; leave it out, the API takes no empty texts."
    assert errors[2] == "InvalidInputError: is null."
    assert errors[3].startswith("InvalidInputError: ")
    assert errors[3].endswith("[400 c]")
    assert errors[4] is None
    assert [e is None for e in found["embedding"].to_pylist()] == [False, True, True, True, False]
    assert found["space"].to_pylist() == ["marengo3.0/512", None, None, None, "marengo3.0/512"]


def test_numbers_are_no_texts() -> None:
    found = embed(Service(), text="number")(table("a"))
    assert "expected a str" in found["error"].to_pylist()[0]


def test_a_number_that_float32_cannot_hold_does_not_get_here() -> None:
    found = embed(Service(lambda _: v2_answer([1e39, *vector("a")[1:]])), text="caption")(table("a"))
    assert found["embedding"].to_pylist() == [None]
    assert found["error"].to_pylist()[0].startswith("MalformedResponseError: ")


def refused_key() -> Service:
    """A service that takes two texts, and then no more."""
    count = 0

    def answer(request: httpx.Request) -> Any:
        nonlocal count
        count += 1
        return right_answer(request) if count <= 2 else refusal(401)

    return Service(answer)


def test_without_a_cache_finished_vectors_are_kept_whatever_happens_to_the_account() -> None:
    service = refused_key()
    step = embed(service, text="caption", max_concurrency=1)
    found = step(table("a", "b", "c", "d"))
    assert [e is None for e in found["embedding"].to_pylist()] == [False, False, True, True]
    errors = found["error"].to_pylist()
    assert errors[:2] == [None, None]
    assert all(error.startswith("AuthenticationError: ") for error in errors[2:])
    assert len(service.requests) == 3
    step(table("e"))
    assert len(service.requests) == 4, "the next batch tries again"


def test_with_a_cache_an_error_about_the_account_ends_the_job(tmp_path: Path) -> None:
    service = refused_key()
    cache = str(tmp_path / "vectors.sqlite")
    with pytest.raises(AuthenticationError) as caught:
        embed(service, text="caption", max_concurrency=1, cache=cache)(table("a", "b", "c", "d"))
    assert caught.value.results == []
    again = Service()
    found = embed(again, text="caption", cache=cache, base_url=None)(table("a", "b", "c", "d"))
    assert found["error"].to_pylist() == [None] * 4
    assert sorted(again.texts) == ["c", "d"]


def test_account_errors_says_which() -> None:
    with pytest.raises(AuthenticationError):
        embed(refused_key(), text="caption", max_concurrency=1, account_errors="raise")(table("a", "b", "c"))


# -- settings ----------------------------------------------------------------------------------------------------------


def test_exactly_one_column_is_named() -> None:
    with pytest.raises(InvalidInputError, match=r"EmbedBatch reads one column.*got none"):
        embed(Service())
    with pytest.raises(InvalidInputError, match=r"got text='a', video='b'.*prefix="):
        embed(Service(), text="a", video="b")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"txet": "a"}, r"EmbedBatch has no setting 'txet'; it has text, image"),
        ({"budget": 5}, r"every worker would spend it"),
        ({"account_errors": "ignore"}, r"account_errors='ignore' is not one of raise, column"),
        ({"stats": "all"}, r"stats= takes a JobStats\(\)"),
        ({"source": "path"}, r"source= names where files"),
        ({"model": "marengo9"}, r"Unknown model"),
        ({"cache": 7}, r"cache= takes a path"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        embed(Service(), text="caption", **settings)


def test_a_missing_column_and_a_column_that_is_there() -> None:
    with pytest.raises(InvalidInputError, match="no column 'title'"):
        embed(Service(), text="title")(table("a"))
    step = embed(Service(), text="caption")
    with pytest.raises(InvalidInputError, match="adds the column 'embedding'"):
        step(step(table("a")))


def test_a_function_makes_the_cache_in_the_worker() -> None:
    class Shared:
        kept: dict[str, bytes]

        def __init__(self) -> None:
            self.kept = {}

        def mget(self, keys: Any) -> list[bytes | None]:
            return [self.kept.get(key) for key in keys]

        def mset(self, pairs: Any) -> None:
            self.kept.update(pairs)

    made: list[Shared] = []

    def make() -> Shared:
        made.append(Shared())
        return made[-1]

    service = Service()
    step = embed(service, text="caption", cache=make)
    step(table("a"))
    step(table("a", "b"))
    assert len(made) == 1
    assert len(made[0].kept) == 2
    assert service.texts == ["a", "b"]


def test_a_job_waits_for_the_daily_limit_by_default() -> None:
    assert embed(Service(), text="caption").client._sender.settings.max_wait >= 86_400
    assert embed(Service(), text="caption", max_wait=3).client._sender.settings.max_wait == 3


def test_the_settings_reach_the_client() -> None:
    limits = RateLimits.developer(tier=2)
    step = embed(Service(), text="caption", rate_limits=limits, max_concurrency=7, base_url="https://host.example/v1.3")
    settings = step.client._sender.settings
    assert (settings.limits, settings.max_concurrency) == (limits, 7)
    assert step.client.base_url == "https://host.example/v1.3"


def test_the_key_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = "tlk_5ecret_of_a_worker"
    for given in (key, SecretStr(key)):
        step = EmbedBatch(text="caption", api_key=given, transport=refused_key().transport)
        shown = f"{step!r} {step} {step.client!r} {step(table('a', 'b', 'c', 'd')).to_pydict()['error']}"
        assert key not in shown
    with pytest.raises(InvalidInputError) as caught:
        EmbedBatch(text="caption", api_key=key, nothing=1)
    frames = []
    trace: TracebackType | None = caught.tb
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    ours = [frame for frame in frames if "src/ray_twelvelabs" in frame.f_code.co_filename]
    assert ours
    assert not any(key in repr(frame.f_locals) for frame in ours[1:])
    assert key not in caplog.text
