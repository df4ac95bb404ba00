"""The chosen experiment planner: mounted, its plans named apart from those of others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnplug import builtin
from nnplug.engine import mounting, plans
from nnplug.errors import PluginError


@dataclass(frozen=True)
class Planner:
    """Which planner to use for one of the two plans files.

    Attributes:
        target: ``"package.module:Class"``.
        owner: the plugin, named in errors.
        identifier: of the plans that it makes.
        preprocessor: the class's name; None leaves the planner's own.
    """

    target: str
    owner: str = "nnplug"
    identifier: str = plans.STOCK
    preprocessor: str | None = None

    def construct(self, cropped: Path, output: Path, network: str) -> Any:
        """The planner, which nnU-Net finds, as it finds the preprocessor.

        Other planners than nnU-Net's default ones get names for their plans and data, whatever
        names their classes have: some of them are those of the default ones.

        Raises:
            PluginError: one of the two classes can't be used, or plans another kind of network.
        """
        from nnunet.experiment_planning.experiment_planner_baseline_2DUNet import (
            ExperimentPlanner2D,
        )

        cls = mounting.mount(mounting.PLANNER, self.target, self.owner)
        if issubclass(cls, ExperimentPlanner2D) != (network == "2d"):
            plans_what = "the 2d network" if issubclass(cls, ExperimentPlanner2D) else "3d networks"
            raise PluginError(
                f"the planner plans {plans_what}, not {network}",
                where=f"{self.owner}: {self.target}",
                hint="PlannerSpec.target is for 3d networks, target_2d for the 2d one",
            )
        planner: Any = cls(str(cropped), str(output))
        if self.identifier != plans.STOCK:
            dimension = plans.dimension(network)
            planner.plans_fname = str(output / f"{self.identifier}_plans_{dimension}.pkl")
            planner.data_identifier = plans.data_identifier(self.identifier, network)
        if self.preprocessor is not None:
            planner.preprocessor_name = self.preprocessor
        check_preprocessor(planner.preprocessor_name, f"{self.owner}: {self.target}")
        return planner


def default(network: str) -> Planner:
    """nnU-Net's default planner for that network."""
    spec = next(iter(builtin.nnplug_planners()))
    return Planner(spec.target_2d if network == "2d" else spec.target)


def check_preprocessor(name: Any, where: str, hint: str | None = None) -> None:
    """nnU-Net will call the class of that name: let it be a preprocessor, nothing else.

    Raises:
        PluginError: there is none.
    """
    from nnunet.preprocessing.preprocessing import GenericPreprocessor

    known = isinstance(name, str) and name.isidentifier()
    found = mounting.find(mounting.PREPROCESSOR, name) if known else None
    if not isinstance(found, type) or not issubclass(found, GenericPreprocessor):
        raise PluginError(
            f"nnU-Net finds no preprocessor {name!r}",
            where=where,
            hint=hint or "install the plugin that has it; nnplug plugins lists them",
        )
