"""Every kind of fault alone, and all of them among good answers, through both adapters."""

from __future__ import annotations

import asyncio
import struct
import threading
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from twelvelabs_core import BatchError, EmbeddingClient, Image, RetryPolicy, Stats, TwelveLabsError

from ..faults import KINDS, Kind
from ..scenario import Run, Server, scenario, serving
from ..truth import identity_of_media, identity_of_text, judge, truth

TIMEOUT = 2.0
TOTAL_TIMEOUT = 5.0
FAULTS_SHARE = 0.2


def settings(**more: Any) -> dict[str, Any]:
    """Settings that make a slow server's faults short."""
    return {"timeout": TIMEOUT, "total_timeout": TOTAL_TIMEOUT, **more}


def png(number: int) -> bytes:
    """A PNG of 128 x 128, of one colour; each number has its own bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes((number % 256, number // 256 % 256, number // 65536 % 256)) * 128
    head = struct.pack(">IIBBBBB", 128, 128, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row * 128)) + chunk(b"IEND", b"")


def in_time(do: Callable[[], Any], seconds: float) -> tuple[str, Any]:
    """What a call came to in a thread of its own: ``returned``, ``raised`` or ``hung``."""
    found: list[tuple[str, Any]] = []

    def work() -> None:
        try:
            found.append(("returned", do()))
        except BaseException as error:
            found.append(("raised", error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else ("hung", None)


class Doubts:
    """Items that a call gave up after a request that may have been performed: no statistic of a client tells them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._attempts: dict[str, int] = {}
        self.count = 0

    def look(self, given_up: Sequence[str]) -> None:
        """Count those of the items that a call has just ended with an error."""
        for identity, (did, attempts) in zip(given_up, self._server.last(given_up), strict=True):
            sent = attempts > self._attempts.get(identity, 0)
            self._attempts[identity] = attempts
            self.count += sent and did in ("performed", "untold")


def check_money(run: Run, server: Server, stats: Stats, ended_in_doubt: int, items: int, what: str = "") -> None:
    """Paid requests, with those that may have been, are the different items plus what the statistics say.

    A request that the client wrote on a connection that was already closed never arrives: the client cannot know.
    """
    counts = server.counts()
    never_arrived = stats.requests - counts["requests"]
    paid = counts["performed"] + counts["untold"] + never_arrived
    run.add(never_arrived=never_arrived)
    told = items + stats.paid_again + ended_in_doubt
    run.check(
        paid == told and never_arrived >= 0,
        f"money{what}: {counts['performed']} performed + {counts['untold']} untold + {never_arrived} not arrived "
        f"is not {items} items + {stats.paid_again} paid again + {ended_in_doubt} in doubt (off by {paid - told})",
    )


# -- each kind alone --------------------------------------------------------------------------------------------------


def _one_kind(server: Server, kind: Kind, version: str) -> list[str]:
    """Try one kind once, then good answers. Returns what was not kept. The server's rules are ``named``."""
    account = server.account()
    client = EmbeddingClient(
        **settings(**account), api_version=version, max_wait=5.0, retry=RetryPolicy(base=0.1, max_connect_retries=10)
    )
    text = f"a text on {version} that meets {kind.name}."
    identity = identity_of_text(text)
    limit = 20.0
    outcome, found = in_time(lambda: client.embed(text), limit)
    failures = []
    name = f"{kind.name} on {version}"
    if outcome == "hung":
        return [f"{name}: hung"]
    if outcome == "raised" and not isinstance(found, TwelveLabsError):
        failures.append(f"{name}: raw {type(found).__name__}: {str(found)[:120]}")
    elif outcome == "raised":
        if kind.ends == "vector":
            failures.append(f"{name}: not tried again: {type(found).__name__}: {str(found)[:120]}")
        failures += [f"{name}: the key is in {where}" for where in key_leaks(found, account["api_key"])]
    elif kind.ends == "error":
        failures.append(f"{name}: expected an error, got a vector")
    elif found.vector != truth(identity):
        failures.append(f"{name}: a wrong vector was returned")
    told = client.stats.paid_again
    if outcome == "returned" and server.paid(identity) != 1 + told:
        failures.append(f"{name}: money: {server.paid(identity)} paid, the statistics say 1 + {told}")
    # The same client, and another one of the account, must be usable afterwards.
    time.sleep(0.05)
    another = EmbeddingClient(**settings(**account), api_version=version, max_wait=5.0)
    for who, user in (("the client", client), ("a new client of the account", another)):
        text = f"a text of {who} on {version} after {kind.name}"
        again, found = in_time(lambda text=text, user=user: user.embed(text).vector, limit)  # type: ignore[misc]
        if again == "returned":
            if found != truth(identity_of_text(text)):
                failures.append(f"{name}: afterwards {who} got a wrong vector")
        elif again == "hung" or kind.ends == "vector" or not isinstance(found, TwelveLabsError):
            failures.append(f"{name}: afterwards {who} {again}: {found!r:.150}")
    return failures


def key_leaks(error: BaseException, key: str) -> list[str]:
    """Where a key can be read in an error: its texts, its causes, the locals of its frames."""
    found = set()
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        one = queue.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if any(key in text for text in (str(one), repr(one), repr(one.__dict__), repr(one.args))):
            found.add(f"{type(one).__name__}")
        for frame in traceback.TracebackException.from_exception(one, capture_locals=True).stack:
            if "/chaos/" in frame.filename or "threading" in frame.filename:
                continue
            found |= {f"local {name} of {frame.name}" for name, text in (frame.locals or {}).items() if key in text}
        queue += [one.__cause__, one.__context__]
    return sorted(found)


@scenario("each-fault", limit_sec=900)
def each_fault(run: Run) -> None:
    """Each kind of fault once, then a good answer, on v2 and v1: the right vector or our own error, in time."""
    tries = [
        (kind, version)
        for kind in KINDS.values()
        for version in ("v2", "v1")
        if (version == "v2" or (kind.mix and run.scale >= 0.05)) and not (kind.slow and run.scale < 0.1)
    ]
    with serving(named=True) as server, ThreadPoolExecutor(12) as pool:
        for failures in pool.map(lambda pair: _one_kind(server, *pair), tries):
            for failure in failures:
                run.check(False, failure)
    kinds = len({kind.name for kind, _ in tries})
    run.tried = f"{kinds} kinds of fault, one at a time, on v2 and v1"
    run.outcome = {"kinds": kinds, "tries": len(tries), "failed": len(run.failures)}


# -- many items, through the adapters ---------------------------------------------------------------------------------


def langchain_model(**given: Any) -> Any:
    from langchain_twelvelabs import TwelveLabsEmbeddings

    return TwelveLabsEmbeddings(**given)


def llama_model(**given: Any) -> Any:
    from llama_index_twelvelabs import TwelveLabsEmbedding

    return TwelveLabsEmbedding(**given)


MAKERS = {"langchain": langchain_model, "llama-index": llama_model}
METHODS = {
    ("langchain", "texts", False): "embed_documents",
    ("langchain", "texts", True): "aembed_documents",
    ("langchain", "images", False): "embed_image",
    ("langchain", "images", True): "aembed_image",
    ("llama-index", "texts", False): "get_text_embedding_batch",
    ("llama-index", "texts", True): "aget_text_embedding_batch",
    ("llama-index", "images", False): "get_image_embedding_batch",
    ("llama-index", "images", True): "aget_image_embedding_batch",
}


def call(model: Any, framework: str, what: str, is_async: bool, items: list[Any]) -> Any:
    """The adapter's method for many texts or images."""
    method = getattr(model, METHODS[framework, what, is_async])
    if is_async:
        return asyncio.run(method(items))
    return method(items)


def finish(
    do: Callable[[list[Any]], Any], items: Sequence[Any], identities: Sequence[str], server: Server, rounds: int = 5
) -> tuple[list[Any], int, int, list[Exception]]:
    """Call until every item has its vector, with what failed alone, as a user would.

    Returns:
        The vectors; how many items were given up in doubt on the way; the number of calls; the errors.
    """
    vectors: list[Any] = [None] * len(items)
    doubts = Doubts(server)
    errors: list[Exception] = []
    missing = list(range(len(items)))
    calls = 0
    while missing and calls < rounds:
        calls += 1
        try:
            found = do([items[i] for i in missing])
        except Exception as error:
            errors += error.errors.values() if isinstance(error, BatchError) else [error]
            found = getattr(error, "results", None) or [None] * len(missing)
        for i, vector in zip(missing, found, strict=True):
            vectors[i] = vector
        missing = [i for i in missing if vectors[i] is None]
        doubts.look([identities[i] for i in missing])
    return vectors, doubts.count, calls, errors


def _mix(run: Run, framework: str, is_async: bool, cached: bool) -> None:
    texts = [f"text {i} of the mix of seed {run.seed}: {'ab' * (i % 40)}" for i in range(run.count(8000))]
    old = [f"text {i} for v1, of seed {run.seed}" for i in range(run.count(1000))]
    images = [png(i) for i in range(run.count(1000))]
    groups: list[tuple[str, str, list[Any], list[str]]] = [
        ("texts", "v2", texts, [identity_of_text(t) for t in texts]),
        ("texts", "v1", old, [identity_of_text(t) for t in old]),
        ("images", "v2", images, [identity_of_media("image", i) for i in images]),
    ]
    met: Counter[str] = Counter()
    with serving() as server:
        for what, version, items, identities in groups:
            kinds = [kind.name for kind in KINDS.values() if kind.mix and not (kind.slow and run.scale < 0.1)]
            server.rules(rate=FAULTS_SHARE, seed=run.seed, kinds=kinds)
            cache = {"cache": str(run.folder / f"{what}-{version}.sqlite")} if cached else {}
            model = MAKERS[framework](api_version=version, **settings(**server.account(), **cache))
            given = [Image(item) for item in items] if what == "images" else items
            do = partial(call, model, framework, what, is_async)
            vectors, in_doubt, calls, errors = finish(do, given, identities, server)
            found = judge(identities, vectors)
            for name, count in found.items():
                run.add(**{name: count})
            run.check(found["wrong"] == 0, f"{what} {version}: {found['wrong']} vectors are wrong")
            run.check(found["misplaced"] == 0, f"{what} {version}: {found['misplaced']} vectors are other items'")
            run.check(found["missing"] == 0, f"{what} {version}: {found['missing']} of {len(items)} items are lost")
            raw = Counter(f"{type(e).__name__}: {e}"[:150] for e in errors if not isinstance(e, TwelveLabsError))
            run.check(not raw, f"{what} {version}: raw errors {dict(raw)}")
            stats = model.client.stats
            check_money(run, server, stats, in_doubt, len(items) - found["missing"], f" ({what} {version})")
            counts = server.counts()
            met.update(counts["faults"])
            run.add(requests=counts["requests"], paid_again=stats.paid_again, asked_again=len(errors), calls=calls)
            if cached:
                before = server.counts()["requests"]
                again = call(
                    MAKERS[framework](api_version=version, **settings(**server.account(), **cache)),
                    framework,
                    what,
                    is_async,
                    given,
                )
                kept = judge(identities, again)
                run.check(kept["right"] == len(items), f"{what} {version}: the cache holds {kept}")
                run.check(server.counts()["requests"] == before, f"{what} {version}: cached items were sent again")
    run.outcome["kinds"] = len(met)
    run.outcome["faults"] = met.total()
    total = sum(len(items) for _, _, items, _ in groups)
    how = ("async" if is_async else "sync") + (", with a cache" if cached else "")
    run.tried = f"{total:,} texts (v2, v1) and images, {FAULTS_SHARE:.0%} faults, {framework}, {how}"
    run.check(len(met) >= 30 or run.scale < 1, f"only {len(met)} kinds of fault came up")


for _framework in MAKERS:
    for _is_async in (False, True):
        for _cached in (False, True):

            def _do(run: Run, framework: str = _framework, is_async: bool = _is_async, cached: bool = _cached) -> None:
                """Texts and images with every fifth request a fault: right, in place, complete, and paid for once."""
                _mix(run, framework, is_async, cached)

            _parts = (_framework, "async" if _is_async else "sync", *(("cache",) if _cached else ()))
            scenario("-".join(("mix", *_parts)), limit_sec=900)(_do)


# -- the server away, the key, an error of the server for everybody ---------------------------------------------------


@scenario("away", limit_sec=200)
def away(run: Run) -> None:
    """The server is away for 5 s in the middle of a batch: everything is finished, at once or in a second call."""
    seconds = max(0.8, 5.0 * min(1.0, run.scale))
    count = run.count(3000, 100)
    patient = RetryPolicy(max_retries=10, max_connect_retries=20, cap=2.0)
    variants = [
        ("core", patient, True),
        ("langchain", None, False),
        ("core", patient, False),
        ("llama-index", None, True),
    ]
    for framework, retry, cached in variants if run.scale >= 0.1 else variants[:2]:
        texts = [f"text {i} while the server is away" for i in range(count)]
        identities = [identity_of_text(text) for text in texts]
        with serving(latency_sec=0.02) as server:
            cache = {"cache": str(run.folder / f"away-{framework}.sqlite")} if cached else {}
            given = settings(**server.account(), **cache)
            do: Callable[[list[Any]], Any]
            if framework == "core":
                client = EmbeddingClient(**given, retry=retry)
                core = client

                def do(items: list[Any], core: EmbeddingClient = core) -> Any:
                    try:
                        return [found.vector for found in core.embed_many(items)]
                    except TwelveLabsError as error:
                        error.results = [getattr(found, "vector", None) for found in error.results]
                        raise
            else:
                model = MAKERS[framework](**given)
                client = model.client
                do = partial(call, model, framework, "texts", framework == "llama-index")

            timer = threading.Timer(0.3, server.away, [seconds])
            timer.start()
            vectors: list[Any] = [None] * count
            calls, missing = 0, list(range(count))
            lost_connections = 0
            while missing and calls < 40:
                calls += 1
                try:
                    found = do([texts[i] for i in missing])
                except Exception as error:
                    run.check(isinstance(error, TwelveLabsError), f"{framework}: raw {error!r:.150}")
                    found = getattr(error, "results", None) or [None] * len(missing)
                    each = getattr(error, "errors", {0: error})
                    lost_connections += sum(getattr(one, "code", None) != "unreachable" for one in each.values())
                    time.sleep(0.5)
                for i, vector in zip(missing, found, strict=True):
                    vectors[i] = vector
                missing = [i for i in missing if vectors[i] is None]
            timer.join()
            judged = judge(identities, vectors)
            counts = server.counts()
            paid = counts["performed"] + counts["untold"]
            name = f"{framework}, cached {cached}"
            run.add(items=count, right=judged["right"], calls=calls, paid_again=client.stats.paid_again)
            run.check(judged["right"] == count, f"{name}: {dict(judged)}")
            run.check(framework != "core" or calls == 1, f"{name}: with patience it took {calls} calls")
            run.check(
                count <= paid <= count + client.stats.paid_again + lost_connections,
                f"{name}: {paid} paid for {count}, the statistics say {client.stats.paid_again} again",
            )
    run.tried = f"{len(variants)} batches of {count:,} texts, the server away for {seconds:g} s"


@scenario("nothing-but-errors", limit_sec=900)
def nothing_but_errors(run: Run) -> None:
    """A server that answers nothing but errors: a batch ends early, with everything in hand, and goes on afterwards."""
    count = run.count(2000, 300)
    for kind in ("status_500", "status_503_html", "close_without_answer", "not_json", "status_429_empty"):
        with serving() as server:
            account = server.account()
            client = EmbeddingClient(**settings(**account), max_wait=5.0)
            texts = [f"text {i} for a server that fails" for i in range(count)]
            good = [found.vector for found in client.embed_many(texts[: count // 10])]
            run.check(len(good) == count // 10, f"{kind}: before")
            server.rules(rate=1.0, kinds=[kind])
            do = partial(client.embed_many, texts)
            outcome, found = in_time(do, 100)
            requests = server.counts()["requests"]
            run.add(batches=1, requests=requests)
            run.check(outcome == "raised" and isinstance(found, TwelveLabsError), f"{kind}: {outcome} {found!r:.150}")
            run.check(requests < count, f"{kind}: {requests} requests for {count} items that all fail")
            server.rules()
            if kind.startswith("status_429"):  # the limiter has learned a rate from the refusals, and keeps to it
                texts = texts[:20]
                do = partial(EmbeddingClient(**settings(**account), max_wait=60.0).embed_many, texts)
            again, vectors = in_time(do, 90)
            right = (
                again == "returned"
                and judge([identity_of_text(text) for text in texts], [one.vector for one in vectors])["right"]
            )
            run.check(
                right == len(texts), f"{kind}: afterwards {again} {vectors if again == 'raised' else right!r:.200}"
            )
    run.tried = f"5 kinds of failure for each of {count:,} items of a batch"


@scenario("key", limit_sec=300)
def key(run: Run) -> None:
    """The key, after every kind of fault: not in errors, causes, frames' locals, logs at DEBUG, or caches."""
    import base64
    import io
    import logging
    import urllib.parse

    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    with serving() as server:
        kinds = [kind for kind in KINDS.values() if not (kind.slow and run.scale < 1)]
        for number, kind in enumerate(kinds if run.scale >= 0.1 else kinds[::6]):
            server.rules(rate=1.0, kinds=[kind.name])
            account = server.account() | {"api_key": f"tlk_{number:04d}/+{'Secret' * 4}=="}
            cache = run.folder / f"key-{number}.sqlite"
            secret = account["api_key"]
            client = EmbeddingClient(
                **settings(**account, cache=str(cache)), max_wait=2.0, max_retries=0 if number % 2 else 1
            )
            _, found = in_time(lambda client=client: client.embed("a text"), 15)  # type: ignore[misc]
            forms = {
                "as it is": secret,
                "in URLs": urllib.parse.quote(secret, safe=""),
                "in base64": base64.b64encode(secret.encode()).decode(),
            }
            run.add(kinds=1)
            for form, text in forms.items():
                if isinstance(found, BaseException):
                    for where in key_leaks(found, text):
                        run.check(False, f"{kind.name}: the key {form} in {where}")
                for where, content in (
                    ("a log", stream.getvalue()),
                    ("repr(client)", repr(client)),
                    ("statistics", repr(client.stats)),
                    ("the cache", "".join(file.read_bytes().decode("latin-1") for file in run.folder.glob("key-*"))),
                ):
                    run.check(text not in content, f"{kind.name}: the key {form} in {where}")
            if cache.exists():
                mode = cache.stat().st_mode & 0o777
                run.check(mode == 0o600, f"the cache has mode {mode:o}")
            for file in run.folder.glob("key-*"):
                file.unlink()
            stream.truncate(0)
            stream.seek(0)
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(level)
    run.tried = f"{run.outcome['kinds']} kinds of fault, the key looked for as it is, in base64 and as in URLs"
