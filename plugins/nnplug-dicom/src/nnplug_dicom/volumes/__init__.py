"""From the planes of a series to one image."""
