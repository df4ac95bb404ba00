"""Labels whose classes are colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nnplug.errors import SourceError
from nnplug_png.options import parse_colour


def to_values(page: Image.Image, colours: Mapping[str, int], path: Path) -> NDArray[Any]:
    """Replace the colours of an 8-bit page by label values.

    Args:
        page: grey, palette or RGB, with or without opacity.
        colours: colour to value; see :class:`nnplug_png.options.PngLabels`.
        path: the file, for errors.

    Returns:
        uint8 (y, x).

    Raises:
        SourceError: a colour occurs that is not listed; it is named with its pixels.
    """
    codes = np.ascontiguousarray(page.convert("RGBA"), np.uint8).view("<u4")[..., 0]
    values = {
        int.from_bytes(bytes(parse_colour(text)), "little"): value
        for text, value in colours.items()
    }
    found, index, counts = np.unique(codes, return_inverse=True, return_counts=True)
    strange = [
        (n, code) for code, n in zip(found.tolist(), counts, strict=True) if code not in values
    ]
    if strange:
        some = sorted(strange, reverse=True)[:5]
        listed = ", ".join(f"{_name(code)} ({n} pixels)" for n, code in some)
        more = f" and {len(strange) - len(some)} more" if len(strange) > len(some) else ""
        raise SourceError(
            f"colours that converter.labels.colours does not list: {listed}{more}",
            where=str(path),
            hint="list every colour, the background's as well; were the edges smoothed?",
        )
    table = np.array([values[code] for code in found.tolist()], np.uint8)
    return table[index].reshape(codes.shape)


def _name(code: int) -> str:
    parts = code.to_bytes(4, "little")
    return "#" + (parts[:3] if parts[3] == 255 else parts).hex()
