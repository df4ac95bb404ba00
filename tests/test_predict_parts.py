"""What surrounds the network: inputs, masks, formats, warnings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.stats import entropy

from nnplug.catalog import Catalog
from nnplug.config.load import predict_settings
from nnplug.config.settings import Choice
from nnplug.engine.segmentation import Segmentation
from nnplug.errors import ConfigError, DataError, PluginError
from nnplug.formats.writing import ImageWriter
from nnplug.stages import fit, masks
from nnplug.stages.input_files import Files, checked, named_files
from nnplug.types import CaseSource

PLANS = {"dataset_properties": {"all_spacings": [np.array([5, 0.7, 0.8]), np.array([3, 1, 0.9])]}}


def volume(*spacing: float) -> sitk.Image:
    image = sitk.Image(4, 5, 6, sitk.sitkUInt8)
    image.SetSpacing(spacing)
    return image


@pytest.mark.parametrize("spacing", [(0.8, 0.7, 5), (0.6, 1.4, 7.4), (1.3, 0.5, 2.1)])
def test_a_spacing_near_the_training_cases_is_no_remark(spacing: tuple[float, ...]) -> None:
    assert fit.unlike_training([volume(*spacing)], PLANS, {}) == []


def test_a_spacing_far_from_the_training_cases_is_told(tmp_path: Path) -> None:
    sitk.WriteImage(volume(0.8, 1.6, 1.5), str(tmp_path / "a.nii.gz"))
    (remark,) = fit.unlike_training([tmp_path / "a.nii.gz"], PLANS, {})
    assert "y 1.6 mm (training: 0.7 to 1)" in remark
    assert "z 1.5 mm (training: 3 to 5)" in remark
    assert "x " not in remark
    (tmp_path / "a.nii.gz").write_bytes(b"nothing")
    assert fit.unlike_training([tmp_path / "a.nii.gz"], PLANS, {}) == []
    assert fit.unlike_training([volume(9, 9, 9)], {}, {}) == []


def test_axes_that_no_training_case_has_are_told(tmp_path: Path) -> None:
    axial, sagittal = volume(1, 1, 4), sitk.PermuteAxes(volume(1, 1, 4), (1, 2, 0))
    sitk.WriteImage(sagittal, str(tmp_path / "a.nii.gz"))
    for known in (["LPS"], ["LPS", "RAS"]):
        assert fit.unlike_training([axial], {}, {"orientations": known}) == []
        for image in (sagittal, tmp_path / "a.nii.gz"):
            (remark,) = fit.unlike_training([image], {}, {"orientations": known})
            assert (
                f"run towards PSL, those of the training cases towards {' or '.join(known)}"
                in remark
            )
    assert fit.unlike_training([sagittal], {}, {"orientations": []}) == []


def test_channels_are_gathered_from_several_folders() -> None:
    listed = [Path("t2/b_0001.mha"), Path("t1/b_0000.nii.gz"), Path("a_0000.nrrd")]
    with pytest.raises(DataError, match="case a has the channels 0000"):
        Files(listed, 2)
    (case,) = Files(listed[:2], 2).cases
    assert (case.name, case.files) == ("b", (listed[1], listed[0]))
    assert [c.name for c in Files(listed, 1).cases] == ["a_0000", "b_0000", "b_0001"]
    with pytest.raises(DataError, match="are one case"):
        Files([Path("a.nii.gz"), Path("a.mha")], 1)


def test_files_that_can_not_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").touch()
    for path in (tmp_path / "a.dcm", tmp_path / "b.nii.gz"):
        with pytest.raises(ConfigError, match=str(path)):
            checked([path])


def test_a_text_file_lists_files_beside_it(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.mha"):
        (tmp_path / name).touch()
    listed = tmp_path / "cases.txt"
    listed.write_text(f"# two\na.nii.gz\n\n{tmp_path / 'b.mha'}\n")
    assert named_files(listed) == [tmp_path / "a.nii.gz", tmp_path / "b.mha"]
    assert named_files(tmp_path / "a.nii.gz") == [tmp_path / "a.nii.gz"]
    for content, words in ((b"# none\n", "lists no file"), (b"\xff\n", "in UTF-8")):
        listed.write_bytes(content)
        with pytest.raises(ConfigError, match=words):
            named_files(listed)
    listed.write_text("c.nii.gz")
    with pytest.raises(ConfigError, match="there is no such file"):
        named_files(listed)


def segmentation(regions: tuple[int, ...] | None = None) -> Segmentation:
    rng = np.random.default_rng(3)
    cropped = rng.dirichlet((0.5, 0.5, 0.5), (2, 3, 4)).transpose(3, 0, 1, 2).astype(np.float32)
    properties = {
        "original_size_of_raw_data": np.array([5, 6, 7]),
        "crop_bbox": [[1, 3], [2, 5], [0, 4]],
        "itk_spacing": (1.0, 2.0, 3.0),
        "itk_origin": (4.0, 5.0, 6.0),
        "itk_direction": (0.0, 1, 0, 1, 0, 0, 0, 0, 1),
    }
    return Segmentation.of(cropped, properties, regions)


def test_entropy_is_that_of_scipy_and_zero_outside() -> None:
    found = segmentation()
    values = found.entropy()
    wanted = entropy(found.cropped, axis=0, base=3)
    np.testing.assert_allclose(values[found.box], wanted, atol=1e-5)
    assert values.sum() == pytest.approx(wanted.sum(), rel=1e-5)
    assert 0 <= values.min() <= values.max() <= 1


def test_entropy_of_regions_is_the_mean_of_each() -> None:
    found = segmentation((1, 2, 3))
    p = found.cropped
    wanted = entropy(np.stack([p, 1 - p]), axis=0, base=2).mean(0)
    np.testing.assert_allclose(found.entropy()[found.box], wanted, atol=1e-5)


def test_probabilities_cover_the_whole_grid() -> None:
    found = segmentation()
    softmax = found.softmax()
    np.testing.assert_allclose(softmax.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(softmax.argmax(0), found.array)
    assert softmax.shape == (3, 5, 6, 7)
    assert found.mask.GetOrigin() == (4, 5, 6)


@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "mha", "nrrd"])
def test_formats_hold_values_and_place(tmp_path: Path, suffix: str) -> None:
    found = segmentation()
    path = tmp_path / f"a.{suffix}"
    ImageWriter().write(found.mask, {}, CaseSource("a", ()), 0, path)
    again = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(again), found.array)
    assert again.GetDirection() == found.mask.GetDirection()
    if suffix.startswith("nii"):
        theirs = np.asarray(nibabel.load(path).dataobj)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(theirs.transpose(2, 1, 0), found.array)


def test_labels_are_called_as_the_dataset_calls_them() -> None:
    assert masks.names([1, 2], {"background": 0, "liver": 1}, None) == {"liver": 1, "label 2": 2}
    assert masks.names([1], {"liver": 1}, {0: 0, 1: 127}) == {"liver": 127}


def test_steps_work_on_voxels_in_order() -> None:
    chosen = [Choice("fill_holes"), Choice("minimum_volume", {"mm3": 30})]
    first, second = masks.steps(chosen, Catalog.build())
    label = np.zeros((9, 9, 9), np.uint8)
    label[1:4, 1:4, 1:4], label[2, 2, 2], label[6:8, 6:8, 6:8] = 1, 0, 2
    after = second.apply(first.apply(label, (1, 1, 1.2)), (1, 1, 1.2))
    assert np.bincount(after.ravel()).tolist() == [729 - 27, 27]


def settings(**changes: Any) -> Any:
    values = {
        "input": "in",
        "output": "out",
        "model": "m",
        "converter": {"name": "auto"},
        "remap": {"name": "none"},
        "paths": {"root": "root"},
    }
    return predict_settings({**values, **changes}, Catalog.build())


def test_what_predict_is_told() -> None:
    data = {"name": "A", "task_id": 7, "channels": {0: "CT"}, "labels": {"background": 0, "a": 1}}
    made = settings(dataset=data, format={"dicom_seg": {"series_number": 9}}, input=["a", "b"])
    assert made.format == Choice("dicom_seg", {"series_number": 9})
    assert made.data.dataset.unlabelled
    assert made.data.remap == ()
    assert made.input == [Path("a"), Path("b")]
    assert settings().data is None


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"format": "dicom-seg"}, PluginError, "did you mean dicom_seg"),
        ({"format": {"dicom_seg": {"series_number": 0}}}, ConfigError, "format.dicom_seg"),
        ({"format": {"nrrd": {"level": 1}}}, ConfigError, "no such option"),
        ({"postprocess": "fill_holes"}, ConfigError, "a list is wanted"),
        ({"postprocess": [{"minimum_volume": {"mm3": -1}}]}, ConfigError, "above 0"),
        ({"postprocess": ["fill_hole"]}, PluginError, "did you mean fill_holes"),
        ({"input": []}, ConfigError, "empty list"),
    ],
)
def test_what_predict_refuses(changes: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        settings(**changes)
    assert words in str(caught.value)
