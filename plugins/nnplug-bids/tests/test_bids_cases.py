"""Which files of a BIDS dataset become a case, and what is refused; on synthetic trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nnplug.errors import SourceError
from nnplug.types import CaseSource, Source
from nnplug_bids.converter import BidsConverter
from nnplug_bids.options import BidsOptions

T1 = {0: "T1w"}


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """A dataset with these files, empty: names are all that is looked at."""

    def make(*files: str) -> Path:
        (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
        for file in files:
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def raw(*names: str) -> list[str]:
    """Paths of images in the dataset, by their names."""
    return [f"{_place(name)}/{name}.nii.gz" for name in names]


def derived(pipeline: str, *names: str) -> list[str]:
    return [f"derivatives/{pipeline}/{path}" for path in raw(*names)]


def _place(name: str) -> str:
    return "/".join([p for p in name.split("_") if p.startswith(("sub-", "ses-"))] + ["anat"])


def discover(
    root: Path, channels: Mapping[int, str] = T1, *, unlabelled: bool = False, **options: Any
) -> dict[str, CaseSource]:
    source = Source(root, channels=channels, unlabelled=unlabelled)
    return {case.name: case for case in BidsConverter(BidsOptions(**options)).discover(source)}


def names(case: CaseSource) -> list[str]:
    return [path.name.removesuffix(".nii.gz") for path in case.images]


def test_sessions_of_a_subject_are_its_cases(tree: Callable[..., Path]) -> None:
    images = ("sub-01_ses-a_T1w", "sub-01_ses-b_T1w", "sub-02_ses-a_T1w")
    masks = [name.replace("T1w", "desc-lesion_mask") for name in images]
    cases = discover(tree(*raw(*images), *derived("manual", *masks)))
    assert list(cases) == ["sub-01_ses-a", "sub-01_ses-b", "sub-02_ses-a"]
    assert [case.subject for case in cases.values()] == ["01", "01", "02"]
    for name, case in cases.items():
        assert names(case) == [f"{name}_T1w"]
        assert case.label is not None
        assert case.label.name == f"{name}_desc-lesion_mask.nii.gz"
        assert not case.details


def test_runs_are_cases_with_their_own_labels(tree: Callable[..., Path]) -> None:
    images = ("sub-01_run-01_T1w", "sub-01_run-02_T1w")
    labels = ("sub-01_run-1_dseg", "sub-01_run-2_dseg")
    cases = discover(tree(*raw(*images), *derived("p", *labels)))
    assert {name: names(case)[0] for name, case in cases.items()} == {
        "sub-01_run-1": "sub-01_run-01_T1w",
        "sub-01_run-2": "sub-01_run-02_T1w",
    }
    assert [case.label.name[7:12] for case in cases.values() if case.label] == ["run-1", "run-2"]


def test_a_label_without_run_belongs_to_none_of_several(tree: Callable[..., Path]) -> None:
    files = [*raw("sub-01_run-1_T1w", "sub-01_run-2_T1w"), *derived("p", "sub-01_dseg")]
    for case in discover(tree(*files)).values():
        assert case.label is None
        assert "derivatives/p/sub-01/anat/sub-01_dseg.nii.gz" in case.details["problem"]


def test_channels_by_suffix_and_entities(tree: Callable[..., Path]) -> None:
    images = ("sub-01_T1w", "sub-01_ce-gd_T1w", "sub-01_FLAIR", "sub-01_task-rest_bold")
    root = tree(*raw(*images), *derived("p", "sub-01_dseg"))
    (case,) = discover(root, {0: "FLAIR", 1: "ce-gd_T1w"}).values()
    assert names(case) == ["sub-01_FLAIR", "sub-01_ce-gd_T1w"]
    (case,) = discover(root, {0: "T1w", 1: "ce-gd_T1w"}, entities={"ce": ""}).values()
    assert names(case) == ["sub-01_T1w", "sub-01_ce-gd_T1w"]
    (case,) = discover(root).values()
    assert "sub-01_T1w.nii.gz" in case.details["problem"]
    assert "sub-01_ce-gd_T1w.nii.gz" in case.details["problem"]


def test_entities_choose_sessions_and_acquisitions(tree: Callable[..., Path]) -> None:
    images = [f"sub-01_ses-{s}_acq-{a}_T1w" for s in "12" for a in ("hi", "lo")]
    labels = [f"sub-01_ses-{s}_acq-{a}_dseg" for s in "12" for a in ("hi", "lo")]
    root = tree(*raw(*images), *derived("p", *labels))
    (case,) = discover(root, entities={"ses": "2", "acq": "lo"}).values()
    assert names(case) == ["sub-01_ses-2_acq-lo_T1w"]
    assert case.label is not None
    assert case.label.name == "sub-01_ses-2_acq-lo_dseg.nii.gz"


def test_a_missing_channel_is_named(tree: Callable[..., Path]) -> None:
    root = tree(*raw("sub-01_T1w", "sub-01_FLAIR", "sub-02_T1w"), *derived("p", "sub-01_dseg"))
    cases = discover(root, {0: "T1w", 1: "FLAIR"})
    assert "problem" not in cases["sub-01"].details
    assert "'FLAIR'" in cases["sub-02"].details["problem"]


def test_several_labels_are_listed_and_chosen(tree: Callable[..., Path]) -> None:
    labels = ("sub-01_label-GM_mask", "sub-01_label-WM_mask", "sub-01_dseg")
    root = tree(*raw("sub-01_T1w"), *derived("a", *labels), *derived("b", "sub-01_dseg"))
    (case,) = discover(root).values()
    for name in labels:
        assert f"derivatives/a/sub-01/anat/{name}.nii.gz" in case.details["problem"]
    assert "derivatives/b/" in case.details["problem"]
    (case,) = discover(root, label_entities={"label": "WM"}).values()
    assert case.label == root / derived("a", "sub-01_label-WM_mask")[0]
    (case,) = discover(root, pipeline="b").values()
    assert case.label == root / derived("b", "sub-01_dseg")[0]
    (case,) = discover(root, pipeline="a", label_suffix="dseg").values()
    assert case.label == root / derived("a", "sub-01_dseg")[0]


def test_a_missing_label_is_named_unless_none_is_wanted(tree: Callable[..., Path]) -> None:
    root = tree(*raw("sub-01_T1w"), *derived("p", "sub-01_probseg"))
    (case,) = discover(root).values()
    assert "no label" in case.details["problem"]
    (case,) = discover(root, unlabelled=True).values()
    assert not case.details


def test_images_of_a_pipeline_and_labels_in_their_space(tree: Callable[..., Path]) -> None:
    space = "space-MNI152NLin2009cAsym"
    made = (f"sub-01_{space}_desc-preproc_T1w", f"sub-01_{space}_dseg", "sub-01_space-T1w_dseg")
    root = tree(*raw("sub-01_T1w"), *derived("fmriprep", *made))
    (case,) = discover(root, images="fmriprep", entities={"space": space[6:]}).values()
    assert names(case) == [f"sub-01_{space}_desc-preproc_T1w"]
    assert case.label is not None
    assert case.label.name == f"sub-01_{space}_dseg.nii.gz"


def test_a_derivative_dataset_by_itself(tree: Callable[..., Path]) -> None:
    (case,) = discover(tree(*raw("sub-01_desc-preproc_T1w", "sub-01_dseg"))).values()
    assert case.label is not None
    assert case.label.name == "sub-01_dseg.nii.gz"


@pytest.mark.parametrize(
    ("channels", "options", "words"),
    [
        ({0: "T2w"}, {}, "FLAIR, T1w"),
        ({0: "image one"}, {}, "dataset.channels"),
        (T1, {"pipeline": "manul"}, "manual"),
        (T1, {"entities": {"ses": "9"}}, "no image"),
    ],
)
def test_what_fits_nothing_is_refused(
    tree: Callable[..., Path], channels: Any, options: Any, words: str
) -> None:
    root = tree(*raw("sub-01_T1w", "sub-01_FLAIR"), *derived("manual", "sub-01_dseg"))
    with pytest.raises(SourceError) as caught:
        discover(root, channels, **options)
    assert words in str(caught.value) + str(caught.value.where) + str(caught.value.hint)


def test_a_name_that_contradicts_its_folder_is_refused(tree: Callable[..., Path]) -> None:
    root = tree("sub-01/anat/sub-02_T1w.nii.gz")
    with pytest.raises(SourceError) as caught:
        discover(root)
    assert "sub-02_T1w" in str(caught.value.where)


@pytest.mark.parametrize(
    "values",
    [
        {"entities": {"ses-1": "1"}},
        {"entities": {"ses": "ses-1"}},
        {"label_entities": {"desc": "a_b"}},
        {"pipeline": "../other"},
        {"images": "/data"},
    ],
)
def test_options_that_cannot_stand_in_a_name(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        BidsOptions(**values)
