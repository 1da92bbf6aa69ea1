"""The door for adapters: what a third one could be made of, and that ours use nothing else."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.stores import InMemoryByteStore

import twelvelabs_core
from langchain_twelvelabs import TwelveLabsEmbeddings
from tests.support import media
from tests.support.service import Service, right_answer, sent_json, text_of, vector
from twelvelabs_core import (
    DEFAULT_MODEL,
    Audio,
    BatchError,
    Image,
    InvalidInputError,
    Model,
    RateLimits,
    SegmentOptions,
    Video,
    adapter,
)
from twelvelabs_core.adapter import Adapter, arun, as_media, checked_adapter, content_digest, needs_extra, run, submit

ADAPTERS = ("langchain_twelvelabs", "llama_index_twelvelabs", "ray_twelvelabs")
DOOR = {"twelvelabs_core": twelvelabs_core.__all__, "twelvelabs_core.adapter": adapter.__all__}


# -- only through the door -------------------------------------------------------------------------------------------


def modules(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return sorted(Path(spec.submodule_search_locations[0]).rglob("*.py"))


def wrong_imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Imports of what is private in the core, and of another adapter."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in ("twelvelabs_core", *ADAPTERS):
                    yield f"import {alias.name}"
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            root = node.module.partition(".")[0]
            if root in ADAPTERS and root != package:
                yield f"from {node.module}"
            elif root == "twelvelabs_core":
                public = DOOR.get(node.module, [])
                yield from (f"from {node.module} import {a.name}" for a in node.names if a.name not in public)


def wrong_attributes(tree: ast.AST) -> Iterator[str]:
    """Private attributes of a client."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            owner = ast.unparse(node.value)
            if owner.endswith(("client", "client.model")):
                yield f"{owner}.{node.attr}"


@pytest.mark.parametrize("package", ADAPTERS)
def test_adapters_use_what_is_public(package: str) -> None:
    trees = {path.name: ast.parse(path.read_text("utf-8")) for path in modules(package)}
    assert len(trees) > 5
    found = {name: [*wrong_imports(tree, package), *wrong_attributes(tree)] for name, tree in trees.items()}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    "line",
    [
        "from twelvelabs_core._net import loop",
        "from twelvelabs_core import _client",
        "from twelvelabs_core.adapter import EmbeddingClient",
        "import twelvelabs_core._inputs",
        "from llama_index_twelvelabs import TwelveLabsEmbedding",
        "self.client._cache.backend",
    ],
)
def test_the_check_finds_what_is_private(line: str) -> None:
    tree = ast.parse(line)
    assert [*wrong_imports(tree, ADAPTERS[0]), *wrong_attributes(tree)]


# -- a third adapter ---------------------------------------------------------------------------------------------------


class Third(Adapter):
    """As the module's docstring shows."""

    model: str = DEFAULT_MODEL

    def _model(self) -> str | Model:
        return self.model

    def embed_texts(self, texts: list[str]) -> list[list[float]]:
        return self._vectors(texts, "texts")

    async def aembed_texts(self, texts: list[str]) -> list[list[float]]:
        return await self._avectors(texts, "texts")

    def embed_images(self, paths: list[Any]) -> list[list[float]]:
        return self._vectors(as_media(Image, paths), "paths")


def make(service: Service, **settings: Any) -> Third:
    return Third(**{"api_key": service.key, "transport": service.transport, "max_retries": 0, **settings})


async def test_vectors_sync_and_async() -> None:
    model = make(Service())
    assert model.embed_texts(["red", "blue"]) == [vector("red"), vector("blue")]
    assert await model.aembed_texts(["red"]) == [vector("red")]
    assert model.embed_images([media.png("red")]) == [vector("image")]
    assert model._vector("red", "text") == await model._avector("red", "text") == vector("red")
    assert model.space == "marengo3.0/512"


async def test_errors_hold_plain_vectors_and_name_items() -> None:
    def answer(request: httpx.Request) -> Any:
        if text_of(request) == "bad":
            return httpx.Response(400, json={"code": "parameter_invalid", "message": "no"})
        return right_answer(request)

    model = make(Service(answer))
    with pytest.raises(BatchError) as caught:
        model.embed_texts(["red", "bad"])
    with pytest.raises(BatchError) as caught_async:
        await model.aembed_texts(["red", "bad"])
    for error in (caught.value, caught_async.value):
        assert error.results == [vector("red"), None]
        assert error.errors[1].item == "texts[1]"


async def test_composed() -> None:
    service = Service()
    model = make(service)
    given: dict[str, Any] = {"images": {"coat": media.png("red")}}
    assert model.embed_composed("a <@coat>", **given) == await model.aembed_composed("a <@coat>", **given)
    assert len(service.requests) == 2
    with pytest.raises(InvalidInputError):
        model.embed_composed()


async def test_a_composition_of_a_text_alone_is_a_text() -> None:
    """In both frameworks, cut as any text; the API composes nothing without media."""
    service = Service()
    model = make(service)
    assert model.embed_composed("blue coat") == await model.aembed_composed("blue coat") == vector("blue coat")
    assert [text_of(request) for request in service.requests] == ["blue coat"] * 2
    with pytest.raises(InvalidInputError, match="refers to <@coat>, but no source has a name"):
        model.embed_composed("a <@coat>")


def test_a_collection_is_named_after_the_space() -> None:
    assert make(Service()).collection_name("videos") == "videos_marengo3_0_512"


def test_embeddings_of_another_framework_are_refused() -> None:
    model = make(Service())
    assert checked_adapter(model, type(model), "embeddings=") is model
    with pytest.raises(
        InvalidInputError, match=r"^embeddings= takes Other, got a \w+\. That class is another framework's"
    ):
        checked_adapter(model, Other, "embeddings=")
    with pytest.raises(InvalidInputError, match=r"^embed_model= takes Other, got None\.$|got a NoneType\.$"):
        checked_adapter(None, Other, "embed_model=")


class Other(Adapter):
    pass


def test_a_missing_extra_is_named() -> None:
    with (
        pytest.raises(
            ModuleNotFoundError, match=r"no_such\.part is not installed: pip install 'twelvelabs-embeddings\[x\]'"
        ) as e,
        needs_extra("x", "no_such"),
    ):
        raise ModuleNotFoundError("no", name="no_such.part")
    assert e.value.name == "no_such.part"
    with pytest.raises(ModuleNotFoundError, match=r"^no$"), needs_extra("x", "no_such"):
        raise ModuleNotFoundError("no", name="another")


@pytest.mark.network
@pytest.mark.parametrize(
    ("package", "missing", "extra"),
    [
        ("langchain_twelvelabs", "langchain_core", "langchain"),
        ("llama_index_twelvelabs", "llama_index", "llama-index"),
        ("ray_twelvelabs", "pyarrow", "ray"),
    ],
)
def test_an_adapter_without_its_extra_names_it(
    script: Callable[..., Any], package: str, missing: str, extra: str
) -> None:
    script(
        f"""
        import sys
        sys.modules["{missing}"] = None
        try:
            from {package} import *
        except ModuleNotFoundError as error:
            assert "pip install 'twelvelabs-embeddings[{extra}]'" in str(error), error
        else:
            raise AssertionError("imported")
        """
    )


@pytest.mark.parametrize("given", ["free", 600])
def test_limits_of_another_type_are_refused_by_client_and_adapter(given: Any) -> None:
    for refused in (make, lambda service, **settings: service.client(**settings)):
        with pytest.raises(InvalidInputError, match=rf"takes RateLimits, such as RateLimits.free\(\), got {given!r}"):
            refused(Service(), rate_limits=given)
    assert make(Service(), rate_limits={"reserve": 5}).rate_limits == RateLimits(reserve=5)


def test_a_changed_setting_makes_a_new_client() -> None:
    model = make(Service())
    before = model.client
    assert model.client is before
    model.timeout = 9.0
    assert model.client is not before


async def test_options_of_segments_are_changed_by_name() -> None:
    service = Service()
    model = make(service)
    with pytest.raises(InvalidInputError, match="SegmentOptions has no option 'seconds'; it has segmentation"):
        model._segments("a.mp4", None, {"seconds": 4})
    with pytest.raises(InvalidInputError, match=r"its suffix '\.xyz' does not say"):
        await model._asegments("a.xyz", None, {})
    assert not service.requests
    clip = Audio(media.wav(440, 5))
    for options, scope in ((None, ["clip"]), (SegmentOptions(embedding_scope=("clip", "asset")), ["clip", "asset"])):
        model._segments(clip, options, {"embedding_option": "transcription"})
        sent = sent_json(service.requests[-1])["audio"]
        assert (sent["embedding_option"], sent["embedding_scope"]) == (["transcription"], scope)


@pytest.mark.parametrize("cache", [None, InMemoryByteStore()])
async def test_vectors_by_id(cache: Any) -> None:
    model = make(Service(), cache=cache)
    await model._keep_vectors({"one": vector("one"), "two": vector("two")})
    assert await model._kept_vectors(["two", "three"]) == {"two": vector("two")}
    assert len(model._in_memory) == (2 if cache is None else 0)
    clone = model.model_copy(update={"timeout": 9.0})
    assert await clone._kept_vectors(["one"]) == {"one": vector("one")}


@pytest.mark.parametrize("cache", [None, InMemoryByteStore()])
async def test_labels_of_vectors(cache: Any) -> None:
    model = make(Service(), cache=cache)
    await model._keep_vectors({"one": vector("one")}, ["a.mp4 whole visual"])
    for clone in (model, model.model_copy(update={"timeout": 9.0})):
        assert await clone._kept_labels(["a.mp4 whole visual", "b.mp4 whole visual"]) == {"a.mp4 whole visual"}


@pytest.mark.parametrize("cache", [None, InMemoryByteStore()])
async def test_vectors_by_id_of_another_space(cache: Any) -> None:
    model = make(Service(), cache=cache)
    await model._keep_vectors({"one": vector("one")})
    assert await model._kept_vectors(["one"], "marengo3.0/512") == {"one": vector("one")}
    assert await model._kept_vectors(["one"], "marengo3.0/128") == {}
    other = model.model_copy(update={"model": "marengo3.5", "dimensions": 128})
    assert await other._kept_vectors(["one"]) == {}
    assert await other._kept_vectors(["one"], "marengo3.0/512") == {"one": vector("one")}


def test_signatures_are_of_the_key_and_do_not_show_it() -> None:
    one, two = (Third(api_key=key, transport=Service().transport) for key in ("tlk_one", "tlk_two"))
    found = one._signature("a text \ud800")
    assert len(found) == 64
    assert found == one.model_copy()._signature("a text \ud800") == Third(api_key="tlk_one")._signature("a text \ud800")
    assert len({found, two._signature("a text \ud800"), one._signature("a text")}) == 3
    assert "tlk" not in found


# -- what it re-exports ------------------------------------------------------------------------------------------------


async def test_coroutines_on_the_background_loop() -> None:
    async def thread() -> str:
        return threading.current_thread().name

    name = await arun(thread())
    assert name != threading.current_thread().name
    assert submit(thread()).result(5) == name
    assert await asyncio.to_thread(run, thread()) == name


def test_digest_of_content(tmp_path: Path) -> None:
    content = media.png("red")
    (tmp_path / "a.png").write_bytes(content)
    here = content_digest(Image(tmp_path / "a.png"))
    assert len(here) == 40
    assert {
        content_digest(Image(content)),
        content_digest(Image(str(tmp_path / "a.png"))),
        content_digest(Image((tmp_path / "a.png").as_uri())),
    } == {here}
    addresses = [content_digest(Video(f"{scheme}://bucket/a.mp4")) for scheme in ("https", "s3")]
    assert len({here, *addresses}) == 3
    with pytest.raises(InvalidInputError, match="no such file"):
        content_digest(Image(tmp_path / "missing.png"))


async def test_audio_on_v1_is_refused_as_plain_floats_do_not_name_their_space() -> None:
    service = Service()
    model = TwelveLabsEmbeddings(api_key=service.key, transport=service.transport, api_version="v1")
    assert model.client.space_of(Audio(media.wav())) == "marengo3.0/512/v1-audio"
    assert model.client.space_of(Image(media.png())) == model.client.space_of("a") == "marengo3.0/512"
    with pytest.raises(InvalidInputError, match=r"uris\[0\]: v1 returns audio and transcription vectors"):
        model.embed_audio([media.wav()])
    with pytest.raises(InvalidInputError, match="Leave api_version out"):
        await model.aembed_audio([media.wav()])
    assert service.requests == []
    assert len(model.embed_image([media.png()])[0]) == 512
