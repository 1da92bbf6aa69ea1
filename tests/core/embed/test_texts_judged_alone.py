"""Each text is judged by itself: it gets the vector it would get alone, whatever came before, cached or not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.stores import InMemoryByteStore

from tests.support.service import Service, fields_of, sent_json, text_of, v1_answer, v2_answer, vector
from twelvelabs_core import MODELS, Embedding, EmbeddingClient, Model, TextTooLongError
from twelvelabs_core._cache.keys import key_prefix, pieces_key
from twelvelabs_core._embed.truncate import TRUNCATE

pytestmark = pytest.mark.filterwarnings("ignore:Marengo-retrieval-2.7 was switched off")
OLD = "Marengo-retrieval-2.7"
Behaviour = Literal["refuses", "cuts"]


def small(name: str) -> Model:
    """A model with a limit of 20 tokens, so that short texts are over it."""
    from dataclasses import replace

    return replace(MODELS[name], max_text_tokens=20, sunset=None)


def server(hidden_limit: int, behaviour: Behaviour) -> Callable[[httpx.Request], Any]:
    """A server that counts a letter beyond ASCII as three tokens and a word as one, and follows the API's controls;
    where there is none, it refuses or cuts.
    """

    def answer(request: httpx.Request) -> Any:
        text = text_of(request)
        by_v1 = request.url.path.endswith("/embed")
        form = fields_of(request) if by_v1 else sent_json(request)
        control = form.get("text_truncate") if by_v1 else form.get("auto_truncate")
        tokens = [token for word in text.split() for token in ([word] if word.isascii() else list(word) * 3)]
        cut = len(tokens) > hidden_limit
        if cut:
            side = {True: "end", "end": "end", "start": "start", False: "no", "none": "no"}.get(control, behaviour)
            if side in ("no", "refuses"):
                return httpx.Response(400, json={"message": "The text token length must be less than the limit."})
            text = " ".join(tokens[-hidden_limit:] if side == "start" else tokens[:hidden_limit])
        length = 1024 if form.get("model_name") == OLD else 512
        if by_v1:
            return v1_answer(str(form["model_name"]), text=vector(text, length))
        used = {"usage": {"input_tokens": {"text": len(tokens)}, "truncated": cut}}
        return v2_answer(vector(text, length), **(used if "auto_truncate" in form else {}))

    return answer


counters: dict[str, Callable[[str], int] | None] = {
    "estimate": None,
    "words": lambda text: len(text.split()),
    "letters": lambda text: math.ceil(len(text) / 3),
}
# Some are more tokens to the server than to us, and are refused although they are within the limit by our count.
text = st.tuples(st.sampled_from(["a", "bb", "猫", "🚲🚲"]), st.integers(1, 45)).map(lambda t: " ".join([t[0]] * t[1]))


def embedded(client: Any, item: str) -> Embedding | None:
    """The embedding of a text, None if it was refused."""
    try:
        found: Embedding = client.embed(item)
    except TextTooLongError:
        return None
    return found


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("behaviour", ["refuses", "cuts"])
@pytest.mark.parametrize("model", ["marengo3.0", "marengo3.5", OLD])
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(
    texts=st.lists(text, min_size=2, max_size=4),
    ways=st.lists(st.tuples(st.sampled_from(TRUNCATE), st.sampled_from(sorted(counters))), min_size=1, max_size=2),
    hidden_limit=st.integers(1, 40),
)
def test_a_text_gets_the_vector_it_gets_alone(
    model: str, behaviour: Behaviour, cached: bool, texts: list[str], ways: list[tuple[Any, str]], hidden_limit: int
) -> None:
    """In any order, beside any texts, by clients that cut in other ways and share a cache."""
    answer = server(hidden_limit, behaviour)
    cache = InMemoryByteStore() if cached else None

    def client(way: tuple[Any, str], **options: Any) -> EmbeddingClient:
        version = "v1" if model == OLD else None
        truncate, counter = way
        how = {"truncate": truncate, "count_tokens": counters[counter]}
        return Service(answer).client(small(model), api_version=version, **how, **options)

    alone = {(way, item): embedded(client(way), item) for way in ways for item in texts}
    clients = {way: client(way, cache=cache) for way in ways}
    for item in [*texts, *reversed(texts)]:
        for way, shared in clients.items():
            found, expected = embedded(shared, item), alone[way, item]
            assert (found and found.vector) == (expected and expected.vector)


@given(st.lists(st.tuples(st.lists(text, min_size=1, max_size=3), st.lists(st.integers(1, 9), min_size=3)), min_size=2))
def test_keys_of_texts_that_are_cut_otherwise_differ(cuts: list[tuple[list[str], list[int]]]) -> None:
    prefix = key_prefix("space", "v2", "https://h.example")
    plans = {(tuple(pieces), tuple(map(float, weights[: len(pieces)]))) for pieces, weights in cuts}
    assert len({pieces_key(prefix, *plan) for plan in plans}) == len(plans)


def test_an_entry_that_an_earlier_version_cut_too_short_is_not_believed() -> None:
    """After a refusal, earlier versions kept a cut text under the key of the whole."""
    service, cache = Service(), InMemoryByteStore()
    client = service.client(cache=cache)
    client.embed("a b c")
    assert client._cache is not None
    (key,) = [full.partition("marengo3.0/512/")[2] for full in cache.yield_keys()]

    async def poison(truncated: bool, pooled: int) -> None:
        assert client._cache is not None
        await client._cache.put(key, Embedding(vector("a"), client.space, truncated, pooled))

    from twelvelabs_core._net import loop

    for truncated, pooled in ((True, 1), (False, 2)):
        loop.run(poison(truncated, pooled))
        found = client.embed("a b c")
        assert (found.vector, found.cached) == (vector("a b c"), False)


# -- pieces ----------------------------------------------------------------------------------------------------------


def test_pieces_that_were_paid_for_are_not_paid_for_again() -> None:
    from tests.support.service import right_answer, words

    failing = [words(500, 500)]
    service = Service(lambda r: httpx.Response(500) if failing and text_of(r) in failing[0] else right_answer(r))
    client = service.client(truncate="average", cache=InMemoryByteStore(), max_retries=0)
    with pytest.raises(Exception, match="500"):
        client.embed(words(1500))
    assert len(service.texts) == 3
    failing.clear()
    service.requests.clear()
    found = client.embed(words(1500))
    assert found.pooled == 3
    assert service.texts == [words(500, 500)]


def test_accepted_pieces_are_not_sent_again_after_a_refusal_of_another() -> None:
    from tests.support.service import right_answer, words

    refused = words(500, 500)
    service = Service(
        lambda r: (
            httpx.Response(400, json={"message": "The text is too long."}) if text_of(r) == refused else right_answer(r)
        )
    )
    found = service.client(truncate="average").embed(words(1500))
    assert found.pooled == 4
    assert len(service.texts) == len(set(service.texts)) == 5
