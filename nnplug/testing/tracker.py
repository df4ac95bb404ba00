"""What every tracker has to keep: shows what it is told, says what it could not deliver."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from nnplug.runs import RunInfo
from nnplug.testing import _tracker_steps as steps
from nnplug.testing._steps import Steps, told

STEPS = (
    *("make", "open", "epochs", "kept", "light"),
    *("again", "twice", "names", "ends", "deliver"),
)


class TrackerContract:
    """Inherit, name the tracker, and say how to read what it shows.

    A process tells it of three epochs of a made-up run and ends. Another one goes on with the
    run, which was resumed: the third epoch comes again. nnplug's own processes do the same.

    Attributes:
        plugin: the plugin's module, e.g. ``"my_package.plugin"``.
        tracker: the name in its spec.
        away: options with which nothing can be delivered, such as the address of a server that
            isn't there; None if there are no such options.
        patience: seconds that a process may take.
    """

    plugin: str
    tracker: str
    away: Mapping[str, Any] | None = None
    patience = 120.0

    def options(self, folder: Path) -> Mapping[str, Any]:
        """The tracker's options; what it shows lies below ``folder``, or at a test server."""
        return {}

    def history(self, run: RunInfo, figure: str) -> Mapping[int, float]:
        """What is shown of a figure: epoch to its last value; by any independent means."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def life(cls, tmp_path_factory: pytest.TempPathFactory) -> Life:
        """The two processes, and what is shown after each."""
        return Life(cls(), tmp_path_factory.mktemp("tracker"))

    def test_it_has_the_methods_of_a_tracker(self, life: Life) -> None:
        """``open``, ``log`` and ``close`` of :class:`nnplug.runs.Tracker`."""
        assert life.first["make"] is None, life.first["make"]

    def test_it_shows_every_epoch(self, life: Life) -> None:
        """Each figure at its epoch, whether the tracker is closed or not."""
        for step in ("open", "epochs"):
            assert life.first[step] is None, life.first[step]
        assert life.shown_first == pytest.approx(steps.FIRST, rel=1e-4)

    def test_what_it_is_given_is_left_alone(self, life: Life) -> None:
        """Other trackers are given the same figures, pictures and configuration."""
        assert life.first["kept"] is None, life.first["kept"]

    def test_it_loads_nothing_heavy(self, life: Life) -> None:
        """Its process takes memory beside a training."""
        assert life.first["light"] is None, life.first["light"]

    def test_a_later_process_goes_on_with_the_run(self, life: Life) -> None:
        """What was told before is still shown, and new epochs are added to it."""
        for step in ("open", "again"):
            assert life.later[step] is None, life.later[step]
        wanted = {1: steps.FIRST[1], 2: steps.FIRST[2], 4: steps.LATER[4]}
        shown = {epoch: value for epoch, value in life.shown.items() if epoch in wanted}
        assert shown == pytest.approx(wanted, rel=1e-4)

    def test_an_epoch_that_comes_again_has_its_new_values(self, life: Life) -> None:
        """A resumed training repeats what it had not saved."""
        assert life.shown[3] == pytest.approx(steps.LATER[3], rel=1e-4)

    def test_what_is_told_twice_is_shown_once(self, life: Life) -> None:
        """Whoever told it may have died before it could note that."""
        assert life.later["twice"] is None, life.later["twice"]
        assert set(life.shown) <= {*steps.FIRST, *steps.LATER}
        assert life.shown[4] == pytest.approx(steps.LATER[4], rel=1e-4)

    def test_any_name_of_a_label_will_do(self, life: Life) -> None:
        """With spaces, brackets, signs and letters of any language."""
        assert life.later["names"] is None, life.later["names"]
        assert life.shown[5] == pytest.approx(steps.LATER[5], rel=1e-4)

    def test_every_end_is_taken(self, life: Life) -> None:
        """``finished``, ``failed``, ``interrupted`` and ``pruned``; by another process too."""
        assert life.later["ends"] is None, life.later["ends"]

    def test_nobody_is_told_of_the_source(self, life: Life) -> None:
        """``run.json`` says where the images are; trackers are given what may leave the house."""
        assert life.later, "the files of both processes are looked at"
        assert life.files_with(steps.NEVER_TOLD.encode()) == []

    def test_its_processes_end(self, life: Life) -> None:
        """Nothing of it runs on when all is told."""
        assert life.first
        assert life.later
        assert life.late == []

    def test_it_says_what_it_could_not_deliver(self, life: Life) -> None:
        """By raising, and in time: what is taken without an error is never offered again."""
        if self.away is not None:
            assert life.away["deliver"] is None, life.away["deliver"]


class Life:
    """What the processes that tell a tracker say, each started when it is asked for.

    Attributes:
        late: the processes so far that did not end in time.
    """

    def __init__(self, contract: TrackerContract, folder: Path) -> None:
        self.contract, self.folder = contract, folder
        self.late: list[str] = []

    @cached_property
    def first(self) -> Steps:
        """The process that tells the first epochs."""
        return self._scene("first", self.contract.options(self.folder))

    @cached_property
    def shown_first(self) -> Mapping[int, float]:
        """What is shown after it."""
        assert self.first, "it comes first"
        return self._shown()

    @cached_property
    def later(self) -> Steps:
        """The process that goes on."""
        assert self.shown_first is not None, "it comes second"
        return self._scene("later", self.contract.options(self.folder))

    @cached_property
    def shown(self) -> Mapping[int, float]:
        """What is shown after that."""
        assert self.later, "it comes second"
        return self._shown()

    @cached_property
    def away(self) -> Steps:
        """The process with the options that can't work."""
        return self._scene("away", self.contract.away or {})

    def files_with(self, word: bytes) -> list[str]:
        """The files below the folder in which ``word`` stands, without nnplug's record."""
        record = self.folder / "run" / "run.json"
        files = (path for path in self.folder.rglob("*") if path.is_file() and path != record)
        return [str(path) for path in files if word in path.read_bytes()]

    def _scene(self, scene: str, options: Mapping[str, Any]) -> Steps:
        words = (scene, self.contract.plugin, self.contract.tracker, json.dumps(dict(options)))
        patience = self.contract.patience
        try:
            found: Steps = told(
                "_tracker_steps", *words, str(self.folder), folder=self.folder, seconds=patience
            )
        except subprocess.TimeoutExpired:
            self.late.append(scene)
            return dict.fromkeys(STEPS, f"the process went on after {patience:g} seconds")
        return found

    def _shown(self) -> Mapping[int, float]:
        return dict(self.contract.history(steps.run(self.folder), steps.FIGURE))
