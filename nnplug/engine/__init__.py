"""Everything that touches nnU-Net and torch; no other part of nnplug imports either.

Call :func:`nnplug.engine.environment.enter` before anything else here: nnU-Net reads its
folders from the environment once, when it is imported.
"""
