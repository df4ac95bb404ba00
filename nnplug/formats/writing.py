"""Masks as plain images, in the formats that ITK writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import SimpleITK as sitk

from nnplug.types import CaseSource


class ImageWriter:
    """Writes the mask as one image; the file's suffix is the format."""

    def write(
        self,
        mask: sitk.Image,
        labels: Mapping[str, int],
        case: CaseSource,
        channel: int,
        path: Path,
    ) -> None:
        """Write the label values; their names have no place in these formats."""
        sitk.WriteImage(mask, str(path), useCompression=path.suffix != ".nii")
