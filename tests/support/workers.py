"""Workers that share a limit, inside one virtual loop: real limiters and leases, a store in memory, a service that
counts requests at any time between sending and answer.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
from collections import deque
from collections.abc import Sequence
from typing import Any

from twelvelabs_core._api.rate_headers import RateLimitInfo
from twelvelabs_core._lanes import Lane
from twelvelabs_core._limits import Window
from twelvelabs_core._net import loop as background
from twelvelabs_core._net.limits.limiter import MOST_EXPECTED_SEC, Limiter
from twelvelabs_core._net.limits.shared.decision import Grant, Report, State, decide, new_state
from twelvelabs_core._net.limits.shared.lease import Lease
from twelvelabs_core._net.limits.shared.store import OpenStore, StoreError
from twelvelabs_core._net.limits.windows import Share
from twelvelabs_core._stats import Run


class MemoryStore:
    """A store whose trips take time, which can be gone, and lose what it knows."""

    shown = "memory"

    def __init__(self, trip_sec: float = 0.001) -> None:
        self.is_gone = False
        self.reports = 0
        self._trip_sec = trip_sec
        self._states: dict[str, tuple[float, State]] = {}

    async def report(self, name: str, report: Report) -> Grant:
        await asyncio.sleep(self._trip_sec)
        if self.is_gone:
            raise StoreError("The store is gone.", passing=True)
        self.reports += 1
        now = asyncio.get_running_loop().time()
        before, state = self._states.get(name, (now, new_state(now)))
        grant = decide(state, json.loads(json.dumps(report)), now - before)
        self._states[name] = now, state
        await asyncio.sleep(self._trip_sec)
        return grant

    def lose(self) -> None:
        self._states.clear()

    async def aclose(self) -> None: ...

    def close(self) -> None: ...


class Service:
    """Counts a request at some time between sending and answer, and rejects what is over its windows."""

    def __init__(
        self,
        windows: Sequence[tuple[int, float]],
        *,
        headers: bool = False,
        latency: tuple[float, float] = (0.05, 0.05),
        retry_after: bool = True,
        seed: int = 0,
    ) -> None:
        self.requests = self.rejected = 0
        self._windows = [(count, seconds, deque[float]()) for count, seconds in windows]
        self._headers, self._latency, self._retry_after = headers, latency, retry_after
        self._rng = random.Random(seed)

    async def send(self) -> tuple[bool, RateLimitInfo | None, float | None]:
        """Whether it was accepted, the headers, and the time that a 429 gives."""
        latency = self._rng.uniform(*self._latency)
        counted_after = latency * self._rng.random()
        await asyncio.sleep(counted_after)
        now = asyncio.get_running_loop().time()
        self.requests += 1
        left, resets_at = math.inf, now
        for count, seconds, times in self._windows:
            while times and times[0] + seconds <= now:
                times.popleft()
            if count - len(times) < left:
                left, resets_at = count - len(times), times[0] + seconds if times else now
        accepted = left >= 1
        if accepted:
            for _, _, times in self._windows:
                times.append(now)
        self.rejected += not accepted
        info = None
        if self._headers:
            info = RateLimitInfo(remaining=max(0, int(left) - 1), reset_in=max(0.0, resets_at - now))
        await asyncio.sleep(latency - counted_after)
        wait = resets_at - now + latency if self._retry_after else None
        return accepted, info, None if accepted else wait


class Worker:
    """One process: a limiter with its lease, and what it sends."""

    def __init__(self, store: MemoryStore, windows: Sequence[Window], **settings: Any) -> None:
        self.done: list[float] = []
        self._store = _Own(store)
        opened = OpenStore(self._store)
        background.forget(opened.aclose)
        clock = asyncio.get_running_loop().time
        self.leases: list[Lease] = []

        def lease(wake: Any, fail: Any) -> Lease:
            given: dict[str, Any] = {"share": Share(), "kept_sec": MOST_EXPECTED_SEC, **settings}
            self.leases.append(Lease("limit", opened, windows, wake=wake, fail=fail, clock=clock, **given))
            return self.leases[0]

        self.limiter = Limiter(windows, clock=clock, lease=lease)
        self.lease = self.leases[0]

    async def query(self, service: Service) -> float:
        """One interactive request; the seconds until it was answered."""
        started = asyncio.get_running_loop().time()
        await self.embed(service, 1, lane="interactive")
        return asyncio.get_running_loop().time() - started

    async def embed(
        self, service: Service, count: int, *, width: int = 64, max_wait: float = 1e6, lane: Lane = "bulk"
    ) -> None:
        """So many requests, ``width`` at a time; each until it is accepted."""
        todo, run = itertools.repeat(None, count), Run(count, lane=lane)

        async def one() -> None:
            for _ in todo:
                while True:
                    await self.limiter.acquire(run, max_wait=max_wait)
                    if self._store.is_dead:
                        await asyncio.Event().wait()
                    accepted, info, retry_after = await service.send()
                    if not accepted:
                        self.limiter.block_for(retry_after)
                    self.limiter.release(run, counted=accepted, info=info)
                    if accepted:
                        break
                self.done.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(one() for _ in range(min(width, count))))

    def cut(self, is_cut: bool) -> None:
        """Whether it cannot reach the store."""
        self._store.is_cut = is_cut

    def kill(self) -> None:
        """Nothing that it does is seen any more."""
        self._store.is_dead = True


class _Own:
    """A worker's way to the store, which ends when it is killed, and may be cut for a while."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.is_dead = self.is_cut = False
        self.shown = store.shown

    async def report(self, name: str, report: Report) -> Grant:
        if self.is_dead:
            await asyncio.Event().wait()
        if self.is_cut:
            raise StoreError("The store cannot be reached.", passing=True)
        return await self._store.report(name, report)

    async def aclose(self) -> None: ...

    def close(self) -> None: ...
