"""The recipes of docs/langchain.md work as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support import media
from twelvelabs_emulator import Emulator

PAGE = Path(__file__).parents[2] / "docs" / "langchain.md"


def test_recipes(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name, content in {
        "videos/beach.mp4": media.mp4((("red", 6, 440), ("blue", 6, 440)), size=(360, 360), fps=4),
        "audio/hum.wav": media.wav(60, 6),
        "poster.png": media.png("purple"),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWELVELABS_API_KEY", emulator.api_key)
    monkeypatch.setenv("TWELVELABS_BASE_URL", emulator.base_url)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert re.search(
        r"^beach\.mp4 00:00:00-\S+ \S+ \d+ videos/beach\.mp4#t=0,\d+$", capsys.readouterr().out, re.MULTILINE
    )
    assert (tmp_path / "vectors.sqlite").exists()
