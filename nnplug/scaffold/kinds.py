"""What a plugin can offer, as the generator of new plugins knows it.

A new kind is one more entry here and a folder of templates: ``spec.in``, ``code.in``, ``conf.in``,
``test.in`` and, where it has options or needs further hooks, ``options.in`` and ``hooks.in``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of offer.

    Attributes:
        offers: nnplug's word for it, which the hook, the spec and the suite are named after.
        conf: the example's place below ``conf``; ``{name}`` is the plugin's name.
        says: a line for the README.
        imports: further lines that ``plugin.py`` needs.
        option_imports: further lines that ``options.py`` needs.
        test_imports: further lines that the tests need.
    """

    offers: str
    conf: str
    says: str
    imports: tuple[str, ...] = ()
    option_imports: tuple[str, ...] = ()
    test_imports: tuple[str, ...] = ()

    @property
    def hook(self) -> str:
        """The hook that returns its specs."""
        return f"nnplug_{self.offers}s"

    @property
    def spec(self) -> str:
        """The spec's class in ``nnplug.types``."""
        return f"{self.offers.capitalize()}Spec"

    @property
    def contract(self) -> str:
        """The suite of ``nnplug.testing``."""
        return f"{self.offers.capitalize()}Contract"


KINDS = {
    "converter": Kind(
        "converter",
        conf="converter/{name}_shifted.yaml",
        says="a converter: `nnplug convert converter={name} ...`",
        imports=("from pathlib import Path", "from nnplug.layout import holds_images"),
        test_imports=(
            *("import json", "from collections.abc import Mapping", "from pathlib import Path"),
            *("import SimpleITK as sitk", "from nnplug.types import Case"),
        ),
    ),
    "remapper": Kind(
        "remapper",
        conf="remap/{name}_pair.yaml",
        says="a label remapper: `nnplug convert remap={name} ...`",
    ),
    "trainer": Kind(
        "trainer",
        conf="trainer/{name}_short.yaml",
        says="a trainer: `nnplug train trainer={name} ...`",
    ),
    "planner": Kind(
        "planner",
        conf="experiment/{name}_fine.yaml",
        says="a planner: `nnplug train planner={name} ...`",
    ),
    "tracker": Kind(
        "tracker",
        conf="experiment/{name}_tracked.yaml",
        says="a tracker: `nnplug train tracking=[{name}] ...`",
        option_imports=("from pathlib import Path",),
        test_imports=(
            *("import json", "from collections.abc import Mapping"),
            "from nnplug.runs import RunInfo",
        ),
    ),
    "postprocess": Kind(
        "remapper",
        conf="remap/{name}_clean_strictly.yaml",
        says="a post-processing step: `nnplug predict postprocess=[{name}_clean] ...`",
    ),
}
ALL = "all"
