"""Trainers for nnplug."""
