"""Model files and pickles are read as data, whatever is in them."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from nnplug.engine.safe import load_checkpoint, read_pickle
from nnplug.errors import DataError, TrainingError

MODELS = Path(__file__).parents[3] / "shared" / "data" / "models_v1"


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_pickles_are_read(tmp_path, protocol):
    content = OrderedDict(
        a=np.arange(6, dtype=np.float32).reshape(2, 3).T,
        b=np.float64(1.5),
        c={1, (2, "x")},
        d=[None, True, 1.5, b"bytes", slice(1, 2)],
        e=np.array(["text", None], dtype=object),
    )
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    back = read_pickle(path)
    assert list(back) == list(content)
    assert np.array_equal(back["a"], content["a"])
    assert back["b"] == 1.5
    assert back["c"] == content["c"]
    assert back["d"] == content["d"]
    assert back["e"].tolist() == ["text", None]


def test_pickles_with_old_numpy_names_are_read(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(np.arange(3), 2).replace(b"numpy._core", b"numpy.core"))
    assert read_pickle(path).tolist() == [0, 1, 2]


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: [{"plans": e}]])
def test_hostile_pickles_are_refused(tmp_path, wrap):
    path, marker = tmp_path / "x.model.pkl", tmp_path / "marker"
    path.write_bytes(pickle.dumps(wrap(Evil(marker))))
    with pytest.raises(DataError, match=r"x\.model\.pkl.*posix\.system") as caught:
        read_pickle(path)
    assert caught.value.hint
    assert not marker.exists()


@pytest.mark.parametrize(
    "call", [b"cbuiltins\neval\n(V1\ntR.", b"c_codecs\nencode\n(Vab\nVrot13\ntR.", b"", b"\x80\x04"]
)
def test_other_pickles_are_refused(tmp_path, call):
    path = tmp_path / "x.pkl"
    path.write_bytes(call)
    with pytest.raises(DataError, match=r"x\.pkl"):
        read_pickle(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no\.pkl"):
        read_pickle(tmp_path / "no.pkl")
    with pytest.raises(TrainingError, match=r"no\.model"):
        load_checkpoint(tmp_path / "no.model")


def test_checkpoints_with_numpy_scalars_are_read(tmp_path):
    path = tmp_path / "x.model"
    losses = [np.float32(1), np.float64(2)]
    torch.save({"state_dict": {"w": torch.ones(2)}, "plot_stuff": (losses, []), "epoch": 1}, path)
    before = set(torch.serialization.get_safe_globals())
    content = load_checkpoint(path)
    assert content["plot_stuff"][0] == [1, 2]
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("legacy", [False, True])
def test_hostile_checkpoints_are_refused(tmp_path, legacy):
    path, marker = tmp_path / "x.model", tmp_path / "marker"
    content = {"state_dict": {}, "plot_stuff": Evil(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(TrainingError, match=r"x\.model.*posix\.system"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(Evil(marker)))
    with pytest.raises(TrainingError, match=r"x\.model"):
        load_checkpoint(path)
    assert not marker.exists()


def test_truncated_and_other_files_are_refused(tmp_path):
    path = tmp_path / "x.model"
    torch.save({"state_dict": {"w": torch.ones(2000)}}, path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(TrainingError, match="damaged"):
        load_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(TrainingError, match="no weights"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["hippocampus", "sarcoma_pet"])
def test_old_models_are_read(tmp_path, name):
    bundle = MODELS / f"{name}.zip"
    if not bundle.is_file():
        pytest.skip(f"{bundle} is absent")
    with zipfile.ZipFile(bundle) as archive:
        for member in archive.namelist():
            content = io.BytesIO(archive.read(member)).getvalue()
            path = tmp_path / Path(member).name
            path.write_bytes(content)
            if path.name.endswith(".pkl"):
                assert read_pickle(path)
            elif path.suffix == ".model":
                assert len(load_checkpoint(path)["plot_stuff"][0]) > 0
