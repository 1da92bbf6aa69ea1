"""Wire formats, pure: inputs to requests (``v1``, ``v2``), answers to results (``answers``), refusals to errors
(``faults``).
"""
