"""Steps are made in order, once, by whoever comes first; a look changes nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nnplug.engine.environment import Device
from nnplug.stages.locking import locked
from nnplug.stages.steps import Look, Step, listed, walk

CPU = Device("cpu")
DATASET = [
    *("dataset.name=Toy", "dataset.task_id=301", "dataset.channels={0: CT}"),
    "dataset.labels={background: 0, shell: 1, core: 2}",
]


class Workshop:
    """Steps whose artefacts are names in a set."""

    def __init__(self, folder: Path, *there: str) -> None:
        self.folder = folder
        self.there = set(there)
        self.made: list[str] = []

    def step(self, name: str, *needs: Step) -> Step:
        def make(device: Device) -> None:
            self.made.append(name)
            self.there.add(name)

        def look() -> Look:
            return Look("done" if name in self.there else "missing")

        return Step(name, look, make, needs, self.folder / name)


def test_what_is_missing_is_made_in_order(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, "b")
    a = shop.step("a")
    b, c = shop.step("b", a), shop.step("c", a)
    steps = [a, b, c, shop.step("d", b, c)]
    assert [(step.name, look.state) for step, look in listed(steps)] == [
        *(("a", "missing"), ("b", "stale"), ("c", "missing"), ("d", "missing"))
    ]
    walk(steps, CPU)
    assert shop.made == ["a", "c", "d"]
    assert [look.state for _, look in listed(steps)] == ["done"] * 4


def test_while_another_process_makes_a_step_others_are_made(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    a = shop.step("a")
    steps = [a, shop.step("b"), shop.step("c", a)]
    with locked(tmp_path / "a", "is being made"):
        walker = threading.Thread(target=walk, args=(steps, CPU))
        walker.start()
        end = time.monotonic() + 20
        while shop.made != ["b"] and time.monotonic() < end:
            time.sleep(0.01)
        assert shop.made == ["b"]
        shop.there.add("a")
    walker.join(20)
    assert shop.made == ["b", "c"]


def test_the_lock_of_a_killed_process_is_free_though_its_child_lives(tmp_path: Path) -> None:
    code = f"""
import os, time
from pathlib import Path
from nnplug.stages.locking import locked
with locked(Path({str(tmp_path)!r}), "is held"):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            with locked(tmp_path, "is held", wait=False) as held:
                assert not held
            process.kill()
            process.wait()
            end = time.monotonic() + 20
            while not held and time.monotonic() < end:  # the child may not have started yet
                with locked(tmp_path, "is held", wait=False) as held:
                    time.sleep(0.01)
            assert held
        finally:
            subprocess.run(["kill", "-9", str(child)], check=True)


Command = Callable[..., tuple[int, str, str]]


def states(printed: str) -> dict[str, str]:
    """Step to state, from what ``--dry-run`` prints."""
    return {line[8:58].strip(): line[:8].strip() for line in printed.splitlines()}


def test_a_dry_run_shows_the_steps_and_writes_nothing(
    command: Command, cohort: Callable[..., Path], tmp_path: Path
) -> None:
    source = f"dataset.source={cohort('p1', 'p2', 'p3', 'p4', 'p5')}"
    lowres = [
        name
        for fold in range(5)
        for name in (
            f"3d_lowres fold {fold}",
            f"3d_lowres fold {fold}, predictions for the next stage",
        )
    ]
    before = sorted(tmp_path.rglob("*"))
    asked = ["train", *DATASET, source, "paths.root=root", "--dry-run"]
    code, out, _ = command(*asked, "network=3d_cascade_fullres")
    assert code == 0
    assert list(states(out)) == [
        *("convert", "plan, preprocess", "split", *lowres, "train", "validate")
    ]
    assert set(states(out).values()) == {"missing"}
    assert sorted(tmp_path.rglob("*")) == before

    assert command("convert", *DATASET, source, "paths.root=root", "convert.qc=false")[0] == 0
    asked.append("convert.qc=false")
    _, out, _ = command(*asked)
    assert states(out)["convert"] == "done"
    (tmp_path / "source" / "images" / "p3.nii.gz").touch()
    (tmp_path / "source" / "images" / "p6.nii.gz").write_bytes(
        (tmp_path / "source" / "images" / "p1.nii.gz").read_bytes()
    )
    (tmp_path / "source" / "labels" / "p6.nii.gz").write_bytes(
        (tmp_path / "source" / "labels" / "p1.nii.gz").read_bytes()
    )
    _, out, _ = command(*asked)
    assert states(out)["convert"] == "stale"


def test_a_conversion_that_has_nothing_to_do_touches_nothing(
    command: Command, cohort: Callable[..., Path], toy_task: Path
) -> None:
    asked = ["convert", *DATASET, f"dataset.source={cohort('p1', 'p2')}", "paths.root=root"]
    command(*asked)
    before = {path: path.stat().st_mtime_ns for path in toy_task.rglob("*")}
    assert before
    _, _, err = command(*asked)
    assert "2 unchanged" in err
    assert {path: path.stat().st_mtime_ns for path in toy_task.rglob("*")} == before


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["lowres={epochs: 5}"], "only the cascade has a first stage"),
        (["network=3d_cascade_fullres", "lowres={epoch: 5}"], "lowres.epoch: there is no such key"),
        (["network=3d_cascade_fullres", "lowres={name: nobody}"], "no trainer is called 'nobody'"),
        (["split.file=a.json", "split.stratify=age"], "either given by file or stratified"),
    ],
)
def test_what_does_not_go_together_is_refused(
    command: Command, tmp_path: Path, overrides: list[str], problem: str
) -> None:
    code, _, err = command("train", *DATASET, f"dataset.source={tmp_path}", *overrides, "--dry-run")
    assert code in (2, 3)
    assert problem in err
