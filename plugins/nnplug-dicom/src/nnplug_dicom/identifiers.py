"""What in a DICOM file may identify a patient, a study, a device or a site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nnplug_dicom.headers.probe import HEAD, is_dicom

PERSON, UID, DATE = "PN", "UI", "DA"
STANDARD_UIDS = "1.2.840.10008."
KEYWORDS = frozenset(
    (
        *("AccessionNumber", "AdmissionID", "DetectorID", "DeviceSerialNumber", "GantryID"),
        *("FillerOrderNumberImagingServiceRequest", "PlacerOrderNumberImagingServiceRequest"),
        *("InstitutionAddress", "InstitutionName", "InstitutionalDepartmentName"),
        *("IssuerOfPatientID", "MedicalRecordLocator", "OtherPatientIDs", "PatientID"),
        *("PatientAddress", "PatientComments", "PatientTelephoneNumbers"),
        *("PerformedProcedureStepID", "RequestedProcedureID", "ScheduledProcedureStepID"),
        *("PerformedStationName", "StationName", "StudyID"),
    )
)


def identifiers(path: Path) -> Iterator[tuple[str, str]]:
    """Yield pairs of a keyword and its value.

    Those are every person's name, date and UID (but those of the standard itself), private
    ones included, and further attributes of the confidentiality profile (PS3.15, table E.1-1),
    at any depth of sequences. Nothing comes from a file that is not DICOM, or is damaged.
    """
    from pydicom import config, dcmread

    with path.open("rb") as stream:
        if not is_dicom(stream.read(HEAD)):
            return
    config.settings.reading_validation_mode = config.IGNORE
    try:
        dataset = dcmread(path, stop_before_pixels=True, force=True)
        elements = list(dataset.iterall())
    except Exception:  # pydicom raises what it likes; conversion tells about damaged files
        return
    for element in elements:
        keyword = element.keyword or f"({element.tag.group:04x},{element.tag.element:04x})"
        if element.VR not in (PERSON, UID, DATE) and keyword not in KEYWORDS:
            continue
        values = element.value if element.VM > 1 else [element.value]
        for value in values:
            text = str(value or "").strip()
            if text and not text.startswith(STANDARD_UIDS):
                yield keyword, text
