"""Config groups of this package."""
