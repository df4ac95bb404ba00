"""One fold of one network: where it is, and what is there of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.settings import ModelSettings
from nnplug.data.splits import SPLITS
from nnplug.data.taskfolder import TaskFolder
from nnplug.stages import experiment
from nnplug.stages.steps import Look
from nnplug.types import TrainerSpec


@dataclass(frozen=True)
class Fold:
    """A fold to train, or one that was.

    Attributes:
        settings: network, fold, trainer and its overrides.
        catalog: trainers by name.
        folders: nnU-Net's three folders.
        config: what the settings were made of, for the record.
    """

    settings: ModelSettings
    catalog: Catalog
    folders: Folders
    config: Mapping[str, Any]

    @property
    def identifier(self) -> str:
        """nnU-Net's plans identifier."""
        return experiment.identify(self.settings, self.catalog)[1]

    @property
    def spec(self) -> TrainerSpec:
        """The trainer of this network."""
        found = self.catalog.trainers.get(self.settings.trainer.name).spec
        return found.for_network(self.settings.network)

    @property
    def model(self) -> Path:
        """The model's folder."""
        settings = self.settings
        trainer = experiment.trainer_class_name(settings.trainer, settings.network, self.catalog)
        return self.folders.model(settings.network, settings.dataset.task, trainer, self.identifier)

    @property
    def folder(self) -> Path:
        """The fold's folder."""
        fold = self.settings.fold
        return self.model / ("all" if fold == "all" else f"fold_{fold}")

    @property
    def name(self) -> str:
        """For the user."""
        return f"{self.settings.network} fold {self.settings.fold}"

    @property
    def first_stage(self) -> Fold | None:
        """The same fold of the cascade's first stage, for the second."""
        if self.settings.network != experiment.CASCADE:
            return None
        settings = experiment.first_stage(self.settings)
        config = {**self.config, "network": settings.network, "trainer": asdict(settings.trainer)}
        return Fold(settings, self.catalog, self.folders, {**config, "lowres": None})

    def look(self) -> Look:
        """Whether its final weights are there, and of these data."""
        from nnplug.engine import checkpoints

        there = checkpoints.existing(self.folder)
        final = self.folder / f"{checkpoints.FINAL}.model"
        if final not in there:
            return Look("missing", "was begun; resume=true goes on" if there else "not trained")
        noted = checkpoints.read_record(final)
        if other := self._other_input(noted.get("identity") or {}):
            return Look("stale", f"trained with other {other}; remove {self.folder} to train anew")
        extend = self.settings.extend
        if extend is not None and noted.get("extend") != extend:
            return Look("missing", f"to be extended by {extend} epochs")
        return Look("done", "trained")

    def _other_input(self, made_of: Mapping[str, Any]) -> str | None:
        """What it was trained with and is another one now; what is gone is not looked for."""
        from nnplug.engine import identity, next_stage

        data, masks = made_of.get("data"), made_of.get(identity.FIRST_STAGE)
        task = TaskFolder(self.folders.task(self.settings.dataset.task))
        if data is not None and task.is_complete and data != task.data_hash():
            return "data"
        if masks is not None and self.first_stage is not None:
            now = next_stage.fingerprint(self.first_stage.model)
            if any(masks.get(case) != content for case, content in now.items()):
                return identity.FIRST_STAGE
        return None

    def started_from(self) -> str | None:
        """The other model's checkpoint that its own ones say that it started from."""
        from nnplug.engine import checkpoints

        records = map(checkpoints.read_record, checkpoints.existing(self.folder))
        named = ((record.get("identity") or {}).get("pretrained") for record in records)
        return next(filter(None, named), None)

    def look_validated(self) -> Look:
        """Whether its validation cases are scored."""
        if (self.folder / "validation_raw" / "summary.json").is_file():
            return Look("done", "scored")
        return Look("missing", "not scored")

    def look_predicted(self) -> Look:
        """Whether the cascade's second stage has the predictions that it takes from this fold."""
        from nnplug.engine import next_stage

        task = TaskFolder(self.folders.task(self.settings.dataset.task))
        every = task.training_cases() if task.is_complete else []
        split = self.folders.preprocessed / self.settings.dataset.task / SPLITS
        cases = next_stage.own_cases(split, every, self.settings.fold)
        owed = next_stage.missing(self.folder, cases)
        if cases and not owed:
            return Look("done", f"{len(cases)} cases")
        absent = [
            case for case in owed if not next_stage.prediction_file(self.folder, case).is_file()
        ]
        if cases and not absent:
            return Look("stale", f"{len(owed)} of {len(cases)} cases are of other weights")
        return Look("missing", f"{len(absent)} of {len(cases)} cases" if cases else "no split yet")

    def mount(self) -> type:
        """Let nnU-Net find the trainer; needs an entered engine.

        Raises:
            PluginError: it can't be used.
            DataError: it can't train this network.
        """
        from nnplug.engine import construction, mounting

        spec, owner = self.spec, self.catalog.trainers.get(self.settings.trainer.name).owner
        cls = mounting.mount(mounting.trainer_kind(spec), spec.target, str(owner))
        construction.check_network(cls, self.settings.network)
        return cls
