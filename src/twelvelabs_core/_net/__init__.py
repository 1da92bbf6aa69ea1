"""The network I/O with the service: background loop, transport, retry, rate limiter, sender.

May import ``_api`` and the modules of values.
"""
