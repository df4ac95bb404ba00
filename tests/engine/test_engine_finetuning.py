"""Starting from another model's weights: what fits is taken, the rest is listed."""

from __future__ import annotations

import pickle
import textwrap
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nnplug.config.folders import Folders
from nnplug.config.settings import Pretrained
from nnplug.errors import ConfigError
from nnplug.stages import pretrained
from nnplug.stages.fold import Fold

pytestmark = pytest.mark.slow

HEAD = """
import pickle
import numpy as np
import torch
from engine_job import *
from nnplug.engine import construction, finetuning, planning, plans, safe, training
from nnplug.errors import NnplugError
f, device = enter()
there = f.preprocessed / TASK
def train(**changes):
    notes = []
    result = training.run(f, device, job(**changes), on_epoch=lambda _: None,
                          on_note=notes.append, log=f.results / "log")
    return result, notes
def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}
source = f.results / "source.model"
"""


@pytest.fixture(scope="module")
def source(planned, tmp_path_factory, run_python):
    """A folder with a checkpoint of the tiny network."""
    results = tmp_path_factory.mktemp("source")
    code = """
    import shutil
    result, _ = train(epochs=1, seed=1)
    shutil.copy(result.fold_folder / "model_final_checkpoint.model", source)
    """
    run_python(HEAD + textwrap.dedent(code), planned, results=results)
    return results


def test_heads_of_other_classes_start_anew(source, planned, run_python):
    """Against nnU-Net's own loader, for what it takes, and by the count of its keys."""
    code = """
    from nnunet.run.load_pretrained_weights import load_pretrained_weights
    stored = safe.load_checkpoint(source)["state_dict"]
    with environment.quiet(None):
        trainer = construction.build(job(), device, training=False)
    taken = finetuning.take(trainer, source)
    print(len(taken.taken) == len(stored), taken.anew, taken.unused, taken.checkpoint[-12:])
    print(all(torch.equal(value, stored[k]) for k, value in weights(trainer.network).items()))

    content = plans.read(plans.plans_file(f, TASK, "3d_fullres", PLANS))
    content["num_classes"], content["all_classes"] = 3, [1, 2, 3]
    plans.plans_file(f, TASK, "3d_fullres", "more").write_bytes(pickle.dumps(content))
    more = job(plans_identifier="more")
    with environment.quiet(None):
        trainer = construction.build(more, device, training=False)
    before = weights(trainer.network)
    taken = finetuning.take(trainer, source)
    mine = weights(trainer.network)
    torch.serialization.add_safe_globals(safe._numpy_globals())
    trainer.network.load_state_dict(before)
    with environment.quiet(None):
        load_pretrained_weights(trainer.network, str(source))
    print(all(torch.equal(value, mine[k]) for k, value in weights(trainer.network).items()))
    print(sorted(taken.anew) == [k for k in sorted(stored) if k.startswith("seg_outputs")])
    print(all(torch.equal(mine[k], before[k]) for k in taken.anew), taken.summary()[:60])
    """
    out = run_python(HEAD + textwrap.dedent(code), planned, results=source).splitlines()
    assert out[0] == "True {} () source.model"
    assert out[1:4] == ["True"] * 3
    assert out[4].startswith("True ")
    assert " tensors taken from " in out[4]


def test_other_channels_and_other_features(source, planned, run_python):
    code = """
    stored = safe.load_checkpoint(source)["state_dict"]
    content = plans.read(plans.plans_file(f, TASK, "3d_fullres", PLANS))
    content["num_modalities"] = 3
    plans.plans_file(f, TASK, "3d_fullres", "channels").write_bytes(pickle.dumps(content))
    with environment.quiet(None):
        trainer = construction.build(job(plans_identifier="channels"), device, training=False)
    print(finetuning.take(trainer, source).anew)
    planning.derive(f, TASK, "3d_fullres", "wide", planning.PlanOverrides(2, (16, 16, 16), 6))
    with environment.quiet(None):
        trainer = construction.build(job(plans_identifier="wide"), device, training=False)
    try:
        finetuning.take(trainer, source)
    except NnplugError as error:
        print(type(error).__name__, error.problem)
    """
    out = run_python(HEAD + textwrap.dedent(code), planned, results=source).splitlines()
    assert out == [
        "{'conv_blocks_context.0.blocks.0.conv.weight': '4x2x3x3x3 in it, 4x3x3x3x3 here'}",
        "DataError none of these weights fits the network",
    ]


def test_a_training_starts_from_it_and_resumes_without_it(source, planned, run_python):
    code = """
    stored = safe.load_checkpoint(source)["state_dict"]
    start = dict(pretrained=source, epochs=1, lr=1e-12, overwrite=True)
    result, notes = train(**start)
    print(notes)
    final = result.fold_folder / "model_final_checkpoint.model"
    now = safe.load_checkpoint(final)["state_dict"]
    print(max(float((now[k] - stored[k]).abs().max()) for k in stored) < 1e-6)
    record = safe.read_pickle(f"{final}.pkl")["nnplug"]["pretrained"]
    import hashlib
    print(len(record["taken"]) == len(stored), record["anew"],
          record["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest())
    source.rename(f.results / "away")
    try:
        result, notes = train(**{**start, "overwrite": False}, resume=True, extend=1)
        print(notes, result.epochs_done)
        record = safe.read_pickle(f"{final}.pkl")["nnplug"]["pretrained"]
        print(len(record["taken"]) == len(stored))
        train(epochs=1, lr=1e-12, resume=True, extend=2)
    except NnplugError as error:
        print(error.problem)
    finally:
        (f.results / "away").rename(source)
    """
    out = run_python(HEAD + textwrap.dedent(code), planned, results=source).splitlines()
    assert "tensors taken from" in out[0]
    assert out[1:3] == ["True", "True {} True"]
    assert out[3] == "['resuming from model_final_checkpoint.model after 1 epochs'] 2"
    assert out[4:] == ["True", "changed since this checkpoint: pretrained"]


@pytest.mark.parametrize("gone", [False, True])
def test_a_training_that_goes_on_needs_no_source(tmp_path, gone):
    """The key is looked up for a training that starts; one that goes on knows what it took."""
    folders = Folders.below(tmp_path, {})
    source = tmp_path / "source.model"
    weights = tmp_path / "fold_0" / "model_latest.model"
    weights.parent.mkdir()
    weights.write_bytes(b"")
    identity = {"pretrained": "a/fold_0/source.model"}
    Path(f"{weights}.pkl").write_bytes(pickle.dumps({"nnplug": {"identity": identity}}))
    if not gone:
        source.write_bytes(b"")
    for resume, folder in ((True, "fold_0"), (True, "fold_1"), (False, "fold_0")):
        fold: Any = SimpleNamespace(
            settings=SimpleNamespace(pretrained=Pretrained(source), resume=resume),
            folders=folders,
            folder=tmp_path / folder,
        )
        fold.started_from = partial(Fold.started_from, fold)
        if not gone:
            assert pretrained.of(fold) == source
        elif resume and folder == "fold_0":
            assert pretrained.of(fold) == Path("a/fold_0/source.model")
        else:
            with pytest.raises(ConfigError, match="no such file"):
                pretrained.of(fold)
