"""Worker processes of nnU-Net that die or stop: an error in seconds that names them, no hang."""

from __future__ import annotations

import re
import shutil
import textwrap
from types import SimpleNamespace

import pytest

from nnplug.engine import loading

pytestmark = pytest.mark.slow

START = """
import os, re, signal, threading, time
import multiprocessing
from engine_job import *
from nnplug.engine import planning, safe, training
from nnplug.errors import NnplugError
f = folders()
device = environment.enter(f, device="cpu", gpus=None, workers=2, stall_minutes=0.2)
notes = []
def train(seen=lambda report: None, **changes):
    training.run(f, device, job(**changes), on_epoch=seen, on_note=notes.append,
                 log=f.results / "train.log")
def attempt(function, *args, **kwargs):
    began = time.monotonic()
    try:
        function(*args, **kwargs)
    except NnplugError as error:
        print(type(error).__name__, re.sub(r"[0-9]{3,}", "PID", error.problem))
        print("hint:", error.hint)
    print("soon" if time.monotonic() - began < 60 else "late")
"""
TRAINING = START + textwrap.dedent(
    """
    def hit(number):
        def seen(report):
            if report.epoch == 1:
                worker = multiprocessing.active_children()[0]
                threading.Timer(0.3, os.kill, (worker.pid, number)).start()
        return seen
    """
)


def test_a_killed_augmentation_worker(planned, tmp_path, run_python):
    code = TRAINING + textwrap.dedent(
        """
        attempt(train, hit(signal.SIGKILL), epochs=10_000)
        fold = next(f.results.glob("nnUNet/*/*/*/fold_0"))
        done = safe.load_checkpoint(fold / "model_latest.model")["epoch"]
        print(done >= 1, multiprocessing.active_children())
        train(epochs=10_000, resume=True, seen=lambda r: os.kill(os.getpid(), signal.SIGTERM))
        """
    )
    code = code.replace("train(epochs", "attempt(train, epochs")
    lines = run_python(code, planned, results=tmp_path).splitlines()
    words = lines[0].split(" at ")
    assert words[0].startswith("TrainingError training failed: a worker process (Process-")
    cases, killed = words[1].split(" was ")
    assert set(cases.split(", ")) <= {f"c{number}" for number in range(6)}
    assert killed == "killed by SIGKILL"
    assert "fewer workers=" in lines[1]
    assert "resume=true" in lines[1]
    assert lines[2:5] == ["soon", "True []", "Interrupted training was interrupted"]


def test_a_stopped_augmentation_worker(planned, tmp_path, run_python):
    code = TRAINING + "attempt(train, hit(signal.SIGSTOP), epochs=10_000)"
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert "training failed: waited 0.2 minutes for a " in lines[0]
    assert lines[0].count(" is stopped") == 1
    assert "stall_minutes" in lines[1]
    assert lines[2] == "soon"
    log = (tmp_path / "train.log").read_text()
    assert "in producer" in log  # the other workers' stacks
    assert "in __next__" in log  # and this process's


@pytest.mark.parametrize(
    ("number", "words"),
    [("SIGKILL", "was killed by SIGKILL"), ("SIGSTOP", "is stopped")],
)
def test_a_worker_that_holds_the_lock_of_all(planned, tmp_path, run_python, number, words):
    code = TRAINING + textwrap.dedent(
        f"""
        from multiprocessing import synchronize
        owner, stock = os.getpid(), synchronize.Event.is_set
        def is_set(event):
            if os.getpid() != owner:
                with event._cond:
                    os.kill(os.getpid(), signal.{number})
            return stock(event)
        synchronize.Event.is_set = is_set
        attempt(train, epochs=10_000)
        """
    )
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert lines[0].startswith("TrainingError training failed: ")
    assert words in lines[0]
    assert lines[2] == "soon"


@pytest.mark.parametrize(
    ("number", "words"),
    [("SIGKILL", "was killed by SIGKILL"), ("SIGSTOP", "is stopped")],
)
def test_a_pool_of_planning_and_one_of_validation(planned, tmp_path, run_python, number, words):
    code = START + textwrap.dedent(
        f"""
        def hit(*arguments):
            os.kill(os.getpid(), signal.{number})
            time.sleep(600)
        hit.__name__ = hit.__qualname__ = "load_crop_save"  # a bound method is pickled by name
        load_crop_save = hit
        from nnunet.preprocessing import cropping
        from nnunet.training.network_training import nnUNetTrainer
        nnUNetTrainer.save_segmentation_nifti_from_softmax = hit
        attempt(train, epochs=1)
        cropping.ImageCropper.load_crop_save = hit
        elsewhere = f.cropped / TASK
        elsewhere.rename(elsewhere.with_name("kept"))
        attempt(planning.prepare, f, TASK, "3d_fullres", 2, log=f.results / "plan.log")
        """
    )
    shutil.copytree(planned, tmp_path / "root")
    lines = run_python(code, tmp_path / "root").splitlines()
    for line, what in zip((lines[0], lines[3]), ("training", "planning"), strict=True):
        assert line.startswith(f"TrainingError {what} failed: ")
        assert words in line
        assert "ForkPoolWorker-" in line
    assert " at c" in lines[0]
    assert ".nii.gz" in lines[0]
    assert " at c" in lines[3]
    assert lines[2] == lines[5] == "soon"


def test_without_workers_the_training_is_the_same(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        losses = {}
        for workers in (0, 1):
            environment.enter(f, device="cpu", gpus=None, workers=workers)
            seen = losses[workers] = []
            def note(report):
                seen.append((report.train_loss, report.val_loss))
                if not workers:
                    print([p.name for p in multiprocessing.active_children()])
            train(note, seed=5, epochs=2, overwrite=True)
        print(losses[0] == losses[1], len(losses[0]))
        """
    )
    assert run_python(code, planned, results=tmp_path).splitlines() == ["[]", "[]", "True 2"]


def test_waiting_for_batches_is_said_once(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        from nnplug.engine import epochs
        from nnunet.training.dataloading.dataset_loading import DataLoader3D
        stock = DataLoader3D.generate_train_batch
        def slow(self):
            time.sleep(1.5)
            return stock(self)
        environment.enter(f, device="cpu", gpus=None, workers=1)
        DataLoader3D.generate_train_batch = slow
        epochs.SECONDS = 0.5
        epochs.resources.cores = lambda: 2
        shares = []
        def share(report):
            shares.append(report.seconds_loading / report.seconds)
        train(share, epochs=4, batches=3)
        said = [note for note in notes if "loading limits" in note]
        print(said)
        print(*shares)
        DataLoader3D.generate_train_batch = stock
        """
    )
    said, words = run_python(code, planned, results=tmp_path).splitlines()
    shares = [float(word) for word in words.split()]
    assert said.count("loading limits the training: ") == 1
    assert "try workers=2" in said
    epoch = re.search(r"of epoch ([2-4]) were spent waiting for batches from 1 worker", said)
    assert epoch is not None
    assert shares[int(epoch[1]) - 1] > 0.2
    assert all(0 <= share < 1 for share in shares)


def fake(num_cached: int = 2) -> SimpleNamespace:
    """A trainer with batches of 2 x 1 x 100^3 voxels: 19.2 MB finished, 32 MB made."""
    return SimpleNamespace(
        batch_size=2,
        patch_size=(100, 100, 100),
        basic_generator_patch_size=(100, 100, 200),
        num_input_channels=1,
        data_aug_params={"num_cached_per_thread": num_cached},
    )


def test_workers_fit_into_memory_and_shared_memory():
    plenty = 10**12
    assert loading.workers(fake(), 12, plenty, plenty) == 12
    assert loading.workers(fake(), 12, plenty, None) == 12
    assert loading.workers(fake(), 12, plenty, 0) == 1
    counts = [loading.workers(fake(), 12, plenty, 10**8 * n) for n in range(1, 20)]
    assert counts == sorted(counts)
    assert counts[0] == 1
    # Docker's 64 MB of /dev/shm: not even one worker's three batches of 19.2 MB, and the queue's
    assert loading.workers(fake(), 12, plenty, 64 * 10**6) == 1
    # 4 + 2 workers: 3 batches each, 4 and 3 in the queues of the main process
    needed = (18 + 4 + 3) * 19.2e6 / loading.RESERVE
    assert loading.workers(fake(), 12, plenty, int(needed) + 1) == 4
    assert loading.workers(fake(), 12, plenty, int(needed) - 10**6) == 3
    assert loading.workers(fake(), 12, int(needed), plenty) < 4
