"""``train -m``: one process a job, one GPU a single-GPU trainer, failures kept apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nnplug.errors import ConfigError

Command = Callable[..., tuple[int, str, str]]
TOY = [
    *("dataset.name=Toy", "dataset.task_id=301", "dataset.channels={0: CT}"),
    *("dataset.labels={background: 0, shell: 1, core: 2}", "paths.root=root", "device=cpu"),
]


def test_each_job_gets_one_of_the_gpus_and_a_failure_stops_no_other(command: Command) -> None:
    """There is no task, so that each job ends soon; the pool is that of this machine's user."""
    code, _, err = command("train", "-m", *TOY, "fold=0,1,2", "trainer.gpus=[90,91]")
    assert code == ConfigError.exit_code
    started = [line for line in err.splitlines() if "] nnplug train" in line]
    assert [line[:3] for line in sorted(started)] == ["[0]", "[1]", "[2]"]
    given = [line.rpartition("trainer.gpus=")[2] for line in started]
    assert set(given) == {"[90]", "[91]"}
    assert all(line.count("trainer.gpus") == 1 for line in started)
    assert err.count("is not (completely) converted") == 3
    assert "3 of 3 jobs failed: 0 (" in err


def test_a_parallel_trainer_gets_all_gpus(command: Command) -> None:
    _, _, err = command("train", "-m", *TOY, "trainer=v2,v2_dp", "trainer.gpus=[90,91]")
    started = {line[:3]: line for line in err.splitlines() if "] nnplug train" in line}
    assert started["[1]"].endswith("trainer.gpus=[90,91]")
    assert started["[0]"].endswith(("trainer.gpus=[90]", "trainer.gpus=[91]"))


def test_several_gpus_for_one_training_of_a_single_gpu_trainer(command: Command) -> None:
    code, _, err = command("train", *TOY, "trainer.gpus=[0,1]")
    assert code == ConfigError.exit_code
    assert "v2 trains on one GPU, not on 2" in err
    assert "trainer=v2_dp" in err
    assert "-m and fold=0,1,2" in err


def test_jobs_is_a_number(command: Command) -> None:
    code, _, err = command("train", "-m", *TOY, "fold=0,1", "hydra.launcher.jobs=0")
    assert code == ConfigError.exit_code
    assert "hydra.launcher.jobs" in err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_folds_train_beside_one_another(
    cohort: Callable[..., Path], tmp_path: Path, save: Callable[..., Path]
) -> None:
    """Three folds in two processes at a time; one of them was trained before, so it fails."""
    import numpy as np

    source = tmp_path / "source"
    rng = np.random.default_rng(0)
    for number in range(5):
        label = np.zeros((20, 24, 28), np.uint8)
        label[6:14, 8:16, 8:18] = 1
        label[8:11, 10:13, 10:14] = 2
        save(source / "images" / f"p{number}.nii.gz", label * 50.0 + rng.normal(0, 5, label.shape))
        save(source / "labels" / f"p{number}.nii.gz", label)
    small = [
        *("trainer.epochs=1", "trainer.batches_per_epoch=1", "trainer.val_batches_per_epoch=1"),
        *("trainer.batch_size=2", "trainer.base_num_features=4", "workers=1"),
    ]
    command = [sys.executable, "-m", "nnplug", "train", *TOY, *small, f"dataset.source={source}"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "fold=1"], cwd=tmp_path, env=env, check=True, capture_output=True)
    done = subprocess.run(
        [*command, "-m", "fold=0,1,2", "trainer.gpus=[90,91]"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 5, done.stderr
    assert "1 of 3 jobs failed: 1 (" in done.stderr
    assert len(list(tmp_path.rglob("model_final_checkpoint.model"))) == 3


def test_sigterm_reaches_the_jobs(tmp_path: Path, cohort: Callable[..., Path]) -> None:
    """A job that waits for a lock ends of the signal that its sweep gets."""
    from filelock import FileLock

    task = tmp_path / "root" / "nnUNet_raw_data_base" / "nnUNet_raw_data" / "Task301_Toy"
    task.mkdir(parents=True)
    source = cohort("p1", "p2", "p3", "p4", "p5")
    command = [sys.executable, "-m", "nnplug", "train", "-m", *TOY, f"dataset.source={source}"]
    with (
        FileLock(task / ".nnplug.lock"),
        subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as sweep,
    ):
        assert sweep.stderr is not None
        for line in sweep.stderr:
            if "by another process" in line:
                break
        sweep.send_signal(signal.SIGTERM)
        began = time.monotonic()
        said = sweep.stderr.read()
        assert sweep.wait(30) == 130
        assert time.monotonic() - began < 30
    assert "stopped by SIGTERM" in said
