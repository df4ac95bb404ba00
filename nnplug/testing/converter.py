"""What every converter has to keep: the right voxels in the right place, or a refusal."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import pickle
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nnplug.catalog import load
from nnplug.config.build import build
from nnplug.errors import SourceError
from nnplug.testing import volumes
from nnplug.testing.host import subject
from nnplug.types import Case, CaseSource, Source

if TYPE_CHECKING:
    import SimpleITK as sitk


class ConverterContract:
    """Inherit, name the converter and write made-up cases in its format.

    Attributes:
        plugin: the plugin's module, e.g. ``"my_package.plugin"``.
        converter: the name in its spec.
        options: keys below ``converter.``, for all tests.
        dtypes: types of values that the format stores exactly; the first is the usual one.
        stores_direction: whether oblique grids survive.
        stores_labels: whether :meth:`write` writes labels.
        labels: name to value, as in ``dataset.labels``.
        channels: number to name, as in ``dataset.channels``; one.
        names: of the made-up cases, for formats that don't take every name.
        tolerance: of spacing, origin (mm) and direction.
    """

    plugin: str
    converter: str
    options: Mapping[str, Any] = {}
    dtypes: tuple[str, ...] = ("int16", "uint8", "float32")
    stores_direction = True
    stores_labels = True
    labels: Mapping[str, int] = {"background": 0, "shell": 1, "core": 2}
    channels: Mapping[int, str] = {0: "image"}
    names: tuple[str, str] = ("case_a", "case_b")
    tolerance = 1e-4

    def write(self, folder: Path, truth: Mapping[str, Case]) -> None:
        """Write these cases into ``folder`` as the format has them, by any independent means."""
        raise NotImplementedError

    def damage(self, folder: Path) -> None:
        """Spoil one image; by default the first file below ``images`` loses its second half."""
        images = folder / "images"
        file = min(path for path in (images if images.is_dir() else folder).rglob("*.*"))
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    def _make(self) -> Any:
        catalog, mine = subject(self.plugin)
        assert mine.problem is None
        entry = catalog.converters.get(self.converter)
        cls = load(entry.spec, entry.owner)
        if entry.spec.options is None:
            return cls()
        return cls(build(entry.spec.options, self.options, "converter"))

    def _source(self, folder: Path) -> Source:
        return Source(
            folder,
            channels=dict(self.channels),
            labels=dict(self.labels),
            unlabelled=not self.stores_labels,
        )

    def _discover(self, folder: Path) -> list[CaseSource]:
        return list(self._make().discover(self._source(folder)))

    def _written(self, folder: Path, **changes: Any) -> dict[str, Case]:
        given = {"labelled": self.stores_labels, "dtype": self.dtypes[0], **changes}
        truth = volumes.cases(self.names, **given)
        folder.mkdir(exist_ok=True)
        self.write(folder, truth)
        return truth

    def _round_trip(self, folder: Path, **changes: Any) -> list[tuple[str, Case, Case]]:
        truth = self._written(folder, **changes)
        converter = self._make()
        found = list(converter.discover(self._source(folder)))
        assert len(found) == len(truth)
        return [(case.name, self._truth_of(case, truth), converter.read(case)) for case in found]

    def _truth_of(self, case: CaseSource, truth: Mapping[str, Case]) -> Case:
        (name,) = [name for name in truth if name in case.name]
        return truth[name]

    def test_every_case_is_found_once(self, tmp_path: Path) -> None:
        """And by a name that tells it from the others."""
        truth = self._written(tmp_path)
        names = [case.name for case in self._discover(tmp_path)]
        assert len(names) == len(set(names)) == len(truth)
        assert all(sum(name in found for found in names) == 1 for name in truth)

    def test_cases_come_in_the_same_order_again(self, tmp_path: Path) -> None:
        """Numbers are given in that order."""
        self._written(tmp_path)
        assert self._discover(tmp_path) == self._discover(tmp_path)

    def test_cases_cross_process_borders(self, tmp_path: Path) -> None:
        """They are pickled to the workers."""
        self._written(tmp_path)
        cases = self._discover(tmp_path)
        assert pickle.loads(pickle.dumps(cases)) == cases

    def test_discovering_reads_no_pixels(self, tmp_path: Path) -> None:
        """A case is listed though its pixels can't be read."""
        truth = self._written(tmp_path)
        self.damage(tmp_path)
        assert len(self._discover(tmp_path)) == len(truth)

    def test_sizes_are_right(self, tmp_path: Path) -> None:
        """Along x, y and z."""
        for name, truth, read in self._round_trip(tmp_path):
            assert read.images[0].GetSize() == truth.images[0].GetSize(), name

    def test_spacing_is_right(self, tmp_path: Path) -> None:
        """In mm along x, y and z."""
        for name, truth, read in self._round_trip(tmp_path):
            wanted = pytest.approx(truth.images[0].GetSpacing(), abs=self.tolerance)
            assert read.images[0].GetSpacing() == wanted, name

    def test_origin_and_direction_are_right(self, tmp_path: Path) -> None:
        """In the patient's coordinates (LPS); for formats that store them."""
        if self.stores_direction:
            for name, truth, read in self._round_trip(tmp_path):
                _same_place(read.images[0], truth.images[0], self.tolerance, name)

    def test_an_oblique_grid_stays_oblique(self, tmp_path: Path) -> None:
        """For formats that store directions."""
        if self.stores_direction:
            for name, truth, read in self._round_trip(tmp_path, direction=volumes.oblique()):
                _same_place(read.images[0], truth.images[0], self.tolerance, name)

    def test_every_voxel_is_in_its_place(self, tmp_path: Path) -> None:
        """Axes in order and not turned round."""
        for name, truth, read in self._round_trip(tmp_path):
            assert (_array(read.images[0]) == _array(truth.images[0])).all(), name

    def test_values_are_kept_in_every_type(self, tmp_path: Path) -> None:
        """No scaling, no loss of range."""
        for dtype in self.dtypes:
            for name, truth, read in self._round_trip(tmp_path / dtype, dtype=dtype):
                assert (_array(read.images[0]) == _array(truth.images[0])).all(), (name, dtype)

    def test_images_are_scalar_and_three_dimensional(self, tmp_path: Path) -> None:
        """One value a voxel."""
        for name, _, read in self._round_trip(tmp_path):
            for one in read.images:
                assert (one.GetDimension(), one.GetNumberOfComponentsPerPixel()) == (3, 1), name

    def test_labels_are_right(self, tmp_path: Path) -> None:
        """Integers, equal in every voxel, on the grid of the image."""
        if not self.stores_labels:
            return
        for name, truth, read in self._round_trip(tmp_path):
            assert read.label is not None, name
            assert _array(read.label).dtype.kind in "iu", name
            assert (_array(read.label) == _array(truth.label)).all(), name
            _same_place(read.label, read.images[0], self.tolerance, name)

    def test_reading_again_gives_the_same(self, tmp_path: Path) -> None:
        """With the same converter and with a new one."""
        self._written(tmp_path)
        converter = self._make()
        case = self._discover(tmp_path)[0]
        assert _digest(converter.read(case)) == _digest(converter.read(case))
        assert _digest(converter.read(case)) == _digest(self._make().read(case))

    def test_the_source_is_left_alone(self, tmp_path: Path) -> None:
        """No file is changed, added or removed."""
        self._written(tmp_path)
        before = _files(tmp_path)
        for case in self._discover(tmp_path):
            self._make().read(case)
        assert _files(tmp_path) == before

    def test_what_it_is_given_is_left_alone(self, tmp_path: Path) -> None:
        """The source's description and the case."""
        self._written(tmp_path)
        converter, source = self._make(), self._source(tmp_path)
        before = copy.deepcopy(source)
        case = next(iter(converter.discover(source)))
        assert source == before
        kept = copy.deepcopy(case)
        converter.read(case)
        assert case == kept

    def test_threads_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        """Four at once with one converter."""
        self._written(tmp_path)
        converter, cases = self._make(), self._discover(tmp_path) * 4
        alone = [_digest(converter.read(case)) for case in cases]
        with ThreadPoolExecutor(4) as pool:
            assert [_digest(case) for case in pool.map(converter.read, cases)] == alone

    def test_a_new_process_reads_the_same(self, tmp_path: Path) -> None:
        """Nothing depends on what this process has done before."""
        self._written(tmp_path / "source")
        converter, cases = self._make(), self._discover(tmp_path / "source")
        (tmp_path / "job").write_bytes(pickle.dumps((converter, cases)))
        code = (
            "import pickle, sys; from nnplug.testing import converter as c; "
            "tool, cases = pickle.load(open(sys.argv[1], 'rb')); "
            "print(*[c._digest(tool.read(case)) for case in cases])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "job")], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [_digest(converter.read(case)) for case in cases]

    def test_a_damaged_image_is_refused(self, tmp_path: Path) -> None:
        """By a SourceError, or a case with a problem; never by a guess."""
        self._written(tmp_path)
        whole = {case.name: _digest(self._make().read(case)) for case in self._discover(tmp_path)}
        self.damage(tmp_path)
        assert _refusals(self, tmp_path), f"{len(whole)} cases were read from damaged files"

    def test_an_empty_folder_has_no_cases(self, tmp_path: Path) -> None:
        """An empty list or a SourceError."""
        with contextlib.suppress(SourceError):
            assert self._discover(tmp_path) == []

    def test_it_claims_its_sources_and_no_others(self, tmp_path: Path) -> None:
        """With ``nnplug_detect``, where the plugin has one."""
        self._written(tmp_path / "source")
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "notes.txt").write_text("no images here\n")
        catalog, mine = subject(self.plugin)
        claims = catalog.host.collect("nnplug_detect", source=tmp_path / "source")
        assert mine.problem is None
        if claims:
            assert (mine, self.converter) in claims
        assert catalog.host.collect("nnplug_detect", source=tmp_path / "other") == []


def _refusals(contract: ConverterContract, folder: Path) -> int:
    refused = 0
    try:
        cases = contract._discover(folder)
    except SourceError:
        return 1
    for case in cases:
        if "problem" in case.details:
            refused += 1
            continue
        try:
            contract._make().read(case)
        except SourceError:
            refused += 1
    return refused


def _array(one: sitk.Image | None) -> Any:
    import SimpleITK as sitk

    assert one is not None
    return sitk.GetArrayFromImage(one)


def _same_place(one: sitk.Image, other: sitk.Image, tolerance: float, name: str) -> None:
    for corner in ((0, 0, 0), tuple(n - 1 for n in other.GetSize())):
        wanted = other.TransformIndexToPhysicalPoint(corner)
        found = one.TransformIndexToPhysicalPoint(corner)
        assert found == pytest.approx(wanted, abs=100 * tolerance), name
    assert one.GetOrigin() == pytest.approx(other.GetOrigin(), abs=tolerance), name
    assert one.GetDirection() == pytest.approx(other.GetDirection(), abs=tolerance), name


def _digest(case: Case) -> str:
    """What a case holds, as one word."""
    seen = hashlib.sha256()
    for one in (*case.images, case.label):
        if one is not None:
            seen.update(_array(one).tobytes())
            seen.update(repr((one.GetSize(), one.GetSpacing(), one.GetOrigin())).encode())
            seen.update(repr(one.GetDirection()).encode())
    return seen.hexdigest()


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
