"""The suites of nnplug.testing catch what they are meant to catch: one fault, the right check."""

# ruff: noqa: E501 - a fault is easier to read in one line
from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug.testing import ConverterContract, PluginContract, RemapperContract
from nnplug.types import Case

Install = Callable[[str, Mapping[str, str]], str]
Faults = list[tuple[str, dict[str, str]]]

PLUGIN = """
from dataclasses import dataclass, field
from nnplug.hookspecs import hookimpl
from nnplug.types import ConverterSpec, RemapperSpec

@dataclass(frozen=True)
class Options:
    size: int = 1

@hookimpl
def nnplug_converters():
    return [ConverterSpec("raw", "{package}.code:Raw", Options, "arrays of numpy")]

@hookimpl
def nnplug_remappers():
    return [
        RemapperSpec("by_value", "{package}.code:ByValue", Options, "values"),
        RemapperSpec("by_voxel", "{package}.code:ByVoxel", Options, "voxels"),
    ]

@hookimpl
def nnplug_config_paths():
    return ["pkg://{package}.conf"]

@hookimpl
def nnplug_detect(source):
    return ["raw"] if any(source.glob("images/*.npz")) else []
"""
CODE = """
import random
import numpy as np
import SimpleITK as sitk
from nnplug.errors import SourceError
from nnplug.types import Case, CaseSource

def image(path):
    try:
        with open(path, "rb") as stream, np.load(stream) as content:
            made = sitk.GetImageFromArray(content["values"])
            made.SetSpacing(content["spacing"])
            made.SetOrigin(content["origin"])
            made.SetDirection(content["direction"])
    except Exception as error:
        raise SourceError("not an archive of numpy", where=str(path)) from error
    return made

class Raw:
    def __init__(self, options):
        self.options = options

    def discover(self, source):
        return [
            CaseSource(path.stem, (path,), source.root / "labels" / path.name)
            for path in sorted(source.root.glob("images/*.npz"))
        ]

    def read(self, case):
        return Case((image(case.images[0]),), image(case.label))

class ByValue:
    def __init__(self, options):
        self.options = options
        self.keys = frozenset({7, 8})

    def value(self, old):
        return {0: 0, 7: 1, 8: 2}.get(old)

class ByVoxel:
    def __init__(self, options):
        self.options = options

    def apply(self, label, spacing):
        return np.where(label > 1, 1, label)
"""
YAML = "name: raw\nsize: 3\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Write a package, some of its text replaced; returns the plugin's module."""

    def put(package: str, changes: Mapping[str, str]) -> str:
        files = {"plugin.py": PLUGIN.replace("{package}", package), "code.py": CODE}
        files |= {"conf/converter/raw_big.yaml": YAML, "conf/__init__.py": "", "__init__.py": ""}
        for old, new in changes.items():
            touched = [name for name, text in files.items() if old in text]
            assert touched, f"nothing to change: {old}"
            files |= {name: files[name].replace(old, new) for name in touched}
        for name, text in files.items():
            path = tmp_path / "site" / package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return f"{package}.plugin"

    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    yield put
    for name in [name for name in sys.modules if name.startswith("fault_")]:
        del sys.modules[name]


class RawContract(ConverterContract):
    converter = "raw"

    def write(self, folder: Path, truth: Mapping[str, Case]) -> None:
        import SimpleITK as sitk

        for name, case in truth.items():
            for kind, one in (("images", case.images[0]), ("labels", case.label)):
                assert one is not None
                (folder / kind).mkdir(parents=True, exist_ok=True)
                np.savez(
                    folder / kind / f"{name}.npz",
                    values=sitk.GetArrayFromImage(one),
                    spacing=one.GetSpacing(),
                    origin=one.GetOrigin(),
                    direction=one.GetDirection(),
                )


class ByValueContract(RemapperContract):
    remapper = "by_value"
    values = (0, 7, 8)
    invertible = True


class ByVoxelContract(RemapperContract):
    remapper = "by_voxel"


def failed(contract: type[Any], plugin: str, folder: Path, only: str = "") -> set[str]:
    """Names of the suite's tests that fail, without their ``test_``."""
    suite = contract()
    suite.plugin = plugin
    names = set()
    for name, test in inspect.getmembers(suite, inspect.ismethod):
        if name.startswith("test_") and name.removeprefix("test_") == (only or name[5:]):
            (folder / name).mkdir()
            wanted = inspect.signature(test).parameters
            try:
                test(**({"tmp_path": folder / name} if "tmp_path" in wanted else {}))
            except (Exception, pytest.fail.Exception):
                names.add(name.removeprefix("test_"))
    return names


@pytest.mark.parametrize(
    "contract", [PluginContract, RawContract, ByValueContract, ByVoxelContract]
)
def test_a_plugin_without_fault_passes(
    install: Install, tmp_path: Path, contract: type[Any]
) -> None:
    assert failed(contract, install(f"fault_none_{contract.__name__}", {}), tmp_path) == set()


PLUGIN_FAULTS: Faults = [
    ("importing_it_loads_nothing_heavy", {"from dataclasses import": "import numpy\nfrom dataclasses import"}),
    ("importing_it_prints_nothing", {"@dataclass(frozen=True)": "print('hello')\n@dataclass(frozen=True)"}),
    ("its_hooks_have_the_right_names_and_arguments", {"def nnplug_converters": "def nnplug_convertors"}),
    ("its_hooks_have_the_right_names_and_arguments", {"nnplug_detect(source)": "nnplug_detect(folder)"}),
    ("its_hooks_have_the_right_names_and_arguments", {"@hookimpl\ndef nnplug_rem": "@hookimpl(wrapper=True)\ndef nnplug_rem"}),
    ("its_hooks_have_the_right_names_and_arguments", {"@hookimpl\ndef nnplug_rem": "@hookimpl(tryfirst=True)\ndef nnplug_rem"}),
    ("its_hooks_have_the_right_names_and_arguments", {"@hookimpl\ndef nnplug_conv": "def nnplug_conv"}),
    ("its_hooks_have_the_right_names_and_arguments", {"nnplug_": "offers_", "@hookimpl\n": "", "offers_": "my_"}),
    ("nnplug_accepts_what_its_hooks_return", {'ConverterSpec("raw"': 'RemapperSpec("raw"'}),
    ("nnplug_accepts_what_its_hooks_return", {'Spec("raw"': 'Spec("nifti"', "name: raw": "name: nifti"}),
    ("nnplug_accepts_what_its_hooks_return", {"pkg://": "pkg://no_such."}),
    ("its_hooks_return_lists", {"return [\n": "return iter([\n", "    ]\n": "    ])\n"}),
    ("its_hooks_return_lists", {'["pkg://': '("pkg://', '.conf"]': '.conf")'}),
    ("its_hooks_return_the_same_again", {
        "@dataclass(frozen=True)": "from itertools import count\nC = count()\n@dataclass(frozen=True)",
        '"arrays of numpy"': 'f"arrays {next(C)}"',
    }),
    ("every_target_can_be_imported", {"code:Raw": "code:Row"}),
    ("options_are_plain_frozen_data", {"(frozen=True)": ""}),
    ("every_spec_says_what_it_is", {'"arrays of numpy"': '""'}),
    ("names_in_its_yaml_are_names_of_specs", {"name: raw": "name: row"}),
]  # fmt: skip
CONVERTER_FAULTS: Faults = [
    ("every_case_is_found_once", {"in sorted(source": "in 2 * sorted(source"}),
    ("cases_come_in_the_same_order_again", {
        "return [\n            CaseSource(path.stem,": "return [\n            CaseSource(path.stem + str(random.random()),",
    }),
    ("cases_cross_process_borders", {"/ path.name)": "/ path.name, details={'f': lambda: 0})"}),
    ("discovering_reads_no_pixels", {
        "/ path.name)\n            for": "/ path.name)\n            for _ in [0] for"
        " path in sorted(source.root.glob('images/*.npz')) if image(path)\n            for _",
        "_ path in": "_ in [0] for __ in [0]  #",
    }),
    ("sizes_are_right", {"return made": "return made[:-1, :, :]"}),
    ("spacing_is_right", {'            made.SetSpacing(content["spacing"])\n': ""}),
    ("spacing_is_right", {'content["spacing"])': 'content["spacing"][::-1])'}),
    ("origin_and_direction_are_right", {'            made.SetOrigin(content["origin"])\n': ""}),
    ("an_oblique_grid_stays_oblique", {'            made.SetDirection(content["direction"])\n': ""}),
    ("every_voxel_is_in_its_place", {'content["values"]': 'content["values"][:, ::-1]'}),
    ("every_voxel_is_in_its_place", {
        'content["values"]': 'content["values"].transpose(2, 1, 0).reshape(content["values"].shape)'
    }),
    ("values_are_kept_in_every_type", {'content["values"]': 'content["values"].astype("i2")'}),
    ("images_are_scalar_and_three_dimensional", {"Case((image(case.images[0]),)": "Case((sitk.JoinSeries(image(case.images[0])),)"}),
    ("labels_are_right", {"image(case.label))": "image(case.label) + 1)"}),
    ("labels_are_right", {"image(case.label))": "sitk.Cast(image(case.label), sitk.sitkFloat32))"}),
    ("labels_are_right", {", image(case.label))": ")"}),
    ("reading_again_gives_the_same", {'content["values"]': 'content["values"] + random.randrange(1 << 14)'}),
    ("the_source_is_left_alone", {"def read(self, case):": "def read(self, case):\n        case.images[0].with_suffix('.cache').touch()"}),
    ("what_it_is_given_is_left_alone", {"def discover(self, source):": "def discover(self, source):\n        source.labels.pop('core', None)", }),
    ("threads_do_not_disturb_each_other", {
        "def read(self, case):": "def read(self, case):\n        import time\n        self.case = case"
        "\n        time.sleep(0.01)\n        case = self.case",
    }),
    ("a_new_process_reads_the_same", {
        "        self.options = options\n\n    def discover": "        self.options = options\n        SEEN.append(1)\n\n    def discover",
        "class Raw:": "SEEN = []\nclass Raw:",
        'Case((image(case.images[0]),)': "Case((image(case.images[0]) + bool(SEEN),)",
    }),
    ("a_damaged_image_is_refused", {
        "        raise SourceError(\"not an archive of numpy\", where=str(path)) from error":
        "        return sitk.Image(3, 3, 3, sitk.sitkInt16)"
    }),
    ("a_damaged_image_is_refused", {"raise SourceError(": "raise OSError(", ", where=str(path)) from": ") from"}),
    ("an_empty_folder_has_no_cases", {"return [\n            Case": "source.root.joinpath('images').stat()\n        return [\n            Case"}),
    ("it_claims_its_sources_and_no_others", {"any(source.glob(\"images/*.npz\"))": "any(source.iterdir())"}),
    ("it_claims_its_sources_and_no_others", {'return ["raw"] if': 'return "raw" if'}),
]  # fmt: skip
VALUE_FAULTS: Faults = [
    ("it_is_one_of_the_two_kinds", {"def value(self": "def values(self"}),
    ("it_can_be_sent_to_a_worker", {
        "        self.keys": "        self.options = lambda: 0\n        self.keys"
    }),
    ("every_value_has_a_place", {"8: 2}": "9: 2}"}),
    ("every_value_has_a_place", {".get(old)": ".get(old, 0) + 0.0"}),
    ("results_are_consecutive", {"8: 2}": "8: 3}"}),
    ("background_stays_background", {"{0: 0, 7: 1, 8: 2}": "{0: 1, 7: 0, 8: 2}"}),
    ("its_keys_are_values_with_a_place", {"{7, 8}": "{7, 8, 9}"}),
    ("asking_again_gives_the_same", {
        "        self.keys": "        self.asked = 0\n        self.keys",
        "        return {0": "        self.asked += 1\n        return self.asked - 1\n        return {0",
    }),
    ("there_is_a_way_back", {"8: 2}": "8: 1}"}),
]  # fmt: skip
VOXEL_FAULTS: Faults = [
    ("voxels_keep_shape_and_type", {"np.where(label > 1, 1, label)": "label[:, :, ::-1][:, :, 1:]"}),
    ("voxels_keep_shape_and_type", {"1, label)": "1, label).astype(float)"}),
    ("the_label_that_it_is_given_is_left_alone", {
        "return np.where": "label[label > 1] = 1\n        return np.where"
    }),
    ("voxels_get_no_new_values", {"1, label)": "77, label)"}),
    ("an_empty_label_stays_empty", {"(label > 1, 1, label)": "(label > 1, 1, label) + 1"}),
    ("asking_again_gives_the_same", {
        "(label > 1, 1, label)": "(np.random.rand(*label.shape) > 0.5, 0, label)"
    }),
]  # fmt: skip
FAULTS: list[tuple[type[Any], str, Mapping[str, str]]] = [
    (contract, check, changes)
    for contract, faults in (
        (PluginContract, PLUGIN_FAULTS),
        (RawContract, CONVERTER_FAULTS),
        (ByValueContract, VALUE_FAULTS),
        (ByVoxelContract, VOXEL_FAULTS),
    )
    for check, changes in faults
]


def test_there_are_many_and_every_check_has_one() -> None:
    assert len(FAULTS) >= 25
    caught = {check for _, check, _ in FAULTS}
    contracts = (PluginContract, ConverterContract, RemapperContract)
    checks = {name for each in contracts for name in dir(each) if name.startswith("test_")}
    assert {name.removeprefix("test_") for name in checks} == caught


@pytest.mark.parametrize(
    ("contract", "check", "changes"), FAULTS, ids=[f"{c.__name__}-{n}" for c, n, _ in FAULTS]
)
def test_a_fault_is_caught_by_the_check_for_it(
    install: Install, tmp_path: Path, contract: type[Any], check: str, changes: Mapping[str, str]
) -> None:
    plugin = install(f"fault_{check}", changes)
    assert failed(contract, plugin, tmp_path, check) == {check}
