"""Verbs, help, Hydra's grammar and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from nnplug import __version__
from nnplug.cli import PLAIN_VERBS, VERBS

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("argument", [None, "-h", "--help", "help"])
def test_help_lists_every_verb(command: Command, argument: str | None) -> None:
    code, out, _ = command(*([argument] if argument else []))
    assert code == 0
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert [word for word in listed if word in {**VERBS, **PLAIN_VERBS}] == [*VERBS, *PLAIN_VERBS]


def test_the_version_is_told(command: Command) -> None:
    assert command("--version") == (0, f"nnplug {__version__}\n", "")


@pytest.mark.parametrize(
    ("word", "near"), [("trian", "train"), ("Convert", "convert"), ("qqq", "")]
)
def test_an_unknown_verb_is_corrected(command: Command, word: str, near: str) -> None:
    code, out, err = command(word)
    assert (code, out) == (2, "")
    assert f"there is no verb {word!r}" in err
    assert (f"did you mean {near}?" in err) if near else ("did you mean" not in err)


def test_the_help_tells_who_brings_a_choice(command: Command) -> None:
    _, out, _ = command("train", "--help")
    listed = [line.split(": ", 1) for line in out.partition("== Config ==")[0].splitlines()]
    groups = {line[0]: line[1].split(", ") for line in listed if len(line) == 2}
    installed = json.loads(command("plugins", "--json")[1])
    assert {"nnplug", "nnplug-trainers"} <= {plugin["distribution"] for plugin in installed}
    for plugin in installed:
        owner = plugin["distribution"]
        for group in {"converter", "remap", "trainer", "planner"} & set(plugin["offers"]):
            names = plugin["offers"][group]
            wanted = names if owner == "nnplug" else [f"{name} ({owner})" for name in names]
            assert set(wanted) <= set(groups[group])
    assert groups["dataset"] == ["demo", "hippocampus", "inline", "lunglobe"]


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_explains_its_keys(command: Command, verb: str) -> None:
    code, out, _ = command(verb, "--help")
    assert code == 0
    assert out.startswith("nnplug is powered by Hydra")
    assert "workers: auto" in out


def test_cfg_job_prints_the_composed_configuration(command: Command) -> None:
    code, out, _ = command("train", "--cfg", "job", "dataset=lunglobe", "trainer.epochs=3")
    composed = yaml.safe_load(out)
    assert code == 0
    assert composed["dataset"]["task_id"] == 128
    assert composed["trainer"]["epochs"] == 3
    assert "hydra" not in composed


def test_an_inline_dataset_needs_no_file(command: Command) -> None:
    code, out, _ = command(
        "convert",
        "--cfg",
        "job",
        "dataset.name=STS",
        "dataset.task_id=301",
        "dataset.channels={0:CT}",
        "dataset.labels={background:0,GTV:1}",
    )
    composed = yaml.safe_load(out)
    assert code == 0
    assert composed["dataset"]["channels"] == {0: "CT"}
    assert composed["dataset"]["labels"] == {"background": 0, "GTV": 1}


def test_a_plugin_that_is_broken_gives_exit_code_3(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "site" / "wreck-0.3.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: wreck\nVersion: 0.3\n")
    (record / "entry_points.txt").write_text("[nnplug]\nwreck = wreck_plugin\n")
    (tmp_path / "site" / "wreck_plugin.py").write_text("1/0")
    monkeypatch.syspath_prepend(tmp_path / "site")
    code, out, _ = command("plugins", "--json")
    (found,) = [plugin for plugin in json.loads(out) if plugin["name"] == "wreck"]
    assert code == 3
    assert (found["distribution"], found["version"]) == ("wreck", "0.3")
    assert "ZeroDivisionError" in found["problem"]
    code, out, _ = command("plugins")
    assert code == 3
    assert "problem: ZeroDivisionError: division by zero" in out

    monkeypatch.setenv("NNPLUG_BLOCK", "wreck")
    code, out, _ = command("plugins")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines() if "wreck" in line] == [
        ["wreck", "blocked"]
    ]


def test_plugins_tells_what_each_offers(command: Command) -> None:
    _, out, _ = command("plugins", "--json")
    offers = {plugin["name"]: plugin["offers"] for plugin in json.loads(out)}
    assert offers["builtin"] == {"trainer": ["v2", "v2_dp", "v2_ddp"], "planner": ["v21"]}
    formats = ["nii.gz", "nii", "mha", "nrrd"]
    assert offers["formats"] == {"converter": ["nifti"], "format": formats}


def test_nothing_converted_gives_exit_code_5(command: Command) -> None:
    code, _, err = command("check", "dataset=hippocampus")
    assert code == 5
    assert "Task104_Hippocampus: there is no dataset.json" in err
    assert "run `nnplug convert`" in err


def test_no_case_in_the_source_gives_exit_code_4(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = command("convert", "dataset=hippocampus", "dataset.source=empty")
    assert code == 4
    assert "no installed converter recognises these files" in err


def test_a_sweep_goes_on_after_a_failure_and_reports_each(command: Command, tmp_path: Path) -> None:
    code, _, err = command("check", "-m", "dataset=hippocampus,lunglobe", f"paths.root={tmp_path}")
    assert code == 10
    assert "2 of 2 jobs did not end well" in err
    assert "dataset=hippocampus: failed: " in err
    assert "dataset=lunglobe: failed: " in err
    assert "Task104_Hippocampus" in err
    assert "Task128_LungLobe" in err
    assert "Traceback" not in err


def test_a_verb_leaves_nothing_of_hydras_behind(command: Command, tmp_path: Path) -> None:
    command("check", "dataset=hippocampus")
    assert list(tmp_path.iterdir()) == []


def test_a_traceback_is_shown_when_asked_for(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNPLUG_TRACEBACK", "1")
    code, _, err = command("check", "dataset=hippocampus")
    assert code == 5
    assert "Traceback" in err
