"""The kinds of fault: what the server does with a request, and what it did with the item before.

``did`` is what the money check counts:

- ``performed``: the item was embedded, and would be charged; whether the client can use the answer is another matter.
- ``untold``: it was not embedded, and the client cannot know that.
- ``refused``: it was not embedded, and the client knows: a documented refusal.

``mix`` kinds may come at random among good answers, because a right client finishes every item in spite of them. The
others end an item or a batch with an error, and are tried one at a time.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal, Protocol

__all__ = ["KINDS", "Did", "Kind", "Reply", "usable_answer"]

Did = Literal["performed", "untold", "refused"]
Headers = Sequence[tuple[str, str]]


class Reply(Protocol):
    """What a fault can do to the request in hand."""

    numbers: str
    version: str
    key: str

    def answer(self, status: int, body: bytes, headers: Headers = ()) -> None:
        """Send a whole response with its length."""

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something then, if the connection still stands."""

    def close(self) -> None:
        """End our side; what the client still sends is read, and counted as dropped."""

    def reset(self) -> None:
        """End the connection with a TCP reset."""

    def refuse_connections(self, seconds: float) -> None:
        """Close the listening socket for a while."""


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes:
        act: writes the response.
        ends: what an item may end with when only this comes: ``vector``, ``error``, or either.
        weight: how often it is drawn in a mix, against 1.
        slow: it takes seconds of the client's time.
    """

    name: str
    did: Did
    act: Callable[[Reply], None]
    mix: bool = True
    ends: Literal["vector", "error", "either"] = "vector"
    weight: float = 1.0
    slow: bool = False


KINDS: dict[str, Kind] = {}


def _kind(
    name: str,
    did: Did,
    act: Callable[[Reply], None],
    *,
    mix: bool = True,
    ends: Literal["vector", "error", "either"] = "vector",
    weight: float = 1.0,
    slow: bool = False,
) -> None:
    assert name not in KINDS
    KINDS[name] = Kind(name, did, act, mix, ends, weight, slow)


def usable_answer(numbers: str, version: str) -> bytes:
    """The body of a good response of either version of the API, with these numbers as the vector."""
    if version == "v1":
        return f'{{"model_name":"m","text_embedding":{{"segments":[{{"float":[{numbers}]}}]}}}}'.encode()
    rest = '"embedding_option":null,"embedding_scope":null,"start_sec":null,"end_sec":null'
    return f'{{"data":[{{"embedding":[{numbers}],{rest}}}]}}'.encode()


def _good(reply: Reply) -> bytes:
    return usable_answer(reply.numbers, reply.version)


def _status(status: int, body: bytes = b"", headers: Headers = ()) -> Callable[[Reply], None]:
    return lambda reply: reply.answer(status, body, headers)


def _body(make: Callable[[Reply], bytes], headers: Headers = ()) -> Callable[[Reply], None]:
    return lambda reply: reply.answer(200, make(reply), headers)


def _vector(change: Callable[[list[str]], list[str]]) -> Callable[[Reply], None]:
    """A good response but for the numbers of the vector."""
    return lambda reply: reply.answer(200, usable_answer(",".join(change(reply.numbers.split(","))), reply.version))


def _head(length: int | None, more: str = "", status: str = "200 OK", version: str = "HTTP/1.1") -> bytes:
    size = "" if length is None else f"content-length: {length}\r\n"
    return f"{version} {status}\r\ncontent-type: application/json\r\n{size}{more}\r\n".encode()


def _error(code: str, message: str, **details: object) -> bytes:
    return json.dumps({"code": code, "message": message, **({"details": details} if details else {})}).encode()


def _bytes_and_end(make: Callable[[Reply], bytes]) -> Callable[[Reply], None]:
    """Send these bytes as they are, and end."""

    def act(reply: Reply) -> None:
        reply.raw(make(reply))
        reply.close()

    return act


_CHUNKED = "transfer-encoding: chunked\r\n"
_LIMITED = _error("too_many_requests", "You have sent too many requests.")

# -- refusals: nothing was embedded, and the client knows -------------------------------------------------------------

_kind("status_425", "refused", _status(425, _error("too_early", "Too early.")))
_kind("status_429_seconds", "refused", _status(429, _LIMITED, [("retry-after", "0.05")]), weight=0.3)
_kind("status_429_zero", "refused", _status(429, _LIMITED, [("retry-after", "0")]), weight=0.3)
_kind(
    "status_429_date",
    "refused",
    lambda r: r.answer(429, _LIMITED, [("retry-after", formatdate(time.time() + 1, usegmt=True))]),
    weight=0.05,
)
_kind(
    "status_429_reset",
    "refused",
    lambda r: r.answer(429, _LIMITED, [("x-ratelimit-request-reset", f"{time.time() + 0.05:.3f}")]),
    weight=0.3,
)
_kind(
    "status_429_nested",
    "refused",
    lambda r: r.answer(429, b'{"error":' + _error("too_many_requests", "Slow down.", retryAfter=0.05) + b"}"),
    weight=0.3,
)
_kind("status_429_empty", "refused", _status(429), weight=0.05, slow=True)
_kind("status_429_negative", "refused", _status(429, _LIMITED, [("retry-after", "-5")]), weight=0.1)
_kind("status_429_words", "refused", _status(429, _LIMITED, [("retry-after", "in a while")]), weight=0.05, slow=True)
_kind("status_429_nan", "refused", _status(429, _LIMITED, [("retry-after", "nan")]), weight=0.05, slow=True)
for _name, _value in (("inf", "inf"), ("1e400", "1e400"), ("1e300", "1e300"), ("digits", "9" * 400)):
    _kind(
        f"status_429_{_name}",
        "refused",
        _status(429, _LIMITED, [("retry-after", _value)]),
        mix=False,
        ends="either",
        slow=True,
    )
_kind(
    "status_429_json_infinity",
    "refused",
    _status(429, b'{"code":"too_many_requests","message":"x","details":{"retryAfter":Infinity}}'),
    mix=False,
    ends="either",
    slow=True,
)
_kind(
    "status_429_year_9999",
    "refused",
    _status(429, _LIMITED, [("x-ratelimit-request-reset", "253402300799")]),
    mix=False,
    ends="either",
    slow=True,
)
_kind(
    "status_429_year_99999",
    "refused",
    _status(429, _LIMITED, [("retry-after", "999999999999")]),
    mix=False,
    ends="either",
    slow=True,
)
_kind("status_500", "refused", _status(500, _error("internal_server_error", "Something went wrong.")))
_kind("status_500_empty", "refused", _status(500))
_kind("status_500_list", "refused", _status(500, b'[{"code": 3}]'))
_kind("status_500_odd_fields", "refused", _status(500, b'{"code":{"a":1},"message":[1,2],"details":"x"}'))
_kind(
    "status_500_echo_key",
    "refused",
    lambda r: r.answer(500, _error("internal_server_error", f"x-api-key: {r.key}"), [("x-trace-id", r.key)]),
)
_kind("status_503_seconds", "refused", _status(503, b"", [("retry-after", "0.1")]), weight=0.5)
_kind("status_503_inf", "refused", _status(503, b"", [("retry-after", "inf")]), mix=False, ends="either", slow=True)
_kind("status_503_html", "refused", _status(503, b"<html><h1>503</h1></html>", [("content-type", "text/html")]))


def _refuse(reply: Reply) -> None:
    reply.refuse_connections(0.1)
    reply.answer(503, b"")


# Not in a mix: a refused connection is a request of the client's that the server cannot count.
_kind("connections_refused", "refused", _refuse, mix=False)
_kind("status_400", "refused", _status(400, _error("parameter_invalid", "The text is odd.")), mix=False, ends="error")
_kind(
    "status_400_echo_key",
    "refused",
    lambda r: r.answer(400, _error("parameter_invalid", f"bad header x-api-key: {r.key}")),
    mix=False,
    ends="error",
)
_kind(
    "status_400_echo_key_escaped",
    "refused",
    lambda r: r.answer(
        400,
        b'{"code":"parameter_invalid","message":"key ' + "".join(f"\\u{ord(c):04x}" for c in r.key).encode() + b'"}',
    ),
    mix=False,
    ends="error",
)
_kind("status_401", "refused", _status(401, _error("api_key_invalid", "The key is wrong.")), mix=False, ends="error")
_kind("status_403", "refused", _status(403, _error("forbidden", "No.")), mix=False, ends="error")
_kind("status_404", "refused", _status(404, b"not here"), mix=False, ends="error")
_kind("status_418", "refused", _status(418), mix=False, ends="error")
_kind(
    "redirect_elsewhere",
    "refused",
    _status(302, b"", [("location", "http://127.0.0.1:9/elsewhere")]),
    mix=False,
    ends="error",
)
_kind("status_304", "refused", lambda r: r.raw(b"HTTP/1.1 304 Not Modified\r\n\r\n"), mix=False, ends="either")
_kind("status_600", "untold", _status(600), mix=False, ends="either")

# -- untold: nothing was embedded, and the client cannot know ---------------------------------------------------------

_kind("status_408", "untold", _status(408, _error("request_timeout", "Took too long.")))
_kind("status_504", "untold", _status(504, b"<html>504</html>"))
_kind(
    "status_502_html", "untold", _status(502, b"<html><h1>502 Bad Gateway</h1></html>", [("content-type", "text/html")])
)
_kind("drop_before_reading", "untold", lambda r: r.reset())
_kind("close_without_answer", "untold", lambda r: r.close())
_kind("status_200_empty", "untold", _status(200))
_kind("status_204", "untold", lambda r: r.raw(b"HTTP/1.1 204 No Content\r\n\r\n"))
_kind("status_202", "untold", _status(202, b'{"status":"accepted"}'))
_kind("html_200", "untold", _status(200, b"<html>Please log in</html>", [("content-type", "text/html")]))
_kind("not_json", "untold", _status(200, b"OK"))
_kind("json_list", "untold", _status(200, b"[]"))
_kind("json_string", "untold", _status(200, b'"data"'))
_kind("json_null", "untold", _status(200, b"null"))
_kind("json_number", "untold", _status(200, b"1e999"))
_kind("deep_json", "untold", _status(200, b'{"data":' + b"[" * 50_000 + b"]" * 50_000 + b"}"))
_kind("utf16_json", "untold", _status(200, '{"data":[]}'.encode("utf-16")))
_kind("null_bytes", "untold", _status(200, b"\0" * 5000))
_kind("bad_status_line", "untold", _bytes_and_end(lambda r: b"HTTP/x.y OK\r\n\r\n"))
_kind("garbage_instead_of_http", "untold", _bytes_and_end(lambda r: bytes(range(256)) * 4))


# -- performed, and the answer lost -----------------------------------------------------------------------------------


def _half(reply: Reply) -> None:
    body = _good(reply)
    reply.raw(_head(len(body)) + body[: len(body) // 2])


def _reset_in_the_middle(reply: Reply) -> None:
    _half(reply)
    reply.later(0.01, reply.reset)


def _close_in_the_middle(reply: Reply) -> None:
    _half(reply)
    reply.close()


def _head_and_close(reply: Reply) -> None:
    reply.raw(b"HTTP/1.1 200 OK\r\ncontent-ty")
    reply.close()


def _stall(reply: Reply) -> None:
    """The head comes, the body never."""
    _half(reply)


def _drip(reply: Reply, rest: bytes, size: int, every: float) -> None:
    if rest:
        reply.raw(rest[:size])
        reply.later(every, lambda: _drip(reply, rest[size:], size, every))


def _dribble(size: int, every: float) -> Callable[[Reply], None]:
    def act(reply: Reply) -> None:
        body = _good(reply)
        _drip(reply, _head(len(body)) + body, size, every)

    return act


def _continue_for_ever(reply: Reply) -> None:
    reply.raw(b"HTTP/1.1 100 Continue\r\n\r\n")
    reply.later(0.05, lambda: _continue_for_ever(reply))


def _headers_for_ever(reply: Reply) -> None:
    reply.raw(b"HTTP/1.1 200 OK\r\n")

    def more() -> None:
        reply.raw(b"x: y\r\n")
        reply.later(0.05, more)

    more()


_kind("status_504_performed", "performed", _status(504, _error("gateway_timeout", "Took too long.")))
_kind("reset_before_headers", "performed", lambda r: r.reset())
_kind("reset_in_the_middle", "performed", _reset_in_the_middle)
_kind("close_after_performing", "performed", lambda r: r.close())
_kind("close_in_the_middle", "performed", _close_in_the_middle)
_kind("close_in_the_headers", "performed", _head_and_close)
_kind("never_answers", "performed", lambda r: None, weight=0.1, slow=True)
_kind("stalls_in_the_middle", "performed", _stall, weight=0.1, slow=True)
_kind("a_byte_a_moment", "performed", _dribble(1, 0.3), weight=0.1, slow=True)
_kind("continue_for_ever", "performed", _continue_for_ever, weight=0.1, slow=True)
_kind("headers_for_ever", "performed", _headers_for_ever, weight=0.1, slow=True)
_kind("truncated_json", "performed", _body(lambda r: _good(r)[:-40]))


def _declares_more(reply: Reply) -> None:
    body = _good(reply)
    reply.raw(_head(len(body) + 50) + body)
    reply.close()


def _declares_less(reply: Reply) -> None:
    body = _good(reply)
    reply.raw(_head(len(body) - 50) + body)
    reply.close()


_kind("length_too_long", "performed", _declares_more)
_kind("length_too_short", "performed", _declares_less)
_kind("length_negative", "performed", _bytes_and_end(lambda r: _head(-1) + _good(r)))
_kind("length_words", "performed", _bytes_and_end(lambda r: _head(None, "content-length: many\r\n") + _good(r)))
_kind(
    "lengths_differ",
    "performed",
    _bytes_and_end(lambda r: _head(len(_good(r)), "content-length: 7\r\n") + _good(r)),
)
_kind(
    "header_too_long",
    "performed",
    _bytes_and_end(lambda r: _head(len(_good(r)), f"x: {'y' * 100_000}\r\n") + _good(r)),
)
_kind("header_null_byte", "performed", _bytes_and_end(lambda r: _head(len(_good(r)), "x: a\0b\r\n") + _good(r)))
_kind(
    "header_without_colon",
    "performed",
    _bytes_and_end(lambda r: _head(len(_good(r)), "nonsense\r\n") + _good(r)),
)
_kind("bad_gzip", "performed", _body(lambda r: b"\x1f\x8b\x08" + b"no" * 50, [("content-encoding", "gzip")]))
_kind("gzip_cut", "performed", _body(lambda r: gzip.compress(_good(r))[:-20], [("content-encoding", "gzip")]))
_kind("not_gzip", "performed", _body(_good, [("content-encoding", "gzip")]))
_kind("unknown_encoding", "performed", _body(_good, [("content-encoding", "br")]), ends="either")
_kind(
    "chunk_size_words",
    "performed",
    _bytes_and_end(lambda r: _head(None, _CHUNKED) + b"zz\r\n{}\r\n"),
)
_kind(
    "chunk_cut",
    "performed",
    _bytes_and_end(lambda r: _head(None, _CHUNKED) + b"ffff\r\n" + _good(r)),
)
_kind(
    "chunks_without_end",
    "performed",
    _bytes_and_end(lambda r: _head(None, _CHUNKED) + b"%x\r\n%s\r\n" % (len(_good(r)), _good(r))),
)
_kind(
    "length_and_chunks",
    "performed",
    _bytes_and_end(lambda r: _head(9, _CHUNKED) + _good(r)),
)

# -- performed, and the answer not what was asked for -----------------------------------------------------------------

_kind("nan", "performed", _vector(lambda v: ["NaN", *v[1:]]))
_kind("infinity", "performed", _vector(lambda v: [*v[:-1], "-Infinity"]))
_kind("number_1e400", "performed", _vector(lambda v: ["1e400", *v[1:]]))
_kind("number_1e39", "performed", _vector(lambda v: [v[0], "1e39", *v[2:]]))
_kind("all_huge", "performed", _vector(lambda v: ["1.7e308"] * len(v)))
_kind("digits_5000", "performed", _vector(lambda v: ["9" * 5000, *v[1:]]))
_kind("all_zero", "performed", _vector(lambda v: ["0.0"] * len(v)))
_kind("all_zero_whole", "performed", _vector(lambda v: ["0"] * len(v)))
_kind("all_minus_zero", "performed", _vector(lambda v: ["-0.0"] * len(v)))
_kind("strings", "performed", _vector(lambda v: [f'"{x}"' for x in v]))
_kind("one_string", "performed", _vector(lambda v: [*v[:9], '"0.5"', *v[10:]]))
_kind("nulls", "performed", _vector(lambda v: [*v[:9], "null", *v[10:]]))
_kind("booleans", "performed", _vector(lambda v: [*v[:9], "true", *v[10:]]))
_kind("nested_list", "performed", _vector(lambda v: [f"[{','.join(v)}]"]))
_kind("one_short", "performed", _vector(lambda v: v[:-1]))
_kind("one_long", "performed", _vector(lambda v: [*v, "0.1"]))
_kind("another_dimension", "performed", _vector(lambda v: v[:256]))
_kind("no_numbers", "performed", _vector(lambda v: []))


def _instead(v1: str, v2: str) -> Callable[[Reply], None]:
    """A body of either version, with ``NUMBERS`` replaced."""
    return lambda r: r.answer(200, (v1 if r.version == "v1" else v2).replace("NUMBERS", r.numbers).encode())


_kind("empty_object", "performed", _status(200, b"{}"))
_kind("empty_data", "performed", _instead('{"text_embedding":{"segments":[]}}', '{"data":[]}'))
_kind("null_data", "performed", _instead('{"text_embedding":null}', '{"data":null}'))
_kind("data_is_object", "performed", _instead('{"text_embedding":{"segments":{}}}', '{"data":{"embedding":[NUMBERS]}}'))
_kind("data_of_strings", "performed", _instead('{"text_embedding":{"segments":["x"]}}', '{"data":["x"]}'))
_kind("no_embedding", "performed", _instead('{"text_embedding":{"segments":[{}]}}', '{"data":[{}]}'))
_kind(
    "null_embedding",
    "performed",
    _instead('{"text_embedding":{"segments":[{"float":null}]}}', '{"data":[{"embedding":null}]}'),
)
_kind(
    "text_embedding",
    "performed",
    _instead('{"text_embedding":{"segments":[{"float":"NUMBERS"}]}}', '{"data":[{"embedding":"NUMBERS"}]}'),
)
_kind(
    "two_vectors",
    "performed",
    _instead(
        '{"text_embedding":{"segments":[{"float":[NUMBERS]},{"float":[NUMBERS]}]}}',
        '{"data":[{"embedding":[NUMBERS]},{"embedding":[NUMBERS]}]}',
    ),
)
_kind(
    "the_other_version",
    "performed",
    _instead('{"data":[{"embedding":[NUMBERS]}]}', '{"text_embedding":{"segments":[{"float":[NUMBERS]}]}}'),
)
_kind(
    "times_are_words",
    "performed",
    _instead(
        '{"text_embedding":{"segments":[{"float":[NUMBERS],"start_offset_sec":"x"}]}}',
        '{"data":[{"embedding":[NUMBERS],"start_sec":"x","end_sec":{}}]}',
    ),
    ends="either",
)

# -- performed, and usable in spite of the odd way it comes -----------------------------------------------------------


def _after(seconds: float) -> Callable[[Reply], None]:
    return lambda reply: reply.later(seconds, lambda: reply.answer(200, _good(reply)))


def _continues(reply: Reply) -> None:
    reply.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 20)
    reply.answer(200, _good(reply))


def _answer_and_close(reply: Reply) -> None:
    reply.answer(200, _good(reply), [("connection", "keep-alive")])
    reply.close()


def _chunked(reply: Reply) -> None:
    body = _good(reply)
    parts = b"".join(
        b"%x;ext=1\r\n%s\r\n" % (len(body[i : i + 700]), body[i : i + 700]) for i in range(0, len(body), 700)
    )
    reply.raw(_head(None, _CHUNKED) + parts + b"0\r\ntrailer: x\r\n\r\n")


def _closes(reply: Reply) -> None:
    reply.answer(200, _good(reply), [("connection", "close")])
    reply.close()


def _old_http(reply: Reply) -> None:
    reply.raw(_head(None, "connection: close\r\n", version="HTTP/1.0") + _good(reply))
    reply.close()


def _limits(*headers: tuple[str, str]) -> Callable[[Reply], None]:
    return _body(_good, headers)


_kind("slow_first_byte", "performed", _after(0.2), weight=0.5)
_kind("dribbles", "performed", _dribble(400, 0.005), weight=0.5)
_kind("continues_20_times", "performed", _continues)
_kind("closes_after_answer", "performed", _answer_and_close)
_kind("connection_close", "performed", _closes)
_kind("chunks", "performed", _chunked)
_kind("http_1_0", "performed", _old_http)
_kind("gzip", "performed", _body(lambda r: gzip.compress(_good(r)), [("content-encoding", "gzip")]))
_kind("deflate", "performed", _body(lambda r: zlib.compress(_good(r)), [("content-encoding", "deflate")]))
_kind(
    "wrong_content_type",
    "performed",
    lambda r: r.answer(200, _good(r), [("content-type", "image/png; charset=nonsense")]),
)
_kind(
    "duplicate_headers",
    "performed",
    _body(_good, [("x-trace-id", "a"), ("x-trace-id", "b"), ("content-type", "text/html")]),
)
_kind("extra_fields", "performed", _body(lambda r: _good(r)[:-1] + b',"usage":[1],"_id":null,"error":"\\ud800"}'))
_kind("byte_order_mark", "performed", _body(lambda r: b"\xef\xbb\xbf" + _good(r)))
_kind(
    "remaining_nan",
    "performed",
    _limits(("x-ratelimit-request-remaining", "nan"), ("x-ratelimit-request-limit", "nan")),
)
_kind(
    "remaining_inf",
    "performed",
    _limits(("x-ratelimit-request-remaining", "inf"), ("x-ratelimit-request-reset", "inf")),
)
_kind(
    "remaining_negative",
    "performed",
    _limits(("x-ratelimit-request-remaining", "-7"), ("x-ratelimit-request-reset", "0.05")),
    weight=0.2,
)
_kind(
    "remaining_1e300",
    "performed",
    _limits(("x-ratelimit-request-remaining", "1e300"), ("x-ratelimit-request-reset", "1e300")),
)
_kind(
    "reset_year_9999",
    "performed",
    _limits(("x-ratelimit-request-remaining", "50"), ("x-ratelimit-request-reset", "253402300799")),
)
_kind(
    "minutes_inf",
    "performed",
    _limits(("x-ratelimit-duration-remaining", "inf"), ("x-ratelimit-duration-reset", "-inf")),
)
_kind(
    "headers_latin_1",
    "performed",
    lambda r: r.raw(_head(len(_good(r)), "x-trace-id: caf\u00e9\r\n").decode().encode("latin-1") + _good(r)),
)
_kind("garbage_after_body", "performed", lambda r: r.raw(_head(len(_good(r))) + _good(r) + b"\r\n\r\ngarbage"))


def _false(reply: Reply) -> bytes:
    """A whole response that nobody asked for: whoever takes it for the answer to the next request is wrong."""
    body = usable_answer(",".join(["0.25"] * 512), reply.version)
    return _head(len(body)) + body


def _second_response_later(reply: Reply) -> None:
    reply.answer(200, _good(reply))
    reply.later(0.02, lambda: reply.raw(_false(reply)))


_kind("second_response", "performed", lambda r: r.raw(_head(len(_good(r))) + _good(r) + _false(r)))
# On a connection that is in use again by then, nobody could tell it from the answer: HTTP/1.1 has no request ids.
_kind("second_response_later", "performed", _second_response_later, mix=False)

# -- too large: tried one at a time -----------------------------------------------------------------------------------


def _endless(reply: Reply, block: bytes, count: int) -> None:
    if count:
        reply.raw(block)
        reply.later(0.0, lambda: _endless(reply, block, count - 1))


def _huge(reply: Reply) -> None:
    block = b" " * (1 << 20)
    reply.raw(_head(len(block) * 1024))
    _endless(reply, block, 1024)


_BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
_BOMB_BODY = b"".join([*(_BOMB.compress(b" " * (1 << 20)) for _ in range(256)), _BOMB.flush()])

_kind("answer_of_1_gb", "performed", _huge, mix=False, ends="error", slow=True)
_kind(
    "gzip_bomb",
    "performed",
    _status(200, _BOMB_BODY, [("content-encoding", "gzip")]),
    mix=False,
    ends="error",
    slow=True,
)
