"""Files that clients have sent, in a temporary directory of the emulator."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import weakref
from pathlib import Path


class Files:
    """A directory, created with its first file and deleted when the emulator or the process ends."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._numbers = itertools.count()
        self._delete: weakref.finalize[..., Files] | None = None

    def new(self) -> Path:
        """Return a path at which no file exists yet."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="twelvelabs-emulator-"))
            self._delete = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        return self._directory / f"{next(self._numbers)}"

    def clear(self) -> None:
        """Delete everything."""
        if self._delete is not None:
            self._delete()
        self._directory = self._delete = None
