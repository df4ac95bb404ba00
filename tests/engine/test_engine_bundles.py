"""Bundles: what comes in is looked at first, what goes out tells nothing of the machine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import stat
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nnplug.engine.bundles import export, manifest
from nnplug.engine.bundles.archive import Limits
from nnplug.engine.bundles.install import install
from nnplug.engine.safe import load_checkpoint, read_pickle
from nnplug.errors import ConfigError, DataError, NnplugError, TrainingError

NAME = "3d_fullres/Task301_Toy/nnUNetTrainerV2__nnUNetPlansv2.1"
WEIGHTS = f"{NAME}/fold_0/model_final_checkpoint.model"
SECRET = "/home/jane.doe/secret project"
Files = dict[str, bytes]


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def saved(content: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def model_files() -> Files:
    """The files of a small model, as stock nnU-Net stores them."""
    plans = OrderedDict(
        num_modalities=1,
        modalities={0: "CT"},
        all_classes=[1, 2],
        preprocessed_data_folder=f"{SECRET}/preprocessed/Task301_Toy",
        list_of_npz_files=[f"{SECRET}/cropped/case_{n}.npz" for n in range(2)],
        transpose_forward=[np.int64(0), 1, 2],
        plans_per_stage={0: {"patch_size": np.array([16, 16, 16]), "batch_size": 2}},
    )
    folder = f"{SECRET}/results/{NAME}"
    init = (f"{SECRET}/Task301_Toy/plans_3D.pkl", 0, folder, r"D:\data\Task301_Toy", True)
    kind = "<class 'nnunet.training.network_training.nnUNetTrainerV2.nnUNetTrainerV2'>"
    info = {"init": init, "name": "nnUNetTrainerV2", "class": kind, "plans": plans}
    shared = torch.arange(6.0).reshape(2, 3)
    weights = OrderedDict(a=shared, b=shared.T, c=torch.ones(2, dtype=torch.float16))
    debug = {"init_args": str(init), "epoch": "0", "log_file": f"{SECRET}/log.txt"}
    return {
        f"{NAME}/plans.pkl": pickle.dumps(plans),
        WEIGHTS: saved({"state_dict": weights, "epoch": 3}),
        f"{WEIGHTS}.pkl": pickle.dumps(info),
        f"{NAME}/fold_0/debug.json": json.dumps(debug).encode(),
        f"{NAME}/fold_0/progress.png": b"a picture",
    }


def zipped(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "root" / "results" / "nnUNet"


@pytest.fixture
def exported(tmp_path: Path, models: Path) -> Path:
    """A bundle that nnplug wrote, of a model that is not installed any more."""
    install(zipped(tmp_path / "stock.zip", model_files()), models)
    output = tmp_path / "exported.zip"
    export.write(models / NAME, output, licence="CC-BY-4.0", created={"date": "today"})
    models.parent.rename(tmp_path / "before")
    return output


@pytest.fixture
def refused(tmp_path: Path, models: Path) -> Callable[..., NnplugError]:
    """Import a file that must be refused and leave nothing."""

    def run(path: Path, **how: Any) -> NnplugError:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(NnplugError) as caught:
            install(path, models, **how)
        assert sorted(tmp_path.rglob("*")) == before
        assert caught.value.hint
        return caught.value

    return run


def test_a_stock_bundle_becomes_a_model(tmp_path: Path, models: Path) -> None:
    files = model_files()
    ensemble = "ensembles/Task301_Toy/ensemble_2d__A__B--3d_fullres__A__B/postprocessing.json"
    other = {name.replace("3d_fullres", "2d", 1): content for name, content in files.items()}
    bundle = zipped(tmp_path / "x.zip", {**files, **other, ensemble: b"{}"})
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.mkdir(NAME)
    found = install(bundle, models)
    assert [about.name for about in found] == [NAME.replace("3d_fullres", "2d"), NAME]
    assert (found[1].folds, found[1].trainer, found[1].package) == (
        ("fold_0",),
        "nnUNetTrainerV2",
        "nnunet",
    )
    there = {p.relative_to(models).as_posix(): p for p in models.rglob("*") if p.is_file()}
    assert {name: path.read_bytes() for name, path in there.items()} == {
        **files,
        **other,
        ensemble: b"{}",
    }
    assert [path.name for path in models.parent.iterdir()] == ["nnUNet"]


def test_an_exported_bundle_holds_the_same_model(exported: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported) as archive:
        archive.extractall(tmp_path / "unzipped")
    folder, before = tmp_path / "unzipped" / NAME, tmp_path / "before" / "nnUNet" / NAME
    weights = "fold_0/model_final_checkpoint.model"
    assert (folder / weights).read_bytes() == (before / weights).read_bytes()
    tensors = load_file(folder / "fold_0" / "model_final_checkpoint.safetensors")
    original = load_checkpoint(before / weights)["state_dict"]
    assert list(tensors) == sorted(original)
    assert all(torch.equal(tensors[name], original[name]) for name in original)
    plans = json.loads((folder / "plans.json").read_text())
    assert plans["plans_per_stage"]["0"] == {"patch_size": [16, 16, 16], "batch_size": 2}
    assert plans["transpose_forward"] == [0, 1, 2]
    content = json.loads((folder / "nnplug_bundle.json").read_text())
    assert content["trainer"]["package"] == "nnunet"
    assert content["licence"] == "CC-BY-4.0"
    assert content["dataset"]["channels"] == {"0": "CT"}
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(content["files"]) == there - {"nnplug_bundle.json"}
    for name, digest in content["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_an_exported_bundle_tells_nothing_of_the_machine(exported: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
        archive.extractall(tmp_path / "unzipped")
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    for name, content in contents.items():
        assert not re.search(rb"jane|secret|data\\\\|D:", content), name
    folder = tmp_path / "unzipped" / NAME
    info = read_pickle(folder / "fold_0" / "model_final_checkpoint.model.pkl")
    names = ("plans_3D.pkl", 0, "nnUNetTrainerV2__nnUNetPlansv2.1", "Task301_Toy", True)
    assert info["init"] == names
    assert info["plans"]["list_of_npz_files"] == ["case_0.npz", "case_1.npz"]
    assert json.loads((folder / "fold_0" / "debug.json").read_text()) == {
        "init_args": str(names),
        "epoch": "0",
        "log_file": "log.txt",
    }


def test_exported_pickles_name_numpy_as_numpy_1_does(exported: Path) -> None:
    with zipfile.ZipFile(exported) as archive:
        for name in (f"{NAME}/plans.pkl", f"{WEIGHTS}.pkl"):
            assert b"numpy._core" not in archive.read(name)
            assert b"numpy.core" in archive.read(name)


def test_an_exported_bundle_is_imported(exported: Path, models: Path) -> None:
    (about,) = install(exported, models)
    assert about.name == NAME
    content = manifest.read(models / NAME)
    assert content is not None
    assert content["licence"] == "CC-BY-4.0"
    with pytest.raises(ConfigError, match=r"fold_3.*not finished"):
        export.write(models / NAME, models / "x.zip", folds=["fold_3"], created={})


def test_a_cascade_takes_its_first_stage_along(tmp_path: Path, models: Path) -> None:
    lowres = NAME.replace("3d_fullres", "3d_lowres", 1)
    cascade = "3d_cascade_fullres/Task301_Toy/nnUNetTrainerV2CascadeFullRes__nnUNetPlansv2.1"
    files: Files = {}
    for name, content in model_files().items():
        files[name.replace(NAME, lowres)] = content
        if name.endswith(".model.pkl"):
            info = pickle.loads(content)
            # As nnUNetTrainerV2CascadeFullRes has it, with the first stage's trainer near the end.
            info["init"] = (*info["init"], 1, True, True, "nnUNetTrainerV2", True)
            content = pickle.dumps(info)
        files[name.replace(NAME, cascade)] = content
    for name in [name for name in files if name.startswith(lowres) and "fold_0" in name]:
        files[name.replace("fold_0", "fold_1")] = files[name]
    found = install(zipped(tmp_path / "stock.zip", files), models)
    assert [about.first_stage for about in found] == [lowres, None]
    exported = tmp_path / "x.zip"
    export.write(models / cascade, exported, created={})
    with zipfile.ZipFile(exported) as archive:
        folds = {tuple(name.split("/")[:4:3]) for name in archive.namelist() if "fold" in name}
    assert folds == {("3d_lowres", "fold_0"), ("3d_cascade_fullres", "fold_0")}

    fresh = tmp_path / "fresh" / "nnUNet"
    assert [about.name for about in install(exported, fresh)] == [cascade, lowres]
    # Another cascade may come with the same first stage, but not with another one of that name.
    (fresh / cascade).rename(tmp_path / "away")
    assert [about.name for about in install(exported, fresh)] == [cascade, lowres]
    with pytest.raises(DataError, match="already"):
        install(exported, fresh)
    (fresh / cascade).rename(tmp_path / "again")
    (fresh / lowres / "fold_0" / "model_final_checkpoint.model").write_bytes(b"other")
    with pytest.raises(DataError, match="already"):
        install(exported, fresh)
    assert not (fresh / cascade).exists()

    (models / lowres / "fold_0").rename(models / lowres / "fold_7")
    with pytest.raises(ConfigError, match=r"fold_0.*not finished"):
        export.write(models / cascade, exported, created={})
    (models / lowres).rename(tmp_path / "lowres")
    with pytest.raises(DataError, match="first stage is not there"):
        export.write(models / cascade, exported, created={})


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.pkl",
        f"{NAME}/../../../../escaped.pkl",
        "/tmp/escaped.pkl",
        "C:/escaped.pkl",
        r"..\escaped.pkl",
        r"3d_fullres\Task301_Toy\escaped.pkl",
        "escaped.pkl",
        f"./{NAME}/plans.pkl",
        f"{NAME}/fold_0/sitecustomize.py",
        f"{NAME}/fold_1/../plans.pkl",
        "3d_fullres/Task301_Toy/..__../plans.pkl",
        f"{NAME}/fold_0/\u202eknp.model",
        f"{NAME}/plans.pkl/",
        "somewhere/else/",
    ],
)
def test_names_that_no_bundle_has_are_refused(tmp_path: Path, refused: Any, name: str) -> None:
    error = refused(zipped(tmp_path / "x.zip", {**model_files(), name: b""}))
    assert "no bundle has" in error.problem


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(tmp_path: Path, refused: Any, kind: int) -> None:
    bundle = zipped(tmp_path / "x.zip", model_files())
    with zipfile.ZipFile(bundle, "a") as archive:
        entry = zipfile.ZipInfo(f"{NAME}/postprocessing.json")
        entry.create_system = 3
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "link" in refused(bundle).problem


def test_names_that_differ_by_case_are_refused(tmp_path: Path, refused: Any) -> None:
    twin = f"{NAME}/plans.pkl".replace("Toy", "TOY")
    files = {**model_files(), twin: pickle.dumps({})}
    assert "upper and lower case" in refused(zipped(tmp_path / "x.zip", files)).problem


def test_a_file_that_is_there_twice_is_refused(tmp_path: Path, refused: Any) -> None:
    bundle = zipped(tmp_path / "x.zip", model_files())
    with zipfile.ZipFile(bundle, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"{NAME}/plans.pkl", b"")
    assert "twice" in refused(bundle).problem


@pytest.mark.parametrize("name", ["plans.pkl", "fold_0/model_final_checkpoint.model.pkl"])
def test_pickles_that_run_code_are_refused(tmp_path: Path, refused: Any, name: str) -> None:
    marker = tmp_path / "marker"
    files = {**model_files(), f"{NAME}/{name}": pickle.dumps({"plans": [Evil(marker)]})}
    error = refused(zipped(tmp_path / "x.zip", files))
    assert "posix.system" in error.problem
    assert PurePosixPath(name).name in str(error.where)
    assert not marker.exists()


@pytest.mark.parametrize("checkpoint", ["model_final_checkpoint", "model_best"])
def test_weights_that_run_code_are_refused(tmp_path: Path, refused: Any, checkpoint: str) -> None:
    marker = tmp_path / "marker"
    hostile = saved({"state_dict": OrderedDict(a=torch.ones(2)), "plot_stuff": Evil(marker)})
    files = {**model_files(), f"{NAME}/fold_0/{checkpoint}.model": hostile}
    error = refused(zipped(tmp_path / "x.zip", files))
    assert isinstance(error, TrainingError)
    assert "posix.system" in error.problem
    assert not marker.exists()


def bomb(path: Path, megabytes: int, said: int) -> Path:
    """A bundle with a file of zeros, a thousandth as long as that, which is said to be ``said``."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    zipped(path, model_files())
    entry = zipfile.ZipInfo(f"{NAME}/fold_0/network_architecture.pdf")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, block * megabytes + deflate.flush())
        entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, said
    return path


def test_a_bomb_of_10_gb_is_not_unpacked(
    tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bomb(tmp_path / "x.zip", 10 << 10, 10 << 30)
    assert path.stat().st_size < 20 << 20
    monkeypatch.setattr("nnplug.engine.bundles.archive.shutil.copyfileobj", None)
    error = refused(path)
    assert "times its own size" in error.problem
    assert "max_ratio" in error.hint


def test_a_bomb_that_lies_about_its_size_is_cut_off(
    tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bomb(tmp_path / "x.zip", 100, 1000)
    written: list[int] = []
    copy = "nnplug.engine.bundles.archive.shutil.copyfileobj"
    monkeypatch.setattr(copy, lambda source, sink: written.append(sink.write(source.read())))
    assert "not a whole zip" in refused(path).problem
    assert max(written) < 100_000


def test_compressed_weights_are_not_inflated(tmp_path: Path, refused: Any) -> None:
    content = saved({"state_dict": {"a": torch.zeros(1 << 20)}})
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
    files = {**model_files(), WEIGHTS: packed.getvalue()}
    assert "compressed" in refused(zipped(tmp_path / "x.zip", files)).problem


@pytest.mark.parametrize(
    ("limits", "word"), [(Limits(size=1000), "max_gb"), (Limits(files=4), "max_files")]
)
def test_limits(tmp_path: Path, refused: Any, limits: Limits, word: str) -> None:
    error = refused(zipped(tmp_path / "x.zip", model_files()), limits=limits)
    assert word in str(error.hint)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(tmp_path: Path, refused: Any, method: int) -> None:
    assert "deflate" in refused(zipped(tmp_path / "x.zip", model_files(), method)).problem


@pytest.mark.parametrize("part", [0, 0.3, 0.99])
def test_truncated_and_other_files_are_refused(tmp_path: Path, refused: Any, part: float) -> None:
    bundle = zipped(tmp_path / "x.zip", model_files())
    content = bundle.read_bytes()
    bundle.write_bytes(content[: int(len(content) * part)])
    assert "not a whole zip file" in refused(bundle).problem


def test_a_flipped_bit_is_noticed(tmp_path: Path, refused: Any) -> None:
    bundle = zipped(tmp_path / "x.zip", model_files(), zipfile.ZIP_STORED)
    content = bytearray(bundle.read_bytes())
    content[content.index(b"a picture")] ^= 1
    bundle.write_bytes(content)
    assert "CRC" in refused(bundle).problem


@pytest.mark.parametrize("missing", [f"{NAME}/plans.pkl", WEIGHTS, f"{WEIGHTS}.pkl"])
def test_half_a_model_is_refused(tmp_path: Path, refused: Any, missing: str) -> None:
    files = model_files()
    del files[missing]
    refused(zipped(tmp_path / "x.zip", files))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{NAME}/plans.json", b"[1"),
        (f"{NAME}/nnplug_bundle.json", b"[]"),
        (f"{NAME}/nnplug_bundle.json", b'{"format": 99, "files": {}, "licence": null}'),
        (f"{NAME}/fold_0/model_final_checkpoint.safetensors", b"nothing of the kind"),
        (f"{NAME}/plans.pkl", pickle.dumps([1])),
        (f"{WEIGHTS}.pkl", pickle.dumps({"name": "x"})),
    ],
)
def test_damaged_content_is_refused(
    tmp_path: Path, refused: Any, name: str, content: bytes
) -> None:
    refused(zipped(tmp_path / "x.zip", {**model_files(), name: content}))


def test_an_existing_model_is_never_replaced(tmp_path: Path, models: Path, refused: Any) -> None:
    (models / NAME / "fold_3").mkdir(parents=True)
    (models / NAME / "fold_3" / "mine").write_text("mine")
    error = refused(zipped(tmp_path / "x.zip", model_files()))
    assert "already" in error.problem
    assert (models / NAME / "fold_3" / "mine").read_text() == "mine"


@pytest.mark.parametrize("change", ["other", "more", "less"])
def test_files_must_be_those_of_the_manifest(
    exported: Path, tmp_path: Path, refused: Any, change: str
) -> None:
    with zipfile.ZipFile(exported) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    picture = f"{NAME}/fold_0/progress.png"
    if change == "other":
        files[picture] = b"another"
    elif change == "more":
        files[f"{NAME}/postprocessing.json"] = b"{}"
    else:
        del files[picture]
    error = refused(zipped(tmp_path / "x.zip", files))
    words = {"other": "SHA-256", "more": "not listed", "less": "missing"}
    assert words[change] in error.problem


def test_trust_is_given_to_one_file_and_leaves_data(
    tmp_path: Path, models: Path, refused: Any
) -> None:
    files = model_files()
    info = pickle.loads(files[f"{WEIGHTS}.pkl"])
    info["init"] = (PurePosixPath("/somewhere/plans.pkl"), *info["init"][1:])
    files[f"{WEIGHTS}.pkl"] = pickle.dumps(info)
    content = {"state_dict": OrderedDict(a=torch.ones(2)), "best": PurePosixPath("x")}
    files[WEIGHTS] = saved(content)
    bundle = zipped(tmp_path / "x.zip", files)
    assert "PurePosixPath" in refused(bundle).problem
    assert "SHA-256" in refused(bundle, trusted="0" * 64).problem
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    (about,) = install(bundle, models, trusted=digest.upper())
    assert about.name == NAME
    assert read_pickle(models / f"{WEIGHTS}.pkl")["init"][0] == "/somewhere/plans.pkl"
    weights = load_checkpoint(models / WEIGHTS)
    assert weights["best"] == "x"
    assert torch.equal(weights["state_dict"]["a"], torch.ones(2))
    assert (models / f"{NAME}/plans.pkl").read_bytes() == files[f"{NAME}/plans.pkl"]


def test_a_failure_between_two_renames_takes_the_first_back(
    tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = model_files()
    other = {name.replace("3d_fullres", "2d", 1): content for name, content in files.items()}
    bundle = zipped(tmp_path / "x.zip", {**files, **other})
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if "3d_fullres" in str(target):
            raise DataError("no", where="x.zip", hint="a test")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    refused(bundle)
