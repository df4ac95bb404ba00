"""BIDS datasets and derivatives for nnplug."""
