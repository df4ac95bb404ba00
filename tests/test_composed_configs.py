"""Every shipped config composes, and every shipped dataset is valid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from nnplug.catalog import Catalog
from nnplug.cli import VERBS
from nnplug.config.load import data_settings, model_settings

Command = Callable[..., tuple[int, str, str]]
CONF = Path(__file__).resolve().parents[1] / "conf"
DATASETS = sorted(path.stem for path in (CONF / "dataset").glob("*.yaml"))


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_a_config_that_composes(command: Command, verb: str) -> None:
    code, out, err = command(verb, "--cfg", "job")
    assert (code, err) == (0, "")
    assert isinstance(yaml.safe_load(out), dict)


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "inline"])
def test_every_dataset_is_valid(command: Command, name: str) -> None:
    _, out, _ = command("train", "--cfg", "job", f"dataset={name}")
    catalog = Catalog.build()
    settings = model_settings(yaml.safe_load(out), catalog)
    assert settings.dataset.task.startswith("Task")
    assert settings.dataset.labels["background"] == 0
    _, out, _ = command("convert", "--cfg", "job", f"dataset={name}")
    assert data_settings(yaml.safe_load(out), catalog).dataset == settings.dataset


def test_shipped_tasks_have_different_ids(command: Command) -> None:
    texts = [command("convert", "--cfg", "job", f"dataset={name}")[1] for name in DATASETS]
    ids = [yaml.safe_load(text)["dataset"]["task_id"] for text in texts]
    assert len(set(ids)) == len(DATASETS)


def test_the_datasets_of_the_documentation_are_there(command: Command) -> None:
    def dataset(name: str) -> dict[str, object]:
        _, out, _ = command("convert", "--cfg", "job", f"dataset={name}")
        found: dict[str, object] = yaml.safe_load(out)["dataset"]
        return found

    lung = dataset("lunglobe")
    assert (lung["name"], lung["task_id"], lung["channels"]) == ("LungLobe", 128, {0: "CT"})
    assert sorted(lung["labels"].values()) == [0, 1, 2, 3, 4, 5]  # type: ignore[attr-defined]
    brain = dataset("hippocampus")
    assert (brain["name"], brain["task_id"]) == ("Hippocampus", 104)
    assert brain["labels"] == {"background": 0, "anterior": 1, "posterior": 2}
