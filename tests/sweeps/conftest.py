"""Folders for sweeps of naps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from napping import Naps


@pytest.fixture
def naps(tmp_path: Path) -> Callable[..., Naps]:
    """``naps("sweep=joblib")`` makes a folder for sweeps with these overrides."""

    def make(*engine: str, **variables: str) -> Naps:
        return Naps(tmp_path, engine, variables)

    return make
