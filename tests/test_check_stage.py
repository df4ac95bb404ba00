"""check finds every mistake of a task folder at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from nnunet.preprocessing.sanity_checks import verify_same_geometry

from nnplug.catalog import Catalog
from nnplug.config.settings import Check, DataSettings
from nnplug.data.duplicates import repeated_images
from nnplug.data.problems import Report
from nnplug.data.seen import Seen
from nnplug.errors import DataError
from nnplug.stages import check

Make = Callable[..., DataSettings]
SHAPE = (4, 5, 6)


@pytest.fixture
def task(toy_task: Path, save: Any) -> Path:
    """A task of two training cases and a test case, made by hand."""
    rng = np.random.default_rng(0)
    for folder, name in (("imagesTr", "a"), ("imagesTr", "b"), ("imagesTs", "c")):
        values = rng.integers(0, 99, SHAPE).astype(np.int16)
        save(toy_task / folder / f"{name}_0000.nii.gz", values)
        if folder == "imagesTr":
            label = (values > 50).astype(np.uint8)
            save(toy_task / "labelsTr" / f"{name}.nii.gz", label)
    write(toy_task)
    return toy_task


def write(task: Path, **changes: Any) -> None:
    content: dict[str, Any] = {
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "liver"},
        "numTraining": 2,
        "numTest": 1,
        "training": [
            {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
            for name in "ab"
        ],
        "test": ["./imagesTs/c.nii.gz"],
    }
    (task / "dataset.json").write_text(json.dumps({**content, **changes}))


@pytest.fixture
def examine(settings: Make, core_catalog: Catalog) -> Callable[..., Report]:
    """The report on the task folder."""

    def run(source: Path | None = None, **options: Any) -> Report:
        return check.run(replace(settings(source), check=Check(**options)), core_catalog)

    return run


def texts(report: Report) -> str:
    return "\n".join(map(str, report.problems))


def test_a_good_task_passes(task: Path, examine: Callable[..., Report]) -> None:
    report = examine()
    assert report.summary() == "3 cases, 0 errors, 0 warnings"
    assert report.problems == []


def test_all_mistakes_are_listed_together(
    task: Path, examine: Callable[..., Report], save: Any
) -> None:
    save(task / "imagesTr" / "a_0000.nii.gz", np.ones((4, 5, 7), np.int16))
    save(task / "labelsTr" / "b.nii.gz", np.full(SHAPE, 3, np.uint8), origin=(0, 0, 0))
    save(task / "imagesTs" / "c_0000.nii.gz", np.zeros(SHAPE, np.int16))
    save(task / "imagesTr" / "stray_0000.nii.gz", np.zeros(SHAPE, np.int16))
    report = examine()
    assert report.count("error") == 6
    for text in (
        "a: labelsTr/a.nii.gz: is not on the grid of channel 0: size (6, 5, 4) against (7, 5, 4)",
        "b: labelsTr/b.nii.gz: is not on the grid of channel 0: origin",
        "b: labelsTr/b.nii.gz: values that dataset.json does not declare: 3 (120 voxels)",
        "a: imagesTr/a_0000.nii.gz: every voxel is 1",
        "c: imagesTs/c_0000.nii.gz: every voxel is 0",
        "imagesTr/stray_0000.nii.gz: is not listed in dataset.json",
    ):
        assert text in texts(report)


def test_an_empty_label_is_a_mistake(task: Path, examine: Callable[..., Report], save: Any) -> None:
    save(task / "labelsTr" / "a.nii.gz", np.zeros(SHAPE, np.uint8))
    assert "error: a: labelsTr/a.nii.gz: the label has no foreground" in texts(examine())


def test_voxels_that_are_not_finite_are_found(
    task: Path, examine: Callable[..., Report], save: Any
) -> None:
    values = np.random.default_rng(3).normal(size=SHAPE).astype(np.float32)
    values[0, 0, :3] = (np.nan, np.inf, -np.inf)
    save(task / "imagesTr" / "a_0000.nii.gz", values)
    (problem,) = examine().problems
    assert (problem.case, problem.level) == ("a", "error")
    assert "NaN or infinit" in problem.text


def test_labels_of_fractions_are_an_error_and_whole_floats_a_warning(
    task: Path, examine: Callable[..., Report], save: Any
) -> None:
    whole = (np.arange(120).reshape(SHAPE) % 2).astype(np.float32)
    save(task / "labelsTr" / "a.nii.gz", whole)
    save(task / "labelsTr" / "b.nii.gz", whole / 2)
    found = {(p.case, p.kind): p.level for p in examine().problems}
    assert found == {("a", "label type"): "warning", ("b", "label values"): "error"}


def test_missing_and_damaged_files_are_mistakes(task: Path, examine: Callable[..., Report]) -> None:
    (task / "labelsTr" / "a.nii.gz").unlink()
    (task / "imagesTr" / "b_0000.nii.gz").write_bytes(b"")
    found = texts(examine())
    assert "a: labelsTr/a.nii.gz: there is no such file" in found
    assert "b: imagesTr/b_0000.nii.gz: the file is empty" in found


def test_a_declared_label_that_never_occurs_is_a_warning(
    task: Path, examine: Callable[..., Report]
) -> None:
    write(task, labels={"0": "background", "1": "liver", "2": "spleen"})
    assert texts(examine()) == "warning: label 2 (spleen) occurs in no case"


def turn(path: Path, angle: float) -> None:
    """Turn the axes of a file by ``angle`` (radians) about z."""
    image = sitk.ReadImage(str(path))
    c, s = np.cos(angle), np.sin(angle)
    image.SetDirection((c, -s, 0, s, c, 0, 0, 0, 1))
    sitk.WriteImage(image, str(path))


def test_headers_within_the_tolerances_are_repaired_when_asked(
    task: Path, examine: Callable[..., Report]
) -> None:
    path = task / "labelsTr" / "a.nii.gz"
    turn(path, 1e-5)
    before = sitk.ReadImage(str(path))
    image = sitk.ReadImage(str(task / "imagesTr" / "a_0000.nii.gz"))
    assert not verify_same_geometry(image, before)
    assert [(p.kind, p.level, p.file) for p in examine().problems] == [
        ("header", "warning", "labelsTr/a.nii.gz")
    ]
    assert sitk.ReadImage(str(path)).GetDirection() == before.GetDirection()

    assert [(p.kind, p.level) for p in examine(repair="header").problems] == [("repaired", "note")]
    after = sitk.ReadImage(str(path))
    assert verify_same_geometry(image, after)
    assert after.GetPixelID() == before.GetPixelID()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after), sitk.GetArrayFromImage(before))
    (note,) = map(json.loads, (task / "nnplug_repairs.jsonl").read_text().splitlines())
    assert note["file"] == "labelsTr/a.nii.gz"
    np.testing.assert_allclose(note["before"]["direction"], before.GetDirection(), atol=1e-9)
    assert examine().problems == []


def test_headers_beyond_the_tolerances_are_never_repaired(
    task: Path, examine: Callable[..., Report]
) -> None:
    path = task / "labelsTr" / "a.nii.gz"
    turn(path, 1e-2)
    content = path.read_bytes()
    report = examine(repair="header")
    assert [(p.kind, p.level) for p in report.problems] == [("grid", "error")]
    assert path.read_bytes() == content


def test_the_same_scan_twice_is_found(task: Path, examine: Callable[..., Report]) -> None:
    image = (task / "imagesTr" / "a_0000.nii.gz").read_bytes()
    (task / "imagesTr" / "b_0000.nii.gz").write_bytes(image)
    (task / "imagesTs" / "c_0000.nii.gz").write_bytes(image)
    duplicate, leak = examine().problems
    assert (duplicate.kind, duplicate.level, duplicate.case) == ("duplicate", "warning", "b")
    assert "same image as channel 0 of a; the labels differ" in duplicate.text
    assert (leak.kind, leak.level, leak.case) == ("leak", "error", "c")


def test_a_channel_that_is_there_twice_is_found() -> None:
    case = Seen("a", "train", contents=("x", "y", "x"))
    (problem,) = repeated_images([case, Seen("b", "train", contents=("z",))])
    assert (problem.case, problem.level) == ("a", "warning")
    assert problem.text == "channels 0 and 2 are the same image"


def test_a_subject_on_both_sides_is_found(task: Path, examine: Callable[..., Report]) -> None:
    rows = ["case,original,subject,split", "a,x,P1,train", "b,y,P2,train", "c,z,P2,test"]
    (task / "case_map.csv").write_text("\n".join(rows) + "\n")
    (leak,) = examine().problems
    assert (leak.kind, leak.level) == ("leak", "error")
    assert "b for training and c for test are of one subject" in leak.text
    assert "P2" not in leak.text


def test_a_task_that_was_not_converted_says_what_to_do(
    examine: Callable[..., Report],
) -> None:
    with pytest.raises(DataError, match=r"not \(completely\) converted") as caught:
        examine()
    assert "nnplug convert" in str(caught.value.hint)


def test_the_command_fails_on_errors_and_on_warnings_only_when_strict(
    task: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    turn(task / "labelsTr" / "a.nii.gz", 1e-5)
    arguments = ("check", "dataset.name=Toy", "dataset.task_id=301", "workers=1")
    arguments += ("dataset.channels={0:CT}", "dataset.labels={background:0,liver:1}")
    arguments += (f"paths.root={task.parents[2]}",)
    code, out, err = command(*arguments)
    assert (code, out) == (0, "")
    assert "warning: a: labelsTr/a.nii.gz: the header differs" in err
    assert command(*arguments, "check.strict=true")[0] == 5
    write(task, numTest=4)
    code, out, err = command(*arguments, "--json")
    assert code == 5
    assert "1 error, 1 warning" in err
    report = json.loads(out)
    assert report["errors"] == 1
    assert {p["kind"] for p in report["problems"]} == {"header", "dataset.json"}


def test_a_source_is_checked_before_it_is_converted(
    cohort: Callable[..., Path], save: Any, examine: Callable[..., Report], toy_task: Path
) -> None:
    source = cohort("p1", "p2", "p3")
    copy = (source / "images" / "p1.nii.gz").read_bytes()
    (source / "images" / "p3.nii.gz").write_bytes(copy)
    save(source / "labels" / "p2.nii.gz", np.full((6, 8, 10), 7, np.uint8))
    report = examine(source)
    found = {(p.kind, p.case): p.text for p in report.problems}
    assert "7 (480 voxels)" in found["source", "p2"]
    assert "same image as channel 0 of p1" in found["duplicate", "p3"]
    assert not toy_task.exists()
