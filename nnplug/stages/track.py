"""track: tell a run's trackers what they don't know yet; beside the training, or later."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from nnplug.catalog import Catalog
from nnplug.console import say, warn
from nnplug.errors import NnplugError, TrainingError
from nnplug.plugins import describe
from nnplug.stages.delivery import FOLDER, Delivery, deliveries
from nnplug.stages.record import now

LOG = "log.txt"
POLL_SECONDS = 1.0
LONGEST_PAUSE = 60.0
LAST_SECONDS = 10.0
NICENESS = 10
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Beside:
    """A process of its own that follows a run and tells its trackers; what goes wrong in it,
    or hangs, is no concern of the training.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        log = folder / FOLDER / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-P", "-m", "nnplug", "track", str(folder), "--follow"]
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the training
            )

    def finish(self) -> None:
        """Let it tell the rest, but not for long."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            code = self.process.wait(LAST_SECONDS + 2 * POLL_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if code:
            warn(
                f"not all trackers took everything (see {self.folder / FOLDER / LOG}); "
                f"nnplug track {self.folder} tells them the rest"
            )


def main(arguments: list[str]) -> None:
    """The verb; exits with 7 if a tracker did not take everything."""
    parser = argparse.ArgumentParser(prog="nnplug track", description=__doc__)
    parser.add_argument("folder", type=Path, help="of a fold: the one with run.json")
    parser.add_argument("--follow", action="store_true", help="until standard input ends")
    chosen = parser.parse_args(arguments)
    folder = chosen.folder.expanduser().resolve()
    found = deliveries(folder, Catalog.build())
    if not chosen.follow:
        _tell(found)
        return
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # they are for the training, whose end is seen
    os.nice(NICENESS)
    sys.exit(0 if _follow(found) else TrainingError.exit_code)


def _tell(found: list[Delivery]) -> None:
    missed = []
    for delivery in found:
        try:
            say(f"{delivery.name}: {delivery.catch_up()} epochs told")
        except (Exception, SystemExit) as error:
            missed.append(f"{delivery.name}: {describe(error)}")
    if not found:
        say("this run has no trackers")
    if missed:
        raise TrainingError("; ".join(missed), hint="what was taken is kept; try again later")


def _follow(found: list[Delivery]) -> bool:
    """Until standard input ends; returns whether everything was taken then."""
    gone = threading.Event()
    taken: set[str] = set()
    threads = [
        threading.Thread(target=_serve, args=(delivery, gone, taken), daemon=True)
        for delivery in found
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    gone.set()
    for thread in threads:
        thread.join(LAST_SECONDS)
    return taken == {delivery.name for delivery in found}


def _serve(delivery: Delivery, gone: threading.Event, taken: set[str]) -> None:
    pause = POLL_SECONDS
    while True:
        last = gone.is_set()
        try:
            delivery.catch_up()
            pause = POLL_SECONDS
            if last:
                taken.add(delivery.name)
        except (Exception, SystemExit) as error:
            pause = min(2 * pause, LONGEST_PAUSE)
            text = str(error) if isinstance(error, NnplugError) else describe(error)
            say(f"{now()} {delivery.name}: {text}")
        if last:
            return
        gone.wait(pause)
