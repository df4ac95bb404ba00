"""``python -m nap_sweep OVERRIDE ...``: the command line of the verb ``nap``."""

import sys

from nnplug import cli

cli.VERBS["nap"] = "sleep"
sys.argv[:1] = ["nnplug", "nap"]
cli.main()
