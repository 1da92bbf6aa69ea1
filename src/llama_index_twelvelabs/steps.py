"""Several embedding calls for one list of nodes: what each has finished, and what failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from twelvelabs_core import BatchError, InvalidInputError, TwelveLabsError
from twelvelabs_core.adapter import stops_all

logger = logging.getLogger(__name__)


class Steps:
    """The results and errors of the calls, by name.

    A call of which some items failed does not stop the others; any other error does.

    Attributes:
        found: results of a call's items, in order; None, or none at all, for those without.
    """

    def __init__(self) -> None:
        self.found: dict[str, Sequence[Any]] = {}
        self._failed: dict[str, BatchError] = {}
        self._fatal: TwelveLabsError | None = None

    @property
    def stopped(self) -> bool:
        """Whether an error was met that concerns the other calls too."""
        return self._fatal is not None

    def errors(self, name: str) -> Mapping[int, TwelveLabsError]:
        """The errors of a call's items, by their place in it."""
        return self._failed[name].errors if name in self._failed else {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Keep the error of the call made inside, with its results."""
        try:
            yield
        except BatchError as error:
            self.found[name], self._failed[name] = error.results, error
        except TwelveLabsError as error:
            self.found[name], self._fatal = error.results, error

    def finish(
        self,
        results: Sequence[Any],
        owners: Mapping[str, Sequence[int]],
        unsent: Mapping[int, TwelveLabsError],
        labels: Sequence[str] | None = None,
    ) -> None:
        """Raise what failed, if anything did, as one error; or log what may be left out.

        Args:
            results: for every node, None for a failed one.
            owners: index of the node of each item, by the name of its call.
            unsent: errors found before the calls, by the index of their node.
            labels: of the nodes, if those that fail are left out.

        Raises:
            TwelveLabsError: the error that stopped the calls, with the results.
            BatchError: the errors of items, by the index of their node.
        """
        if self._fatal is not None:
            self._fatal.results = list(results)
            if isinstance(self._fatal, InvalidInputError) and len(results) > 1:
                self._fatal.message += " To go on without such files: on_error='skip'."
            raise self._fatal
        errors = {owners[name][i]: found for name, batch in self._failed.items() for i, found in batch.errors.items()}
        errors = dict(sorted((errors | dict(unsent)).items()))
        if labels is None:
            if errors:
                raise BatchError(results, errors)
            return
        for index, error in errors.items():
            if stops_all(error):
                error.results = list(results)
                raise error
            logger.warning("%s was skipped: %s", labels[index], error)
