"""Segmentations of 3D Slicer: files written by hand as Slicer writes them."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug.rois import RoiOptions
from nnplug.types import Case, Source
from nnplug_mha.converter import MhaConverter
from nnplug_mha.options import MhaOptions
from nnplug_mha.survey import survey

SHAPE = (4, 5, 6)
LABELS = {"background": 0, "liver": 1, "tumour": 2}


def mask(*box: slice) -> NDArray[np.uint8]:
    values = np.zeros(SHAPE, np.uint8)
    values[box] = 1
    return values


LIVER = mask(slice(0, 3), slice(0, 4), slice(1, 5))
TUMOUR = mask(slice(1, 2), slice(1, 3), slice(2, 4))
SPLEEN = mask(slice(3, 4), slice(4, 5), slice(0, 6))


def seg_nrrd(
    path: Path,
    layers: list[NDArray[np.uint8]],
    segments: list[dict[str, Any]],
    *,
    origin: str = "(-10,20,5)",
    encoding: str = "raw",
) -> Path:
    """Layers (z, y, x) lie along a list axis that comes first, where there are several."""
    several = len(layers) > 1
    z, y, x = layers[0].shape
    header = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "type: unsigned char",
        f"dimension: {4 if several else 3}",
        "space: left-posterior-superior",
        f"sizes: {f'{len(layers)} ' if several else ''}{x} {y} {z}",
        f"space directions: {'none ' if several else ''}(2,0,0) (0,2,0) (0,0,3)",
        f"kinds: {'list ' if several else ''}domain domain domain",
        f"encoding: {encoding}",
        f"space origin: {origin}",
    ]
    for number, segment in enumerate(segments):
        header += [f"Segment{number}_{key}:={value}" for key, value in segment.items()]
    header += ["Segmentation_MasterRepresentation:=Binary labelmap"]
    voxels = np.stack(layers, axis=-1).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        "\n".join([*header, "", ""]).encode()
        + (gzip.compress(voxels) if encoding == "gzip" else voxels)
    )
    return path


def segment(name: str, value: int = 1, layer: int = 0) -> dict[str, Any]:
    return {"ID": f"{name}_id", "Name": name, "LabelValue": value, "Layer": layer}


def case(
    root: Path, layers: list[NDArray[np.uint8]], segments: list[dict[str, Any]], **given: Any
) -> Path:
    image = sitk.GetImageFromArray(np.zeros(SHAPE, np.int16))
    image.SetSpacing((2, 2, 3))
    image.SetOrigin((-10, 20, 5))
    root.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(root / "p1.nrrd"))
    seg_nrrd(root / "p1.seg.nrrd", layers, segments, **given)
    return root


def convert(root: Path, labels: dict[str, int] = LABELS, **rois: Any) -> Case:
    converter = MhaConverter(MhaOptions(RoiOptions(**rois)))
    (source,) = converter.discover(Source(root, labels=labels))
    return converter.read(pickle.loads(pickle.dumps(source)))


def values(found: Case) -> NDArray[Any]:
    assert found.label is not None
    return np.asarray(sitk.GetArrayFromImage(found.label))


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_one_layer_goes_by_names_not_by_values(tmp_path: Path, encoding: str) -> None:
    painted = np.where(TUMOUR, 3, LIVER * 7).astype(np.uint8)
    segments = [segment("Tumour", 3), segment("Liver", 7)]
    found = convert(case(tmp_path, [painted], segments, encoding=encoding))
    assert np.array_equal(values(found), np.where(TUMOUR, 2, LIVER))
    assert found.label is not None
    assert found.label.GetSpacing() == (2, 2, 3)
    assert found.label.GetOrigin() == (-10, 20, 5)


def test_layers_that_overlap_need_a_priority(tmp_path: Path) -> None:
    segments = [segment("liver", 1, 0), segment("tumour", 1, 1)]
    case(tmp_path, [LIVER, TUMOUR], segments)
    with pytest.raises(SourceError, match="'liver' and 'tumour' overlap in 4 voxels") as info:
        convert(tmp_path)
    assert str(info.value.where).endswith("p1.seg.nrrd")
    found = convert(tmp_path, priority=["tumour"])
    assert np.array_equal(values(found), np.where(TUMOUR, 2, LIVER))
    assert found.provenance["overlap tumour over liver"] == "4 voxels"


def test_segments_that_share_layers(tmp_path: Path) -> None:
    shared = (LIVER + SPLEEN * 2).astype(np.uint8)
    segments = [segment("liver", 1, 0), segment("spleen", 2, 0), segment("tumour", 1, 1)]
    found = convert(
        case(tmp_path, [shared, TUMOUR], segments),
        {"background": 0, "organ": 1, "lesion": 2},
        rois={"organ": ["liver", "x"], "lesion": ["tum*"]},
        priority=["lesion"],
    )
    assert np.array_equal(values(found), np.where(TUMOUR, 2, LIVER))
    united = convert(
        tmp_path, {"background": 0, "organ": 1}, rois={"organ": ["*[!r]r", "spleen", "l*"]}
    )
    assert values(united).max() == 1


def test_files_of_old_slicers_have_a_layer_a_segment(tmp_path: Path) -> None:
    segments = [{"ID": "a", "Name": "liver"}, {"ID": "b", "Name": "tumour"}]
    found = convert(case(tmp_path, [LIVER, TUMOUR], segments), priority=["tumour"])
    assert np.array_equal(values(found), np.where(TUMOUR, 2, LIVER))


def test_a_cropped_segmentation_keeps_its_own_grid(tmp_path: Path) -> None:
    cut = np.ascontiguousarray(LIVER[0:3, 0:4, 1:5])
    root = case(tmp_path, [cut], [segment("liver")], origin="(-8,20,5)")
    found = convert(root, {"background": 0, "liver": 1})
    assert found.label is not None
    whole = sitk.Resample(found.label, found.images[0], sitk.Transform(), sitk.sitkNearestNeighbor)
    assert np.array_equal(sitk.GetArrayFromImage(whole), LIVER)


def test_without_names_the_values_stay(tmp_path: Path) -> None:
    case(tmp_path, [LIVER * 5], [])
    assert np.array_equal(values(convert(tmp_path)), LIVER * 5)
    with pytest.raises(SourceError, match="no regions with names"):
        convert(tmp_path, rois={"liver": ["l*"], "tumour": ["t*"]})


@pytest.mark.parametrize(
    ("layers", "segments", "problem"),
    [
        ([LIVER], [segment("liver")], "no region is label 'tumour'; there is: liver"),
        ([LIVER], [segment("liver"), segment("tumour", 2)], "'tumour' is empty"),
        ([LIVER], [segment("liver"), segment("tumour", 1)], "liver, tumour are the same voxels"),
        ([LIVER], [segment("liver"), segment("tumour", 1, 1)], "layer 1, the file has 1"),
        ([LIVER * 4], [segment("liver", 1)], r"values of no segment: 4 \(48 voxels\)"),
        ([LIVER], [{**segment("liver"), "LabelValue": "x"}], "value of segment 'liver' is no"),
        ([LIVER], [segment("liver", 0)], "value of segment 'liver' is no"),
        ([LIVER, TUMOUR], [], "2 values"),
    ],
)
def test_segmentations_that_are_refused(
    tmp_path: Path, layers: list[NDArray[np.uint8]], segments: list[dict[str, Any]], problem: str
) -> None:
    with pytest.raises(SourceError, match=problem) as info:
        convert(case(tmp_path, layers, segments))
    assert "p1.seg.nrrd" in str(info.value.where)
    assert info.value.hint


def test_the_survey_names_segments(tmp_path: Path) -> None:
    case(tmp_path, [LIVER, TUMOUR], [segment("liver"), segment("tumour", 1, 1)])
    seen = survey(tmp_path)
    assert seen.labels == LABELS
    assert [(f.path, f.kind, f.size, f.use) for f in seen.found] == [
        ("p1.nrrd", "image", (6, 5, 4), ("image",)),
        ("p1.seg.nrrd", "label", (6, 5, 4), ("label",)),
    ]
