"""Run the demo: ``make demo``, or ``python -m demo`` in this folder's parent."""

from __future__ import annotations

import sys

from .app import main

if __name__ == "__main__":
    sys.exit(main())
