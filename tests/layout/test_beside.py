"""Labels that lie beside their images in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NRRD: dict[str, Any] = {"suffixes": (".nrrd",), "label_suffixes": (".seg.nrrd",)}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("a.nrrd", "a.seg.nrrd"),
        ("a.nrrd", "a-label.nrrd"),
        ("a_image.nrrd", "a_label.nrrd"),
        ("a_CT.nrrd", "a_mask.nrrd"),
        ("a.nrrd", "mask_a.nrrd"),
        ("img_a.nrrd", "gt_a.nrrd"),
    ],
)
def test_image_and_label_share_a_name(
    tmp_path: Path, image: str, label: str, make: Any, find: Any, short: Any
) -> None:
    make(tmp_path, image, label)
    assert short(tmp_path, find(tmp_path, **NRRD)) == [("a", image, label, None)]


def test_names_keep_their_letters(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "TCGA-02-0003.nrrd", "TCGA-02-0003_seg.nrrd")
    assert [c.name for c in find(tmp_path, **NRRD)] == ["TCGA-02-0003"]


def test_several_channels(tmp_path: Path, make: Any, find: Any, short: Any, problems: Any) -> None:
    make(tmp_path, *(f"{c}_{m}.nrrd" for c in ("p1", "p2") for m in ("T1", "T2", "seg")))
    (tmp_path / "p2_T2.nrrd").unlink()
    cases = find(tmp_path, {0: "T2", 1: "T1"}, **NRRD)
    assert short(tmp_path, cases)[0] == ("p1", "p1_T2.nrrd", "p1_T1.nrrd", "p1_seg.nrrd", None)
    assert problems(cases) == {"p2": "no image of channel 'T2'"}


def test_what_has_no_partner_is_a_problem(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(tmp_path, "a.nrrd", "a.seg.nrrd", "b.nrrd", "c_label.nrrd", "d.nrrd", "d_image.nrrd")
    make(tmp_path, "d_seg.nrrd", "e.nrrd", "e_seg.nrrd", "e_mask.nrrd")
    assert problems(find(tmp_path, **NRRD)) == {
        "b": "no label of this name beside it",
        "c": "no image of channel 'CT'",
        "d": "several images: d.nrrd, d_image.nrrd",
        "e": "several labels: e_mask.nrrd, e_seg.nrrd",
    }


def test_unlabelled_leaves_labels_out(tmp_path: Path, make: Any, find: Any, short: Any) -> None:
    make(tmp_path, "a.nrrd", "a.seg.nrrd", "b.nrrd")
    assert short(tmp_path, find(tmp_path, unlabelled=True, **NRRD)) == [
        ("a", "a.nrrd", None, None),
        ("b", "b.nrrd", None, None),
    ]
