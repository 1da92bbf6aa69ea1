"""Optional packages: which extra brings what an import misses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs_extra(extra: str, *packages: str) -> Iterator[None]:
    """Name the extra to install if an import inside misses one of its packages.

    Args:
        extra: of this distribution: ``langchain``.
        packages: what it brings: ``langchain_core``.

    Raises:
        ModuleNotFoundError: one of the packages is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in packages:
            raise
        raise ModuleNotFoundError(
            f"{error.name} is not installed: pip install 'twelvelabs-embeddings[{extra}]'.", name=error.name
        ) from error
