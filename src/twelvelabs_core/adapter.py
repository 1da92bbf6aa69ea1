"""What every framework's adapter shares: the settings as pydantic fields, the client made from them, vectors out.

A framework class inherits :class:`Adapter` beside its framework's base class and maps that framework's method names
onto :meth:`_vectors`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, field_validator

from ._client import EmbeddingClient
from ._config import API_KEY_VARIABLES
from ._embed.truncate import Truncate
from ._errors import TwelveLabsError
from ._inputs import Item
from ._limits import RateLimits
from ._models import Model
from ._results import Embedding
from ._stats import Budget

__all__ = ["Adapter"]


def _key_from_environment() -> SecretStr | None:
    found = next((os.environ[name] for name in API_KEY_VARIABLES if os.environ.get(name)), None)
    return SecretStr(found) if found else None


class Adapter(BaseModel):
    """Settings of an :class:`EmbeddingClient` as fields, and the client.

    The fields stay true: after ``model_copy(update=…)`` or an assignment the next call uses a client made from the
    new values. The key is a ``SecretStr`` and is left out of every dump and repr; it is kept by pickling.
    """

    # A validation error that prints its input would print the key.
    model_config = ConfigDict(
        arbitrary_types_allowed=True, hide_input_in_errors=True, protected_namespaces=(), populate_by_name=True
    )

    api_key: SecretStr | str | None = Field(default_factory=_key_from_environment, exclude=True, repr=False)
    """Else ``TWELVELABS_API_KEY``, else ``TWELVE_LABS_API_KEY``."""
    base_url: str | None = None
    """With the version (``…/v1.3``); else ``TWELVELABS_BASE_URL``, else the public address."""
    api_version: str | None = None
    """``v1`` or ``v2``; the model's own default if None."""
    dimensions: int | None = None
    """Vector length; the model's default if None. Only marengo3.5 has a choice: 512, 256, 128."""
    truncate: Truncate = "end"
    """An over-long text: cut its ``end`` or ``start``, raise (``none``), or ``average`` chunks."""
    count_tokens: Callable[[str], int] | None = Field(default=None, exclude=True, repr=False)
    """Token counter for texts; the default estimates on the high side."""
    max_concurrency: int = 64
    """Requests under way at a time."""
    rate_limits: RateLimits | None = None
    """What the account may send, for example ``RateLimits.free()``; None = learn from the server's answers."""
    max_wait: float = 120.0
    """Longest wait for a limit, in seconds; a longer one raises ``QuotaExceededError``."""
    max_retries: int = 5
    """Tries after the first for 408, 429, 5xx and broken connections."""
    timeout: float = 120.0
    """Seconds without a byte from the server before a request counts as lost."""
    cache: Any = Field(default=None, exclude=True, repr=False)
    """Path of a SQLite file, or an object with ``mget`` and ``mset``: every vector is kept there as soon as it arrives.
    """
    budget: Budget | int | None = Field(default=None, exclude=True)
    """Hard cap on requests (a number), or on requests and media minutes."""
    keep_assets: bool = False
    """Leave uploaded files on the server after use; by default they are deleted."""
    task_timeout: float = 3600.0
    """Seconds a task (a long film) may take."""
    rate_limiter: Any = Field(default=None, exclude=True, repr=False)
    """A limiter object of the framework, asked before every request, pictures too."""
    transport: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.AsyncBaseTransport`` instead of the default one."""

    _client: EmbeddingClient | None = PrivateAttr(default=None)
    _made_from: dict[str, Any] | None = PrivateAttr(default=None)

    @field_validator("api_key")
    @classmethod
    def _hide_key(cls, key: SecretStr | str | None) -> SecretStr | None:
        """None is looked up now, so that a copy made later does not depend on the environment then."""
        return SecretStr(key) if isinstance(key, str) else key or _key_from_environment()

    def model_post_init(self, context: Any, /) -> None:
        """Make the client, so that a wrong model, dimension or missing key is told here and not at the first call."""
        super().model_post_init(context)
        _ = self.client

    def _model(self) -> str | Model:
        """Each framework has its own name for the field."""
        raise NotImplementedError

    @property
    def client(self) -> EmbeddingClient:
        """The core client these settings describe."""
        settings = {name: getattr(self, name) for name in Adapter.model_fields} | {"model": self._model()}
        if self._client is None or self._made_from != settings:
            self._client, self._made_from = EmbeddingClient(**settings), settings
        return self._client

    @property
    def space(self) -> str:
        """The vector space, for example ``marengo3.0/512``. Vectors compare only within one space."""
        return self.client.space

    def _vector(self, item: Item, name: str, *, prepaid: int = 0) -> list[float]:
        return self.client.embed(item, name=name, prepaid=prepaid).vector

    async def _avector(self, item: Item, name: str, *, prepaid: int = 0) -> list[float]:
        return (await self.client.aembed(item, name=name, prepaid=prepaid)).vector

    def _vectors(
        self, items: Iterable[Item], name: str, *, progress: bool = False, prepaid: int = 0
    ) -> list[list[float]]:
        try:
            found = self.client.embed_many(items, name=name, progress=progress, prepaid=prepaid)
        except TwelveLabsError as error:
            raise _with_vectors(error) from error.__cause__
        return [embedding.vector for embedding in found]

    async def _avectors(
        self, items: Iterable[Item], name: str, *, progress: bool = False, prepaid: int = 0
    ) -> list[list[float]]:
        try:
            found = await self.client.aembed_many(items, name=name, progress=progress, prepaid=prepaid)
        except TwelveLabsError as error:
            raise _with_vectors(error) from error.__cause__
        return [embedding.vector for embedding in found]


def _with_vectors(error: TwelveLabsError) -> TwelveLabsError:
    """What was finished, in the frameworks' own currency: plain vectors."""
    error.results = [found.vector if isinstance(found, Embedding) else found for found in error.results]
    return error
