"""DICOM series for nnplug."""
