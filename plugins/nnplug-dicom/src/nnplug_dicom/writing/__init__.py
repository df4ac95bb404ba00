"""Masks as DICOM objects that belong to the series they were made from."""
