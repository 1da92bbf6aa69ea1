"""Batches as tables, and vectors as a column; without Ray, but where a batch is not Arrow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ray_twelvelabs.columns import as_table, check_columns, holds_content, medium, values, vector_column
from twelvelabs_core import Audio, Image, InvalidInputError


def test_an_arrow_batch_stays_as_it_is() -> None:
    table = pa.table({"a": [1, 2]})
    assert as_table(table) is table


@pytest.mark.parametrize("texts", [["a", None, "c"], ["a", "b", "c"]])
def test_numpy_and_pandas_batches_have_the_values_of_the_arrow_batch(texts: list[str | None]) -> None:
    wanted = pa.table({"text": texts, "number": [1, 2, 3]})
    batch = {"text": np.array(texts, object), "number": np.array([1, 2, 3])}
    assert as_table(batch).to_pydict() == wanted.to_pydict()
    assert as_table(pd.DataFrame(batch)).to_pydict() == wanted.to_pydict()


def test_tensors_come_through() -> None:
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    first, second = values(as_table({"image": pixels}), "image")
    assert (first == pixels[0]).all()
    assert (second == pixels[1]).all()


@pytest.mark.parametrize("batch", [["a"], "a", None, 7])
def test_what_is_no_batch_is_refused(batch: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"Expected a batch of Ray Data.*map_batches"):
        as_table(batch)


def test_columns_that_are_missing_or_there_already_are_named() -> None:
    table = pa.table({"a": [1], "space": ["x"]})
    check_columns(table, ["a"], ["embedding"], "EmbedBatch")
    with pytest.raises(InvalidInputError, match=r"no column 'b'; there are 'a', 'space'"):
        check_columns(table, ["b"], [], "EmbedBatch")
    with pytest.raises(InvalidInputError, match=r"EmbedBatch adds the column 'space'.*prefix="):
        check_columns(table, ["a"], ["embedding", "space"], "EmbedBatch")
    with pytest.raises(InvalidInputError, match="there are none"):
        check_columns(pa.table({}), ["b"], [], "EmbedBatch")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (pa.string(), False),
        (pa.large_string(), False),
        (pa.dictionary(pa.int32(), pa.string()), False),
        (pa.null(), False),
        (pa.binary(), True),
        (pa.large_binary(), True),
        (pa.list_(pa.uint8()), True),
    ],
)
def test_whether_a_column_holds_files_or_names_them(kind: pa.DataType, content: bool) -> None:
    assert holds_content(pa.schema([("a", kind)]).empty_table(), "a") is content


# -- files -----------------------------------------------------------------------------------------------------------


def test_paths_and_bytes() -> None:
    assert medium(Audio, "a/b.wav") == Audio("a/b.wav")
    assert medium(Audio, b"RIFF", "https://host/a/b.wav?signature=1") == Audio(b"RIFF", filename="b.wav")
    assert medium(Audio, b"RIFF", "") == Audio(b"RIFF")


def test_pixels_become_an_image() -> None:
    pixels = np.full((200, 300, 3), (255, 0, 0), np.uint8)
    image = medium(Image, pixels)
    assert image.source.size == (300, 200)  # type: ignore[union-attr]
    assert image.source.getpixel((5, 5)) == (255, 0, 0)  # type: ignore[union-attr]
    assert medium(Image, pixels[..., 0]).source.mode == "L"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4, 3)), np.zeros(4, np.uint8), np.zeros((4, 4, 7), np.uint8), np.zeros((1, 4, 4, 3), np.uint8)],
)
def test_arrays_that_are_no_image_are_refused(pixels: Any) -> None:
    with pytest.raises(InvalidInputError, match="is an array"):
        medium(Image, pixels)


# -- vectors ---------------------------------------------------------------------------------------------------------


def test_vectors_are_float32_of_a_fixed_length() -> None:
    column = vector_column([[1.0, 0.1], None, [-2.5, 3e38]], 2)
    assert column.type == pa.list_(pa.float32(), 2)
    assert column.null_count == 1
    assert column.to_pylist() == [[1.0, float(np.float32(0.1))], None, [-2.5, float(np.float32(3e38))]]


def test_no_rows() -> None:
    assert vector_column([], 3).type == pa.list_(pa.float32(), 3)
    assert len(vector_column([], 3)) == 0
