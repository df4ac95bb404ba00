"""Makes the verbs of the tests known in every process that they start."""

from pathlib import Path

import nnplug.stages

nnplug.stages.__path__.append(str(Path(__file__).parents[1] / "verbs"))
