"""What every kind of media has in common: size, and how a refusal reads."""

from __future__ import annotations

from ...protocol.errors import ApiError, invalid
from ...protocol.models import Model
from ...protocol.settings import Settings
from .source import Source

__all__ = ["check_size", "refused"]


def refused(source: Source, why: str, *, code: str = "parameter_invalid", status: int = 400) -> ApiError:
    """A file the API does not take."""
    return invalid(source.parameter, why, code=code, status=status)


def check_size(
    source: Source, megabytes: int, model: Model, settings: Settings, *, code: str = "parameter_invalid"
) -> None:
    """Raise the API's 400, or 413 for marengo3.5, if a file is larger than so many megabytes."""
    if not source.size:
        raise refused(source, "The file is empty.")
    if source.size > megabytes * settings.megabyte:
        status = settings.too_large_status if model.limits_every_source else 400
        raise refused(source, f"The file must not be larger than {megabytes} MB.", code=code, status=status)
