"""Searches over nnplug's configuration with Optuna."""
