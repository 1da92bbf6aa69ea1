"""One limit for several processes or machines: what they share (``decision``), where it is kept (``sqlite``, ``redis``)
and how a process leases slots of it (``lease``). May import ``_api``.

Other libraries were looked at. pyrate-limiter (4.5.1) has buckets in SQLite and in Redis, and limits (5.8.0) a moving
window in Redis: both count a request when it is let through, by the clock of the process that asks, and a caller that
finds no room asks again. Neither has leases of several slots (each request would be a round trip), slots that come back
unused, two lanes, a server's count, a gate that one process closes for all, or turns among those that wait. What they
would save is a sum over a sorted set.
"""
