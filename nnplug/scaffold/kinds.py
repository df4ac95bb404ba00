"""What a plugin can offer, as the generator of new plugins knows it.

A new kind is one more entry here and a folder of templates: ``options.in``, ``spec.in``,
``code.in``, ``conf.in``, ``test.in`` and, if it needs further hooks, ``hooks.in``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of offer.

    Attributes:
        hook: the hook that returns its specs.
        spec: the spec's class in ``nnplug.types``.
        contract: the suite of ``nnplug.testing``.
        conf: the example's place below ``conf``; ``{name}`` is the plugin's name.
        imports: further lines that ``plugin.py`` needs.
        test_imports: further lines that the tests need.
        says: a line for the README.
    """

    hook: str
    spec: str
    contract: str
    conf: str
    says: str
    imports: tuple[str, ...] = ()
    test_imports: tuple[str, ...] = ()


KINDS = {
    "converter": Kind(
        hook="nnplug_converters",
        spec="ConverterSpec",
        contract="ConverterContract",
        conf="converter/{name}_shifted.yaml",
        says="a converter: `nnplug convert converter={name} ...`",
        imports=("from pathlib import Path", "from nnplug.layout import holds_images"),
        test_imports=(
            *("import json", "from collections.abc import Mapping", "from pathlib import Path"),
            *("import SimpleITK as sitk", "from nnplug.types import Case"),
        ),
    ),
    "remapper": Kind(
        hook="nnplug_remappers",
        spec="RemapperSpec",
        contract="RemapperContract",
        conf="remap/{name}_pair.yaml",
        says="a label remapper: `nnplug convert remap={name} ...`",
    ),
    "trainer": Kind(
        hook="nnplug_trainers",
        spec="TrainerSpec",
        contract="TrainerContract",
        conf="trainer/{name}_short.yaml",
        says="a trainer: `nnplug train trainer={name} ...`",
    ),
    "postprocess": Kind(
        hook="nnplug_remappers",
        spec="RemapperSpec",
        contract="RemapperContract",
        conf="remap/{name}_clean_strictly.yaml",
        says="a post-processing step: `nnplug predict postprocess=[{name}_clean] ...`",
    ),
}
ALL = "all"
