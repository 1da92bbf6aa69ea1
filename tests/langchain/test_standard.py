"""LangChain's own suites for embedding models and retrievers."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, RetrieversIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsRetriever
from tests.support.adapters import KEY
from tests.support.service import Service
from twelvelabs_emulator import Emulator


class TestUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return TwelveLabsEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "marengo3.0", "api_key": KEY}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"TWELVELABS_API_KEY": KEY}, {"model": "marengo3.5"}, {"api_key": KEY, "model": "marengo3.5"}


class TestUnitSecondVariable(TestUnit):
    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"TWELVE_LABS_API_KEY": KEY}, {}, {"api_key": KEY}


class TestMarengo30(EmbeddingsIntegrationTests):
    MODEL = "marengo3.0"

    @pytest.fixture(autouse=True)
    def _address(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TWELVELABS_API_KEY", emulator.api_key)
        monkeypatch.setenv("TWELVELABS_BASE_URL", emulator.base_url)

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return TwelveLabsEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": self.MODEL}


class TestMarengo35(TestMarengo30):
    MODEL = "marengo3.5"


@pytest.mark.filterwarnings("ignore:Marengo-retrieval-2.7 was switched off:UserWarning")
class TestMarengo27(TestMarengo30):
    MODEL = "Marengo-retrieval-2.7"


class TestRetriever(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[TwelveLabsRetriever]:
        return TwelveLabsRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        service = Service()
        model = TwelveLabsEmbeddings(api_key=service.key, transport=service.transport)
        store = InMemoryVectorStore(model)
        store.add_texts([f"recipe {number}" for number in range(5)])
        return {"vectorstore": store}

    @property
    def retriever_query_example(self) -> str:
        return "a recipe"


class TestRetrieverWithFusion(TestRetriever):
    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {**super().retriever_constructor_params, "fuse": "rrf"}
