"""The attack on what is promised of truth, money, hangs and the key: ``make chaos``, or ``python -m tests.chaos``.

A server that misbehaves in every way known (:mod:`.faults`), in a process of its own, and scenarios that each end in a
row of the table of ``docs/reliability.md``. ``tests/end_to_end/test_chaos.py`` runs short forms of them.
"""
