"""MLflow for nnplug."""
