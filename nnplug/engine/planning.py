"""Check, plan and preprocess a task exactly as ``nnUNet_plan_and_preprocess`` does."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from nnplug.config.folders import Folders
from nnplug.engine import environment, footprint, orphans, planners, plans
from nnplug.engine.interrupts import Stop, Watch
from nnplug.engine.planners import Planner
from nnplug.engine.plans import STOCK, PlanOverrides, derive, describe
from nnplug.errors import DataError, NnplugError
from nnplug.whole import write_json

__all__ = [
    "PlanOverrides",
    "derive",
    "describe",
    "is_planned",
    "prepare",
    "stamp",
    "stamped",
    "verify",
]

_LOG = logging.getLogger(__name__)
_STAMP = "nnplug_plan.json"
_PROGRESS = ("Verifying ", "checking case", "Expected label values", "Labels OK", "Dataset OK")


def verify(task: str) -> tuple[str, ...]:
    """Run nnU-Net's own integrity check on a raw task folder.

    Returns:
        What it warned of, e.g. that the images differ in orientation.

    Raises:
        DataError: a file is missing, grids differ, or a label has unexpected values.
    """
    from nnunet.paths import nnUNet_raw_data
    from nnunet.preprocessing.sanity_checks import verify_dataset_integrity

    folder = Path(nnUNet_raw_data, task)
    printed = io.StringIO()
    watch = Watch(at_once=True)
    try:
        with contextlib.redirect_stdout(printed), watch:
            verify_dataset_integrity(str(folder))
    except Stop:
        raise watch.explain("the integrity check", "run the same command again") from None
    except Exception as error:
        lines = printed.getvalue().splitlines()
        said = [line.strip() for line in lines if line and not line.startswith(_PROGRESS)]
        cases = [line.split()[-1] for line in lines if line.startswith("checking case")]
        if not said and cases and not isinstance(error, AssertionError):
            said = [f"(while checking case {cases[-1]})"]
        message = str(error) if isinstance(error, Exception) and str(error) else repr(error)
        raise DataError(
            "nnU-Net's integrity check failed: " + "\n".join([message, *said]),
            where=str(folder),
            hint="repair or remove the cases named above and convert again",
        ) from error
    return tuple(line for line in printed.getvalue().splitlines() if line.startswith("WARNING"))


def prepare(
    folders: Folders,
    task: str,
    network: str,
    workers: int,
    *,
    log: Path | None,
    fresh: bool = False,
    planner: Planner | None = None,
    on_note: Callable[[str], None] = _LOG.info,
) -> None:
    """Crop, take the fingerprint, plan and preprocess for one network.

    A stamp of an earlier run is removed first, so that a killed run doesn't look finished.

    Args:
        folders: nnU-Net's three folders, the ones given to ``environment.enter``.
        task: e.g. ``"Task128_LungLobe"``.
        network: ``"2d"`` plans the 2D U-Net, every other one the 3D U-Nets.
        workers: processes, at least 1; fewer where memory doesn't suffice for so many cases.
        log: file for what nnU-Net prints.
        fresh: the raw data changed; drop what was made from it before (cropped cases, and the
            preprocessed cases and plans of this network and planner).
        planner: nnU-Net's default one if None.
        on_note: called with what should be said, e.g. that a case needs more memory than is free.

    Raises:
        DataError: planning or preprocessing failed.
        PluginError: the planner or its preprocessor can't be used.
        TrainingError: a worker process was killed.
        Interrupted: SIGINT or SIGTERM; running it again does what is left.
    """
    environment.ensure(folders)
    workers = max(1, workers)
    planner = planner or planners.default(network)
    stamps = _stamps(folders, task)
    _write_stamps(folders, task, {**stamps, _key(network, planner.identifier): None})
    if fresh:
        _discard(folders, task, network, planner.identifier)
    watch = Watch(at_once=True)
    try:
        with environment.quiet(log), watch, orphans.none():
            _plan(folders, task, network, workers, planner, on_note)
    except Stop:
        raise watch.explain("planning", "run the same command again") from None
    except (NnplugError, MemoryError):
        raise
    except Exception as error:
        raise DataError(
            f"planning or preprocessing failed: {type(error).__name__}: {error}",
            where=str(folders.task(task)),
            hint=f"see {log}" if log else None,
        ) from error


def _plan(
    folders: Folders,
    task: str,
    network: str,
    workers: int,
    chosen: Planner,
    on_note: Callable[[str], None],
) -> None:
    from nnunet.experiment_planning.DatasetAnalyzer import DatasetAnalyzer
    from nnunet.experiment_planning.experiment_planner_baseline_3DUNet import ExperimentPlanner
    from nnunet.experiment_planning.utils import crop

    def fitting(needs: Mapping[str, int], what: str) -> int:
        with environment.loud():
            return footprint.at_once(needs, workers, what, on_note)

    cropping = fitting(footprint.cropping(folders.task(task)), "cropped")
    crop(task, False, cropping)
    cropped, output = folders.cropped / task, folders.preprocessed / task
    modalities = json.loads((cropped / "dataset.json").read_text())["modality"].values()
    analyzer = DatasetAnalyzer(str(cropped), overwrite=False, num_processes=cropping)
    analyzer.analyze_dataset("CT" in modalities or "ct" in modalities)
    output.mkdir(parents=True, exist_ok=True)
    shutil.copy(cropped / "dataset_properties.pkl", output)
    shutil.copy(folders.task(task) / "dataset.json", output)
    planner = chosen.construct(cropped, output, network)
    planner.plan_experiment()
    made = plans.read(plans.plans_file(folders, task, network, chosen.identifier))
    counts = [
        fitting(footprint.resampling(cropped, made, stage), "resampled")
        for stage in made["plans_per_stage"]
    ]
    processes = counts[0], counts[-1]
    planner.run_preprocessing(processes)
    if not is_planned(folders, task, network, chosen.identifier):
        # A few planners leave that out, because their data are those of the default one.
        ExperimentPlanner.run_preprocessing(planner, processes)


def is_planned(folders: Folders, task: str, network: str, identifier: str = STOCK) -> bool:
    """A planner's plans are there, and for each stage as many cases as were cropped."""
    path = plans.plans_file(folders, task, network, identifier)
    if not path.is_file():
        return False
    content = plans.read(path)
    cases = {Path(name).stem for name in content["list_of_npz_files"]}
    output = folders.preprocessed / task
    for stage in content["plans_per_stage"]:
        stage_folder = output / f"{content['data_identifier']}_stage{stage}"
        done = {file.stem for file in stage_folder.glob("*.npz")}
        done &= {file.stem for file in stage_folder.glob("*.pkl")}
        if not cases <= done:
            return False
    return True


def stamp(folders: Folders, task: str, network: str, made_of: str, identifier: str = STOCK) -> None:
    """Note what a planner's plans and arrays were made of, wholly."""
    stamps = _stamps(folders, task)
    _write_stamps(folders, task, {**stamps, _key(network, identifier): made_of})


def stamped(folders: Folders, task: str, network: str, identifier: str = STOCK) -> str | None:
    """What :func:`stamp` noted, or None."""
    return _stamps(folders, task).get(_key(network, identifier))


def _key(network: str, identifier: str) -> str:
    return f"{identifier}_plans_{plans.dimension(network)}"


def _stamps(folders: Folders, task: str) -> dict[str, str | None]:
    try:
        content = json.loads((folders.preprocessed / task / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_stamps(folders: Folders, task: str, content: dict[str, str | None]) -> None:
    path = folders.preprocessed / task / _STAMP
    content = {key: value for key, value in content.items() if value is not None}
    if not content:
        path.unlink(missing_ok=True)
        return
    write_json(path, content)


def _discard(folders: Folders, task: str, network: str, identifier: str) -> None:
    """Also the plans that were derived from the planner's."""
    shutil.rmtree(folders.cropped / task, ignore_errors=True)
    output = folders.preprocessed / task
    data = plans.data_identifier(identifier, network)
    for path in output.glob(f"*_plans_{plans.dimension(network)}.pkl"):
        with contextlib.suppress(DataError):
            if plans.read(path)["data_identifier"] == data:
                path.unlink()
    for stage in output.glob(f"{data}_stage*"):
        shutil.rmtree(stage)
