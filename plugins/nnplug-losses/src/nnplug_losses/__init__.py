"""Trainers with other losses for nnplug."""
