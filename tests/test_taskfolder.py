"""The task folder's paths and records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnplug.data.taskfolder import Row, TaskFolder, other_tasks
from nnplug.errors import DataError


def row(case: str, split: str = "train", **changes: object) -> Row:
    outputs = {f"imagesTr/{case}_0000.nii.gz": "hash"}
    values = {"original": f"p-{case}", "subject": "s", "key": "k", "sources": [], **changes}
    return Row(case=case, split=split, outputs=outputs, **values)  # type: ignore[arg-type]


@pytest.fixture
def task(tmp_path: Path) -> TaskFolder:
    made = TaskFolder(tmp_path / "Task301_Toy")
    made.begin()
    return made


def test_paths_are_those_of_nnunet(task: TaskFolder) -> None:
    assert task.image("Toy_007", 1, "train") == task.path / "imagesTr" / "Toy_007_0001.nii.gz"
    assert task.image("Toy_007", 0, "test") == task.path / "imagesTs" / "Toy_007_0000.nii.gz"
    assert task.label("Toy_007", "train") == task.path / "labelsTr" / "Toy_007.nii.gz"
    assert task.label("Toy_007", "test") == task.path / "labelsTs" / "Toy_007.nii.gz"


def test_a_folder_is_complete_only_when_finished(task: TaskFolder) -> None:
    assert not task.is_complete
    task.finish([row("Toy_000")], {"name": "Toy"})
    assert task.is_complete
    task.begin()
    assert not task.is_complete


def test_rows_come_back_as_they_were(task: TaskFolder) -> None:
    rows = [row("Toy_001", labels={"1": 5}, provenance={"a": "b"}), row("Toy_000")]
    for one in rows:
        task.append(one)
    assert list(task.rows().values()) == rows
    task.finish(rows, {})
    assert list(task.rows().values()) == rows[::-1]


def test_a_line_that_was_cut_short_is_left_out(task: TaskFolder) -> None:
    task.append(row("Toy_000"))
    manifest = task.path / "nnplug_manifest.jsonl"
    manifest.write_text(manifest.read_text() + '{"case": "Toy_001", "orig')
    assert list(task.rows()) == ["p-Toy_000"]


def test_the_case_map_keeps_original_names(task: TaskFolder) -> None:
    task.finish([row("Toy_001", "test", original='odd, "name"'), row("Toy_000")], {})
    lines = (task.path / "case_map.csv").read_text().splitlines()
    assert lines == [
        "case,original,subject,split",
        "Toy_000,p-Toy_000,s,train",
        'Toy_001,"odd, ""name""",s,test',
    ]


def test_files_of_other_cases_go_but_folders_stay(task: TaskFolder) -> None:
    (task.path / "imagesTr" / "Toy_000_0000.nii.gz").touch()
    (task.path / "imagesTr" / "Toy_009_0000.nii.gz").touch()
    (task.path / "imagesTr" / ".x.partial").touch()
    (task.path / "imagesTr" / "notes").mkdir()
    task.finish([row("Toy_000")], {})
    left = sorted(path.name for path in (task.path / "imagesTr").iterdir())
    assert left == ["Toy_000_0000.nii.gz", "notes"]


def test_the_data_hash_changes_with_what_training_reads(task: TaskFolder) -> None:
    one = row("Toy_000")
    task.finish([one], {"labels": {"0": "background"}})
    (task.path / "imagesTr" / "Toy_000_0000.nii.gz").touch()
    hashes = {task.data_hash()}
    task.finish([one], {"labels": {"0": "background", "1": "liver"}})
    hashes.add(task.data_hash())
    (task.path / "labelsTr" / "foreign.nii.gz").write_bytes(b"x")
    hashes.add(task.data_hash())
    (task.path / "labelsTr" / "foreign.nii.gz").write_bytes(b"longer")
    hashes.add(task.data_hash())
    assert len(hashes) == 4
    assert task.data_hash() in hashes


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "no dataset.json"), ("{", "is not JSON"), ("[]", "not a JSON obj")]
)
def test_an_unusable_dataset_json_is_named(task: TaskFolder, text: str | None, reason: str) -> None:
    if text is not None:
        (task.path / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=reason) as caught:
        task.description()
    assert str(task.path) in str(caught.value.where)


def test_training_cases_are_those_that_dataset_json_lists(task: TaskFolder) -> None:
    content = {"training": [{"image": "./imagesTr/a_b.nii.gz", "label": "./labelsTr/a_b.nii.gz"}]}
    (task.path / "dataset.json").write_text(json.dumps(content))
    assert task.training_cases() == ["a_b"]
    (task.path / "dataset.json").write_text('{"training": ["./imagesTr/a_b.nii.gz"]}')
    with pytest.raises(DataError, match="training is not a list of images and labels"):
        task.training_cases()


def test_only_another_name_with_the_same_id_is_another_task(tmp_path: Path) -> None:
    for name in ("Task301_Toy", "Task301_Other", "Task302_Toy"):
        (tmp_path / name).mkdir()
    (tmp_path / "Task301_file").touch()
    found = other_tasks("Task301_Toy", [tmp_path, tmp_path / "absent"])
    assert found == [tmp_path / "Task301_Other"]


def test_the_record_of_label_values_comes_and_goes(tmp_path: Path) -> None:
    task = TaskFolder(tmp_path)
    task.begin()
    assert task.source_labels() == {}
    task.finish([], {}, {"values": {1: 7}, "lost": ""})
    assert task.source_labels() == {"values": {"1": 7}, "lost": ""}
    (tmp_path / "nnplug_labels.json").write_text("[]")
    with pytest.raises(DataError, match="JSON object"):
        task.source_labels()
    task.finish([], {})
    assert not (tmp_path / "nnplug_labels.json").exists()
