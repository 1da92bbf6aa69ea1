"""Settings that refuse what they do not know: pydantic's default is to drop it without a word."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from typing_extensions import Self


class StrictSettings(BaseModel):
    """Base of classes whose pydantic fields are settings. Each field's docstring is its description in the JSON schema.

    Raises:
        ValueError: a setting is unknown; the message names the one it is like. From the constructor it is pydantic's
            ``ValidationError``, which is one, as both frameworks have it.
    """

    model_config = ConfigDict(hide_input_in_errors=True, use_attribute_docstrings=True)

    @classmethod
    def _renamed(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Settings under the names of their fields. Subclasses translate other names here."""
        return given

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        try:
            return _known(cls, cls._renamed(dict(given)))
        except ValueError as error:
            refused = PydanticCustomError("unknown_setting", "{said}", {"said": str(error)})
        # An error of pydantic's own would hold all settings, and the API key with them.
        raise ValidationError.from_exception_data(cls.__name__, [{"type": refused, "input": None}], hide_input=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values for some fields; as pydantic's, but of an unknown name it is an error."""
        return super().model_copy(update=_known(type(self), self._renamed(dict(update or {}))), deep=deep)


def _known(cls: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    names = [*cls.model_fields, *(alias for field in cls.model_fields.values() for alias in _aliases(field))]
    for name in given:
        if name not in names:
            like = get_close_matches(str(name), names, n=1)
            hint = f"did you mean {like[0]!r}?" if like else f"it has {', '.join(sorted(names))}."
            raise ValueError(f"{cls.__name__} has no setting {name!r}; {hint}")
    return given


def _aliases(field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return [choice for choice in choices if isinstance(choice, str)]
