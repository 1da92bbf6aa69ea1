"""Segment options: every refusal with its item and remedy, defaults, and when options mean one whole-file vector."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from twelvelabs_core import (
    MODELS,
    Dynamic,
    Fixed,
    InvalidInputError,
    Model,
    Quadrants,
    SegmentOptions,
    Sentences,
    TimedText,
)
from twelvelabs_core._models import ApiVersion, Kind
from twelvelabs_core._options import check_options, is_whole_file, own_option, whole_file, with_defaults

M27, M30, M35 = MODELS["Marengo-retrieval-2.7"], MODELS["marengo3.0"], MODELS["marengo3.5"]
FUSED: tuple[Literal["fused_embedding"]] = ("fused_embedding",)
NOTE = TimedText(0, 2, "a goal")


# -- values --------------------------------------------------------------------------------------------------------


def test_defaults() -> None:
    options = SegmentOptions()
    assert (options.segmentation, options.embedding_option, options.embedding_scope) == (None, None, ("clip",))
    assert (options.embedding_type, options.time_based_metadata, options.embedding_uncertainty) == (None, (), False)
    assert (Fixed().duration_sec, Dynamic().min_duration_sec, Sentences(3).overlap_sentences) == (6, 4, 0)


@pytest.mark.parametrize("name", ["embedding_option", "embedding_scope", "embedding_type"])
def test_a_string_or_list_becomes_a_tuple(name: str) -> None:
    fields: dict[str, Any] = {name: "clip"}
    assert getattr(SegmentOptions(**fields), name) == ("clip",)
    fields[name] = ["clip", "asset"]
    assert getattr(SegmentOptions(**fields), name) == ("clip", "asset")
    assert hash(SegmentOptions(**fields))


# -- accepted ------------------------------------------------------------------------------------------------------

ACCEPTED: list[tuple[Model, Kind, SegmentOptions]] = [
    *((M30, kind, SegmentOptions()) for kind in ("image", "audio", "video")),
    *((M35, kind, SegmentOptions()) for kind in ("image", "audio", "video", "document")),
    (M30, "video", SegmentOptions(embedding_option=("visual", "audio", "transcription"))),
    (M30, "audio", SegmentOptions(embedding_option=("transcription",))),
    (M30, "video", SegmentOptions(embedding_scope=("clip", "asset"))),
    (M30, "video", SegmentOptions(embedding_type=("separate_embedding", "fused_embedding"))),
    (M35, "document", SegmentOptions(embedding_option=("text",))),
    (M35, "video", SegmentOptions(embedding_type=FUSED)),
    (M35, "video", SegmentOptions(embedding_type=FUSED, embedding_option=("visual", "audio"))),
    (M35, "audio", SegmentOptions(embedding_type=FUSED, time_based_metadata=(NOTE,))),
    (M35, "video", SegmentOptions(embedding_type=FUSED, time_based_metadata=(TimedText(3, 3, "a point"),))),
    (M35, "video", SegmentOptions(embedding_uncertainty=True)),
    *((M30, "video", SegmentOptions(Fixed(n))) for n in (2, 10)),
    *((M30, "video", SegmentOptions(Dynamic(n))) for n in (2, 5)),
    (M30, "audio", SegmentOptions(Fixed(2))),
    (M35, "audio", SegmentOptions(Dynamic(2))),
    (M35, "document", SegmentOptions(Quadrants())),
    (M35, "document", SegmentOptions(Sentences(1, 0))),
    (M35, "document", SegmentOptions(Sentences(3, 2))),
]


@pytest.mark.parametrize(("model", "kind", "options"), ACCEPTED, ids=lambda v: getattr(v, "name", str(v)))
def test_valid_options_are_accepted(model: Model, kind: Kind, options: SegmentOptions) -> None:
    check_options(options, model, kind, "x", "v2")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("video", SegmentOptions(Fixed(5), embedding_option=("visual",))),
        ("audio", SegmentOptions()),
        ("audio", SegmentOptions(embedding_scope=("clip", "asset"))),
        ("image", SegmentOptions()),
    ],
)
def test_valid_options_are_accepted_on_v1(kind: Kind, options: SegmentOptions) -> None:
    check_options(options, M30, kind, "x", "v1")


# -- refused -------------------------------------------------------------------------------------------------------

V1_DOCUMENTS = Model("m", (2,), 9, api_versions=("v1",), segment_options={"document": ("text",)})

REFUSED: list[tuple[Model, Kind, dict[str, Any], ApiVersion, str]] = [
    (M30, "document", {}, "v2", "divides video, audio, image into segments, not document"),
    (M27, "video", {}, "v1", "divides audio into segments, not video"),
    (Model("m", (2,), 9), "video", {}, "v2", "m divides nothing into segments, not video"),
    (M30, "video", {"embedding_option": "text"}, "v2", "no option 'text' for video; it has visual, audio, transcr"),
    (M35, "video", {"embedding_option": ("visual", "transcription")}, "v2", "no option 'transcription' for video"),
    (M30, "video", {"embedding_scope": ()}, "v2", r"embedding_scope=\[\] must be 'clip', 'asset' or both"),
    (M30, "video", {"embedding_scope": ("clip", "all")}, "v2", r"embedding_scope=\['clip', 'all'\] must be"),
    (M30, "video", {"embedding_type": "both"}, "v2", r"embedding_type=\['both'\] must be 'separate_embedding'"),
    (M35, "audio", {"embedding_type": FUSED}, "v2", "two options or more"),
    (M30, "video", {"embedding_type": FUSED, "embedding_option": "visual"}, "v2", "two options or more"),
    (M30, "video", {"time_based_metadata": (NOTE,), "embedding_type": FUSED}, "v2", r"marengo3\.5 has both"),
    (M30, "video", {"embedding_uncertainty": True}, "v2", r"marengo3\.5 has both"),
    (M35, "video", {"time_based_metadata": (NOTE,)}, "v2", r"embedding_type=\['fused_embedding'\]"),
    (
        M35,
        "video",
        {"time_based_metadata": (NOTE,), "embedding_type": "separate_embedding"},
        "v2",
        r"embedding_type=\['fused_embedding'\]",
    ),
    (
        M35,
        "video",
        {"embedding_uncertainty": True, "embedding_scope": ("clip", "asset")},
        "v2",
        r"embedding_scope=\['clip'\]",
    ),
    (M30, "video", {"segmentation": Sentences(2)}, "v2", "Sentences does not divide video; use Fixed or Dynamic"),
    (M30, "audio", {"segmentation": Quadrants()}, "v2", "Quadrants does not divide audio; use Fixed or Dynamic"),
    (M35, "document", {"segmentation": Fixed()}, "v2", "Fixed does not divide document; use Sentences"),
    (M35, "document", {"segmentation": Dynamic()}, "v2", r"use Sentences \(text\) or Quadrants \(PDF\)"),
    (M30, "audio", {"segmentation": Dynamic()}, "v2", "audio by Fixed only"),
    *(
        (M35, "image", {"segmentation": s}, "v2", "an image is not divided")
        for s in (Fixed(), Sentences(3), Quadrants())
    ),
    *((M30, "video", {"segmentation": Fixed(n)}, "v2", f"duration_sec={n} must be 2 to 10") for n in (1, 11)),
    *((M30, "video", {"segmentation": Dynamic(n)}, "v2", f"min_duration_sec={n} must be 2 to 5") for n in (1, 6)),
    *(
        (M35, "document", {"segmentation": Sentences(3, n)}, "v2", "0 or more, and less than max_sentences")
        for n in (-1, 3, 4)
    ),
    (M30, "audio", {"segmentation": Fixed()}, "v1", "leave api_version out"),
    (M30, "audio", {"embedding_option": "audio"}, "v1", "leave api_version out"),
    (M30, "audio", {"embedding_scope": "asset"}, "v1", "leave api_version out"),
    (V1_DOCUMENTS, "document", {}, "v1", "v1 divides audio and video only"),
]


@pytest.mark.parametrize(("model", "kind", "fields", "version", "message"), REFUSED)
def test_invalid_options_are_refused_with_a_remedy(
    model: Model, kind: Kind, fields: dict[str, Any], version: ApiVersion, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        check_options(SegmentOptions(**fields), model, kind, "files[3]", version)
    assert caught.value.item == "files[3]"


@pytest.mark.parametrize("note", [TimedText(-0.1, 2, "a"), TimedText(2, 1.9, "a"), TimedText(0, 2, " \n")])
def test_invalid_timed_text_is_refused(note: TimedText) -> None:
    options = SegmentOptions(embedding_type=FUSED, time_based_metadata=(NOTE, note))
    with pytest.raises(InvalidInputError, match="start <= end and a text"):
        check_options(options, M35, "video", "x", "v2")


# -- one vector of the whole file ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "is_text", "option"),
    [
        ("audio", False, "audio"),
        ("video", False, "visual"),
        ("image", False, "visual"),
        ("document", False, "visual"),
        ("document", True, "text"),
    ],
)
def test_option_of_a_whole_file_vector(kind: Kind, is_text: bool, option: str) -> None:
    assert own_option(kind, is_text=is_text) == option
    assert whole_file(kind, is_text=is_text) == SegmentOptions(embedding_option=(option,), embedding_scope=("asset",))


@pytest.mark.parametrize(
    ("model", "kind", "is_text", "fields", "whole"),
    [
        (M30, "image", False, {}, True),
        (M35, "image", False, {"embedding_scope": "asset"}, True),
        (M35, "image", False, {"embedding_uncertainty": True}, False),
        (M30, "video", False, {"embedding_scope": "asset", "embedding_option": "visual"}, True),
        (M30, "video", False, {"embedding_scope": "asset", "embedding_option": "audio"}, False),
        (M30, "video", False, {"embedding_scope": "asset"}, False),  # three options, three vectors
        (M30, "video", False, {"embedding_scope": ("clip", "asset"), "embedding_option": "visual"}, False),
        (M35, "audio", False, {"embedding_scope": "asset"}, True),  # its only option
        (M30, "audio", False, {"embedding_scope": "asset"}, False),
        (M35, "audio", False, {"embedding_scope": "asset", "segmentation": Fixed(4)}, False),
        (M35, "document", False, {"embedding_scope": "asset"}, True),
        (M35, "document", True, {"embedding_scope": "asset"}, True),
        (M35, "document", True, {"embedding_scope": "asset", "embedding_option": "text"}, True),
        (M35, "document", True, {"embedding_scope": "asset", "embedding_option": "visual"}, False),
        (M35, "document", True, {}, False),
    ],
)
def test_is_whole_file(model: Model, kind: Kind, is_text: bool, fields: dict[str, Any], whole: bool) -> None:
    assert is_whole_file(SegmentOptions(**fields), model, kind, is_text=is_text) is whole


def test_only_clips_of_text_documents_get_a_default_segmentation() -> None:
    clips, asset = SegmentOptions(embedding_uncertainty=True), SegmentOptions(embedding_scope=("asset",))
    both, own = SegmentOptions(embedding_scope=("clip", "asset")), SegmentOptions(Sentences(9))
    found = with_defaults(clips, "document", is_text=True)
    assert found == SegmentOptions(Sentences(5, overlap_sentences=1), embedding_uncertainty=True)
    assert with_defaults(both, "document", is_text=True).segmentation == Sentences(5, overlap_sentences=1)
    assert with_defaults(asset, "document", is_text=True) is asset
    assert with_defaults(own, "document", is_text=True) is own
    assert with_defaults(clips, "document", is_text=False) is clips
    assert with_defaults(clips, "video", is_text=False) is clips
