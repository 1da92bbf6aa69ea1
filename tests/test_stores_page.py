"""docs/stores.md names the stores that the tests open."""

from __future__ import annotations

import re

from tests.langchain.stores import KINDS as LANGCHAIN
from tests.llama_index.stores import KINDS as LLAMA_INDEX
from tests.stores_page import PART, table


def test_the_page_names_what_is_tested() -> None:
    assert re.sub(r" \d+(\.\w+)+", "", PART.read()) == table(versions=False), "python -m tests.stores_page --write"


def test_each_kind_has_a_name_of_its_own() -> None:
    for kinds in (LANGCHAIN, LLAMA_INDEX):
        assert len({kind.name for kind in kinds}) == len(kinds)
