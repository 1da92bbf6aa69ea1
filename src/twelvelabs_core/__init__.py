"""TwelveLabs' Embed API as Python: models, inputs and one client. The framework adapters are built on it.

.. code-block:: python

    from twelvelabs_core import EmbeddingClient, Image

    client = EmbeddingClient("marengo3.0")    # key from TWELVELABS_API_KEY
    client.embed("a red bike").vector         # 512 floats
    client.embed(Image("bike.jpg")).vector    # in the same space
"""

from ._assets import Asset, UploadProgress
from ._batch.batch import Outcome
from ._batch.plan import Plan
from ._batch.stream import SegmentsResult, StreamResult
from ._client import EmbeddingClient
from ._clips.audio import audio_wav
from ._clips.cut import Clip, clip
from ._clips.frames import Frame, frames
from ._embed.route import Part, plan_parts
from ._embed.truncate import estimate_tokens
from ._errors import (
    AuthenticationError,
    BatchError,
    CacheError,
    ConnectionFailedError,
    InvalidInputError,
    MalformedResponseError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    SharedLimitsError,
    TextTooLongError,
    TwelveLabsError,
    UnexpectedError,
)
from ._inputs import Audio, Composed, Document, Image, Item, Media, Source, Video
from ._limits import RateLimits, Window
from ._models import DEFAULT_MODEL, MODELS, MediaLimit, Model
from ._net.pace import advance_clock, local_only, no_waiting
from ._net.retry import RetryPolicy
from ._options import Dynamic, Fixed, Quadrants, SegmentOptions, Sentences, TimedText
from ._results import Embedding, Parts, Segment, Task, Usage
from ._stats import Budget, Progress, Stats
from ._store.fusion import Fused, fuse_ranks, fuse_scores
from ._store.identity import IdFrom
from ._store.metadata import check_space
from ._store.moments import Moment, merge_moments
from ._store.pool import pool
from ._store.rows import Row, clock, rows_of
from ._vectors import normalize

__all__ = [
    "DEFAULT_MODEL",
    "MODELS",
    "Asset",
    "Audio",
    "AuthenticationError",
    "BatchError",
    "Budget",
    "CacheError",
    "Clip",
    "Composed",
    "ConnectionFailedError",
    "Document",
    "Dynamic",
    "Embedding",
    "EmbeddingClient",
    "Fixed",
    "Frame",
    "Fused",
    "IdFrom",
    "Image",
    "InvalidInputError",
    "Item",
    "MalformedResponseError",
    "Media",
    "MediaLimit",
    "Model",
    "Moment",
    "Outcome",
    "Part",
    "Parts",
    "Plan",
    "Progress",
    "Quadrants",
    "QuotaExceededError",
    "RateLimitError",
    "RateLimits",
    "RetryPolicy",
    "Row",
    "Segment",
    "SegmentOptions",
    "SegmentsResult",
    "Sentences",
    "ServerError",
    "SharedLimitsError",
    "Source",
    "Stats",
    "StreamResult",
    "Task",
    "TextTooLongError",
    "TimedText",
    "TwelveLabsError",
    "UnexpectedError",
    "UploadProgress",
    "Usage",
    "Video",
    "Window",
    "advance_clock",
    "audio_wav",
    "check_space",
    "clip",
    "clock",
    "estimate_tokens",
    "frames",
    "fuse_ranks",
    "fuse_scores",
    "local_only",
    "merge_moments",
    "no_waiting",
    "normalize",
    "plan_parts",
    "pool",
    "rows_of",
]
