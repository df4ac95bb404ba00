"""A tracker is told of a made-up run, as in nnplug's process for it; prints what went wrong.

Run as ``python -m nnplug.testing._tracker_steps SCENE PLUGIN TRACKER OPTIONS FOLDER``.
"""

from __future__ import annotations

import copy
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nnplug.catalog import load
from nnplug.config.build import build
from nnplug.runs import RunInfo, Tracker
from nnplug.testing._steps import take, tell
from nnplug.testing.host import subject

FIGURE = "train_loss"
FIRST = {1: 0.75, 2: 0.5, 3: 0.25}
LATER = {3: 0.125, 4: 0.0625, 5: 0.03125}
LABELS = ("core", "linker Lappen (oben)", "50 %: Größe/Lage")
STATUSES = ("finished", "failed", "interrupted", "pruned")
NEVER_TOLD = "Miller_Anna"
CONFIG = {"seed": 3, "trainer": {"name": "v2", "epochs": 5}, "dataset": {"name": "Liver"}}
HEAVY = {"torch", "nnunet", "tensorflow"}


def run(folder: Path, *, resumed: bool = False) -> RunInfo:
    """The made-up run, which lies below ``folder``."""
    place, config = folder / "run", copy.deepcopy(CONFIG)
    place.mkdir(exist_ok=True)
    secret = {"config": {**CONFIG, "dataset": {"source": f"/data/{NEVER_TOLD}"}}}
    (place / "run.json").write_text(json.dumps(secret))
    name = "3d_fullres/Task990_Liver/fold_0"
    return RunInfo("5f0c", "train", name, place, config, LABELS, resumed)


class Telling:
    """The steps; each raises an AssertionError or whatever the tracker raises."""

    def __init__(self, plugin: str, name: str, options: str, folder: Path, resumed: bool) -> None:
        self.plugin, self.name, self.options = plugin, name, json.loads(options)
        self.run = run(folder, resumed=resumed)
        self.tracker: Any = None

    def make(self) -> None:
        """The target is a class with the methods of a tracker."""
        catalog, mine = subject(self.plugin)
        assert mine.problem is None, mine.problem
        entry = catalog.trackers.get(self.name)
        cls, chosen = load(entry.spec, entry.owner), entry.spec.options
        self.tracker = cls(None if chosen is None else build(chosen, self.options, "tracking"))
        for name in ("open", "log", "close"):
            wanted = list(inspect.signature(getattr(Tracker, name)).parameters)[1:]
            inspect.signature(getattr(self.tracker, name)).bind(*wanted)

    def open(self) -> None:
        """It gets ready."""
        self.tracker.open(self.run)

    def epochs(self) -> None:
        """It takes some, one of them with a picture."""
        self._log(1, FIRST[1])
        self._log(2, FIRST[2], picture=True)
        self._log(3, FIRST[3])

    def kept(self) -> None:
        """It changes nothing that it is given."""
        given: Any = {FIGURE: FIRST[3], "lr": 0.01}, {"patch": self._picture()}
        before = copy.deepcopy(given)
        self.tracker.log(3, 30.0, *given)
        assert given == before, "what it is given is changed"
        assert self.run.config == CONFIG, "the run's configuration is changed"
        assert given[1]["patch"].is_file(), "the picture is gone"

    def light(self) -> None:
        """The training needs the memory."""
        loaded = HEAVY & set(sys.modules)
        assert not loaded, f"it loads {', '.join(sorted(loaded))}"

    def again(self) -> None:
        """An epoch that is trained again, and one more."""
        self._log(3, LATER[3])
        self._log(4, LATER[4])

    def twice(self) -> None:
        """The same is offered once more."""
        self._log(4, LATER[4])

    def names(self) -> None:
        """Labels are called as the user likes."""
        dice = {f"dice.{label}": 0.5 for label in LABELS}
        self._log(5, LATER[5], dice)

    def ends(self) -> None:
        """Each is told by a new tracker, which is told nothing else."""
        for status in STATUSES:
            self.make()
            self.tracker.open(self.run)
            self.tracker.close(status, {"validation.mean_dice": 0.75, "validation.dice.core": 0.5})

    def deliver(self) -> None:
        """It has to say that nothing can be delivered."""
        try:
            self.tracker.open(self.run)
            self._log(1, FIRST[1])
        except Exception:
            return
        raise AssertionError("nothing is raised, so what was not delivered is never told again")

    def _log(
        self, epoch: int, value: float, more: Mapping[str, float] = {}, *, picture: bool = False
    ) -> None:
        pictures = {"patch": self._picture()} if picture else {}
        time = 10.0 * epoch + 1000 * self.run.resumed
        self.tracker.log(epoch, time, {FIGURE: value, "lr": 0.01, **more}, pictures)

    def _picture(self) -> Path:
        from PIL import Image

        path = self.run.folder / "patch.png"
        if not path.is_file():
            Image.new("L", (8, 6)).save(path)
        return path


def main(scene: str, plugin: str, name: str, options: str, folder: str) -> None:
    """Take the steps of a scene: ``first``, ``later`` or ``away``."""
    telling = Telling(plugin, name, options, Path(folder), resumed=scene == "later")
    steps: dict[str, list[Callable[[], None]]] = {
        "first": [telling.open, telling.epochs, telling.kept, telling.light],
        "later": [telling.open, telling.again, telling.twice, telling.names, telling.ends],
        "away": [telling.deliver],
    }
    tell(take([telling.make, *steps[scene]]))


if __name__ == "__main__":
    main(*sys.argv[1:])
