"""Files that clients have sent: on disk, in a directory of the emulator's own."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import weakref
from pathlib import Path

__all__ = ["Files"]


class Files:
    """A directory made when the first file needs it, and deleted at the end of the emulator or the process."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._numbers = itertools.count()
        self._end: weakref.finalize[..., Files] | None = None

    def new(self) -> Path:
        """Return the path of a file that is not there yet."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="twelvelabs-emulator-"))
            self._end = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        return self._directory / f"{next(self._numbers)}"

    def clear(self) -> None:
        """Delete everything."""
        if self._end is not None:
            self._end()
        self._directory = self._end = None
