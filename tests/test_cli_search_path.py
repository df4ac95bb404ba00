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
    assert "dataset: demo, hippocampus, inline, lunglobe, mine" in command("train", "--help")[1]


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


def test_an_installed_plugin_brings_its_configs(tmp_path: Path) -> None:
    record = tmp_path / "brings-2.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: brings\nVersion: 2.0\n")
    (record / "entry_points.txt").write_text("[nnplug]\nbrings = brings.plugin\n")
    put(tmp_path / "brings" / "conf", "dataset/brought")
    (tmp_path / "brings" / "__init__.py").touch()
    (tmp_path / "brings" / "conf" / "__init__.py").touch()
    (tmp_path / "brings" / "plugin.py").write_text(
        "from nnplug.hookspecs import hookimpl\n\n"
        "@hookimpl\ndef nnplug_config_paths():\n    return ['pkg://brings.conf']\n"
    )

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

    assert "plugin brings" in run("--info", "searchpath")
    assert yaml.safe_load(run("--cfg", "job", "dataset=brought"))["dataset"]["name"] == "Mine"
