"""TwelveLabs' Marengo embeddings for Ray Data: a column of texts or files becomes a column of vectors, or rows of
segments, by as many workers as the rate limits of the account are worth.

.. code-block:: python

    import ray
    from ray_twelvelabs import EmbedBatch

    ray.data.read_parquet("captions/").map_batches(
        EmbedBatch,
        fn_constructor_kwargs=dict(text="caption", cache="vectors.sqlite"),
        batch_size=1024,
        concurrency=2,
    ).write_parquet("vectors/")
"""

from twelvelabs_core.adapter import needs_extra as _needs_extra

with _needs_extra("ray", "ray", "pyarrow", "numpy"):
    from .batch import EmbedBatch
    from .segments import EmbedSegments
    from .stats import JobStats

__all__ = ["EmbedBatch", "EmbedSegments", "JobStats"]
