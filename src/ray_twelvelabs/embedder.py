"""What :class:`EmbedBatch` and :class:`EmbedSegments` have in common: settings, the column read, errors of rows."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args

import pyarrow as pa
from pydantic import SecretStr

from twelvelabs_core import EmbeddingClient, InvalidInputError, Item, Outcome, Stats, TwelveLabsError
from twelvelabs_core.adapter import MEDIA_TYPES, describe

from .columns import Batch, as_table, check_columns, medium, values
from .stats import JobStats

R = TypeVar("R")
AccountErrors: TypeAlias = Literal["raise", "column"]

# A day, and the time a server's clock may be off: the longest window of any plan.
DAILY_WINDOW_SEC = 90_000.0


class ColumnEmbedder(ABC, Generic[R]):
    """Embeds one column of batches. Made once in each worker, from ``fn_constructor_kwargs``.

    Not a pydantic model: Ray makes subclasses of its own, and sets attributes.

    Args:
        name: of the class, for messages: Ray's subclasses have names of their own.
        columns: the column named for each kind, None where none is.
        source, prefix, max_wait, account_errors, stats, settings: as for :class:`EmbedBatch`.
        own: names of further arguments of the class, for messages.

    Raises:
        InvalidInputError: not exactly one column is named, or a setting is refused.
        AuthenticationError: no key anywhere.
    """

    def __init__(
        self,
        name: str,
        columns: Mapping[str, str | None],
        *,
        source: str | None,
        prefix: str,
        max_wait: float,
        account_errors: AccountErrors | None,
        stats: JobStats | None,
        settings: dict[str, Any],
        own: Sequence[str] = (),
    ) -> None:
        for setting in ("api_key", "cache"):  # first: error trackers show the locals of frames
            if isinstance(settings.get(setting), str):
                settings[setting] = SecretStr(settings[setting])
        _check_settings(name, settings, own=[*columns, *own, "source", "prefix", "account_errors", "stats"])
        given = {kind: column for kind, column in columns.items() if column is not None}
        if len(given) != 1:
            raise InvalidInputError(
                f"{name} reads one column, named by one of {', '.join(f'{kind}=' for kind in columns)}; got "
                f"{', '.join(f'{kind}={column!r}' for kind, column in given.items()) or 'none'}. "
                "Two columns become two vectors by two steps, the second with prefix=."
            )
        ((self._kind, self._column),) = given.items()
        if source is not None and self._kind == "text":
            raise InvalidInputError("source= names where files of a column of bytes come from; texts have none.")
        if account_errors not in (None, *get_args(AccountErrors)):
            raise InvalidInputError(f"account_errors={account_errors!r} is not one of raise, column.")
        if not (stats is None or isinstance(stats, JobStats)):
            raise InvalidInputError(f"stats= takes a JobStats(), got {describe(stats)}.")
        cache = settings.get("cache")
        if callable(cache) and not hasattr(cache, "mget"):
            settings["cache"] = cache()
        self.client = EmbeddingClient(max_wait=max_wait, **settings)
        self._name, self._source, self._prefix = name, source, prefix
        self._ends_job = (account_errors or ("column" if settings.get("cache") is None else "raise")) == "raise"
        self._reporter = None if stats is None else stats.reporter()

    # -- one batch ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def _added(self) -> Sequence[str]:
        """The names of the columns that are added, without the prefix."""

    @abstractmethod
    def _embed(self, items: list[Any], sources: Sequence[str | None]) -> Outcome[R]:
        """Embed some rows' items.

        Args:
            sources: where each comes from, if ``source=`` says so.
        """

    def _read(self, batch: Batch) -> tuple[pa.Table, list[R | None], list[str | None]]:
        """A batch as a table, and of each row the result or what is wrong.

        Raises:
            InvalidInputError: a column is missing, or there already.
            TwelveLabsError: about the account, with ``account_errors="raise"``.
        """
        table = as_table(batch)
        read = [self._column] if self._source is None else [self._column, self._source]
        check_columns(table, read, [self._prefix + name for name in self._added()], self._name)
        places: Sequence[Any] = [None] * table.num_rows if self._source is None else values(table, self._source)
        items: dict[int, Item] = {}
        errors: list[str | None] = [None] * table.num_rows
        for row, (value, place) in enumerate(zip(values(table, self._column), places, strict=True)):
            try:
                items[row] = _item(self._kind, value, place)
            except TwelveLabsError as error:
                errors[row] = told(error)
        refused = table.num_rows - len(items)
        if self._reporter is not None and refused:
            self._reporter.add(Stats(items=refused, failed=refused))
        outcome = self._embed(list(items.values()), [places[row] for row in items])
        if outcome.fatal is not None and self._ends_job:
            raise outcome.fatal  # without results: the cache has them, and Ray would copy them to the driver
        results: list[R | None] = [None] * table.num_rows
        for index, row in enumerate(items):
            results[row] = outcome.results[index]
            why = outcome.errors.get(index) or (outcome.fatal if results[row] is None else None)
            errors[row] = None if why is None else told(why)
        return table, results, errors

    def _add(self, table: pa.Table, columns: dict[str, pa.Array]) -> pa.Table:
        """The table with more columns; their names without the prefix."""
        fields = [*table.schema, *(pa.field(self._prefix + name, column.type) for name, column in columns.items())]
        # Not appended: a table that has lost its last column has no rows either.
        return pa.Table.from_arrays(
            [*table.columns, *columns.values()], schema=pa.schema(fields, table.schema.metadata)
        )


def _check_settings(name: str, settings: Mapping[str, Any], own: Sequence[str]) -> None:
    """Refuse settings that neither the client nor the class has, and those that hold in one process only."""
    known = list(inspect.signature(EmbeddingClient).parameters)
    for setting in settings:
        if setting not in known:
            raise InvalidInputError(f"{name} has no setting {setting!r}; it has {', '.join([*own, *known])}.")
    if settings.get("budget") is not None:
        raise InvalidInputError(
            "budget= is counted in each process: every worker would spend it, and again what replaces a lost one. Cap "
            "the rows instead: Dataset.limit(n); client.plan(items) counts requests before."
        )


def _item(kind: str, value: Any, place: Any) -> Item:
    if value is None:
        raise InvalidInputError("is null.")
    if kind == "text":
        item: Item = value
        return item
    if place is not None and not isinstance(place, str):
        raise InvalidInputError(f"its source is a {type(place).__name__}; expected a path or URL.")
    return medium(MEDIA_TYPES[kind], value, place)  # type: ignore[index]


def told(error: TwelveLabsError) -> str:
    """An error as a row's column tells it: its class, what happened, and the server's status and code.

    The item's label is left out: its number is one of the batch.
    """
    text = str(error)
    if error.item is not None:
        text = text.removeprefix(f"{error.item}: ")
    return f"{type(error).__name__}: {text}"
