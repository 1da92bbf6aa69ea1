"""The wire formats of TwelveLabs' API, without I/O.

Inputs to requests (``v1``, ``v2``, ``tasks``, ``assets``), responses to results (``responses``), error responses to
exceptions (``errors``), headers to rate limits (``rate_headers``). May import the modules of values only.
"""
