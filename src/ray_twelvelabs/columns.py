"""Batches of Ray Data as Arrow tables, their columns as items to embed, and vectors as a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from twelvelabs_core import InvalidInputError, Media
from twelvelabs_core.adapter import describe, file_name

Batch: TypeAlias = "pa.Table | Mapping[str, np.ndarray[Any, Any]] | Any"
"""What ``map_batches`` passes: an Arrow table, NumPy arrays by column, or a pandas ``DataFrame``."""


def as_table(batch: Batch) -> pa.Table:
    """A batch of any format as an Arrow table.

    Raises:
        InvalidInputError: it is none of the formats.
    """
    if isinstance(batch, pa.Table):
        return batch
    from ray.data.block import BlockAccessor

    if isinstance(batch, Mapping):
        return BlockAccessor.batch_to_arrow_block(dict(batch))
    if hasattr(batch, "columns") and hasattr(batch, "iloc"):
        return BlockAccessor.for_block(batch).to_arrow()
    raise InvalidInputError(
        f"Expected a batch of Ray Data (pyarrow, numpy or pandas), got {describe(batch)}. "
        "Pass the class to Dataset.map_batches."
    )


def check_columns(table: pa.Table, read: Iterable[str], added: Iterable[str], what: str) -> None:
    """Refuse a table without a column that is read, or with one that would be added again.

    Args:
        what: the class that reads and adds, for the message.

    Raises:
        InvalidInputError: the message names the column.
    """
    there = table.column_names
    for name in read:
        if name not in there:
            raise InvalidInputError(f"There is no column {name!r}; there are {', '.join(map(repr, there)) or 'none'}.")
    for name in added:
        if name in there:
            raise InvalidInputError(
                f"{what} adds the column {name!r}, and there is one already. Rename or drop that one "
                "(Dataset.rename_columns, drop_columns), or give prefix=."
            )


def values(table: pa.Table, name: str) -> list[Any]:
    """The values of a column as Python objects; None for a null. A tensor is a NumPy array."""
    found: list[Any] = table.column(name).to_pylist()
    return found


def holds_content(table: pa.Table, name: str) -> bool:
    """Whether a column holds files themselves (bytes or tensors) and not their paths or URLs."""
    kind = table.schema.field(name).type
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    return not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def medium(kind: type[Media], source: Any, place: Any = None) -> Media:
    """One file of a column.

    Args:
        source: path, URL, data URI, bytes, or for images an array of pixels (height x width x 3, ``uint8``).
        place: the path or URL that its content comes from; None = unknown, or ``source`` itself.

    Raises:
        InvalidInputError: an array that is no image.
    """
    if isinstance(source, np.ndarray):
        source = _image_of(source)
    return kind(source, filename=file_name(place) or None if place else None)


def _image_of(pixels: np.ndarray[Any, Any]) -> Any:
    """An array of pixels, as ``ray.data.read_images`` makes them, as a PIL image.

    Raises:
        InvalidInputError: it is none, or Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise InvalidInputError(
            "is an array of pixels, for which Pillow is needed: pip install 'twelvelabs-embeddings[media]'."
        ) from None
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise InvalidInputError(
            f"is an array of {pixels.dtype} with the shape {pixels.shape}; an image is height x width x 3 of uint8."
        )
    try:
        return Image.fromarray(pixels)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"is an array with the shape {pixels.shape}, which is no image: {error}.") from error


def vector_column(vectors: Sequence[Sequence[float] | None], dimensions: int) -> pa.FixedSizeListArray:
    """Vectors as ``FixedSizeList<float32>[dimensions]``, null for None. The client lets no number through that
    ``float32`` cannot hold.
    """
    numbers = np.zeros((len(vectors), dimensions), np.float32)
    missing = np.ones(len(vectors), bool)
    for index, vector in enumerate(vectors):
        if vector is not None:
            numbers[index] = vector
            missing[index] = False
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), dimensions, mask=pa.array(missing))
