"""PNG, TIFF and JPEG slices for nnplug."""
