"""nnplug's Hydra configuration, shipped as ``nnplug.conf``."""
