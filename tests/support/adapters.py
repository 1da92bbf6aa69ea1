"""Both adapters behind one set of names, for tests that hold for each."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from langchain_twelvelabs import TwelveLabsEmbeddings
from llama_index_twelvelabs import TwelveLabsEmbedding

with warnings.catch_warnings():
    # langchain-community warns at import that it is no longer maintained; its FAISS is in no other package.
    warnings.filterwarnings("ignore", message=".*being sunset", category=DeprecationWarning)
    import langchain_community  # noqa: F401

KEY = "tlk_5ecret_of_the_tests"


class Model:
    """One adapter under names that both have in common, so that a test is written once.

    ``text texts images audio videos composed`` are the adapter's own methods; with an ``a`` in front, its async ones.
    """

    NAMES: ClassVar[dict[str, dict[str, str]]] = {
        "langchain": {
            "text": "embed_query",
            "texts": "embed_documents",
            "images": "embed_image",
            "audio": "embed_audio",
            "videos": "embed_video",
            "composed": "embed_composed",
        },
        "llama-index": {
            "text": "get_query_embedding",
            "texts": "get_text_embedding_batch",
            "images": "get_image_embedding_batch",
            "audio": "get_audio_embedding_batch",
            "videos": "get_video_embedding_batch",
            "composed": "get_composed_embedding",
        },
    }

    def __init__(self, framework: str, adapter: Any) -> None:
        self.framework = framework
        self.adapter = adapter

    @classmethod
    def make(cls, framework: str, model: str = "marengo3.0", **settings: Any) -> Model:
        if framework == "langchain":
            return cls(framework, TwelveLabsEmbeddings(model=model, **settings))
        return cls(framework, TwelveLabsEmbedding(model_name=model, **settings))

    def __getattr__(self, name: str) -> Any:
        names = Model.NAMES[self.__dict__["framework"]]
        if name in names:
            return getattr(self.adapter, names[name])
        if name[:1] == "a" and name[1:] in names:
            return getattr(self.adapter, f"a{names[name[1:]]}")
        raise AttributeError(name)

    @property
    def model_field(self) -> str:
        return "model" if self.framework == "langchain" else "model_name"
