"""The options of the converter ``png``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nnplug.rois import RoiOptions

PLANE_MM = 999.0  # nnU-Net v1's z spacing of two-dimensional images (convert_2d_image_to_nifti)


@dataclass(frozen=True)
class PngLabels(RoiOptions):
    """Options of the labels; ``rois``, ``priority`` and ``optional`` choose among objects.

    Attributes:
        colours: colour to label value, e.g. ``{"#ff0000": 1, "0,255,0": 2}``. A colour is
            ``#rrggbb`` or red, green and blue from 0 to 255 with commas or hyphens between
            (``255-0-0``, for the command line); a fourth part is the opacity, else full.
        masks: how a label is stored: ``whole`` in one file or stack like its image;
            ``objects`` as a folder with the mask of one object an entry, each like the image;
            ``slice_objects`` as a folder with one folder a slice, which holds its objects'
            masks. Objects go by the names of their files and folders.
    """

    colours: Mapping[str, int] = field(default_factory=dict)
    masks: Literal["whole", "objects", "slice_objects"] = "whole"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: a colour can't be read or stands twice, or a value is not 0 to 255.
        """
        super().__post_init__()
        if self.masks not in ("whole", "objects", "slice_objects"):
            raise ValueError(f"masks={self.masks!r} is none of whole, objects, slice_objects")
        if self.colours and self.masks != "whole":
            raise ValueError("colours are of whole labels, not of objects")
        parsed = [parse_colour(colour) for colour in self.colours]
        if len(set(parsed)) < len(parsed):
            raise ValueError(f"colours name a colour twice: {', '.join(self.colours)}")
        for colour, value in self.colours.items():
            if not 0 <= value <= 255:
                raise ValueError(f"colours: {colour} is {value}, not 0 to 255")


@dataclass(frozen=True)
class PngOptions:
    """What the files don't say.

    Attributes:
        spacing: voxel size along x (columns), y (rows), z (slices) in mm; needed. Two values
            are enough for two-dimensional images, which get nnU-Net's z spacing of 999 mm.
        origin: position of the first voxel along x, y, z in mm.
        rgb: what to do with colour images: ``error`` refuses them, ``split`` makes three
            channels of them, ``luminance`` one grey one.
        labels: colours and objects of labels.
    """

    spacing: tuple[float, float, float] | tuple[float, float] | None = None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rgb: Literal["error", "split", "luminance"] = "error"
    labels: PngLabels = field(default_factory=PngLabels)

    def __post_init__(self) -> None:
        """Turn lists into tuples of floats.

        Raises:
            ValueError: a value is out of range.
        """
        if self.spacing is not None:
            spacing = _numbers("spacing", self.spacing, "[x, y, z] or [x, y]", (2, 3))
            if min(spacing) <= 0:
                raise ValueError(f"spacing={list(spacing)}: every value has to be above 0 mm")
            object.__setattr__(self, "spacing", spacing)
        object.__setattr__(self, "origin", _numbers("origin", self.origin, "[x, y, z]", (3,)))
        if self.rgb not in ("error", "split", "luminance"):
            raise ValueError(f"rgb={self.rgb!r} is none of error, split, luminance")


def parse_colour(text: str) -> tuple[int, int, int, int]:
    """Return red, green, blue and opacity, each 0 to 255.

    Raises:
        ValueError: the text is no colour.
    """
    if re.fullmatch(r"#(?:[0-9a-fA-F]{2}){3,4}", text):
        parts = tuple(bytes.fromhex(text[1:]))
    elif re.fullmatch(r"\s*\d{1,3}(?:\s*[,-]\s*\d{1,3}){2,3}\s*", text):
        parts = tuple(int(part) for part in re.split(r"[,-]", text))
    else:
        parts = ()
    if not parts or max(parts) > 255:
        raise ValueError(f"colours: {text!r} is none; write '#ff0000' or '255-0-0'")
    red, green, blue, opacity = (*parts, 255)[:4]
    return red, green, blue, opacity


def _numbers(name: str, values: object, wanted: str, lengths: tuple[int, ...]) -> tuple[float, ...]:
    listed = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    numbers = [float(v) for v in listed if isinstance(v, int | float) and not isinstance(v, bool)]
    good = len(numbers) == len(listed) and len(listed) in lengths
    if not good or not all(math.isfinite(n) for n in numbers):
        raise ValueError(f"{name}={values!r} is not {wanted}, finite numbers in mm")
    return tuple(numbers)
