"""Settings of LlamaIndex components: unknown ones are refused, all are described, few key a pipeline's cache."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.schema import TextNode
from pydantic import ValidationError

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentPostprocessor,
    TwelveLabsMomentRetriever,
)
from twelvelabs_core import InvalidInputError, RateLimits
from twelvelabs_emulator import Emulator

KEY = "tlk_5ecret"


@pytest.fixture
def model() -> TwelveLabsEmbedding:
    return TwelveLabsEmbedding(api_key=KEY)


# -- unknown settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("embeddings", [TwelveLabsEmbedding, TwelveLabsEmbeddings])
def test_a_setting_without_a_name_is_refused_and_not_shown(embeddings: Any) -> None:
    """HuggingFaceEmbedding("name") takes one."""
    with pytest.raises(TypeError, match=r'(TwelveLabsEmbeddings?) takes settings by name: \1\(model="…"\)') as refused:
        embeddings(KEY)
    assert KEY not in str(refused.value)


def test_an_unknown_setting_is_refused_by_every_component(model: TwelveLabsEmbedding) -> None:
    make: dict[str, Any] = {
        "TwelveLabsEmbedding": lambda **more: TwelveLabsEmbedding(api_key=KEY, **more),
        "TwelveLabsMediaEmbedder": lambda **more: TwelveLabsMediaEmbedder(embed_model=model, **more),
        "TwelveLabsMediaReader": TwelveLabsMediaReader,
        "TwelveLabsMomentPostprocessor": TwelveLabsMomentPostprocessor,
    }
    like = {"TwelveLabsEmbedding": ("budgett", "budget"), "TwelveLabsMediaEmbedder": ("video_option", "video_options")}
    like["TwelveLabsMomentPostprocessor"] = ("embed_modle", "embed_model")
    for name, made in make.items():
        wrong, meant = like.get(name, ("id_form", "id_from"))
        with pytest.raises(ValidationError, match=f"{name} has no setting '{wrong}'; did you mean '{meant}'"):
            made(**{wrong: None})
        with pytest.raises(ValueError, match=f"no setting '{wrong}'"):
            made().model_copy(update={wrong: None})
        with pytest.raises(ValidationError, match="no setting 'zzz'; it has"):
            made(zzz=1)
    with pytest.raises(ValidationError, match="no setting 'budgett'; did you mean 'budget'"):
        TwelveLabsEmbeddings(api_key=KEY, budgett=1)  # type: ignore[call-arg]


def test_embeddings_of_langchain_are_refused_by_name(model: TwelveLabsEmbedding) -> None:
    other: Any = TwelveLabsEmbeddings(api_key=KEY)
    index = VectorStoreIndex([], embed_model=model)
    make: list[Any] = [
        lambda: TwelveLabsMediaEmbedder(embed_model=other),
        lambda: TwelveLabsMediaReader(segments=True, embed_model=other),
        lambda: TwelveLabsMomentPostprocessor(embed_model=other),
        lambda: TwelveLabsMomentRetriever(index, other),
    ]
    for made in make:
        with pytest.raises(
            InvalidInputError, match=r"^embed_model= takes TwelveLabsEmbedding, got a TwelveLabsEmbeddings"
        ):
            made()
    with pytest.raises(InvalidInputError, match=r"embed_model= takes TwelveLabsEmbedding, got 'marengo3\.0'"):
        TwelveLabsMomentRetriever(index, "marengo3.0")  # type: ignore[arg-type]


def test_model_is_the_model_name() -> None:
    named = TwelveLabsEmbedding(model="marengo3.5", api_key=KEY)
    assert (named.model, named.model_name, named.space) == ("marengo3.5", "marengo3.5", "marengo3.5/512")
    assert named.to_dict() == TwelveLabsEmbedding(model_name="marengo3.5", api_key=KEY).to_dict()
    spec = named.client.model
    described = TwelveLabsEmbedding(model=spec, api_key=KEY)
    assert (described.model, described.model_name, described.space) == (spec, "marengo3.5", "marengo3.5/512")
    for one in (named, described):
        assert one.model_copy(update={"model": "marengo3.0"}).space == "marengo3.0/512"
        assert pickle.loads(pickle.dumps(one)).space == "marengo3.5/512"
    assert named.model_copy(update={"model_name": "marengo3.0"}).space == "marengo3.0/512"
    with pytest.raises(ValidationError, match="model= and model_name= are the same setting"):
        TwelveLabsEmbedding(model="marengo3.5", model_name="marengo3.0", api_key=KEY)


def test_what_was_written_down_is_read_again(model: TwelveLabsEmbedding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWELVELABS_API_KEY", KEY)
    limited = TwelveLabsEmbedding(rate_limits=RateLimits.free(), timeout=7, truncate="start")
    again = TwelveLabsEmbedding.from_json(limited.to_json())
    assert (again.rate_limits, again.timeout, again.truncate) == (limited.rate_limits, 7, "start")
    for component in (
        limited,
        TwelveLabsMediaEmbedder(embed_model=limited),
        TwelveLabsMediaReader(embed_model=limited),
    ):
        for written in (component.to_dict(), component.model_dump(), json.loads(component.to_json())):
            assert type(component).from_dict(written).to_dict() == component.to_dict()


# -- arguments of calls ----------------------------------------------------------------------------------------------


async def test_a_text_instead_of_texts_and_unknown_arguments_are_refused(model: TwelveLabsEmbedding) -> None:
    with pytest.raises(InvalidInputError, match=r"Expected a list of items, got one.*\[item\]"):
        model.get_text_embedding_batch("bike")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="got one"):
        await model.aget_text_embedding_batch("bike")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="got one"):
        model.get_image_embedding_batch("bike.jpg")
    with pytest.raises(TypeError, match="embedding_option"):
        model.get_text_embedding_batch(["bike"], embedding_option="audio")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="embedding_option"):
        await model.aget_text_embedding_batch(["bike"], embedding_option="audio")  # type: ignore[call-arg]


# -- descriptions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "component",
    [
        TwelveLabsEmbedding,
        TwelveLabsMediaEmbedder,
        TwelveLabsMediaReader,
        TwelveLabsMomentPostprocessor,
        TwelveLabsEmbeddings,
    ],
)
def test_every_setting_is_described_also_as_json_schema(component: Any) -> None:
    assert [name for name, field in component.model_fields.items() if not field.description] == []
    schema = component.model_json_schema()
    described = {name: known.get("description") for name, known in schema["properties"].items()}
    described.pop("class_name", None)  # LlamaIndex'
    assert described.keys() <= component.model_fields.keys()
    assert None not in described.values()
    if component in (TwelveLabsEmbedding, TwelveLabsEmbeddings):
        assert {"dimensions", "truncate", "timeout", "max_concurrency", "rate_limits", "cache_errors"} <= set(described)


# -- the pipeline's cache --------------------------------------------------------------------------------------------


def test_a_setting_that_changes_no_vector_keeps_the_pipeline_cache(emulator: Emulator, tmp_path: Path) -> None:
    cache = IngestionCache()
    sent = []
    for settings in (
        {},
        {"timeout": 7.0, "total_timeout": 70.0, "max_retries": 1},
        {"max_concurrency": 2, "rate_limits": RateLimits.free(), "budget": 100, "keep_assets": True},
        {"cache": str(tmp_path / "vectors.sqlite"), "cache_errors": "ignore", "embed_batch_size": 3},
        {"truncate": "start"},
    ):
        model = TwelveLabsEmbedding(api_key=emulator.api_key, base_url=emulator.base_url, **settings)
        (node,) = IngestionPipeline(transformations=[model], cache=cache).run(nodes=[TextNode(text="beans", id_="t")])
        assert node.embedding
        sent.append(len(emulator.requests))
    assert sent == [1, 1, 1, 1, 2]


# -- warnings --------------------------------------------------------------------------------------------------------


def test_the_warning_about_a_retired_model_names_the_line_that_chose_it() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TwelveLabsEmbedding(model="Marengo-retrieval-2.7", api_key=KEY)
    assert [(Path(one.filename), one.category) for one in caught] == [(Path(__file__), UserWarning)]
