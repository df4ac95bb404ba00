"""Going on with a training: the same as never stopped, or refused if it is another one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import psutil

START = """
import os, signal
from engine_job import *
from nnplug.engine import safe, training
from nnplug.engine.overrides import Overrides
from nnplug.errors import Interrupted, NnplugError
f, device = enter()
notes, seen = [], []
def train(**changes):
    notes.clear()
    seen.clear()
    return training.run(f, device, job(**changes), on_note=notes.append, on_epoch=seen.append,
                        log=f.results / "train.log")
def attempt(**changes):
    try:
        train(resume=True, **changes)
        print("went on", notes)
    except NnplugError as error:
        print(type(error).__name__, str(error).splitlines()[0].split(": ", 1)[1])
"""


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def test_interrupted_equals_uninterrupted(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        import torch
        from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
        def final(result):
            return safe.load_checkpoint(result.fold_folder / "model_final_checkpoint.model")
        whole = final(train(seed=3, epochs=3, batches=3))
        stock = nnUNetTrainerV2.run_iteration
        steps = []
        def killing(self, *args, **kwargs):
            steps.append(self.epoch)
            if len(steps) == 6:  # the second batch of the second epoch
                os.kill(os.getpid(), signal.SIGTERM)
            return stock(self, *args, **kwargs)
        nnUNetTrainerV2.run_iteration = killing
        try:
            train(seed=3, epochs=3, batches=3, overwrite=True)
        except Interrupted:
            print("interrupted in epoch", 1 + steps[-1])
        nnUNetTrainerV2.run_iteration = stock
        parts = final(train(seed=3, epochs=3, batches=3, resume=True))
        print(notes, [report.epoch for report in seen])
        print(whole["plot_stuff"] == parts["plot_stuff"], len(set(whole["plot_stuff"][0])))
        print(all(torch.equal(whole["state_dict"][k], v) for k, v in parts["state_dict"].items()))
        """
    )
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert lines == [
        "interrupted in epoch 2",
        "['resuming from model_latest.model after 1 epochs'] [2, 3]",
        "True 3",
        "True",
    ]


def test_another_training_is_refused(planned, tmp_path, run_python):
    shutil.copytree(planned, tmp_path / "root")
    code = START + textwrap.dedent(
        """
        import pickle
        from nnplug.engine import planning
        train(epochs=1, data_hash="a", lr=0.01)
        folder = next(f.results.glob("nnUNet/*/*/*/fold_0"))
        attempt(epochs=1, data_hash="a", lr=0.01)
        attempt(epochs=1, extend=1, data_hash="b", lr=0.01)
        attempt(epochs=1, extend=1, lr=0.02, data_hash="a")
        attempt(epochs=1, extend=1, lr=0.01, data_hash="a", seed=1)
        attempt(epochs=1, extend=1, lr=0.01, data_hash="a", overrides=Overrides(schedule="cosine"))
        splits = f.preprocessed / TASK / "splits_final.pkl"
        before = splits.read_bytes()
        content = safe.read_pickle(splits)
        splits.write_bytes(pickle.dumps(content[1:] + content[:1]))
        attempt(epochs=1, extend=1, lr=0.01, data_hash="a")
        splits.write_bytes(before)
        planning.derive(f, TASK, "3d_fullres", PLANS, planning.PlanOverrides(3, (16, 16, 16), 4))
        attempt(epochs=1, extend=1, lr=0.01, data_hash="a")
        print(len(safe.load_checkpoint(folder / "model_final_checkpoint.model")["plot_stuff"][0]))
        """
    )
    lines = run_python(code, tmp_path / "root", results=tmp_path / "results").splitlines()
    assert lines[0].startswith("went on")
    expected = ("data", "initial_lr: 0.01, now 0.02", "seed", "overrides", "split", "plans")
    for line, changed in zip(lines[1:7], expected, strict=True):
        assert line == f"DataError changed since this checkpoint: {changed}"
    assert lines[7] == "1"


def test_an_extension_has_its_own_schedule_and_resumes(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        train(epochs=2)
        train(epochs=2, resume=True, extend=2)
        print([(r.epoch, r.epochs, round(r.lr, 6)) for r in seen])
        train(epochs=2, resume=True, extend=2)
        print(notes[-1])
        attempt(epochs=2, extend=1)
        """
    )
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert lines[0] == f"[(3, 4, 0.01), (4, 4, {round(0.01 * 0.5**0.9, 6)})]"
    assert lines[1] == "the training was complete and validated already"
    assert lines[2] == "DataError this training was extended by 2 epochs, now by 1"


def test_the_previous_checkpoint_is_kept_until_the_end(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        def show(report):
            folder = next(f.results.glob("nnUNet/*/*/*/fold_0"))
            for name in ("latest", "previous"):
                path = folder / f"model_{name}.model"
                if path.is_file():
                    print(report.epoch, name, safe.load_checkpoint(path)["epoch"])
        training.run(f, device, job(checkpoint_minutes=0), on_epoch=show, log=f.results / "log")
        print(sorted(path.name for path in f.results.rglob("*.model") if "best" not in path.name))
        """
    )
    assert run_python(code, planned, results=tmp_path).splitlines() == [
        "1 latest 1",
        "2 latest 2",
        "2 previous 1",
        "['model_final_checkpoint.model']",
    ]


def test_killed_while_it_writes_a_checkpoint(planned, tmp_path, run_python, script_env):
    code = START + textwrap.dedent(
        """
        import torch
        from nnplug.engine import checkpoints
        stock, saved = torch.save, []
        def dying(content, path):
            stock(content, path)
            saved.append(path)
            if "model_latest" in str(path) and len([p for p in saved if "latest" in str(p)]) == 2:
                with open(path, "r+b") as stream:
                    stream.truncate(1000)
                os.kill(os.getpid(), signal.SIGKILL)
        torch.save = dying
        train(seed=3, epochs=3, checkpoint_minutes=0)
        """
    )
    environ = script_env(planned, tmp_path)
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, env=environ, start_new_session=True) as process:
        assert process.wait(300) == -signal.SIGKILL
    for _ in range(100):
        left = [one for one in psutil.pids() if _session(one) == process.pid]
        if not left:
            break
        time.sleep(0.1)
    assert not left or sys.platform != "linux"
    more = START + textwrap.dedent(
        """
        def final(result):
            return safe.load_checkpoint(result.fold_folder / "model_final_checkpoint.model")
        parts = final(train(seed=3, epochs=3, resume=True))
        print(notes)
        whole = final(train(seed=3, epochs=3, overwrite=True))
        print(parts["plot_stuff"] == whole["plot_stuff"])
        """
    )
    # nnU-Net saves model_best before model_latest, so it is whole and the newest.
    assert run_python(more, planned, results=tmp_path).splitlines() == [
        "['resuming from model_best.model after 2 epochs']",
        "True",
    ]
