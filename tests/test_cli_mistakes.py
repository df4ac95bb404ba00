"""Mistakes on the command line are refused before any work, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]

HIPPOCAMPUS = "dataset=hippocampus"
MISTAKES = [
    # a misspelt key
    (["convert", "dataset.sorce=x"], "dataset.sorce: there is no such key", "dataset.source"),
    (["train", HIPPOCAMPUS, "trainer.epoch=3"], "trainer.epoch: there is no", "trainer.epochs"),
    (["train", HIPPOCAMPUS, "flod=1"], "flod: there is no such key", "did you mean fold"),
    (["evaluate", "referense=x"], "referense: there is no such key", "reference"),
    # a key that nothing reads
    (["train", HIPPOCAMPUS, "+unknown=1"], "unknown: there is no such key", "known keys"),
    (["train", HIPPOCAMPUS, "+trainer.foo=1"], "trainer.foo: there is no such key", "trainer."),
    (["train", HIPPOCAMPUS, "+trainer.options.x=1"], "trainer.options.x: there is no", ""),
    (["check", HIPPOCAMPUS, "+dataset.labls={a:1}"], "dataset.labls", "dataset.labels"),
    (["convert", HIPPOCAMPUS, "+paths.rot=x"], "paths.rot: there is no", "paths.root"),
    (["predict", HIPPOCAMPUS, "input=a", "output=b", "+foo=1"], "foo: there is no", ""),
    (["predict", HIPPOCAMPUS, "input=a", "output=b", "+dataset.foo=1"], "dataset.foo", ""),
    (["evaluate", "reference=a", "prediction=b", "output=c", "+foo=1"], "foo: there is no", ""),
    # a wrong type
    (["train", HIPPOCAMPUS, "trainer.epochs=many"], "trainer.epochs: a whole number", ""),
    (["train", HIPPOCAMPUS, "trainer.epochs=1.5"], "trainer.epochs: a whole number", ""),
    (["train", HIPPOCAMPUS, "trainer.gpus=0"], "trainer.gpus: a list", ""),
    (["train", HIPPOCAMPUS, "resume=perhaps"], "resume.newest: true or false", ""),
    (["convert", HIPPOCAMPUS, "dataset.channels=CT"], "dataset.channels: a mapping", ""),
    (["convert", HIPPOCAMPUS, "workers=some"], "workers: a number of at least 0 or auto", ""),
    (
        ["predict", "input=a", "output=b", "dataset.name=X", "dataset.task_id=x"],
        "task_id: a wh",
        "",
    ),
    (["convert", HIPPOCAMPUS, "converter=null"], "must be a string", "--help"),
    # where a training is shown
    (["train", HIPPOCAMPUS, "tracking=tensorboard"], "tracking: a list", "tracking=["),
    (["train", HIPPOCAMPUS, "tracking=[mlflow]"], "tracking[0].mlflow.uri: a value is", ""),
    (["train", HIPPOCAMPUS, "tracking=[{mlflow: {url: x}}]"], "there is no such key", "mlflow.uri"),
    (["train", HIPPOCAMPUS, "tracking=[tensorboard, tensorboard]"], "a tracker twice", ""),
    (["train", HIPPOCAMPUS, "overlays=0"], "overlays is a number of epochs from 1", ""),
    # a value out of range
    (["train", HIPPOCAMPUS, "trainer.epochs=0"], "epochs must be at least 1", ""),
    (["train", HIPPOCAMPUS, "trainer.initial_lr=-1"], "initial_lr must be above 0", ""),
    (["train", HIPPOCAMPUS, "trainer.initial_lr=.nan"], "initial_lr", ""),
    (["train", HIPPOCAMPUS, "trainer.gpus=[0,0]"], "gpus must be different", ""),
    (["train", HIPPOCAMPUS, "trainer.patch_size=[8,8]"], "3d_fullres has 3 axes", "[z, y, x]"),
    (["train", HIPPOCAMPUS, "fold=5"], "fold: 5 can't be used", "one of: 0, 1, 2, 3, 4, all"),
    (["train", HIPPOCAMPUS, "fold=true"], "fold: True can't be used", "one of: 0, 1"),
    (["train", HIPPOCAMPUS, "network=3d"], "network: '3d' can't be used", "3d_fullres"),
    (["train", HIPPOCAMPUS, "device=gpu"], "device: 'gpu' can't be used", "cuda"),
    (["convert", HIPPOCAMPUS, "convert.on_error=skp"], "'skp' can't be used", "did you mean skip"),
    (["predict", HIPPOCAMPUS, "input=a", "output=b", "convert.on_error=skp"], "'skp'", "skip"),
    (["convert", HIPPOCAMPUS, "dataset.test_fraction=1"], "test_fraction 1.0 is not in", ""),
    (["convert", HIPPOCAMPUS, "dataset.subject='('"], "not a regular expression", ""),
    (["convert", HIPPOCAMPUS, "dataset.task_id=7"], "reserves", "dataset.force_task_id=true"),
    (["convert", HIPPOCAMPUS, "dataset.task_id=1000"], "not between 1 and 999", ""),
    (["convert", HIPPOCAMPUS, "dataset.name=a/b"], "can't be part of a folder's name", ""),
    (["convert", HIPPOCAMPUS, "dataset.name=../b"], "can't be part of a folder's name", ""),
    (["convert", HIPPOCAMPUS, "dataset.labels.posterior=3"], "without gaps", "remap=table"),
    (["convert", HIPPOCAMPUS, "workers=-1"], "workers: a number of at least 0", ""),
    (["predict", HIPPOCAMPUS, "input=a", "output=b", "step_size=2"], "step_size must be in", ""),
    # a missing value
    (["convert", HIPPOCAMPUS], "dataset.source: where are the images", "dataset.source=DIR"),
    (["convert", "dataset.name=X"], "dataset.task_id: a value is missing", "dataset.task_id=VALUE"),
    (["predict", HIPPOCAMPUS, "output=b"], "input: a value is missing", "input=VALUE"),
    (["predict", "input=a", "output=b"], "which model?", "model=DIR"),
    (["evaluate", "reference=a"], "prediction: a value is missing", "prediction=VALUE"),
    (["convert", "~dataset"], "dataset.name: a value is missing", ""),
    # a name that is not there
    (["convert", "dataset=lunglob"], "dataset=lunglob: there is no", "did you mean lunglobe"),
    (["convert", "dataset=hipocampus"], "no dataset called 'hipocampus'", "mean hippocampus"),
    (["train", HIPPOCAMPUS, "trainer=v2dp"], "no trainer called 'v2dp'", "v2_dp"),
    (["convert", HIPPOCAMPUS, "converter=nifty"], "no converter called 'nifty'", "nifti"),
    (["convert", HIPPOCAMPUS, "remap=tabel"], "no remap called 'tabel'", "chain"),
    # an option of another plugin, and what can't be parsed
    (
        ["convert", HIPPOCAMPUS, "converter=nifti", "converter.spacing=[1,1,1]"],
        "converter.spacing: there is no such key",
        "converter.form",
    ),
    (["convert", "dataset.channels={0:CT"], "can't be composed", "--help"),
    (["convert", "dataset"], "can't be composed", "--help"),
]


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"), MISTAKES, ids=[" ".join(one[0]) for one in MISTAKES]
)
def test_a_mistake_is_refused_with_what_to_do(
    command: Command, tmp_path: Path, arguments: list[str], problem: str, hint: str
) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("nnplug: ")
    lead, _, advice = err.partition("\n  -> ")
    assert problem in lead
    assert hint in (advice or lead)
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
