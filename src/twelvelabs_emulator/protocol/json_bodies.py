"""JSON bodies as pydantic models, whose errors become the API's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError
from pydantic_core import PydanticCustomError

from .errors import ApiError, invalid, missing, unknown_field
from .settings import Settings


class Body(BaseModel):
    """Base of JSON objects. Unknown keys are kept, so that `parse` can refuse or ignore them."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


B = TypeVar("B", bound=Body)
T = TypeVar("T")


def _integral(value: Any) -> Any:
    """Accept 5.0 where JSON means 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


#: A JSON number without a fraction.
Integer = Annotated[int, BeforeValidator(_integral)]
#: A JSON list of at least one item; equal items count once. ``Choices[Literal["clip", "asset"]]``.
Choices = Annotated[tuple[T, ...], Strict(False), Field(min_length=1), AfterValidator(_unique)]


def required() -> PydanticCustomError:
    """Return the error of a field that is required because of another one."""
    return PydanticCustomError("missing", "Field required")


def refused(why: str) -> PydanticCustomError:
    """Return the error of a value that the API does not accept, with a complete sentence."""
    return PydanticCustomError("refused", "{why}", {"why": why})


def parse(kind: type[B], value: Any, settings: Settings, path: str = "") -> B:
    """Return the body as a model; ``path`` names its place in the request. Raises the API's 400.

    ``null`` means absent, or is refused by settings; unknown keys are refused, or ignored by settings.
    """
    if not isinstance(value, dict):
        raise invalid(path or "body", "It must be an object.")
    if settings.null_fields == "refuse":
        for null in _nulls(value, path):
            raise invalid(null, "It must not be null.")
    try:
        body = kind.model_validate(_without_nulls(value))
    except ValidationError as error:
        raise _first_error(error, path) from None
    if settings.unknown_fields == "refuse":
        for name in _unknown(body, path):
            raise unknown_field(name)
    return body


def join_path(path: str, *keys: str | int) -> str:
    """Name a key as error messages do: ``multi_input.media_sources[0].url``."""
    for key in keys:
        path = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else key
    return path


def _first_error(error: ValidationError, path: str) -> ApiError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = join_path(path, *first["loc"])
    if first["type"] == "missing":
        return missing(name)
    return invalid(name, first["msg"] if first["type"] == "refused" else f"{first['msg']}.")


def _items(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((join_path(path, name), item) for name, item in value.items())
    elif isinstance(value, list):
        yield from ((join_path(path, number), item) for number, item in enumerate(value))


def _nulls(value: Any, path: str) -> Iterator[str]:
    for name, item in _items(value, path):
        if item is None:
            yield name
        else:
            yield from _nulls(item, name)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _unknown(value: Any, path: str) -> Iterator[str]:
    """Name the keys that no model declares, innermost first."""
    if isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _unknown(item, join_path(path, number))
    if not isinstance(value, Body):
        return
    for name in type(value).model_fields:
        yield from _unknown(getattr(value, name), join_path(path, name))
    yield from (join_path(path, name) for name in value.model_extra or ())
