"""Models: the table, names, dimensions, API versions, kinds of input, and custom models."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import httpx
import pytest

from tests.support import media
from tests.support.service import Service, sent_json, v2_answer
from twelvelabs_core import (
    DEFAULT_MODEL,
    MODELS,
    Audio,
    Composed,
    Document,
    EmbeddingClient,
    Image,
    InvalidInputError,
    Item,
    MediaLimit,
    Model,
    Video,
)
from twelvelabs_core._models import find_model, resolve_api_version, resolve_dimensions

OLD = "Marengo-retrieval-2.7"
old_model = pytest.mark.filterwarnings("ignore:Marengo-retrieval-2.7 was switched off")
URL = "https://h.example/x"


# -- the table -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "dimensions", "tokens", "versions", "truncation"),
    [
        (OLD, {1024}, 77, ("v1",), "text_truncate"),
        ("marengo3.0", {512}, 500, ("v2", "v1"), None),
        ("marengo3.5", {128, 256, 512}, 2000, ("v2",), "auto_truncate"),
    ],
)
def test_the_table_agrees_with_the_api_pages(
    name: str, dimensions: set[int], tokens: int, versions: tuple[str, ...], truncation: str | None
) -> None:
    model = MODELS[name]
    assert set(model.dimensions) == dimensions
    assert model.dimensions[0] == max(dimensions)
    assert (model.max_text_tokens, model.api_versions, model.truncation) == (tokens, versions, truncation)
    assert set(model.inputs) == set(versions)


def test_the_default_model_is_3_0() -> None:
    assert DEFAULT_MODEL == "marengo3.0"
    client = Service().client(DEFAULT_MODEL)
    assert (client.model.name, client.dimensions, client.space) == ("marengo3.0", 512, "marengo3.0/512")


def test_models_and_lengths_have_separate_spaces() -> None:
    assert MODELS["marengo3.0"].space(512) != MODELS["marengo3.5"].space(512)
    assert MODELS["marengo3.5"].space(512) != MODELS["marengo3.5"].space(256)


# -- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_known_name_is_found(name: str) -> None:
    assert find_model(name) is MODELS[name]


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("Marengo3.0", "marengo3.0"),
        ("MARENGO3.5", "marengo3.5"),
        ("marengo-3.0", "marengo3.0"),
        ("Marengo 3.0", "marengo3.0"),
        ("marengo30", "marengo3.0"),
        ("marengo-3.5", "marengo3.5"),
        ("marengo-retrieval-2.7", OLD),
        ("Marengo-retrieval-2.6", OLD),
    ],
)
def test_an_unknown_name_suggests_close_ones(name: str, close: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Service().client(name)
    first, _, known = str(caught.value).partition("Known:")
    assert repr(name) in first
    assert repr(close) in first.partition("Did you mean")[2]
    assert all(model in known for model in MODELS)


@pytest.mark.parametrize("name", ["marengo-3.0", "marengo_3.5", "marengo", "marengo3.1", "marengo4.0"])
def test_a_model_that_was_switched_off_is_not_suggested_for_another_name(name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Service().client(name)
    suggested = str(caught.value).partition("Known:")[0].partition("Did you mean")[2]
    assert "'marengo3." in suggested
    assert OLD not in suggested


def test_a_name_that_is_only_written_otherwise_suggests_that_one_alone() -> None:
    with pytest.raises(InvalidInputError, match=r"Did you mean 'marengo3\.0'\? Known"):
        Service().client("marengo-3.0")


@pytest.mark.parametrize("name", ["text-embedding-3-small", "", " ", "xyz"])
def test_a_name_without_close_ones_lists_the_known_models(name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Known: marengo3\.0, marengo3\.5") as caught:
        Service().client(name)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("name", [None, 3.0, b"marengo3.0"])
def test_a_name_of_another_type_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInputError, match="Unknown model"):
        Service().client(name)


# -- dimensions and versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked", "found"),
    [
        (OLD, None, 1024),
        (OLD, 1024, 1024),
        ("marengo3.0", None, 512),
        ("marengo3.0", 512, 512),
        ("marengo3.5", None, 512),
        ("marengo3.5", 256, 256),
        ("marengo3.5", 128, 128),
    ],
)
def test_supported_dimensions(name: str, asked: int | None, found: int) -> None:
    assert resolve_dimensions(MODELS[name], asked) == found


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("marengo3.0", 256, "marengo3.0 returns 512 dimensions, not 256. marengo3.5 can return 256"),
        (OLD, 512, "returns 1024 dimensions, not 512. marengo3.0 and marengo3.5 can"),
        ("marengo3.5", 64, "returns 128, 256, 512 dimensions, not 64. No known model can"),
        ("marengo3.0", 1024, "No known model"),  # 2.7 is switched off, so it is not suggested
        ("marengo3.5", 0, "not 0"),
        ("marengo3.5", -512, "not -512"),
    ],
)
@old_model
def test_unsupported_dimensions_are_refused_with_a_remedy(name: str, asked: int, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        Service().client(name, dimensions=asked)


@pytest.mark.parametrize(
    ("name", "asked", "found"),
    [
        (OLD, None, "v1"),
        (OLD, "v1", "v1"),
        ("marengo3.0", None, "v2"),
        ("marengo3.0", "v1", "v1"),
        ("marengo3.0", "v2", "v2"),
        ("marengo3.5", None, "v2"),
    ],
)
def test_supported_api_versions(name: str, asked: str | None, found: str) -> None:
    assert resolve_api_version(MODELS[name], asked) == found


@pytest.mark.parametrize(
    ("name", "asked"), [(OLD, "v2"), ("marengo3.5", "v1"), ("marengo3.0", "v3"), ("marengo3.0", "")]
)
@old_model
def test_unsupported_api_versions_are_refused(name: str, asked: str) -> None:
    with pytest.raises(InvalidInputError, match=f"is served by .*, not by api_version='{asked}'"):
        Service().client(name, api_version=asked)


@pytest.mark.parametrize(
    ("version", "path"), [(None, "/v1.3/embed-v2"), ("v2", "/v1.3/embed-v2"), ("v1", "/v1.3/embed")]
)
def test_the_api_version_decides_the_endpoint(version: str | None, path: str) -> None:
    service = Service()
    service.client(api_version=version).embed("a")
    assert service.requests[0].url.path == path


# -- invalid settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("truncate", "middle"),
        ("truncate", None),
        ("max_concurrency", 0),
        ("max_retries", -1),
        ("timeout", 0),
        ("timeout", -1),
        ("max_wait", -1),
    ],
)
def test_an_invalid_setting_is_refused(setting: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=rf"^{setting}={value!r} "):
        Service().client(**{setting: value})


# -- kinds of input --------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, str | None, Item, str]] = [
    (OLD, None, Video(URL), "does not take video input. marengo3.0 and marengo3.5 can take video"),
    (OLD, None, Document(URL), "does not take document input. marengo3.5 can"),
    (OLD, None, Composed("a", [Image(URL)]), "does not take composed input. marengo3.0 and marengo3.5 can"),
    ("marengo3.0", None, Document(URL), "does not take document input. marengo3.5 can take document"),
    ("marengo3.0", "v1", Video(URL), "takes video by api_version='v2', not 'v1'"),
    ("marengo3.0", "v1", Composed("a", [Image(URL)]), "takes composed by api_version='v2', not 'v1'"),
]


@pytest.mark.parametrize(("name", "version", "item", "words"), REFUSALS)
@old_model
def test_an_unsupported_kind_is_refused_with_a_remedy(name: str, version: Any, item: Item, words: str) -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match=words) as caught:
        service.client(name, api_version=version).embed(item)
    assert caught.value.item
    assert service.requests == []


@pytest.mark.parametrize("item", [None, 5, 1.5, b"text", ["a"], {"text": "a"}, object(), media.image()])
def test_an_object_that_is_not_an_item_is_refused(item: Any) -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match="expected a str, Image, Audio, Video, Document or Composed"):
        service.client().embed_many(["fine", item])
    assert service.requests == []


def test_a_single_text_instead_of_a_list_is_refused() -> None:
    service = Service()
    with pytest.raises(InvalidInputError, match="list"):
        service.client().embed_many("hello")
    assert service.requests == []


# -- the switched-off model ------------------------------------------------------------------------------------


def test_a_switched_off_model_warns_and_names_its_successor() -> None:
    with pytest.warns(UserWarning, match=r"switched off .* 2026-03-30; use marengo3\.0.*do not compare") as caught:
        client = EmbeddingClient(OLD, api_key="k")
    assert caught[0].filename == __file__
    assert client.space == f"{OLD}/1024"


def test_its_warning_names_the_line_of_whoever_made_the_adapter() -> None:
    from langchain_twelvelabs import TwelveLabsEmbeddings
    from llama_index_twelvelabs import TwelveLabsEmbedding

    line = 0
    with pytest.warns(UserWarning, match="switched off") as caught:
        TwelveLabsEmbeddings(model=OLD, api_key="k")
        TwelveLabsEmbedding(model_name=OLD, api_key="k")
        line = inspect.currentframe().f_lineno  # type: ignore[union-attr]
    assert [(found.filename, found.lineno) for found in caught] == [(__file__, line - 2), (__file__, line - 1)]


@old_model
@pytest.mark.parametrize("item", ["a red bike", Image(media.png())])
def test_a_server_that_no_longer_serves_it_is_explained(item: Item) -> None:
    refused = {"code": "parameter_invalid", "message": "The `model_name` parameter is invalid."}
    service = Service(lambda _: httpx.Response(400, json=refused))
    with pytest.raises(InvalidInputError) as caught:
        service.client(OLD).embed(item)
    told = str(caught.value)
    assert "2026-03-30" in told and "`model_name` parameter is invalid" in told
    assert "embed everything again" in told and "marengo3.0/512" in told
    with pytest.raises(InvalidInputError, match="switched off"):
        service.client(OLD).embed_parts(text="a red bike")
    with pytest.raises(InvalidInputError) as other:
        service.client("marengo3.0").embed("a red bike")
    assert "switched off" not in str(other.value)


@old_model
def test_another_refusal_of_it_is_told_as_it_is() -> None:
    service = Service(lambda _: httpx.Response(400, json={"code": "c", "message": "The image is broken."}))
    with pytest.raises(InvalidInputError) as caught:
        service.client(OLD).embed("a")
    assert "switched off" not in str(caught.value)


@pytest.mark.parametrize("name", ["marengo3.0", "marengo3.5"])
def test_current_models_do_not_warn(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EmbeddingClient(name, api_key="k")


# -- custom models --------------------------------------------------------------------------------------------

NEWER = Model(
    name="marengo9.0",
    dimensions=(4, 2),
    max_text_tokens=3,
    truncation="auto_truncate",
    inputs={"v2": frozenset({"text", "image", "composed"})},
    composed_media=frozenset({"image"}),
    media={"image": MediaLimit(frozenset({"png"}), 10_000, min_side=8)},
)


def test_a_custom_model_embeds() -> None:
    service = Service(lambda request: v2_answer([1.0, 2.0][: sent_json(request)["embedding_dimension"]]))
    client = service.client(NEWER, dimensions=2)

    assert client.embed("a bike").vector == [1.0, 2.0]
    assert client.embed(Image(media.png(size=(8, 8)))).vector == [1.0, 2.0]
    assert client.embed(Composed("a", [Image(media.png(size=(8, 8)))])).space == "marengo9.0/2"

    assert [sent_json(r)["model_name"] for r in service.requests] == ["marengo9.0"] * 3
    assert sent_json(service.requests[0]) == {
        "input_type": "multi_input",
        "model_name": "marengo9.0",
        "auto_truncate": True,
        "embedding_dimension": 2,
        "multi_input": {"input_text": "a bike"},
    }


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (Audio(URL), "does not take audio"),
        (Image(media.jpeg(size=(8, 8))), "is JPEG; the API takes PNG"),
        (Image(media.png(size=(7, 8))), "is 7x8 pixels; the API takes 8x8"),
        (Image(media.noisy_png((80, 80))), "the API takes 0 MB of image here"),
    ],
)
def test_a_custom_model_has_its_own_limits(item: Item, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        Service().client(NEWER).embed(item)


def test_a_custom_model_needs_only_name_dimensions_and_token_limit() -> None:
    plain = Model("plain1", dimensions=(2,), max_text_tokens=10)
    service = Service(lambda _: v2_answer([1.0, 2.0]))
    client = service.client(plain)
    assert client.embed("a").vector == [1.0, 2.0]
    assert client.embed(Image(b"\x00\x01 unknown")).vector == [1.0, 2.0]  # no limits known: the server decides
    assert sent_json(service.requests[0]) == {
        "input_type": "multi_input",
        "model_name": "plain1",
        "multi_input": {"input_text": "a"},
    }


@pytest.mark.parametrize("broken", [{"dimensions": ()}, {"api_versions": ()}])
def test_a_model_without_dimensions_or_api_versions_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="at least one"):
        Model(**{"name": "m", "dimensions": (2,), "max_text_tokens": 1, **broken})
