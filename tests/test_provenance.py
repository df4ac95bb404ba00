"""The git state of packages that are installed from a folder, and what is installed."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nnplug.stages import provenance


@pytest.fixture
def editable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the package ``mine``, which is installed with ``pip install -e``."""
    folder = tmp_path / "my plugin"
    folder.mkdir()
    about = json.dumps({"url": folder.as_uri(), "dir_info": {"editable": True}})
    genuine = importlib.metadata.distribution

    def distribution(name: str) -> Any:
        return SimpleNamespace(read_text=lambda _: about) if name == "mine" else genuine(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    return folder


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_commit_and_changes(editable: Path) -> None:
    def changes() -> Any:
        return provenance.sources(["mine"])["mine"]["changes"]

    code = editable / "trainer.py"
    code.write_text("lr = 1\n")
    git(editable, "init", "-q")
    git(editable, "add", ".")
    git(editable, "commit", "-qm", "first")
    expected = {"mine": {"commit": git(editable, "rev-parse", "HEAD"), "changes": None}}
    assert provenance.sources(["mine", "pytest", "not-installed"]) == expected
    (editable / "notes.md").write_text("not code")
    assert changes() is None
    code.write_text("lr = 2\n")
    first = changes()
    code.write_text("lr = 3\n")
    assert len({None, first, changes()}) == 3
    code.write_text("lr = 1\n")
    assert changes() is None


def test_a_folder_without_git(editable: Path) -> None:
    assert provenance.sources(["mine"]) == {"mine": {"commit": None, "changes": None}}


def test_every_package_is_listed() -> None:
    found = provenance.packages()
    assert found["pluggy"] == importlib.metadata.version("pluggy")
    assert list(found) == sorted(found, key=str.casefold)
