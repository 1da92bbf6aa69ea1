"""One item: checked (``jobs``), routed (``route``) and embedded (``embedder``) as a text, a file or a composition.

May import ``_cache``, ``_net``, ``_api``, ``_media`` and the modules of values.
"""
