"""Keeping to an account's limits: declared, in headers, or found out; and a used-up day."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from langchain_twelvelabs import TwelveLabsEmbeddings
from twelvelabs_core import QuotaExceededError, RateLimits, Window

from .figures import Bar, Case, Row
from .peers import check, new_key, texts
from .service import Server

__all__ = ["declared", "in_headers", "quota", "refused"]

LATENCY_MS = 50


def declared(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 5: the window is known."""
    case = _windows("limit-declared", "A limit that is declared", server, rounds, quick, headers="none", declared=True)
    _bars(case, 1.05, 0.0)
    return case


def in_headers(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 6: nothing declared, the answers tell what is left and when it starts anew."""
    case = _windows("limit-headers", "A limit in headers", server, rounds, quick, headers="remaining")
    _bars(case, 1.15, 0.02)
    return case


def refused(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 7: nothing but "429, come back in n seconds"."""
    case = _windows("limit-refused", "A limit known by refusals alone", server, rounds, quick, headers="retry-after")
    _bars(case, 1.3, 0.15)
    return case


def _windows(
    name: str, title: str, server: Server, rounds: int, quick: bool, *, headers: str, declared: bool = False
) -> Case:
    """Time and refusals of ``count`` texts through a sliding window; every text must come back."""
    limit, seconds = 100, 2.0
    count = 300 if quick else 500
    ideal = (count / limit - 1) * seconds
    server.set()
    # The first call of a process imports what sends; that is no part of a limit.
    TwelveLabsEmbeddings(api_key=SecretStr(new_key()), base_url=server.base_url).embed_documents(texts(1))
    given = texts(count)
    taken, share, most = (Row(n, u, []) for n, u in (("time / shortest", "×"), ("refused", "share"), ("open", "most")))
    for _ in range(rounds):
        server.set(latency_ms=LATENCY_MS, windows=((limit, seconds),), headers=headers)
        limits = RateLimits(text=(Window(limit, seconds),)) if declared else None
        model = TwelveLabsEmbeddings(api_key=SecretStr(new_key()), base_url=server.base_url, rate_limits=limits)
        started = time.monotonic()
        vectors = model.embed_documents(given)
        elapsed = time.monotonic() - started
        check(given, vectors)
        counts = server.counts()
        taken.samples.append(elapsed / ideal)
        share.samples.append(counts["limited"] / counts["requests"])
        most.samples.append(counts["most_open"])
        print(f"    {elapsed:.2f} s of {ideal:g} s, {counts['limited']} of {counts['requests']} refused", flush=True)
    how = (
        f"{count} texts, at most {limit} within any {seconds:g} s, answers after {LATENCY_MS} ms. "
        f"The shortest possible is {ideal:g} s (and the last answers' {LATENCY_MS} ms). Every text came back."
    )
    return Case(name, title, how, [taken, share, most])


def _bars(case: Case, time_bound: float, share_bound: float) -> None:
    case.bars = [
        Bar("time / shortest possible", case.rows[0].samples, time_bound, False),
        Bar("requests refused", case.rows[1].samples, share_bound, False, "share"),
    ]


def quota(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 8: the day is used up after 300 of 1,000 texts; the next run pays for the other 700."""
    total, day = 1_000, 300
    given = texts(total)
    late, kept, sent = (Row(n, u, []) for n, u in (("error after the 429", "s"), ("results", ""), ("sent again", "")))
    for _ in range(1 if quick else rounds):
        with tempfile.TemporaryDirectory() as folder:
            settings: dict[str, Any] = {"cache": str(Path(folder, "vectors.sqlite")), "base_url": server.base_url}
            server.set(latency_ms=20, headers="retry-after", quota_after=day)
            try:
                TwelveLabsEmbeddings(api_key=SecretStr(new_key()), **settings).embed_documents(given)
            except QuotaExceededError as error:
                caught, results = time.monotonic(), error.results
                assert error.reopens_at is not None
            else:
                raise AssertionError("the used-up quota was not reported")
            counts = server.counts()
            late.samples.append(caught - counts["first_limited_at"])
            done = {text: vector for text, vector in zip(given, results, strict=True) if vector is not None}
            check(list(done), list(done.values()))
            kept.samples.append(len(done))

            server.set()
            vectors = TwelveLabsEmbeddings(api_key=SecretStr(new_key()), **settings).embed_documents(given)
            check(given, vectors)
            sent.samples.append(server.counts()["requests"])
        print(f"    {late.samples[-1]:.3f} s, {kept.samples[-1]} kept, then {sent.samples[-1]} sent", flush=True)
    how = f"After {day} of {total:,} texts every answer is a 429 with Retry-After: 11382. Then again, with the cache."
    bars = [
        Bar("QuotaExceededError after the first 429", late.samples, 1.0, False, "s"),
        Bar("results in hand", kept.samples, day, True, "texts"),
        Bar("texts the second run sent", sent.samples, total - day, False, "texts"),
    ]
    return Case("quota", "A used-up day", how, [late, kept, sent], bars)
