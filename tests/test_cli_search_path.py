"""The user's own config groups and those of plugins are found without a flag."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Command = Callable[..., tuple[int, str, str]]

MINE = "name: Mine\ntask_id: 444\nchannels: {0: CT}\nlabels: {background: 0, thing: 1}\n"


def put(folder: Path, name: str, text: str = MINE) -> Path:
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def test_the_folder_nnplug_conf_is_found(command: Command, tmp_path: Path) -> None:
    put(tmp_path / "nnplug_conf", "dataset/mine")
    code, out, _ = command("train", "--cfg", "job", "dataset=mine")
    assert code == 0
    assert yaml.safe_load(out)["dataset"]["task_id"] == 444
    listed = "dataset: demo, hippocampus, inline, lunglobe, mine (user)"
    assert listed in command("train", "--help")[1].splitlines()


def test_the_users_files_go_before_nnplugs(command: Command, tmp_path: Path) -> None:
    put(tmp_path / "nnplug_conf", "dataset/lunglobe")
    _, out, _ = command("train", "--cfg", "job", "dataset=lunglobe")
    assert yaml.safe_load(out)["dataset"]["name"] == "Mine"


def test_nnplug_conf_may_be_elsewhere(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNPLUG_CONF", str(put(tmp_path / "far" / "away", "dataset/mine")))
    code, out, _ = command("convert", "--info", "searchpath")
    assert code == 0
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in out.splitlines()]
    named = [row for row in rows if len(row) == 2]
    assert ["user", f"file://{tmp_path / 'far' / 'away'}"] in named
    assert named.index(["main", "pkg://nnplug.conf"]) > [row[0] for row in named].index("user")


def test_a_missing_folder_in_nnplug_conf_is_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNPLUG_CONF", str(tmp_path / "absent"))
    code, _, err = command("convert", "dataset=hippocampus")
    assert code == 2
    assert f"{tmp_path / 'absent'}: NNPLUG_CONF names a folder that does not exist" in err


def test_config_dir_adds_a_folder(command: Command, tmp_path: Path) -> None:
    folder = put(tmp_path / "more", "dataset/other")
    code, out, _ = command("train", "--config-dir", str(folder), "--cfg", "job", "dataset=other")
    assert code == 0
    assert yaml.safe_load(out)["dataset"]["name"] == "Mine"


def test_an_experiment_overrides_several_groups_at_once(command: Command, tmp_path: Path) -> None:
    text = """# @package _global_
defaults:
  - override /dataset: hippocampus
network: 2d
seed: 5
tracking: [tensorboard]
trainer: {epochs: 7}
"""
    put(tmp_path / "nnplug_conf", "experiment/quick_look", text)
    code, out, _ = command("train", "--cfg", "job", "experiment=quick_look")
    composed = yaml.safe_load(out)
    assert code == 0
    assert composed["dataset"]["name"] == "Hippocampus"
    assert (composed["network"], composed["trainer"]["epochs"]) == ("2d", 7)
    assert (composed["seed"], composed["tracking"]) == (5, ["tensorboard"])
    _, out, _ = command("train", "--cfg", "job", "experiment=quick_look", "seed=6")
    assert yaml.safe_load(out)["seed"] == 6


def test_a_broken_file_of_the_user_is_named(command: Command, tmp_path: Path) -> None:
    put(tmp_path / "nnplug_conf", "dataset/mine", "name: [Mine\n")
    code, _, err = command("check", "dataset=mine")
    assert code == 2
    assert "mine.yaml" in err
    assert "Traceback" not in err


def test_nnplug_root_moves_the_data(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNPLUG_ROOT", str(tmp_path / "data"))
    _, _, err = command("check", "dataset=hippocampus")
    assert str(tmp_path / "data" / "nnUNet_raw_data_base") in err
    monkeypatch.setenv("nnUNet_raw_data_base", str(tmp_path / "stock"))
    _, _, err = command("check", "dataset=hippocampus")
    assert str(tmp_path / "stock" / "nnUNet_raw_data" / "Task104_Hippocampus") in err


def bring(site: Path, name: str, mark: str = "", text: str = MINE) -> None:
    """Install a plugin that brings ``dataset/brought`` in ``site``."""
    record = site / f"{name}-2.0.dist-info"
    record.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: nnplug-{name}\nVersion: 2.0\n"
    (record / "METADATA").write_text(metadata)
    (record / "entry_points.txt").write_text(f"[nnplug]\n{name} = {name}.plugin\n")
    put(site / name / "conf", "dataset/brought", text)
    (site / name / "__init__.py").touch()
    (site / name / "conf" / "__init__.py").touch()
    (site / name / "plugin.py").write_text(
        "from nnplug.hookspecs import hookimpl\n\n"
        f"@hookimpl({mark})\ndef nnplug_config_paths():\n    return ['pkg://{name}.conf']\n"
    )


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[..., str]:
    """``nnplug convert`` in a process that sees what is installed in ``tmp_path``."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "nnplug", "convert", *arguments],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_an_installed_plugin_brings_its_configs(tmp_path: Path, fresh: Callable[..., str]) -> None:
    bring(tmp_path, "brings")
    assert "plugin brings" in fresh("--info", "searchpath")
    listed = "dataset: brought (nnplug-brings), demo, hippocampus, inline, lunglobe"
    assert listed in fresh("--help").splitlines()
    assert yaml.safe_load(fresh("--cfg", "job", "dataset=brought"))["dataset"]["name"] == "Mine"


@pytest.mark.parametrize(("mark", "name"), [("", "Mine"), ("tryfirst=True", "Other")])
def test_of_two_plugins_files_the_first_on_the_path_is_taken(
    tmp_path: Path, fresh: Callable[..., str], mark: str, name: str
) -> None:
    bring(tmp_path, "ward7")
    bring(tmp_path, "ward8", mark, MINE.replace("Mine", "Other"))
    assert yaml.safe_load(fresh("--cfg", "job", "dataset=brought"))["dataset"]["name"] == name
