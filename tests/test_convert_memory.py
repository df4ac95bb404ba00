"""What a worker needs at most: three volumes."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_memory import peak

VOLUMES = 3.0


@pytest.mark.slow
@pytest.mark.parametrize("converter", ["nifti", "dicom"])
def test_peak_memory_of_a_worker(tmp_path: Path, converter: str) -> None:
    assert peak(tmp_path, converter) <= VOLUMES
