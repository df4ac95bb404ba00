"""Labels from DICOM segmentations and structure sets."""
