"""Training: one fold from start to score, stopped, resumed, refused, and read by stock."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

MODEL = "nnUNet/3d_fullres/Task901_Tiny/nnUNetTrainerV2__nnUNetPlans_tiny"

TRAIN = """
from engine_job import *
from nnplug.engine import training
f, device = enter()
def show(report):
    print(report.epoch, report.epochs, len(report.dice), report.train_loss == report.train_loss,
          report.lr, flush=True)
def train(**changes):
    notes.clear()
    return training.run(f, device, job(**changes), on_epoch=show, on_note=notes.append,
                        log=f.results / "train.log")
notes = []
"""


@pytest.fixture(scope="module")
def trained(planned, tmp_path_factory, run_python) -> tuple[Path, str]:
    results = tmp_path_factory.mktemp("trained")
    code = TRAIN + textwrap.dedent(
        """
        result = train(record={"owner": "nnplug", "version": "0.1", "where": f.raw_base})
        print(result.epochs_done, result.mean_dice is not None, notes)
        print(result.summary_json.is_file(), result.model_folder.name, result.fold_folder.name)
        """
    )
    return results, run_python(code, planned, results=results)


def test_train_reports_and_validates(trained):
    results, out = trained
    assert out.splitlines() == [
        "1 2 2 True 0.01",
        f"2 2 2 True {0.01 * 0.5**0.9}",
        "2 True []",
        "True nnUNetTrainerV2__nnUNetPlans_tiny fold_0",
    ]
    names = {path.name for path in (results / MODEL / "fold_0").iterdir()}
    assert {"model_final_checkpoint.model", "model_final_checkpoint.model.pkl"} <= names
    assert not [name for name in names if "part" in name or "latest" in name]
    assert "train loss" in (results / "train.log").read_text()


def test_record_is_plain_and_stock_restores(trained, planned, run_python):
    results, _ = trained
    path = results / MODEL / "fold_0" / "model_final_checkpoint.model"
    out = run_python(
        f"""
        from engine_job import *
        enter()
        from nnunet.training.model_restore import restore_model
        from nnplug.engine import safe
        import torch
        record = safe.read_pickle({str(path)!r} + ".pkl")["nnplug"]
        print(record["owner"], type(record["where"]).__name__, record["mirror"],
              record["settings"]["max_num_epochs"])
        torch.serialization.add_safe_globals(safe._numpy_globals())
        trainer = restore_model({str(path)!r} + ".pkl", {str(path)!r}, False)
        print(type(trainer).__name__, trainer.epoch, len(trainer.all_tr_losses))
        """,
        planned,
        results=results,
    )
    first, second = out.splitlines()[0], out.splitlines()[-1]
    assert first == "nnplug str {'do_mirror': True, 'mirror_axes': [0, 1, 2]} 2"
    assert second == "nnUNetTrainerV2 2 2"


def test_refuses_to_overwrite_and_knows_complete(trained, planned, tmp_path, run_python):
    results = tmp_path / "results"
    shutil.copytree(trained[0], results)
    code = TRAIN + textwrap.dedent(
        """
        from nnplug.errors import NnplugError
        try:
            train()
        except NnplugError as error:
            print(type(error).__name__, "overwrite" in str(error))
        result = train(resume=True)
        print(result.epochs_done, notes)
        result.summary_json.unlink()
        result = train(resume=True)
        print(result.epochs_done, notes, result.summary_json.is_file())
        try:
            train(resume=True, epochs=3)
        except NnplugError as error:
            print(type(error).__name__, str(error).splitlines()[0].split(": ", 1)[1])
        result = train(resume=True, extend=1)
        print(result.epochs_done, notes)
        result = train(resume=True)
        print(result.epochs_done, notes)
        result = train(overwrite=True, epochs=1)
        print(result.epochs_done, notes)
        """
    )
    lines = run_python(code, planned, results=results).splitlines()
    resuming = "resuming from model_final_checkpoint.model after 2 epochs"
    assert lines[0] == "DataError True"
    assert "complete and validated already" in lines[1]
    assert "only validating" in lines[2]
    assert lines[2].endswith("True")
    assert lines[3].endswith("changed since this checkpoint: max_num_epochs: 2, now 3")
    assert lines[3].startswith("DataError")
    assert lines[4] == "3 3 2 True 0.01"
    assert lines[5] == f"3 ['{resuming}']"
    assert "after 3 epochs', 'the training was complete and validated already'" in lines[6]
    assert lines[7].startswith("1 1 2 True 0.01")
    assert lines[8] == "1 []"


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, marks=pytest.mark.slow),
    ],
)
def test_a_signal_then_resume(planned, tmp_path, run_python, script_env, number):
    """Slurm's warning, SIGUSR1, comes to all processes of a job, the workers among them."""
    code = TRAIN + textwrap.dedent(
        """
        import signal
        from nnplug.errors import Interrupted
        numbers = signal.SIGTERM, signal.SIGINT, signal.SIGUSR1
        before = [*map(signal.getsignal, numbers)]
        try:
            train(epochs=12)
        except Interrupted as error:
            print(error, flush=True)
        after = [*map(signal.getsignal, numbers)]
        print(before == after)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=script_env(planned, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        assert lines[1].startswith("2 12"), process.stderr.read() if process.stderr else ""
        time.sleep(0.1)
        (os.killpg if number == signal.SIGUSR1 else os.kill)(process.pid, number)
        rest, errors = process.communicate(timeout=60)
    assert "training was interrupted" in rest, errors
    assert rest.splitlines()[-1] == "True"
    assert "background workers" not in errors
    fold = tmp_path / MODEL / "fold_0"
    assert not (fold / "model_final_checkpoint.model").exists()
    out = run_python(
        TRAIN
        + textwrap.dedent(
            """
            from nnplug.engine import safe
            path = f.results / "nnUNet/3d_fullres/Task901_Tiny/nnUNetTrainerV2__nnUNetPlans_tiny"
            saved = safe.load_checkpoint(path / "fold_0" / "model_latest.model")
            done = saved["epoch"]
            print(done >= 2, [len(x) == done for x in saved["plot_stuff"]])
            result = train(epochs=12, resume=True)
            print(result.epochs_done == 12, notes)
            final = safe.load_checkpoint(result.fold_folder / "model_final_checkpoint.model")
            print(final["epoch"] == 12, [len(x) == 12 for x in final["plot_stuff"]])
            """
        ),
        planned,
        results=tmp_path,
    )
    lines = out.splitlines()
    assert lines[0] == "True [True, True, False, True]"
    assert lines[-2].startswith("True ['resuming from model_latest.model after")
    assert lines[-1] == "True [True, True, False, True]"


def test_a_signal_during_validation_and_planning(trained, planned, tmp_path, run_python):
    results = tmp_path / "results"
    shutil.copytree(trained[0], results)
    (results / MODEL / "fold_0" / "validation_raw" / "summary.json").unlink()
    shutil.copytree(planned, tmp_path / "root")
    code = TRAIN + textwrap.dedent(
        """
        import os, signal
        from nnplug.errors import Interrupted, NnplugError
        from nnplug.engine import planning, safe
        from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
        def kill(*args, **kwargs):
            os.kill(os.getpid(), signal.SIGTERM)
        nnUNetTrainerV2.predict_preprocessed_data_return_seg_and_softmax = kill
        try:
            train(resume=True)
        except Interrupted as error:
            print(error.hint)
        fold = next(f.results.glob("nnUNet/*/*/*/fold_0"))
        print(safe.load_checkpoint(fold / "model_final_checkpoint.model")["epoch"])
        from nnunet.experiment_planning import utils
        utils.crop = kill
        try:
            planning.prepare(f, TASK, "3d_fullres", 1, log=None)
        except Interrupted as error:
            print(error)
        print(planning.stamped(f, TASK, "3d_fullres"))
        import multiprocessing, time
        def starve(*args):
            multiprocessing.Pool(1).map(suicide, [1])
        def suicide(_):
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGKILL)
        utils.crop = starve
        try:
            planning.prepare(f, TASK, "3d_fullres", 1, log=None)
        except NnplugError as error:
            print(type(error).__name__, error)
        """
    )
    lines = run_python(code, tmp_path / "root", results=results).splitlines()
    assert re.sub(r"\(.*?\)", "(WHO)", lines.pop(5)) == (
        "TrainingError planning failed: a worker process (WHO) was killed by SIGKILL"
    )
    assert lines == [
        "run the same command with resume=true",
        "2",
        "planning was interrupted",
        "  -> run the same command again",
        "None",
        "  -> often too little memory: try fewer workers=; run the same command again",
    ]


def test_a_damaged_checkpoint_falls_back(trained, planned, tmp_path, run_python):
    results = tmp_path / "results"
    shutil.copytree(trained[0], results)
    fold = results / MODEL / "fold_0"
    final = fold / "model_final_checkpoint.model"
    for suffix in ("", ".pkl"):
        shutil.copy(f"{final}{suffix}", fold / f"model_latest.model{suffix}")
    os.utime(fold / "model_latest.model", (1, 1))
    (fold / "model_best.model").unlink(missing_ok=True)
    final.write_bytes(final.read_bytes()[:1000])
    lines = run_python(
        TRAIN + "train(resume=True, extend=1); print(notes)", planned, results=results
    ).splitlines()
    assert "model_final_checkpoint.model can't be used" in lines[-1]
    assert "resuming from model_latest.model after 2 epochs" in lines[-1]


@pytest.mark.slow
def test_data_parallel_on_the_cpu(planned, tmp_path, run_python):
    code = TRAIN + textwrap.dedent(
        """
        dp = {"trainer": "nnUNetTrainerV2_DP", "data_parallel": True}
        result = train(**dp, epochs=1)
        print(result.epochs_done, result.mean_dice is not None)
        result = train(**dp, epochs=1, extend=1, resume=True)
        print(result.epochs_done)
        from nnplug.engine import construction, safe
        final = safe.load_checkpoint(result.fold_folder / "model_final_checkpoint.model")
        print(next(iter(final["state_dict"])).startswith("module."))
        single = construction.build(job(), device, training=False)
        single.load_checkpoint_ram(final, False)
        print(single.epoch)
        """
    )
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert lines[0].startswith("1 1 2 True")
    assert lines[1] == "1 True"
    assert lines[2].startswith("2 2 2 True")
    assert lines[3] == "2"
    assert lines[4] == "True"
    assert lines[-1] == "2"


@pytest.mark.slow
@pytest.mark.parametrize("first", ["single", "dp"])
def test_a_training_goes_on_in_the_other_mode(planned, tmp_path, run_python, first):
    """The checkpoint is copied to where nnU-Net looks for the other trainer's."""
    code = TRAIN + textwrap.dedent(
        f"""
        import shutil
        import torch
        from nnplug.engine import safe
        from nnunet.training.network_training.network_trainer import NetworkTrainer
        modes = {{"dp": {{"trainer": "nnUNetTrainerV2_DP", "data_parallel": True}}, "single": {{}}}}
        before, after = modes.pop({first!r}), modes.popitem()[1]
        first = train(**before, epochs=1, seed=1)
        model = first.model_folder.with_name(
            after.get("trainer", "nnUNetTrainerV2") + "__" + first.model_folder.name.split("__")[1])
        shutil.copytree(first.fold_folder, model / "fold_0")
        stored = safe.load_checkpoint(first.fold_folder / "model_final_checkpoint.model")
        load = NetworkTrainer.load_checkpoint_ram
        def compared(self, checkpoint, train=True):
            load(self, checkpoint, train)
            bare = lambda values: {{k.removeprefix("module."): v for k, v in values.items()}}
            mine, theirs = bare(self.network.state_dict()), bare(stored["state_dict"])
            found.append(mine.keys() == theirs.keys())
            found.append(all(torch.equal(mine[k], theirs[k]) for k in mine))
            own, steps = (each["state"] for each in
                          (self.optimizer.state_dict(), stored["optimizer_state_dict"]))
            found.append(len(own) > 0 and all(
                torch.equal(own[n]["momentum_buffer"], steps[n]["momentum_buffer"]) for n in steps))
        found = []
        NetworkTrainer.load_checkpoint_ram = compared
        second = train(**after, epochs=1, seed=1, extend=1, resume=True)
        print(second.epochs_done, second.model_folder == model, found)
        """
    )
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert lines[-1] == "2 True [True, True, True]"


def test_a_seed_repeats_the_training(planned, tmp_path, run_python):
    code = TRAIN + "train(seed=7); train(seed=7, overwrite=True)"
    code = code.replace("report.lr", "report.train_loss, report.val_loss")
    lines = run_python(code, planned, results=tmp_path).splitlines()
    numbers = [[float(number) for number in line.split()[4:]] for line in lines]
    assert numbers[0] == pytest.approx(numbers[2], rel=1e-5)
    assert numbers[1] == pytest.approx(numbers[3], rel=2e-3)


def test_first_error_wins(planned, tmp_path, run_python):
    code = TRAIN + textwrap.dedent(
        """
        from nnplug.errors import NnplugError
        from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
        stock = nnUNetTrainerV2.run_iteration
        def failing(self, *args, **kwargs):
            if self.epoch == 1:
                raise ValueError("the first error")
            return stock(self, *args, **kwargs)
        nnUNetTrainerV2.run_iteration = failing
        try:
            train()
        except NnplugError as error:
            print(type(error).__name__, error.problem)
        nnUNetTrainerV2.run_iteration = stock

        from batchgenerators.dataloading.data_loader import SlimDataLoaderBase
        from nnunet.training.dataloading.dataset_loading import DataLoader3D
        def broken(self):
            raise OSError("no such case c7")
        stock_batch, DataLoader3D.generate_train_batch = DataLoader3D.generate_train_batch, broken
        try:
            train(overwrite=True)
        except NnplugError as error:
            print(type(error).__name__, error.problem)
        def killed(self):
            import os
            os.kill(os.getpid(), 9)
        DataLoader3D.generate_train_batch = killed
        try:
            train(overwrite=True)
        except NnplugError as error:
            print(type(error).__name__, error.problem, "workers=" in str(error))
        DataLoader3D.generate_train_batch = stock_batch

        try:
            train(overwrite=True, lr=float("inf"))
        except NnplugError as error:
            print(type(error).__name__, error.problem)
        """
    )
    lines = run_python(code, planned, results=tmp_path).splitlines()
    lines = [line for line in lines if "Error" in line]
    assert lines[0] == "TrainingError training failed: ValueError: the first error"
    assert "augmentation worker failed: no such case c7" in lines[1]
    # A worker that dies as soon as it starts may be gone before it was known.
    assert "an augmentation worker died" in lines[2] or "was killed by SIGKILL" in lines[2]
    assert lines[2].endswith(" True")
    assert lines[3].startswith("TrainingError the loss became NaN in epoch 1, first with c")
    assert lines[3].endswith("no checkpoint yet")


def test_checkpoints_by_the_clock(planned, tmp_path, run_python):
    code = TRAIN + textwrap.dedent(
        """
        from pathlib import Path
        from nnplug.engine import checkpoints
        seen = []
        def show(report):
            folder = next(f.results.glob("nnUNet/*/*/*/fold_0"))
            seen.append((folder / "model_latest.model").is_file())
        train(checkpoint_minutes=0, epochs=1)
        print(seen)
        """
    )
    assert run_python(code, planned, results=tmp_path) == "[True]\n"


def test_few_cases_and_hostile_files(planned, tmp_path, run_python):
    shutil.copytree(planned, tmp_path / "root")
    task = tmp_path / "root" / "preprocessed" / "Task901_Tiny"
    for name in ("c4", "c5"):
        for path in task.glob(f"*_stage0/{name}.*"):
            path.unlink()
    (task / "splits_final.pkl").unlink(missing_ok=True)
    code = TRAIN + textwrap.dedent(
        """
        from nnplug.errors import NnplugError
        def attempt(**changes):
            try:
                return train(**changes)
            except NnplugError as error:
                print(type(error).__name__, error)
        attempt()
        result = train(fold="all", epochs=1)
        print(result.fold_folder.name)
        attempt(plans_identifier="none")
        attempt(network="3d_lowres")
        attempt(fold="all", trainer="Nobody")
        import os, pickle
        class Evil:
            def __reduce__(self):
                return os.system, ("touch %s" % (f.results / "evil"),)
        splits = f.preprocessed / TASK / "splits_final.pkl"
        splits.write_bytes(pickle.dumps([Evil()]))
        attempt()
        print((f.results / "evil").exists())
        splits.write_bytes(pickle.dumps([{"train": ["c0", "c9"], "val": ["c1"]}]))
        attempt()
        """
    )
    out = run_python(code, tmp_path / "root")
    assert "DataError" in out.splitlines()[0]
    assert "fold=all" in out
    assert "\nall\n" in out
    assert "plan it first" in out
    assert "use network=3d_fullres" in out
    assert "PluginError" in out
    assert "asks for posix.system" in out
    assert "\nFalse\n" in out
    assert "cases that are not there: c9" in out


def test_moving_batches(planned, tmp_path, run_python):
    code = TRAIN + textwrap.dedent(
        """
        from nnplug.engine import moving
        from nnplug.engine.environment import Device
        stock_move = moving.move
        moving.move = lambda trainer, device: stock_move(trainer, "cpu")
        device = Device("mps")
        print(train(epochs=1).epochs_done)
        """
    )
    assert run_python(code, planned, results=tmp_path).splitlines()[-1] == "1"


def test_half_unpacked_arrays_are_unpacked_again(planned, tmp_path):
    from nnplug.config.folders import Folders
    from nnplug.engine import vetting

    shutil.copytree(planned / "preprocessed", tmp_path / "preprocessed")
    stage = tmp_path / "preprocessed" / "Task901_Tiny" / "nnUNetData_plans_v2.1_stage0"
    import numpy as np

    for name in ("c0", "c1"):
        np.save(stage / f"{name}.npy", np.load(stage / f"{name}.npz")["data"])
    half = (stage / "c0.npy").read_bytes()
    (stage / "c0.npy").write_bytes(half[: len(half) // 2])
    f = Folders(tmp_path, tmp_path / "preprocessed", tmp_path)
    vetting.check_task(f, "Task901_Tiny", "3d_fullres", "all", "nnUNetPlans_tiny")
    for name in (f"c{number}" for number in range(6)):
        assert np.array_equal(
            np.load(stage / f"{name}.npy"), np.load(stage / f"{name}.npz")["data"]
        )


def test_record_of_any_object_is_plain():
    from dataclasses import dataclass

    from nnplug.engine.checkpoints import plain

    @dataclass
    class Options:
        axes: tuple[int, ...] = (0, 1)
        path: Path = Path("x")

    assert plain({"a": Options(), 1: {2}}) == {"a": {"axes": [0, 1], "path": "x"}, "1": [2]}
    assert pickle.loads(pickle.dumps(plain(Options()))) == {"axes": [0, 1], "path": "x"}
