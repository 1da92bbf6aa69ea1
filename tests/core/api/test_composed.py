"""Composed inputs: the rules checked before sending, and ``Composed.of``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import media
from tests.support.service import Service, sent_json
from twelvelabs_core import Audio, Composed, Document, Image, InvalidInputError, Video

URL = "https://h.example/"
PDF = Document(media.pdf())
TXT = Document(b"plain words")
MD = Document(b"# A title", filename="a.md")
IMAGE, IMAGE2 = Image(URL + "1.png"), Image(URL + "2.png")
AUDIO, VIDEO = Audio(URL + "a.mp3"), Video(URL + "a.mp4")


def named(name: str | None, place: str = "n.png") -> Image:
    return Image(URL + place, name=name)


BOTH = ("marengo3.0", "marengo3.5")
ONLY_35 = ("marengo3.5",)
VALID: list[tuple[tuple[str, ...], Composed]] = [
    (BOTH, Composed("a red bike")),
    (BOTH, Composed("a red bike", [IMAGE])),
    (BOTH, Composed(None, [IMAGE])),
    (BOTH, Composed(None, [IMAGE, IMAGE2])),
    (BOTH, Composed("both", [IMAGE, IMAGE2])),
    (BOTH, Composed("<@a> in blue", [named("a")])),
    (BOTH, Composed("<@a> beside <@a>", [named("a")])),
    (BOTH, Composed("<@a> and <@my coat>", [named("my coat"), named("a")])),
    (BOTH, Composed("a name is given and not used", [named("a")])),
    (BOTH, Composed("an address <a@b> is no reference", [IMAGE])),
    (BOTH, Composed("all ten", [IMAGE] * 10)),
    (BOTH, Composed("a tuple", (IMAGE, IMAGE2))),
    (ONLY_35, Composed(None, [AUDIO])),
    (ONLY_35, Composed(None, [VIDEO, VIDEO])),
    (ONLY_35, Composed("with a text", [IMAGE, AUDIO, VIDEO])),
    (ONLY_35, Composed("with a text", [IMAGE, TXT])),
    (ONLY_35, Composed("with a text", [AUDIO, MD])),
    (ONLY_35, Composed(None, [TXT])),
    (ONLY_35, Composed(None, [PDF])),
]


@pytest.mark.parametrize(("model", "item"), [(model, item) for models, item in VALID for model in models])
def test_a_valid_composition_is_sent(model: str, item: Composed) -> None:
    service = Service()
    service.client(model).embed(item)
    body = sent_json(service.requests[0])
    part = body[body["input_type"]]
    sources = part.get("media_sources", [part["media_source"]] if "media_source" in part else [])
    assert part.get("input_text") == item.text
    assert len(sources) == len(item.media)
    assert [s.get("name") for s in sources] == [m.name for m in item.media]


INVALID: list[tuple[str, Composed, str]] = [
    # nothing, or too much
    ("marengo3.5", Composed(), "is empty: give a text, media, or both"),
    ("marengo3.5", Composed(""), "has an empty text; leave text out"),
    ("marengo3.5", Composed(" \n", [IMAGE]), "has an empty text; leave text out"),
    ("marengo3.5", Composed("a", [IMAGE] * 11), "has 11 sources; the API takes 10"),
    # kinds
    ("marengo3.0", Composed("a", [AUDIO]), "composes image only, not audio. marengo3.5 can compose audio"),
    ("marengo3.0", Composed("a", [IMAGE, VIDEO]), "composes image only, not video. marengo3.5 can compose video"),
    ("marengo3.0", Composed("a", [TXT]), "composes image only, not document. marengo3.5 can"),
    ("marengo3.5", Composed("a", [IMAGE, "cat.png"]), "expected Image, Audio, Video or Document in media, got a str"),  # type: ignore[list-item]
    ("marengo3.5", Composed("a", [b"bytes"]), "expected Image, Audio, Video or Document in media, got a bytes"),  # type: ignore[list-item]
    ("marengo3.5", Composed("a", [Composed("b")]), "got a Composed"),  # type: ignore[list-item]
    # kinds together
    ("marengo3.5", Composed(None, [IMAGE, AUDIO]), "mixes audio and image without a text"),
    ("marengo3.5", Composed(None, [VIDEO, IMAGE, AUDIO]), "mixes audio and image and video without a text"),
    ("marengo3.5", Composed(None, [TXT, IMAGE]), "mixes document and image without a text"),
    # documents
    ("marengo3.5", Composed("a", [PDF]), "a PDF cannot be composed with a text or other media"),
    ("marengo3.5", Composed(None, [PDF, PDF]), "a PDF cannot be composed with"),
    ("marengo3.5", Composed("a", [PDF, IMAGE]), "a PDF cannot be composed with"),
    ("marengo3.5", Composed("a", [TXT]), "has text only"),
    ("marengo3.5", Composed(None, [TXT, MD]), "has text only"),
    # names
    ("marengo3.5", Composed("<@a>", [named("a"), named("a")]), r"uses a name twice: \['a'\]"),
    ("marengo3.5", Composed("<@b>", [named("a"), named("c")]), "refers to <@b>, but names given: a, c"),
    ("marengo3.5", Composed("<@coat> in blue", [IMAGE]), "refers to <@coat>, but no source has a name"),
    ("marengo3.5", Composed("<@coat> in blue"), "refers to <@coat>, but no source has a name"),
    ("marengo3.5", Composed("<@A>", [named("a")]), "refers to <@A>, but names given: a"),
    ("marengo3.0", Composed("<@a> <@b>", [named("a")]), "refers to <@b>"),
]


@pytest.mark.parametrize(("model", "item", "words"), INVALID)
def test_an_invalid_composition_is_refused_before_sending(model: str, item: Composed, words: str) -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match=words) as caught:
        service.client(model).embed(item, name="composed")
    assert caught.value.item == "composed"
    assert service.requests == []


@pytest.mark.parametrize(
    "item",
    [Composed(5, [IMAGE]), Composed("a", IMAGE), Composed("a", 5), Composed("a", None)],  # type: ignore[arg-type]
    ids=["number as text", "media not in a list", "number as media", "None as media"],
)
def test_a_composition_with_wrong_types_is_refused(item: Composed) -> None:
    with pytest.raises(InvalidInputError):
        Service().client().embed(item)


def test_media_of_a_composition_are_checked() -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match=r"composed\.media\[1\] 5 bytes: is not a readable image"):
        service.client().embed(Composed("a", [IMAGE, Image(b"words")]), name="composed")
    assert service.requests == []


# -- Composed.of ---------------------------------------------------------------------------------------------------


def test_plain_sources_become_media_by_kind() -> None:
    found = Composed.of("a", images=["i.png"], audio=["a.wav"], videos=["v.mp4"], documents=["d.md"])
    assert found == Composed("a", (Image("i.png"), Audio("a.wav"), Video("v.mp4"), Document("d.md")))


def test_keys_of_a_mapping_become_names() -> None:
    found = Composed.of("<@coat>", images={"coat": "i.png", "hat": Image("h.png", filename="x")})
    assert [(m.source, m.name) for m in found.media] == [("i.png", "coat"), ("h.png", "hat")]


def test_media_objects_are_used_unchanged() -> None:
    mine = Audio("a.wav", start_sec=2, name="hum")
    assert Composed.of(audio=[mine]).media == (mine,)


def test_named_media_objects_keep_their_range_and_filename() -> None:
    (found,) = Composed.of(audio={"hum": Audio("a.wav", start_sec=2, filename="b.wav")}).media
    assert found == Audio("a.wav", start_sec=2, filename="b.wav", name="hum")


@pytest.mark.parametrize("one", ["cat.png", b"bytes", Image("cat.png")])
def test_a_single_source_instead_of_a_list_is_refused(one: Any) -> None:
    with pytest.raises(InvalidInputError, match="Expected a list of sources"):
        Composed.of("a", images=one)
