"""The command line: verbs to stages, errors to exit codes. Imports nothing heavy."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from nnplug import __version__
from nnplug.errors import ConfigError, Interrupted, NnplugError

if TYPE_CHECKING:
    from nnplug.catalog import Catalog

VERBS = {
    "convert": "source images -> an nnU-Net task folder",
    "check": "look for mistakes in a task folder, or in a source before it is converted",
    "plan": "nnU-Net's integrity check, planning and preprocessing",
    "train": "convert and plan what is missing, then train and validate",
    "best": "choose among trained networks and their ensembles by cross-validation",
    "predict": "segment new images with a trained model",
    "evaluate": "score predictions against reference labels",
    "demo": "the whole way on a synthetic cohort, with pictures",
}
FLAGS = {
    "train": {"--dry-run": "dry_run=true"},
    "check": {"--json": "check.json=true", "--phi": "check.phi=true"},
}
PLAIN_VERBS = {
    "scan": "what a folder of scans holds, and what each thing can be used as",
    "init": "look at a folder of scans and write nnplug_conf/dataset/NAME.yaml for it",
    "bundle": "export, import and list models as files to share",
    "track": "tell a run's trackers what they don't know yet",
    "sweep": "how the jobs of a sweep stand, and a table of what came of them",
    "rerun": "repeat a run from its run.json",
    "diff": "what differs between two runs",
    "trainers": "every trainer: those of plugins and nnU-Net's own, and what can't be used",
    "new-plugin": "write a package of your own, complete with tests",
    "plugins": "what is installed, what it offers, what is broken",
    "doctor": "what this machine and installation can do",
}

NO_PLUGINS = "--no-plugins"

MULTIRUN = ("-m", "--multirun")

HELP = """\
nnplug {version} - nnU-Net v1 from a folder of scans to a scored prediction

usage: nnplug VERB [KEY=VALUE ...]

{verbs}

  nnplug init DIR             then: nnplug train dataset=NAME
  nnplug train dataset=lunglobe dataset.source=DIR trainer=v2_dp
  nnplug VERB --help          the verb's keys and their values
  nnplug VERB --cfg job       the composed configuration
  nnplug train -m fold=0,1,2  a sweep over anything in the configuration
  nnplug VERB --no-plugins    as if no plugin were installed
  nnplug --version

Your own groups in ./nnplug_conf (or NNPLUG_CONF) are found without a flag. NNPLUG_ROOT sets
paths.root. Completion: eval "$(nnplug -sc install=bash)". Exit codes: docs/exit-codes.md.
"""


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _dispatch(sys.argv[1:])
    except NnplugError as error:
        _report(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted("stopped by SIGTERM", hint="run the same command again to go on")


def _dispatch(arguments: list[str]) -> None:
    if NO_PLUGINS in arguments:
        arguments = [argument for argument in arguments if argument != NO_PLUGINS]
        os.environ["NNPLUG_BLOCK"] = "*"
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_help())
    elif arguments[0] == "--version":
        sys.stdout.write(f"nnplug {__version__}\n")
    elif arguments[0] in PLAIN_VERBS:
        module = arguments[0].replace("-", "_")
        importlib.import_module(f"nnplug.stages.{module}").main(arguments[1:])
    elif arguments[0] in VERBS:
        _run(arguments[0], arguments[1:])
    elif arguments[0].startswith(("-sc", "--shell-completion", "--shell_completion")):
        _complete(arguments)
    else:
        raise _unknown_verb(arguments[0])


def _help() -> str:
    width = max(map(len, (*VERBS, *PLAIN_VERBS)))
    verbs = "\n".join(f"  {verb:{width}}  {text}" for verb, text in (VERBS | PLAIN_VERBS).items())
    return HELP.format(version=__version__, verbs=verbs)


def _unknown_verb(word: str) -> ConfigError:
    import difflib

    near = difflib.get_close_matches(word, [*VERBS, *PLAIN_VERBS], n=1)
    lead = f"did you mean {near[0]}? " if near else ""
    return ConfigError(
        f"there is no verb {word!r}", hint=f"{lead}verbs: {', '.join((*VERBS, *PLAIN_VERBS))}"
    )


def _run(verb: str, arguments: list[str]) -> None:
    from nnplug.catalog import Catalog
    from nnplug.config import app
    from nnplug.sweeps.command import Jobs

    flags = FLAGS.get(verb, {})
    words = [flags.get(argument, argument) for argument in arguments]
    # Hydra's parser takes no flag after the first KEY=VALUE.
    sys.argv = ["nnplug", *sorted(words, key=lambda word: word not in MULTIRUN)]
    catalog = Catalog.build()
    gc.freeze()  # what is imported and offered stays to the end
    app.run(verb, _stage(verb), catalog, Jobs(verb, catalog))


def _stage(verb: str) -> Callable[[Mapping[str, Any], Catalog], Any]:
    def call(config: Mapping[str, Any], catalog: Catalog) -> Any:
        return importlib.import_module(f"nnplug.stages.{verb}").main(config, catalog)

    return call


def _complete(arguments: list[str]) -> None:
    """Answer a shell's completion: the verb here, what follows it by Hydra."""
    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    if "query" not in arguments[-1] or (len(words) > 1 and words[1] in VERBS and " " in line):
        verb = words[1] if len(words) > 1 and words[1] in VERBS else "train"
        if "query" in arguments[-1] and len(words) == 2 and not line.endswith(" "):
            sys.stdout.write(f"{verb}\n")
            return
        rest = line.partition(verb)[2] if "query" in arguments[-1] else ""
        os.environ["COMP_LINE"] = f"nnplug{rest}"
        _run(verb, arguments)
        return
    typed = words[1] if len(words) > 1 else ""
    for verb in (*VERBS, *PLAIN_VERBS):
        if verb.startswith(typed):
            sys.stdout.write(f"{verb}\n")


def _report(error: NnplugError) -> None:
    if os.environ.get("NNPLUG_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    else:
        sys.stderr.write(f"nnplug: {error}\n")
