"""What every planner has to keep: nnU-Net finds it, uses its plans, and has its own as before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from nnplug.testing import task
from nnplug.testing._steps import Steps, told


class PlannerContract:
    """Inherit and name the planner; its package has to be installed.

    One process lets it plan a tiny task that nnU-Net's default planner has planned, for a network
    of each kind that its spec has a target for; the tests look at how each step went.

    Attributes:
        planner: the name in its spec.
        stock_reads: whether ``nnUNetTrainerV2`` can build the networks.
    """

    planner: str
    stock_reads = True

    @pytest.fixture(scope="class")
    @classmethod
    def steps(cls, tmp_path_factory: pytest.TempPathFactory) -> Steps:
        """What went wrong at each step of the planner's work; None if nothing did."""
        return work([cls.planner], tmp_path_factory.mktemp("planner"))[cls.planner]

    def test_nnunet_finds_it(self, steps: Steps) -> None:
        """A subclass of nnU-Net's planner for that kind of network, with a name of its own; and
        the preprocessor that it names.
        """
        assert steps["mount"] is None, steps["mount"]

    def test_it_plans(self, steps: Steps) -> None:
        """Plans of plain values, and preprocessed arrays of every case."""
        assert steps["plan"] is None, steps["plan"]

    def test_its_plans_and_data_have_names_of_their_own(self, steps: Steps) -> None:
        """Those that nnplug gives; stages are counted from 0."""
        assert steps["names"] is None, steps["names"]

    def test_what_others_planned_is_left_alone(self, steps: Steps) -> None:
        """Plans and arrays of nnU-Net's own planner, and the cropped images."""
        assert steps["beside"] is None, steps["beside"]

    def test_stock_nnunet_uses_its_plans(self, steps: Steps) -> None:
        """Where the suite says so: nnUNetTrainerV2 builds a network, which takes a patch."""
        if self.stock_reads:
            assert steps["stock"] is None, steps["stock"]

    def test_new_images_are_preprocessed_like_those_for_training(self, steps: Steps) -> None:
        """For prediction nnU-Net finds the preprocessor by the name in the plans."""
        assert steps["test"] is None, steps["test"]

    def test_planning_again_gives_the_same(self, steps: Steps) -> None:
        """With worker processes that are spawned instead of forked, too."""
        assert steps["again"] is None, steps["again"]


def work(planners: list[str], folder: Path) -> Mapping[str, Steps]:
    """Let planners plan the same tiny task, one after the other, in a new process."""
    task.copy_task(folder)
    found: Mapping[str, Steps] = told("_planner_steps", str(folder), *planners, folder=folder)
    return found
