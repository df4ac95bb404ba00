"""Sweeps: many jobs of one verb, each a folder and a process of its own, on any engine."""
