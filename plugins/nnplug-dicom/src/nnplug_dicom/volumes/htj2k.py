"""High-Throughput JPEG 2000 through GDCM: pydicom has no decoder for it without more packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gdcm  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

HTJ2K = {f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)}


def read_htj2k(path: Path) -> NDArray[Any]:
    """Return the stored values of all frames (frames, rows, columns).

    Raises:
        ValueError: GDCM can't read the file.
    """
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    if not reader.Read():
        raise ValueError("GDCM can't read it")
    image = reader.GetImage()
    pixel = image.GetPixelFormat()
    kind = f"<{'i' if pixel.GetPixelRepresentation() else 'u'}{pixel.GetBitsAllocated() // 8}"
    # GDCM's Python binding gives bytes as text, each that is no UTF-8 as a surrogate.
    values = image.GetBuffer().encode("utf-8", "surrogateescape")
    columns, rows = image.GetDimension(0), image.GetDimension(1)
    return np.frombuffer(values, kind).reshape(-1, rows, columns)
