"""Synthetic data to try nnplug with: no download, no patients."""
