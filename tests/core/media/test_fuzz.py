"""Any place, source and first bytes: a kind, a file, or one of this package's errors."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzz import Mutator, ours_alone
from tests.support.odd_items import MP4, NAMES, PDF, PNG, SOURCES, WAV
from twelvelabs_core import MODELS, Audio, Document, Image, Video
from twelvelabs_core._inputs import describe, file_name
from twelvelabs_core._media.file import open_media
from twelvelabs_core._media.formats import detect_format
from twelvelabs_core._media.kinds import kind_of, media_from, suffix_of

KINDS = st.sampled_from([Image, Audio, Video, Document])


@given(st.text(max_size=30) | st.sampled_from([s() for s in SOURCES if isinstance(s(), str)]), st.binary(max_size=40))
def test_places(place: str, head: bytes) -> None:
    detect_format(head)
    with ours_alone():
        assert isinstance(suffix_of(place), str)
        kind_of(place, head)
    with ours_alone():
        assert isinstance(file_name(place), str)
    with ours_alone():
        media_from(place)


@given(st.sampled_from(SOURCES), KINDS, st.sampled_from(NAMES))
def test_sources(source: object, kind: type[Image], filename: object) -> None:
    made = source()  # type: ignore[operator]
    with ours_alone():
        assert isinstance(describe(made), str)
    with ours_alone():
        media_from(made)
    with ours_alone():
        given_media = kind(made, filename=filename)  # type: ignore[arg-type]
        assert isinstance(repr(given_media), str)


@given(st.integers(0, 2**32), st.sampled_from([PNG, WAV, MP4, PDF]), KINDS)
def test_damaged_content(seed: int, content: bytes, kind: type[Image]) -> None:
    damaged = Mutator(seed).damaged(content)
    with ours_alone():
        open_media(kind(damaged), MODELS["marengo3.0"], "item", may_task=True)
