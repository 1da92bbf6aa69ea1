"""Names of collections. The check of spaces is tested where rows are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from twelvelabs_core import MODELS, InvalidInputError
from twelvelabs_core._store.metadata import LONGEST_NAME, collection_name

# Chroma before 1.0, whose names are the narrowest beside Milvus' and PostgreSQL's.
CHROMA = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
MILVUS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def test_a_name_for_each_space_that_every_store_takes() -> None:
    spaces = [f"{model.name}/{length}" for model in MODELS.values() for length in model.dimensions]
    names = [collection_name("videos", space) for space in (*spaces, "marengo3.0/512/v1-audio")]
    assert len(set(names)) == len(spaces) + 1
    assert all(CHROMA.fullmatch(name) and MILVUS.fullmatch(name) for name in names), names
    assert collection_name("videos", "marengo3.0/512") == "videos_marengo3_0_512"


@pytest.mark.parametrize("wrong", ["", None, 7])
def test_a_name_is_a_text(wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="is a str such as 'videos'"):
        collection_name(wrong, "marengo3.0/512")


def test_a_name_is_not_too_long() -> None:
    longest = LONGEST_NAME - len("_marengo3_0_512")
    assert len(collection_name("v" * longest, "marengo3.0/512")) == LONGEST_NAME
    with pytest.raises(InvalidInputError, match="has 64 characters; stores take 63"):
        collection_name("v" * (longest + 1), "marengo3.0/512")
