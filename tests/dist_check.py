"""Check the distributions in ``dist``: what is in them, and what an empty environment gets that installs them by name.

For each name and extra an environment of its own is made, without this one's packages. There the packages are imported,
``pip check`` finds nothing missing, and a text is embedded by the emulator; where a README of ours begins with an
example for that name, the example runs.

    python -m tests.dist_check dist

Several environments are made at a time; pip finds our names in the folder, and all others as ever.
"""

from __future__ import annotations

import argparse
import email.message
import email.parser
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.support import media
from twelvelabs_core._version import __version__
from twelvelabs_emulator import Emulator

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/twelvelabs-embeddings/twelvelabs-embeddings/blob/main/"
NAMES = ("twelvelabs-embeddings", "langchain-twelvelabs", "llama-index-embeddings-twelvelabs")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")

CORE = """
from twelvelabs_core import EmbeddingClient
assert len(EmbeddingClient().embed("a red bike").vector) == 512
"""
LANGCHAIN = """
from langchain_twelvelabs import TwelveLabsEmbeddings
assert len(TwelveLabsEmbeddings().embed_query("a red bike")) == 512
"""
LLAMA_INDEX = """
from llama_index_twelvelabs import TwelveLabsEmbedding
assert len(TwelveLabsEmbedding().get_query_embedding("a red bike")) == 512
"""
LLAMA_INDEX_NAME = """
import llama_index.embeddings.twelvelabs as named
import llama_index_twelvelabs as real
from llama_index.core.base.embeddings.base import BaseEmbedding
assert named.TwelveLabsEmbedding is real.TwelveLabsEmbedding and issubclass(named.TwelveLabsEmbedding, BaseEmbedding)
assert named.TwelveLabsEmbedding.class_name() == "TwelveLabsEmbedding"
assert len(named.TwelveLabsEmbedding().get_query_embedding("a red bike")) == 512
"""
NO_FRAMEWORK = """
from importlib.util import find_spec
names = ("langchain_core", "llama_index", "PIL", "av", "redis", "opentelemetry", "ray", "starlette")
found = [name for name in names if find_spec(name)]
assert not found, found
"""
EMULATOR = """
from twelvelabs_core import EmbeddingClient
from twelvelabs_emulator import Emulator
with Emulator() as emulator:
    client = EmbeddingClient(api_key=emulator.api_key, base_url=emulator.base_url)
    assert len(client.embed("a red bike").vector) == 512
"""
RAY = """
from ray_twelvelabs import EmbedBatch
(vector,) = EmbedBatch(text="caption")({"caption": ["a red bike"]})["embedding"]
assert len(vector) == 512
"""


@dataclass(frozen=True)
class Environment:
    """What is installed, and what must then work.

    Attributes:
        wanted: names for pip; ours get the version.
        code: Python that fails if something does not work.
        readme: a README whose first Python block runs besides.
    """

    wanted: tuple[str, ...]
    code: str
    readme: str | None = None


# Each extra once; langchain and llama-index by the names that bring them, and all with both names together.
ENVIRONMENTS = (
    Environment(("twelvelabs-embeddings",), CORE + NO_FRAMEWORK),
    # The first example of the README puts its vectors into Chroma.
    Environment(("twelvelabs-embeddings[langchain]", "langchain-chroma"), CORE + LANGCHAIN, "README.md"),
    Environment(("twelvelabs-embeddings[media]",), CORE + "import av, PIL"),
    Environment(("twelvelabs-embeddings[redis]",), CORE + "import redis"),
    Environment(("twelvelabs-embeddings[otel]",), CORE + "import opentelemetry.trace"),
    Environment(("twelvelabs-embeddings[emulator]",), EMULATOR),
    Environment(("twelvelabs-embeddings[ray]",), CORE + RAY),
    # LangChain's own store, of the first example, needs numpy.
    Environment(("langchain-twelvelabs", "numpy"), CORE + LANGCHAIN, "distributions/langchain-twelvelabs/README.md"),
    Environment(
        ("llama-index-embeddings-twelvelabs",),
        CORE + LLAMA_INDEX + LLAMA_INDEX_NAME,
        "distributions/llama-index-embeddings-twelvelabs/README.md",
    ),
    Environment(
        ("langchain-twelvelabs", "llama-index-embeddings-twelvelabs", "twelvelabs-embeddings[all]"),
        LANGCHAIN + LLAMA_INDEX_NAME + EMULATOR,
    ),
)


def metadata(wheel: Path) -> email.message.Message:
    """A wheel's METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return email.parser.Parser().parsestr(archive.read(name).decode())


def faults(dist: Path) -> Iterator[str]:
    """What is wrong with the files themselves: a missing one, a version, a link that leads nowhere elsewhere."""
    for name in NAMES:
        stem = f"{name.replace('-', '_')}-{__version__}"
        wheel = dist / f"{stem}-py3-none-any.whl"
        missing = [file.name for file in (wheel, dist / f"{stem}.tar.gz") if not file.is_file()]
        if missing:
            yield f"{', '.join(missing)} is missing: run make dist"
            continue
        page = str(metadata(wheel).get_payload())
        for link in (one or other for one, other in LINK.findall(page)):
            if not link.startswith(("https://", "#")):
                yield f"{wheel.name}: the link {link} is relative, and leads nowhere outside the repository"
            elif link.startswith(REPOSITORY) and not (ROOT / link[len(REPOSITORY) :].partition("#")[0]).exists():
                yield f"{wheel.name}: {link} is no file of the repository"


def pip(python: Path, *arguments: str) -> None:
    """Run this environment's pip for another one."""
    run(Path(sys.executable), "-m", "pip", "--disable-pip-version-check", "--python", str(python), *arguments)


def run(python: Path, *arguments: str, folder: Path | None = None, **variables: str) -> None:
    """Run Python without this environment's paths; what it printed is in the error."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TWELVELABS"))}
    command = [str(python), *arguments]
    done = subprocess.run(command, cwd=folder, env={**inherited, **variables}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)[:200]}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


def try_out(environment: Environment, dist: Path, emulator: Emulator) -> str:
    """Install into a new environment and run the code there. Returns what went wrong, or an empty text."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        python = place / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        work = place / "work"
        work.mkdir()
        (work / "bike.jpg").write_bytes(media.jpeg())
        (work / "hum.wav").write_bytes(media.wav(60, 6))
        service = {"TWELVELABS_API_KEY": emulator.api_key, "TWELVELABS_BASE_URL": emulator.base_url}
        try:
            run(Path(sys.executable), "-m", "venv", "--without-pip", str(place / "venv"))
            wanted = [f"{name}=={__version__}" if "twelvelabs" in name else name for name in environment.wanted]
            pip(python, "install", "--quiet", "--no-compile", "--find-links", str(dist.resolve()), *wanted)
            pip(python, "check")
            run(python, "-c", environment.code, folder=work, **service)
            if environment.readme is not None:
                block = BLOCK.search((ROOT / environment.readme).read_text("utf-8"))
                assert block, environment.readme
                run(python, "-c", block[1], folder=work, ANONYMIZED_TELEMETRY="False", **service)
        except RuntimeError as error:
            return str(error)
    return ""


def main() -> int:
    """Check everything, and say what is wrong. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Check the distributions in a folder, installed by name.")
    parser.add_argument("dist", type=Path, help="the folder with the wheels and sdists")
    parser.add_argument("--only", default="", help="only environments that install a name with this in it")
    parser.add_argument("--jobs", type=int, default=2, help="environments at a time")
    arguments = parser.parse_args()
    found = list(faults(arguments.dist))
    if found:
        print("\n".join(found))
        return 1
    chosen = [e for e in ENVIRONMENTS if arguments.only in " ".join(e.wanted)]
    failed = 0

    def timed(environment: Environment) -> tuple[str, float]:
        began = time.monotonic()
        return try_out(environment, arguments.dist, emulator), time.monotonic() - began

    with Emulator() as emulator, ThreadPoolExecutor(arguments.jobs) as pool:
        for environment, (fault, seconds) in zip(chosen, pool.map(timed, chosen), strict=True):
            failed += bool(fault)
            example = f", and the first example of {environment.readme}" if environment.readme else ""
            print(
                f"{'FAILED' if fault else 'ok':7}{seconds:4.0f} s  {' '.join(environment.wanted)}{example}", flush=True
            )
            if fault:
                print(fault, flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
