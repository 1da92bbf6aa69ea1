"""The only network I/O with the service: loop, transport, retry, rate limiter, sender."""
