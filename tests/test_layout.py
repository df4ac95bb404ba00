"""Finding cases by the names of files and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnplug.errors import SourceError
from nnplug.layout import find_cases, holds_images, natural_key
from nnplug.types import CaseSource, Layout, Source

NIFTI = (".nii", ".nii.gz")
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not here")


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def find(
    root: Path,
    channels: dict[int, str] | None = None,
    *,
    unlabelled: bool = False,
    layout: Layout | None = None,
    suffixes: tuple[str, ...] = NIFTI,
    folders: bool = False,
    label_suffixes: tuple[str, ...] = (),
) -> list[CaseSource]:
    source = Source(root, channels or {0: "CT"}, unlabelled, layout or Layout())
    return find_cases(source, suffixes=suffixes, folders=folders, label_suffixes=label_suffixes)


def short(root: Path, cases: list[CaseSource]) -> list[tuple[object, ...]]:
    def relative(path: Path | None) -> str | None:
        return path.relative_to(root).as_posix() if path else None

    return [(c.name, *map(relative, c.images), relative(c.label), c.split) for c in cases]


def problems(cases: list[CaseSource]) -> dict[str, str]:
    return {c.name: c.details["problem"] for c in cases if c.details}


def test_natural_key_orders_numbers_by_value() -> None:
    names = ["case10", "case2", "Case1", "case02", "b", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "b", "Case1", "case02", "case2", "case10"]


# --- images/ and labels/ ------------------------------------------------------------------


@pytest.mark.parametrize("labels", ["labels", "masks", "segmentations", "Labels"])
def test_images_and_labels(tmp_path: Path, labels: str) -> None:
    make(
        tmp_path,
        *(f"{d}/c{n}.nii.gz" for d in ("images", labels) for n in (10, 2)),
        "images/._c2.nii.gz",
        "images/notes.txt",
    )
    assert short(tmp_path, find(tmp_path)) == [
        ("c2", "images/c2.nii.gz", f"{labels}/c2.nii.gz", None),
        ("c10", "images/c10.nii.gz", f"{labels}/c10.nii.gz", None),
    ]


def test_suffix_in_capitals_and_two_kinds_of_suffix(tmp_path: Path) -> None:
    make(tmp_path, "images/a.NII.GZ", "labels/a.nii")
    assert short(tmp_path, find(tmp_path)) == [("a", "images/a.NII.GZ", "labels/a.nii", None)]


def test_missing_labels_and_images_are_problems_of_their_cases(tmp_path: Path) -> None:
    make(tmp_path, "images/a.nii", "images/b.nii", "labels/a.nii", "labels/z.nii")
    cases = find(tmp_path)
    assert [c.name for c in cases] == ["a", "b", "z"]
    assert problems(cases) == {
        "b": "no label of this name in labels",
        "z": "a label without an image",
    }


def test_all_cases_without_label_are_named_up_to_five(tmp_path: Path) -> None:
    make(tmp_path, *(f"images/c{n}.nii" for n in range(1, 8)))
    (tmp_path / "labels").mkdir()
    with pytest.raises(SourceError) as info:
        find(tmp_path)
    assert "none of the 7 cases" in info.value.problem
    assert "c1, c2, c3, c4, c5 and 2 more" in info.value.problem


def test_duplicate_names_are_a_problem_that_names_the_files(tmp_path: Path) -> None:
    make(
        tmp_path, "images/a.nii", "images/a.nii.gz", "labels/a.nii", "images/b.nii", "labels/b.nii"
    )
    assert problems(find(tmp_path)) == {"a": "several images: a.nii, a.nii.gz"}


def test_several_labels_of_one_name(tmp_path: Path) -> None:
    make(
        tmp_path, "images/a.nii", "labels/a.nii", "labels/a.nii.gz", "images/b.nii", "labels/b.nii"
    )
    assert problems(find(tmp_path)) == {"a": "several labels: a.nii, a.nii.gz"}


def test_channels_by_number(tmp_path: Path) -> None:
    make(tmp_path, "images/a_0000.nii", "images/a_0001.nii", "labels/a.nii")
    assert short(tmp_path, find(tmp_path, {0: "T1", 1: "T2"})) == [
        ("a", "images/a_0000.nii", "images/a_0001.nii", "labels/a.nii", None)
    ]


def test_missing_and_unknown_channels(tmp_path: Path) -> None:
    make(
        tmp_path,
        *(f"images/{c}_{n:04d}.nii" for c, k in (("a", 2), ("b", 1), ("c", 3)) for n in range(k)),
        *(f"labels/{c}.nii" for c in "abc"),
    )
    assert problems(find(tmp_path, {0: "T1", 1: "T2"})) == {
        "b": "no image of channel 1 (T2)",
        "c": "channel 2 is not one of the dataset's channels",
    }


def test_four_digits_that_are_part_of_the_name(tmp_path: Path) -> None:
    make(tmp_path, *(f"{d}/scan_{n:04d}.nii" for d in ("images", "labels") for n in range(2)))
    assert [c.name for c in find(tmp_path)] == ["scan_0000", "scan_0001"]


def test_two_channels_but_one_image_a_case(tmp_path: Path) -> None:
    make(tmp_path, "images/a.nii", "labels/a.nii")
    with pytest.raises(SourceError, match="_0000, _0001"):
        find(tmp_path, {0: "T1", 1: "T2"})


def test_two_folders_of_labels_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "images/a.nii", "labels/a.nii", "masks/a.nii")
    with pytest.raises(SourceError, match="labels, masks"):
        find(tmp_path)


def test_images_without_any_label_folder(tmp_path: Path) -> None:
    make(tmp_path, "images/a.nii")
    with pytest.raises(SourceError, match=r"dataset\.unlabelled=true"):
        find(tmp_path)
    assert short(tmp_path, find(tmp_path, unlabelled=True)) == [("a", "images/a.nii", None, None)]


def test_unlabelled_leaves_labels_out(tmp_path: Path) -> None:
    make(tmp_path, "images/a.nii", "images/b.nii", "labels/a.nii")
    assert [c.label for c in find(tmp_path, unlabelled=True)] == [None, None]


# --- nnU-Net and Decathlon ----------------------------------------------------------------


def test_nnunet_task_folder(tmp_path: Path) -> None:
    make(
        tmp_path,
        "imagesTr/a_0000.nii.gz",
        "labelsTr/a.nii.gz",
        "imagesTs/b_0000.nii.gz",
        "imagesTs/c_0000.nii.gz",
        "labelsTs/c.nii.gz",
        "dataset.json",
    )
    assert short(tmp_path, find(tmp_path)) == [
        ("a", "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz", "train"),
        ("b", "imagesTs/b_0000.nii.gz", None, "test"),
        ("c", "imagesTs/c_0000.nii.gz", "labelsTs/c.nii.gz", "test"),
    ]


def test_decathlon_folder_with_names_that_look_numbered(tmp_path: Path) -> None:
    make(
        tmp_path,
        *(f"{d}/h_{n:04d}.nii.gz" for d in ("imagesTr", "labelsTr") for n in (1, 2)),
        "imagesTr/._h_0001.nii.gz",
        "imagesTs/h_0000.nii.gz",
    )
    cases = find(tmp_path)
    assert [(c.name, c.split) for c in cases] == [
        ("h_0000", "test"),
        ("h_0001", "train"),
        ("h_0002", "train"),
    ]


def test_a_name_in_training_and_test_is_a_problem(tmp_path: Path) -> None:
    make(tmp_path, "imagesTr/a.nii", "imagesTr/b.nii", "labelsTr/a.nii", "labelsTr/b.nii")
    make(tmp_path, "imagesTs/a.nii")
    assert problems(find(tmp_path)) == {
        "a": "several cases of this name: imagesTr/a.nii, imagesTs/a.nii"
    }


def test_training_label_missing(tmp_path: Path) -> None:
    make(tmp_path, "imagesTr/a_0000.nii", "imagesTr/b_0000.nii", "labelsTr/a.nii")
    assert problems(find(tmp_path)) == {"b": "no label of this name in labelsTr"}


def test_unlabelled_task_folder_has_no_split(tmp_path: Path) -> None:
    make(tmp_path, "imagesTr/a_0000.nii", "labelsTr/a.nii", "imagesTs/b_0000.nii")
    assert [(c.name, c.label, c.split) for c in find(tmp_path, unlabelled=True)] == [
        ("a", None, None),
        ("b", None, None),
    ]


def test_both_layouts_at_once_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "imagesTr/a.nii", "labelsTr/a.nii", "images/a.nii", "labels/a.nii")
    with pytest.raises(SourceError, match="both images/ and imagesTr/"):
        find(tmp_path)


# --- one folder a case --------------------------------------------------------------------


@pytest.mark.parametrize(
    "label", ["label", "seg", "gt", "lesion mask", "Ground-Truth", "x_segmentation", "p1_labels"]
)
def test_one_image_and_one_label(tmp_path: Path, label: str) -> None:
    make(tmp_path, "p1/anything.nii", f"p1/{label}.nii")
    assert short(tmp_path, find(tmp_path)) == [("p1", "p1/anything.nii", f"p1/{label}.nii", None)]


def test_words_of_the_case_and_parts_of_words_make_no_label(tmp_path: Path) -> None:
    make(tmp_path, "mask_study_1/mask_study_1_masked.nii", "mask_study_1/mask_study_1_seg.nii")
    (case,) = find(tmp_path)
    assert case.images[0].name == "mask_study_1_masked.nii"
    assert case.label is not None
    assert case.label.name == "mask_study_1_seg.nii"


def test_channels_match_whole_words(tmp_path: Path) -> None:
    make(tmp_path, *(f"B_1/B_1_{m}.nii" for m in ("t1", "t1ce", "t1_gd", "flair", "seg")))
    (case,) = find(tmp_path, {0: "T1", 1: "FLAIR", 2: "T1CE"})
    assert [p.name for p in case.images] == ["B_1_t1.nii", "B_1_flair.nii", "B_1_t1ce.nii"]
    assert not case.details


def test_ct_does_not_fit_cta(tmp_path: Path) -> None:
    make(tmp_path, "a/CTA.nii", "a/PET.nii", "a/mask.nii", "b/CT.nii", "b/PET.nii", "b/mask.nii")
    assert problems(find(tmp_path)) == {"a": "no image's name has channel 'CT': CTA.nii, PET.nii"}


def test_ambiguous_channel_lists_the_files(tmp_path: Path) -> None:
    make(tmp_path, "a/CT_early.nii", "a/CT_late.nii", "a/mask.nii", "b/CT.nii", "b/mask.nii")
    assert problems(find(tmp_path)) == {
        "a": "several images fit channel 'CT': CT_early.nii, CT_late.nii"
    }


def test_one_file_for_two_channels_is_a_problem(tmp_path: Path) -> None:
    make(tmp_path, "a/CT_PET.nii", "a/mask.nii", "b/CT.nii", "b/PET.nii", "b/mask.nii")
    assert problems(find(tmp_path, {0: "CT", 1: "PET"})) == {
        "a": "CT_PET.nii fits more than one channel"
    }


def test_label_of_several_by_the_first_channel(tmp_path: Path) -> None:
    make(tmp_path, *(f"a/{m}_{r}.nii" for m in ("CT", "PET") for r in ("image", "mask")))
    assert short(tmp_path, find(tmp_path, {0: "PET", 1: "CT"})) == [
        ("a", "a/PET_image.nii", "a/CT_image.nii", "a/PET_mask.nii", None)
    ]


def test_labels_that_no_channel_chooses(tmp_path: Path) -> None:
    make(tmp_path, "a/CT.nii", "a/liver_mask.nii", "a/lung_mask.nii", "b/CT.nii", "b/mask.nii")
    assert problems(find(tmp_path)) == {
        "a": "several labels, none chosen by channel 'CT': liver_mask.nii, lung_mask.nii"
    }


def test_case_folder_without_label_and_without_image(tmp_path: Path) -> None:
    make(tmp_path, "a/CT.nii", "b/mask.nii", "c/CT.nii", "c/mask.nii", "docs/readme.txt")
    found = problems(find(tmp_path))
    assert set(found) == {"a", "b"}
    assert "no file or folder named as a label" in found["a"]
    assert "no image" in found["b"]


def test_loose_images_beside_case_folders_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "a/CT.nii", "a/mask.nii", "template.nii")
    with pytest.raises(SourceError, match=r"template\.nii"):
        find(tmp_path)


def test_unlabelled_case_folders_leave_labels_out(tmp_path: Path) -> None:
    make(
        tmp_path, *(f"{c}/{m}_{r}.nii" for c in "ab" for m in ("CT", "PET") for r in ("i", "mask"))
    )
    assert short(tmp_path, find(tmp_path, unlabelled=True)) == [
        ("a", "a/CT_i.nii", None, None),
        ("b", "b/CT_i.nii", None, None),
    ]


# --- flat and nested ----------------------------------------------------------------------


def test_flat_folder_needs_unlabelled(tmp_path: Path) -> None:
    make(tmp_path, "a.nii", "b.nii")
    with pytest.raises(SourceError, match="no labels") as info:
        find(tmp_path)
    assert info.value.hint is not None
    for remedy in ("labels/", "dataset.label", "dataset.unlabelled=true"):
        assert remedy in info.value.hint
    assert [c.name for c in find(tmp_path, unlabelled=True)] == ["a", "b"]


def test_flat_folder_with_numbered_channels(tmp_path: Path) -> None:
    make(tmp_path, "a_0000.nii", "a_0001.nii")
    (case,) = find(tmp_path, {0: "T1", 1: "T2"}, unlabelled=True)
    assert (case.name, len(case.images)) == ("a", 2)


def test_nested_images_with_unique_names(tmp_path: Path) -> None:
    make(tmp_path, "x/y/a.nii", "x/z/b.nii", "c.nii")
    assert [c.name for c in find(tmp_path, unlabelled=True)] == ["a", "b", "c"]


def test_nested_images_with_equal_names_get_their_paths(tmp_path: Path) -> None:
    make(tmp_path, "p1/day1/scan.nii", "p1/day2/scan.nii", "p2/day1/scan.nii")
    names = [c.name for c in find(tmp_path, unlabelled=True)]
    assert names == ["p1_day1_scan", "p1_day2_scan", "p2_day1_scan"]


def test_links_back_to_a_parent_end(tmp_path: Path) -> None:
    make(tmp_path, "x/y/a.nii")
    (tmp_path / "x" / "y" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert [c.name for c in find(tmp_path, unlabelled=True)] == ["a"]


# --- stacks in folders --------------------------------------------------------------------


def test_stack_folders_with_labels(tmp_path: Path) -> None:
    make(tmp_path, *(f"{d}/c1/s{n}.png" for d in ("images", "labels") for n in (1, 2)))
    cases = find(tmp_path, suffixes=(".png",), folders=True)
    assert short(tmp_path, cases) == [("c1", "images/c1", "labels/c1", None)]


def test_stack_folders_with_label_files(tmp_path: Path) -> None:
    make(tmp_path, "images/c.1/1.dcm", "labels/c.1.nii.gz", "images/d/1.dcm", "labels/d.NII")
    cases = find(tmp_path, suffixes=(".dcm",), folders=True, label_suffixes=NIFTI)
    assert [(c.name, c.label and c.label.name) for c in cases] == [
        ("c.1", "c.1.nii.gz"),
        ("d", "d.NII"),
    ]


def test_stack_and_label_in_one_case_folder(tmp_path: Path) -> None:
    make(tmp_path, "p1/CT/1.dcm", "p1/PET/1.dcm", "p1/mask.nii", "p2/1.dcm", "p2/seg.nii")
    cases = find(tmp_path, suffixes=(".dcm",), folders=True, label_suffixes=NIFTI)
    assert short(tmp_path, cases) == [
        ("p1", "p1/CT", "p1/mask.nii", None),
        ("p2", "p2", "p2/seg.nii", None),
    ]


def test_unlabelled_stacks_flat_nested_and_the_root_itself(tmp_path: Path) -> None:
    make(tmp_path, "flat/p1/1.dcm", "flat/p2/1.dcm", "deep/p1/st/se1/1.dcm", "deep/p1/st/se2/1.dcm")
    flat = find(tmp_path / "flat", unlabelled=True, suffixes=("",), folders=True)
    deep = find(tmp_path / "deep", unlabelled=True, suffixes=("",), folders=True)
    one = find(tmp_path / "flat" / "p1", unlabelled=True, suffixes=("",), folders=True)
    assert [c.name for c in flat] == ["p1", "p2"]
    assert [c.name for c in deep] == ["se1", "se2"]
    assert short(tmp_path / "flat" / "p1", one) == [("p1", ".", None, None)]


# --- patterns -----------------------------------------------------------------------------


def test_patterns_with_stars(tmp_path: Path) -> None:
    make(tmp_path, "a/x/2020/t1.nii", "a/x/2020/t2.nii", "truth/x.nii", "b/y/1/2/t1.nii")
    make(tmp_path, "b/y/1/2/t2.nii", "truth/y.nii")
    layout = Layout(("*/{case}/**/t1.nii", "*/{case}/**/t2.nii"), "truth/{case}.nii")
    cases = find(tmp_path, {0: "T1", 1: "T2"}, layout=layout)
    assert short(tmp_path, cases) == [
        ("x", "a/x/2020/t1.nii", "a/x/2020/t2.nii", "truth/x.nii", None),
        ("y", "b/y/1/2/t1.nii", "b/y/1/2/t2.nii", "truth/y.nii", None),
    ]


def test_patterns_take_other_characters_literally(tmp_path: Path) -> None:
    make(tmp_path, "s(1)+/a.nii", "s(1)+/a[x].nii", "s(1)+/b.nii")
    layout = Layout(("s(1)+/{case}.nii",), "s(1)+/{case}[x].nii")
    assert set(problems(find(tmp_path, layout=layout))) == {"b", "a[x]"}


def test_patterns_list_several_matches_and_missing_parts(tmp_path: Path) -> None:
    make(tmp_path, "a/1/ct.nii", "a/2/ct.nii", "a/seg.nii", "b/1/ct.nii", "c/1/ct.nii", "c/seg.nii")
    layout = Layout(("{case}/*/ct.nii",), "{case}/seg.nii")
    assert problems(find(tmp_path, layout=layout)) == {
        "a": "2 paths match '{case}/*/ct.nii': a/1/ct.nii, a/2/ct.nii",
        "b": "nothing matches '{case}/seg.nii'",
    }


def test_a_case_named_twice_in_a_pattern_is_one_name(tmp_path: Path) -> None:
    make(tmp_path, "a/a.nii", "a/b.nii")
    layout = Layout(("{case}/{case}.nii",))
    assert [c.name for c in find(tmp_path, layout=layout, unlabelled=True)] == ["a"]


@pytest.mark.parametrize("pattern", ["../{case}.nii", "/data/{case}.nii", "images/*.nii"])
def test_patterns_that_leave_the_source_or_name_no_case(tmp_path: Path, pattern: str) -> None:
    make(tmp_path, "images/a.nii")
    with pytest.raises(SourceError, match="can't be used"):
        find(tmp_path, layout=Layout((pattern,)), unlabelled=True)


def test_patterns_have_to_fit_the_dataset(tmp_path: Path) -> None:
    make(tmp_path, "a.nii")
    with pytest.raises(SourceError, match="2 image patterns for 1 channels"):
        find(tmp_path, layout=Layout(("{case}.nii", "{case}.nii"), "{case}.nii"))
    with pytest.raises(SourceError, match="none for the label"):
        find(tmp_path, layout=Layout(("{case}.nii",)))
    with pytest.raises(SourceError, match="that the patterns match"):
        find(tmp_path, layout=Layout(("x/{case}.nii",)), unlabelled=True)


# --- the whole source ---------------------------------------------------------------------


def test_missing_empty_and_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SourceError, match="no such folder"):
        find(tmp_path / "gone")
    with pytest.raises(SourceError, match="not a folder"):
        find(file)
    for unlabelled in (False, True):
        with pytest.raises(SourceError, match=r"no \.nii \.nii\.gz files"):
            find(empty, unlabelled=unlabelled)


def test_holds_images_looks_past_labels(tmp_path: Path) -> None:
    make(tmp_path, "dicom/p1/1.dcm", "dicom/p1/seg.nii.gz", "dicom/labels/p1.nii.gz")
    make(tmp_path, "nifti/images/a.nii.gz", "nifti/preview.png", "cases/p1/ct.nii")
    assert not holds_images(tmp_path / "dicom", NIFTI)
    assert holds_images(tmp_path / "nifti", NIFTI)
    assert not holds_images(tmp_path / "nifti", (".png",))
    assert holds_images(tmp_path / "cases", NIFTI)
    assert not holds_images(tmp_path / "gone", NIFTI)


# --- real folders -------------------------------------------------------------------------


@needs_data
def test_hippocampus() -> None:
    cases = find(DATA / "hippocampus")
    assert len(cases) == 195
    assert (cases[0].name, cases[-1].name) == ("hippocampus_003", "hippocampus_394")
    assert all(c.label and c.label.name == c.images[0].name and not c.details for c in cases)


@needs_data
@pytest.mark.parametrize("channels", [{0: "CT"}, {0: "CT", 1: "MR_T1", 2: "PET"}, {0: "PET"}])
def test_sarcoma_folders(channels: dict[int, str]) -> None:
    cases = find(DATA / "sts" / "nifti", channels)
    assert len(cases) == 8
    first = channels[0]
    for case in cases:
        assert [p.name for p in case.images] == [f"{n}_image.nii.gz" for n in channels.values()]
        assert case.label is not None
        assert case.label.name == f"{first}_mask.nii.gz"
        assert not case.details


@needs_data
def test_nrrd_by_patterns() -> None:
    layout = Layout(("{case}_image.nrrd",), "{case}_label.nrrd")
    cases = find(DATA / "nrrd_pyradiomics", layout=layout, suffixes=(".nrrd",))
    assert [c.name for c in cases if not c.details] == ["brain1", "brain2", "breast1"]
    assert set(problems(cases)) == {"lung1", "lung2"}
