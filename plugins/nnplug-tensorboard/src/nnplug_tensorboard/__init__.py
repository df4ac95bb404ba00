"""TensorBoard for nnplug."""
