"""Reading image files: what converters of ITK-readable formats share, and the NIfTI converter."""
