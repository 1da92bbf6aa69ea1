"""Many items: a batch, a stream, a plan of the requests they would take, a progress bar.

May import ``_embed``, ``_cache``, ``_net`` and the modules of values.
"""
