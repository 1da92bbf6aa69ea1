"""One limit for several processes or machines: what they share (``decision``), where it is kept (``sqlite``, ``redis``)
and how a process leases slots of it (``lease``).
"""
