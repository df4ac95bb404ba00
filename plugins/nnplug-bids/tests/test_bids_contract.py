"""The contract suites of nnplug.testing, for this plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import SimpleITK as sitk

from nnplug.testing import ConverterContract, PluginContract
from nnplug.types import Case


class TestPlugin(PluginContract):
    plugin = "nnplug_bids.plugin"


class TestBids(ConverterContract):
    plugin = "nnplug_bids.plugin"
    converter = "bids"
    channels = {0: "T1w"}  # noqa: RUF012
    names = ("casea", "caseb")

    def write(self, folder: Path, truth: Mapping[str, Case]) -> None:
        (folder / "dataset_description.json").write_text('{"Name": "T", "BIDSVersion": "1.10.0"}')
        for name, case in truth.items():
            raw = folder / f"sub-{name}" / "anat" / f"sub-{name}_T1w.nii.gz"
            made = folder / "derivatives" / "manual" / f"sub-{name}" / "anat"
            for path, image in (
                (raw, case.images[0]),
                (made / f"sub-{name}_dseg.nii.gz", case.label),
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                sitk.WriteImage(image, str(path))

    def damage(self, folder: Path) -> None:
        image = folder / "sub-casea" / "anat" / "sub-casea_T1w.nii.gz"
        image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
