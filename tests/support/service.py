"""The API inside the process: an ``httpx.MockTransport`` that keeps what it was sent and answers by a script."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import itertools
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx
from python_multipart.multipart import MultipartParser, parse_options_header

from twelvelabs_core import EmbeddingClient

KEY = "tlk_0123456789abcdefSECRET"
BASE = "https://api.twelvelabs.io/v1.3"


# -- texts, vectors and answers ---------------------------------------------------------------------------------------


def words(count: int, first: int = 0) -> str:
    """So many different words of five letters, one token each by our count."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(letters[n // 26**i % 26] for i in range(5)) for n in range(first, first + count))


def vector(of: str, dimensions: int = 512) -> list[float]:
    """A unit vector that only this text has."""
    seed = hashlib.blake2b(of.encode()).digest()
    numbers = [seed[i % 64] / 255 - 0.5 + 1 / (i + 2) for i in range(dimensions)]
    length = math.sqrt(math.fsum(x * x for x in numbers))
    return [x / length for x in numbers]


def v2_answer(found: list[Any], **more: Any) -> dict[str, Any]:
    """A v2 answer with one vector, in all the fields the API documents."""
    entry = {
        "embedding": found,
        "embedding_option": None,
        "embedding_scope": None,
        "start_sec": None,
        "end_sec": None,
    }
    return {"data": [entry], **more}


def v1_answer(model: str, **parts: list[float]) -> dict[str, Any]:
    """A v1 answer with one vector a part: ``text=…``, ``image=…``, ``audio=…``."""
    return {"model_name": model, **{f"{kind}_embedding": {"segments": [{"float": v}]} for kind, v in parts.items()}}


# -- requests, read back ---------------------------------------------------------------------------------------


def sent_json(request: httpx.Request) -> dict[str, Any]:
    """The JSON object of a request's body."""
    assert request.headers["content-type"] == "application/json"
    found: dict[str, Any] = json.loads(request.content)
    return found


@dataclass(frozen=True)
class Field:
    """One part of a multipart body."""

    name: str
    value: bytes
    filename: str | None
    mime: str | None

    @property
    def text(self) -> str:
        return self.value.decode()


def sent_form(request: httpx.Request) -> list[Field]:
    """The parts of a multipart body, by a parser that shares nothing with the client."""
    kind, options = parse_options_header(request.headers["content-type"])
    assert kind == b"multipart/form-data"
    fields: list[Field] = []
    state: dict[str, Any] = {}

    def begin() -> None:
        state.update(headers={}, name=b"", value=b"", data=b"")

    def header_end() -> None:
        state["headers"][state["name"].lower().decode()] = state["value"].decode("latin-1")  # bytes as they are
        state.update(name=b"", value=b"")

    def add(key: str) -> Callable[[bytes, int, int], None]:
        return lambda data, start, end: state.__setitem__(key, state[key] + data[start:end])

    def end() -> None:
        disposition, parameters = parse_options_header(state["headers"]["content-disposition"])
        assert disposition == b"form-data"
        filename = parameters.get(b"filename")
        fields.append(
            Field(
                parameters[b"name"].decode(),
                state["data"],
                None if filename is None else filename.decode(),
                state["headers"].get("content-type"),
            )
        )

    parser = MultipartParser(
        options[b"boundary"],
        {
            "on_part_begin": begin,
            "on_header_field": add("name"),
            "on_header_value": add("value"),
            "on_header_end": header_end,
            "on_part_data": add("data"),
            "on_part_end": end,
        },
    )
    parser.write(request.content)
    parser.finalize()
    return fields


def fields_of(request: httpx.Request) -> dict[str, str]:
    """The plain fields of a multipart body; none may come twice."""
    fields = [f for f in sent_form(request) if f.filename is None]
    assert len({f.name for f in fields}) == len(fields)
    return {f.name: f.text for f in fields}


def text_of(request: httpx.Request) -> str:
    """The text in a request of any form."""
    if request.url.path.endswith("/embed"):
        return fields_of(request)["text"]
    body = sent_json(request)
    found: str = body[body["input_type"]]["input_text"]
    return found


# -- the service -----------------------------------------------------------------------------------------------

_accounts = itertools.count()
Answer = Any  # an httpx.Response, a dict for a 200, or a coroutine of either


class Service:
    """Answers each request by a function and keeps the requests.

    The default answer is right for any request of any model: one vector, of the text's own where there is a text.
    Each has an account of its own: clients of one key share their limits, and no test may close another's gate.
    """

    def __init__(self, answer: Callable[[httpx.Request], Answer] | None = None) -> None:
        self.key = f"{KEY}{next(_accounts):04d}"
        self.requests: list[httpx.Request] = []
        self._answer = answer or right_answer
        self.transport = httpx.MockTransport(self._handle)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answer(request)
        if inspect.isawaitable(answer):
            answer = await answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    @property
    def texts(self) -> list[str]:
        """The texts it was sent, in order of arrival."""
        return [text_of(request) for request in self.requests]

    def client(self, model: Any = "marengo3.0", **options: Any) -> EmbeddingClient:
        """A client of this service."""
        options = {"api_key": self.key, "transport": self.transport, **options}
        return EmbeddingClient(model, **options)


def right_answer(request: httpx.Request) -> dict[str, Any]:
    """What the API would answer, as far as the client reads it."""
    if request.url.path.endswith("/embed"):
        names = {field.name.partition("_")[0]: field for field in sent_form(request) if field.name != "model_name"}
        model = fields_of(request)["model_name"]
        length = 1024 if "2.7" in model else 512
        parts = {kind: vector(kind, length) for kind in names if kind in ("image", "audio")}
        if "text" in fields_of(request):
            parts["text"] = vector(fields_of(request)["text"], length)
        return v1_answer(model, **parts)
    body = sent_json(request)
    part = body[body["input_type"]]
    return v2_answer(vector(part.get("input_text", body["input_type"]), body.get("embedding_dimension", 512)))


def scripted(answers: Iterable[Answer]) -> Callable[[httpx.Request], Answer]:
    """Answer with one after another; exceptions are raised."""
    script = iter(answers)

    def answer(request: httpx.Request) -> Answer:
        found = next(script)
        if isinstance(found, BaseException):
            raise found
        return right_answer(request) if found is None else found

    return answer


def refusal(status: int, **headers: str) -> httpx.Response:
    """A refusal in the API's flat shape; ``retry_after="7"`` is a header."""
    return httpx.Response(
        status, json={"code": "c", "message": "m"}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


class Counter:
    """Answers after a moment and remembers how many it had at a time."""

    def __init__(self, seconds: float = 0.01) -> None:
        self.now = self.most = 0
        self.seconds = seconds

    async def __call__(self, request: httpx.Request) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        return right_answer(request)
