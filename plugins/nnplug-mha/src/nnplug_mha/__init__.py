"""MetaImage and NRRD files for nnplug."""
