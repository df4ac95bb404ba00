"""scan shows what a converter sees; init writes a dataset file that converts without a change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nnplug.data.draft import Draft
from nnplug.data.glance import Glance
from nnplug.types import CaseSource, Found, Survey

Command = Callable[..., tuple[int, str, str]]

FAKE = """
from nnplug.hookspecs import hookimpl
from nnplug.types import ConverterSpec, Found, Survey


@hookimpl
def nnplug_converters():
    return [ConverterSpec("fake", "fake_plugin:Fake", survey="fake_plugin:survey")]


@hookimpl
def nnplug_detect(source):
    return ["fake"] if (source / "fake.txt").exists() else []


def survey(root):
    assert root.is_absolute()
    good = Found("a/b", "CT", "S1", "x1", "lung [B70f]", 3, (4, 5, 6), (1.0, 1.0, 2.5), ("CT",))
    bad = Found("a/c", "CT", "S1", problem="a localizer")
    return Survey((good, bad), channels={0: "CT"}, labels={"background": 0, "lung": 1})
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source that only a plugin of its own reads."""
    record = tmp_path / "site" / "fake-1.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 1\n")
    (record / "entry_points.txt").write_text("[nnplug]\nfake = fake_plugin\n")
    (tmp_path / "site" / "fake_plugin.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    source = tmp_path / "odd"
    source.mkdir()
    (source / "fake.txt").touch()
    return source


def test_scan_prints_what_can_be_used_and_what_not(command: Command, fake: Path) -> None:
    code, out, err = command("scan", str(fake))
    assert code == 0
    good, bad = (line for line in out.splitlines() if "S1" in line)
    for cell in ("a/b", "lung [B70f]", "4 x 5 x 6", "1 x 1 x 2.5"):
        assert cell in good
    assert "no: a localizer" in bad
    assert "1 can be used, 1 can't" in err
    assert "channels: {0: CT}, labels: {background: 0, lung: 1}" in err


def test_scan_prints_the_same_as_json(command: Command, fake: Path) -> None:
    code, out, _ = command("scan", str(fake), "--json")
    assert code == 0
    (survey,) = json.loads(out).values()
    assert [Found(**{**one, "use": ()}).path for one in survey["found"]] == ["a/b", "a/c"]
    assert survey["found"][0]["spacing"] == [1.0, 1.0, 2.5]
    assert survey["labels"] == {"background": 0, "lung": 1}


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("scan", "nowhere"), 2, "there is no such folder"),
        (("scan", "."), 4, "no installed converter recognises these files"),
        (("scan", ".", "converter=nifty"), 3, "did you mean nifti?"),
        (("scan", ".", "convertor=nifti"), 2, "known keys: converter"),
        (("init", "nowhere"), 2, "there is no such folder"),
        (("init", ".", "task_id=x"), 2, "'x' is not a number"),
        (("init", ".", "task_id=7"), 2, "nnU-Net reserves the ids below 100"),
        (("init", ".", "name=a b"), 2, "can't be part of a folder's name"),
    ],
)
def test_what_cannot_be_done_is_said(
    command: Command, arguments: tuple[str, ...], code: int, text: str
) -> None:
    got, out, err = command(*arguments)
    assert (got, out) == (code, "")
    assert text in err


def test_init_then_convert(command: Command, cohort: Callable[..., Path], tmp_path: Path) -> None:
    source = cohort("p1", "p2", "p3")
    code, _, err = command("init", str(source), "name=Toys")
    assert code == 0
    assert "3 cases of 3 subjects" in err
    assert re.search(r"label value 1: \d+ voxels in 3 cases", err)
    assert "spacing (mm): x 1, y 1.5, z 2" in err
    assert "next: nnplug train dataset=Toys" in err
    path = tmp_path / "nnplug_conf" / "dataset" / "Toys.yaml"
    written = yaml.safe_load(path.read_text())
    assert written["defaults"] == [{"override /converter": "nifti"}, "_self_"]
    assert written["dataset"]["source"] == str(source)
    assert written["dataset"]["labels"] == {"background": 0, "label_1": 1, "label_2": 2}
    code, _, err = command("convert", "dataset=Toys", "workers=1")
    assert code == 0
    assert "3 converted" in err


def test_init_makes_label_values_consecutive(
    command: Command, cohort: Callable[..., Path], save: Any, tmp_path: Path
) -> None:
    source = cohort("p1", "p2")
    for name in ("p1", "p2"):
        label = np.zeros((6, 8, 10), np.uint8)
        label[1:3], label[4:5] = 7, 9
        save(source / "labels" / f"{name}.nii.gz", label)
    assert command("init", str(source), "name=Gaps")[0] == 0
    written = yaml.safe_load((tmp_path / "nnplug_conf/dataset/Gaps.yaml").read_text())
    assert written["dataset"]["labels"] == {"background": 0, "label_7": 1, "label_9": 2}
    assert written["remap"] == {"table": {0: 0, 7: 1, 9: 2}}
    code, _, err = command("convert", "dataset=Gaps", "workers=1")
    assert (code, "2 converted" in err) == (0, True)


def test_init_takes_the_next_free_id_and_replaces_nothing(
    command: Command, cohort: Callable[..., Path], tmp_path: Path
) -> None:
    source = str(cohort("p1"))
    (tmp_path / "nnplug_data/nnUNet_raw_data_base/nnUNet_raw_data/Task100_Other").mkdir(
        parents=True
    )
    assert command("init", source, "name=One")[0] == 0
    assert command("init", source, "name=Two")[0] == 0
    folder = tmp_path / "nnplug_conf" / "dataset"
    ids = [
        yaml.safe_load((folder / f"{name}.yaml").read_text())["dataset"]["task_id"]
        for name in ("One", "Two")
    ]
    assert ids == [101, 102]
    before = (folder / "One.yaml").read_bytes()
    code, _, err = command("init", source, "name=One")
    assert code == 2
    assert "there is such a dataset already" in err
    assert command("init", source, "name=One", "--force")[0] == 0
    assert (folder / "One.yaml").read_bytes() == before


def test_cases_that_cannot_be_read_are_named_on_the_screen_only(
    command: Command, cohort: Callable[..., Path], tmp_path: Path
) -> None:
    source = cohort("p1", "p2")
    (source / "images" / "p2.nii.gz").write_bytes(b"")
    code, _, err = command("init", str(source), "name=Some")
    assert code == 0
    assert "warning: case p2 can't be read: the file is empty" in err
    assert "p2" not in (tmp_path / "nnplug_conf/dataset/Some.yaml").read_text()
    (source / "images" / "p1.nii.gz").write_bytes(b"")
    code, _, err = command("init", str(source), "name=None")
    assert code == 4
    assert "none of the cases can be read" in err


def draft(survey: Survey, *glances: Glance, names: tuple[str, ...] = ("a", "b")) -> Any:
    cases = tuple(CaseSource(name, (Path(name),)) for name in names)
    return yaml.safe_load(
        Draft("X", 100, Path("/data"), "png", survey, cases, glances, True).yaml()
    )


def test_an_unknown_spacing_is_left_to_fill_in() -> None:
    glance = Glance("a", (4, 5, 6), (1, 1, 1), ((0, 9),), {0: 3, 1: 4})
    written = draft(Survey((), options={"rgb": "split", "spacing": None}), glance)
    assert written["converter"] == {"spacing": "???", "rgb": "split"}


def test_channels_on_different_grids_get_a_reference() -> None:
    glance = Glance("a", (4, 5, 6), (1, 1, 1), ((0, 9), (0, 9)), {0: 3, 1: 4}, reference=1)
    written = draft(Survey((), channels={0: "PET", 1: "CT"}), glance)
    assert written["convert"] == {"reference": "CT"}


def test_images_without_labels_need_none() -> None:
    written = draft(Survey((), unlabelled=True), Glance("a", (4, 5, 6), (1, 1, 1), ((0, 9),), {}))
    assert written["dataset"]["unlabelled"] is True
    assert "labels" not in written["dataset"]


def test_odd_names_are_quoted() -> None:
    labels = {"background": 0, "no": 1, "left: upper": 2, "12": 3}
    written = draft(Survey((), labels=labels), Glance("a", (4, 5, 6), (1, 1, 1), ((0, 9),), {0: 1}))
    assert written["dataset"]["labels"] == labels


def test_the_background_stays_0_whatever_the_other_values() -> None:
    glance = Glance("a", (4, 5, 6), (1, 1, 1), ((0, 9),), {-5: 1, 0: 7, 3: 2})
    written = draft(Survey(()), glance)
    assert written["remap"] == {"table": {0: 0, -5: 1, 3: 2}}
    assert written["dataset"]["labels"] == {"background": 0, "label_-5": 1, "label_3": 2}


def test_a_path_with_a_dollar_is_taken_as_it_is(
    command: Command, cohort: Callable[..., Path], tmp_path: Path
) -> None:
    source = cohort("p1").rename(tmp_path / "a${b}c")
    assert command("init", str(source), "name=Odd")[0] == 0
    code, _, err = command("convert", "dataset=Odd", "workers=1")
    assert (code, "1 converted" in err) == (0, True), err


@pytest.mark.parametrize(
    ("name", "more", "cases"),
    [
        ("hippocampus_mha", (), 24),
        ("hippocampus_png", ("converter.spacing=[1,1,1]",), 24),
        ("sts/dicom", (), 8),
    ],
)
def test_real_sources_convert_from_what_init_writes(
    command: Command,
    shared_data: Callable[[str], Path],
    name: str,
    more: tuple[str, ...],
    cases: int,
) -> None:
    converter = {"hippocampus_mha": "mha", "hippocampus_png": "png", "sts/dicom": "dicom"}[name]
    pytest.importorskip(f"nnplug_{converter}")
    code, _, err = command("init", str(shared_data(name)), "name=Real")
    assert code == 0, err
    code, _, err = command("convert", "dataset=Real", "workers=2", *more)
    assert code == 0, err
    assert f"{cases} converted" in err
