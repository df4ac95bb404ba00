"""nnplug: a plugin framework around the trainers of nnU-Net v1."""

__version__ = "0.1.0"
