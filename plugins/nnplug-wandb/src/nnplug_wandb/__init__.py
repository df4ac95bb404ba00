"""Weights & Biases for nnplug."""
