"""Pictures, films, sounds and texts found by one another, through LangChain and LlamaIndex.

    python examples/demo.py [--media FOLDER] [--query TEXT]

With TWELVELABS_API_KEY it asks the real service, without it an emulator with toy vectors. The code is in demo/.
"""

from __future__ import annotations

import sys

from demo.app import main

if __name__ == "__main__":
    sys.exit(main())
