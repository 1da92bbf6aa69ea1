"""What an import costs over the framework's own."""

from __future__ import annotations

import json
import subprocess
import sys

from .figures import Bar, Case, interleaved
from .service import Server

__all__ = ["imports"]

# Both packages are lazy: what costs is the class, so that each is measured twice, like beside like.
LAZY = ("import langchain_core.embeddings", "import langchain_twelvelabs")
CLASS = (
    "from langchain_core.embeddings import Embeddings",
    "from langchain_twelvelabs import TwelveLabsEmbeddings",
)
LLAMA = ("from llama_index.core.embeddings import MultiModalEmbedding", "import llama_index_twelvelabs")
HEAVY = ("httpx", "aiohttp", "numpy", "PIL", "av", "tqdm", "sqlite3", "langchain_core", "llama_index.core")
_CODE = """
import json, sys, time
started = time.perf_counter()
{statement}
seconds = time.perf_counter() - started
print(json.dumps([seconds, [name for name in {heavy} if name in sys.modules], len(sys.modules)]))
"""


def imports(server: Server, *, rounds: int, quick: bool) -> Case:
    """Case 13: fresh interpreters, taking turns."""
    loaded: dict[str, tuple[list[str], int]] = {}

    def measure(statement: str) -> float:
        code = _CODE.format(statement=statement, heavy=HEAVY)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        seconds, heavy, modules = json.loads(done.stdout)
        loaded[statement] = heavy, modules
        return float(seconds)

    rows = interleaved(LAZY + CLASS, 2 * rounds, measure, "s") + interleaved(LLAMA, rounds, measure, "s")
    case = Case("imports", "Import", "Each in a fresh interpreter, taking turns.", rows)
    for theirs, ours in (LAZY, CLASS):
        more = [a - b for a, b in zip(case.row(ours).samples, case.row(theirs).samples, strict=True)]
        case.bars.append(Bar(f"`{ours}` over `{theirs}`", more, 0.25, False, "s"))
    for theirs, mine in (CLASS, LLAMA):
        added = [name for name in loaded[mine][0] if name not in loaded[theirs][0]]
        case.notes.append(
            f"`{mine}` brings {loaded[mine][1] - loaded[theirs][1]} modules more than `{theirs}`"
            + (f", among them {', '.join(added)}." if added else "; of the heavy ones none.")
        )
    return case
