"""What the sidecar of an image says of people and places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from nnplug_bids.names import IMAGES

LARGEST = 1 << 22
# Written by DICOM converters that don't anonymise, and BIDS' own of sites and machines.
KEYS = (
    *("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyID"),
    *("StudyInstanceUID", "SeriesInstanceUID", "ReferringPhysicianName", "PhysiciansOfRecord"),
    *("OperatorsName", "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName"),
    *("StationName", "DeviceSerialNumber"),
)


def identifiers(path: Path) -> Iterator[tuple[str, str]]:
    """Yield pairs of a key and its text in the JSON file beside an image.

    Nothing comes from other files, or where there is no sidecar that can be read.
    """
    ending = next((e for e in IMAGES[::-1] if path.name.endswith(e)), "")
    sidecar = path.with_name(path.name.removesuffix(ending) + ".json")
    try:
        if not ending or sidecar.stat().st_size > LARGEST:
            return
        content = json.loads(sidecar.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    for key in KEYS if isinstance(content, dict) else ():
        if isinstance(content.get(key), str) and content[key].strip():
            yield key, content[key].strip()
