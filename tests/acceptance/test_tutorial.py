"""The tutorial for plugin authors does what it says, block by block."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from acceptance_tools import run_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PAGE = Path(__file__).parents[2] / "docs" / "plugins" / "tutorial.md"
BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_tutorial(fresh_bin: Path, tmp_path: Path) -> None:
    said = ""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) > 10
    for name, kind, text in blocks:
        if kind == "sh":
            path = f"{fresh_bin}:{os.environ['PATH']}"
            done = run_command(["bash", "-e", "-c", text], tmp_path, PATH=path)
            said = " ".join((done.stdout + done.stderr).split())
        elif kind == "text":
            for line in text.splitlines():
                assert " ".join(line.split()) in said
        else:
            assert name, f"no file is named for this block:\n{text}"
            target = tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
