"""Files on this machine: opened, their format detected, measured and digested once, converted where the API needs it.

May import the modules of values, and ``_net.forks``.
"""
