"""Headers of NRRD and MetaImage that ITK's reader takes in silence, written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.formats.itk import outline, read_channels, read_image

VALUES = np.arange(120, dtype="<i2").reshape(4, 5, 6)
GRID = "space directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (10,20,30)"


def nrrd(path: Path, *fields: str, encoding: str = "raw") -> Path:
    data = VALUES.tobytes()
    if encoding == "ascii":
        data = " ".join(str(v) for v in VALUES.ravel()).encode()
    head = ["NRRD0005", "type: short", "endian: little", f"encoding: {encoding}"]
    if not any(f.startswith("dimension") for f in fields):
        head += ["dimension: 3", "sizes: 6 5 4"]
    path.write_bytes("\n".join([*head, *fields, "", ""]).encode() + data)
    return path


def mha(path: Path, *fields: str) -> Path:
    head = ["ObjectType = Image", "NDims = 3", "BinaryData = True", *fields]
    head += ["DimSize = 6 5 4", "ElementType = MET_SHORT", "ElementDataFile = LOCAL", ""]
    path.write_bytes("\n".join(head).encode() + VALUES.tobytes())
    return path


def refusal(path: Path) -> SourceError:
    with pytest.raises(SourceError) as info:
        read_image(path)
    assert info.value.where == str(path)
    assert info.value.hint
    return info.value


@pytest.mark.parametrize("encoding", ["raw", "ascii"])
@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
        ("LAS", (1, -1, 1)),
    ],
)
def test_points_are_turned_to_left_posterior_superior(
    tmp_path: Path, space: str, signs: tuple[int, ...], encoding: str
) -> None:
    """Voxel (5, 4, 3) lies at origin + 5, 4, 3 steps in the file's space, by the format."""
    image = read_image(nrrd(tmp_path / "a.nrrd", f"space: {space}", GRID, encoding=encoding))
    point = np.array([10 + 5 * 2, 20 + 4 * 3, 30 + 3 * 4]) * signs
    assert np.allclose(image.TransformIndexToPhysicalPoint((5, 4, 3)), point)
    assert np.array_equal(sitk.GetArrayFromImage(image), VALUES)


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", "3D-left-handed"])
def test_spaces_that_are_not_the_patients(tmp_path: Path, space: str) -> None:
    assert space in refusal(nrrd(tmp_path / "a.nrrd", f"space: {space}", GRID)).problem


def test_what_a_file_leaves_open_is_said(tmp_path: Path) -> None:
    assert "orientation" in read_channels(nrrd(tmp_path / "a.nrrd", "spacings: 2 3 4")).notes
    assert set(read_channels(nrrd(tmp_path / "b.nrrd")).notes) == {"orientation", "voxel size"}
    assert read_channels(nrrd(tmp_path / "c.nrrd", "space: LPS", GRID)).notes == {}
    assert "1 mm" in read_channels(mha(tmp_path / "a.mha")).notes["voxel size"]
    assert read_channels(mha(tmp_path / "b.mha", "ElementSpacing = 1 2 3")).notes == {}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (["space: LPS", 'space units: "cm" "cm" "cm"', GRID], "'cm', not in mm"),
        (["spacings: 1 1 1", 'units: "m" "m" "m"'], "'m', not in mm"),
        (["spacings: -2 3 4"], "-2 3 4"),
        (["spacings: 0 3 4"], "0 3 4"),
        (["spacings: nan 3 4"], "spacings are nan 3 4"),
        (["space: LPS", GRID.replace("(2,0,0)", "(0,0,0)")], "can't be read"),
        (["space: LPS", GRID.replace("(2,0,0)", "(nan,nan,nan)")], "space directions are"),
        (["space: LPS", GRID.replace("(2,0,0)", "(2,1,0)")], "right angles"),
        (["space: LPS", GRID.replace("(10,20,30)", "(nan,nan,nan)")], "space origin are"),
        (["dimension: 3", "sizes: 10000 10000 10000", "spacings: 1 1 1"], "10000 x 10000"),
        (["dimension: 3", "sizes: 0 5 4", "spacings: 1 1 1"], "can't be read"),
        (["dimension: 3", "sizes: -6 5 4", "spacings: 1 1 1"], "can't be read"),
    ],
)
def test_nrrd_headers_that_are_refused(tmp_path: Path, fields: list[str], problem: str) -> None:
    error = refusal(nrrd(tmp_path / "a.nrrd", *fields))
    assert problem in error.problem


@pytest.mark.parametrize("kind", ["vector", "RGB-color", "3-vector", "covariant-vector", "3-color"])
def test_vectors_and_colours_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    path = nrrd(
        tmp_path / "a.nrrd",
        "dimension: 4",
        "sizes: 3 5 4 2",
        "space: LPS",
        "space directions: none (2,0,0) (0,3,0) (0,0,4)",
        f"kinds: {kind} domain domain domain",
    )
    assert repr(kind.lower()) in refusal(path).problem


@pytest.mark.parametrize("first", [True, False])
def test_a_list_axis_gives_channels(tmp_path: Path, first: bool) -> None:
    steps, axes = "(2,0,0) (0,3,0) (0,0,4)", "domain domain domain"
    path = nrrd(
        tmp_path / "a.nrrd",
        "dimension: 4",
        "sizes: 2 3 5 4" if first else "3 5 4 2".join(["sizes: ", ""]),
        "space: LPS",
        f"space directions: none {steps}" if first else f"space directions: {steps} none",
        f"kinds: list {axes}" if first else f"kinds: {axes} list",
    )
    expected = VALUES.reshape(4, 5, 3, 2) if first else VALUES.reshape(2, 4, 5, 3)
    found = read_channels(path).images
    assert outline(path).volumes == len(found) == 2
    for channel, image in enumerate(found):
        wanted = expected[..., channel] if first else expected[channel]
        assert np.array_equal(sitk.GetArrayFromImage(image), wanted)
        assert image.GetSpacing() == (2, 3, 4)
    assert "2 values" in refusal(path).problem


@pytest.mark.parametrize("key", ["TransformMatrix", "Rotation", "Orientation"])
@pytest.mark.parametrize("origin", ["Offset", "Position", "Origin"])
def test_meta_transform_under_all_its_names(tmp_path: Path, key: str, origin: str) -> None:
    """The matrix lists the direction of each axis in turn, column by column."""
    path = mha(
        tmp_path / "a.mha",
        f"{key} = 0 1 0 -1 0 0 0 0 1",
        f"{origin} = 1 2 3",
        "ElementSpacing = 2 3 4",
    )
    image = read_image(path)
    assert image.TransformIndexToPhysicalPoint((1, 0, 0)) == (1, 2 + 2, 3)
    assert image.TransformIndexToPhysicalPoint((0, 1, 0)) == (1 - 3, 2, 3)


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("ElementSpacing = -1 2 3", "-1 2 3"),
        ("ElementSpacing = 0 2 3", "0 2 3"),
        ("ElementSpacing = nan 2 3", "nan 2 3"),
        ("ElementSize = 1 -2 3", "1 -2 3"),
        ("DistanceUnits = cm", "'cm', not in mm"),
        ("ElementToIntensityFunctionSlope = 2", "scaled"),
        ("ElementNumberOfChannels = 2", "cut short"),
    ],
)
def test_meta_headers_that_are_refused(tmp_path: Path, field: str, problem: str) -> None:
    assert problem in refusal(mha(tmp_path / "a.mha", field)).problem
