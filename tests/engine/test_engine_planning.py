"""Planning: the same as stock, whole or not at all, and derived plans that can work."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnplug.config.folders import Folders
from nnplug.engine import plans
from nnplug.errors import ConfigError, DataError

TASK = "Task901_Tiny"


def at(root: Path) -> Folders:
    return Folders(root / "raw", root / "preprocessed", root / "results")


def same(one, other) -> bool:
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple) and len(one) == len(other):
        return all(map(same, one, other))
    return bool(np.array_equal(one, other))


def test_prepare_equals_stock(planned, tmp_path, run_python):
    shutil.copytree(planned / "raw" / "nnUNet_raw_data", tmp_path / "raw" / "nnUNet_raw_data")
    run_python(
        """
        import os, sys
        from engine_job import *
        os.environ.update(folders().environment())
        sys.argv = ["plan", "-t", "901", "-pl2d", "None", "-tl", "2", "-tf", "2"]
        from nnunet.experiment_planning.nnUNet_plan_and_preprocess import main
        main()
        """,
        tmp_path,
        strict=False,
    )
    ours, stock = at(planned), at(tmp_path)
    contents = [plans.read(plans.plans_file(f, TASK, "3d_fullres")) for f in (ours, stock)]
    for content in contents:  # the two roots differ, nothing else may
        content["list_of_npz_files"] = [Path(p).name for p in content["list_of_npz_files"]]
        assert Path(content.pop("preprocessed_data_folder")).name == TASK
    assert same(*contents)
    folder = "nnUNetData_plans_v2.1_stage0"
    arrays = sorted((stock.preprocessed / TASK / folder).glob("*.npz"))
    assert len(arrays) == 6
    for path in arrays:
        mine = np.load(ours.preprocessed / TASK / folder / path.name)["data"]
        theirs = np.load(path)["data"]
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)


def test_stamp_is_planned_and_2d(planned, tmp_path, run_python):
    shutil.copytree(planned, tmp_path / "root")
    out = run_python(
        """
        from engine_job import *
        from nnplug.engine import planning
        f, device = enter()
        say = lambda: print([planning.is_planned(f, TASK, n) for n in ("2d", "3d_fullres")],
                            [planning.stamped(f, TASK, n) for n in ("2d", "3d_lowres")])
        say()
        planning.prepare(f, TASK, "2d", 1, log=None)
        planning.stamp(f, TASK, "2d", "other")
        say()
        planning.derive(f, TASK, "2d", PLANS, planning.PlanOverrides(patch_size=(16, 8)))
        print(planning.describe(f, TASK, "2d", PLANS)["patch"])
        try:
            planning.prepare(f, TASK, "3d_fullres", 0, log=None, fresh=True)
        finally:
            say()
        left = sorted(p.name for p in (f.preprocessed / TASK).iterdir())
        print(left)
        """,
        tmp_path / "root",
    )
    lines = out.splitlines()
    assert lines[0] == "[False, True] [None, 'hash']"
    assert lines[1] == "[True, True] ['other', 'hash']"
    assert lines[2] == "[16, 8]"
    assert lines[3] == "[True, True] ['other', None]"
    assert "nnUNetPlans_tiny_plans_2D.pkl" in lines[4]
    assert "nnUNetPlans_tiny_plans_3D.pkl" not in lines[4]


def test_a_killed_preprocessing_is_not_planned(planned, tmp_path):
    shutil.copytree(planned / "preprocessed", tmp_path / "preprocessed")
    f = at(tmp_path)
    victim = next(plans.stage_folder(f, TASK, "3d_fullres").glob("*.pkl"))
    from nnplug.engine import planning

    assert planning.is_planned(f, TASK, "3d_fullres")
    victim.unlink()
    assert not planning.is_planned(f, TASK, "3d_fullres")


def test_derive_leaves_the_stock_plans(planned):
    f = at(planned)
    stock = plans.describe(f, TASK, "3d_fullres")
    mine = plans.describe(f, TASK, "3d_fullres", "nnUNetPlans_tiny")
    assert (mine["patch"], mine["batch"], mine["features"]) == ([16, 16, 16], 2, 4)
    assert stock["features"] == 32
    assert stock["spacing"] == mine["spacing"] == pytest.approx([1.2, 1.0, 1.0])
    assert stock["pools"] == mine["pools"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (plans.PlanOverrides(patch_size=(16, 16)), "3 numbers (z, y, x)"),
        (plans.PlanOverrides(patch_size=(16, 17, 16)), "17 along y must be divisible by 4"),
        (plans.PlanOverrides(batch_size=0), "batch_size must be a whole number"),
        (plans.PlanOverrides(base_num_features=-1), "base_num_features must be"),
    ],
)
def test_derive_refuses(planned, overrides, words):
    with pytest.raises(ConfigError) as caught:
        plans.derive(at(planned), TASK, "3d_fullres", "other", overrides)
    assert words in str(caught.value)
    assert not plans.plans_file(at(planned), TASK, "3d_fullres", "other").exists()


@pytest.mark.parametrize("name", ["", plans.STOCK, "a__b", "../a"])
def test_derive_refuses_names(planned, name):
    with pytest.raises(ConfigError):
        plans.derive(at(planned), TASK, "3d_fullres", name, plans.PlanOverrides())


def test_one_stage_has_no_cascade(planned):
    with pytest.raises(DataError, match="3d_fullres"):
        plans.describe(at(planned), TASK, "3d_lowres")


def test_a_dry_run_of_an_impossible_cascade_says_so(planned, script_env):
    words = ["dataset.name=Tiny", "dataset.task_id=901", "dataset.channels={0: CT, 1: MR}"]
    words += ["dataset.labels={background: 0, shell: 1, core: 2}", "--dry-run"]
    f = at(planned)
    folders = {
        "nnUNet_raw_data_base": f.raw_base,
        "nnUNet_preprocessed": f.preprocessed,
        "RESULTS_FOLDER": f.results,
    }
    done = [
        subprocess.run(
            [sys.executable, "-m", "nnplug", "train", *words, f"network={network}"],
            env={**script_env(planned), **{k: str(v) for k, v in folders.items()}},
            capture_output=True,
            text=True,
            check=False,
        )
        for network in ("3d_fullres", "3d_cascade_fullres")
    ]
    assert [one.returncode for one in done] == [0, 5], done
    assert "needs two stages" in done[1].stderr


def test_derived_plans_are_the_same_for_both_stages(tmp_path):
    f = at(tmp_path)
    (f.preprocessed / TASK).mkdir(parents=True)
    stage = {"batch_size": 2, "patch_size": np.ones(3)}
    pools = ([[2, 2, 2]], [[2, 2, 2], [2, 2, 2]])
    stages = {n: {**stage, "pool_op_kernel_sizes": pools[n]} for n in (0, 1)}
    content = {"plans_per_stage": stages, "base_num_features": 32}
    plans.plans_file(f, TASK, "3d_lowres").write_bytes(pickle.dumps(content))
    written = []
    for network in ("3d_lowres", "3d_fullres", "3d_cascade_fullres"):
        fitting = (8, 8, 8) if network != "3d_lowres" else (6, 6, 6)
        plans.derive(f, TASK, network, "mine", plans.PlanOverrides(7, fitting))
        written.append(plans.read(plans.plans_file(f, TASK, network, "mine"))["plans_per_stage"])
    assert [stage["batch_size"] for stages in written for stage in stages.values()] == [7] * 6
    assert [list(stages[n]["patch_size"]) for stages in written[:2] for n in (0, 1)] == [
        *([6, 6, 6], [1, 1, 1], [8, 8, 8], [8, 8, 8])
    ]
    assert str(written[1]) == str(written[2])
    with pytest.raises(ConfigError, match="nearest: 4 or 8"):
        plans.derive(f, TASK, "3d_fullres", "mine", plans.PlanOverrides(patch_size=(6, 6, 6)))


def test_verify_names_the_case(planned, tmp_path, run_python):
    shutil.copytree(planned / "raw", tmp_path / "raw")
    code = """
    import SimpleITK as sitk
    from engine_job import *
    from nnplug.engine import planning
    from nnplug.errors import DataError
    f, device = enter()
    print(planning.verify(TASK))
    image = f.task(TASK) / "imagesTr" / "c3_0001.nii.gz"
    moved = sitk.ReadImage(str(image))
    moved.SetOrigin((5, 0, 0))
    sitk.WriteImage(moved, str(image))
    try:
        planning.verify(TASK)
    except DataError as error:
        print(error)
    image.unlink()
    try:
        planning.verify(TASK)
    except DataError as error:
        print(error)
    image.write_bytes(b"nonsense")
    try:
        planning.verify(TASK)
    except DataError as error:
        print("damaged", error)
    """
    out = run_python(code, tmp_path)
    assert out.startswith("()")
    assert "the origin does not match" in out
    assert "imagesTr/c3 " in out
    assert "some image files are missing for case c3" in out
    assert "damaged" in out
