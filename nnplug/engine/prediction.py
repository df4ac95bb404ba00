"""Predict cases with a trained model as ``nnUNet_predict`` does, one case at a time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnplug.engine.interrupts import Stop, Watch
from nnplug.engine.models import Model, load_model
from nnplug.engine.output import loud, quiet
from nnplug.errors import ConfigError, DataError, NnplugError, TrainingError

__all__ = ["CaseResult", "Model", "PredictCase", "load_model", "predict"]


@dataclass(frozen=True)
class PredictCase:
    """One case to predict.

    Attributes:
        name: the mask becomes ``NAME.nii.gz``.
        files: one ``.nii.gz`` a channel, in channel order.
    """

    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class CaseResult:
    """What became of one case: a mask, or an error and nothing written.

    Attributes:
        name: the case.
        mask: the file that was written.
        error: why there is none.
        seconds: the network's share of the time.
    """

    name: str
    mask: Path | None
    error: NnplugError | None
    seconds: float


def predict(
    model: Model,
    cases: Sequence[PredictCase],
    output: Path,
    *,
    mirroring: bool | None = None,
    step_size: float = 0.5,
    softmax: bool = False,
    restore: Mapping[int, int] | None = None,
    workers: int = 1,
    on_case: Callable[[CaseResult], None] | None = None,
    log: Path | None = None,
) -> list[CaseResult]:
    """Predict cases in order; one that fails is reported and doesn't stop the others.

    Args:
        model: from :func:`load_model`.
        cases: what to predict.
        output: folder of the masks, made if need be; files of the same names are replaced.
        mirroring: average over mirrored images; None as the model was trained.
        step_size: distance of the patches as a part of the patch size, above 0 up to 1.
        softmax: also write ``NAME.npz`` and ``NAME.pkl`` for nnU-Net's ensembling.
        restore: values of the masks, from the model's to those that are written; None leaves
            them. Probabilities are not affected.
        workers: above 1, the next case is read and the last one written meanwhile.
        on_case: called after every case.
        log: file for what nnU-Net prints; None drops it.

    Raises:
        ConfigError: mirroring was asked of a model that was trained without, or a bad value.
        Interrupted: SIGINT or SIGTERM; masks written so far are whole.
    """
    if mirroring and not model.mirrored:
        raise ConfigError("the model was trained without mirroring", hint="mirroring=null")
    if not 0 < step_size <= 1:
        raise ConfigError(f"step_size must be above 0 and at most 1, not {step_size}")
    for case in cases:
        if not case.name or Path(case.name).name != case.name:
            raise ConfigError(f"a case can't be called {case.name!r}")
    output.mkdir(parents=True, exist_ok=True)
    job = _Job(model, output, model.mirrored if mirroring is None else mirroring)
    job.step_size, job.softmax, job.restore = step_size, softmax, restore
    results: list[CaseResult] = []

    def collect(result: CaseResult) -> None:
        results.append(result)
        if on_case is not None:
            with loud():
                on_case(result)

    watch = Watch(at_once=True)
    try:
        with quiet(log), watch:
            _run(job, cases, workers > 1, collect)
    except Stop:
        hint = f"{len(results)} of {len(cases)} cases are done; run the command again"
        raise watch.explain("prediction", hint) from None
    if model.postprocessing.is_file():
        shutil.copy(model.postprocessing, output)
    return results


def _run(
    job: _Job,
    cases: Sequence[PredictCase],
    ahead: bool,
    collect: Callable[[CaseResult], None],
) -> None:
    """Read, predict and write each case; ``ahead`` overlaps the three in threads."""
    pool = ThreadPoolExecutor(2)
    coming: Future[Any] | None = None
    leaving: tuple[PredictCase, Future[Path], float] | None = None
    try:
        for index, case in enumerate(cases):
            reading = coming or pool.submit(job.read, case)
            more = ahead and index + 1 < len(cases)
            coming = pool.submit(job.read, cases[index + 1]) if more else None
            writing: Future[Path] = Future()
            began = time.monotonic()
            try:
                data, properties = reading.result()
                began = time.monotonic()
                probabilities = job.infer(data)
                writing = pool.submit(job.write, case, probabilities, properties)
                del data, probabilities
            except Exception as error:
                writing.set_exception(error)
            seconds = time.monotonic() - began
            if leaving is not None:
                collect(_result(*leaving))
            leaving = (case, writing, seconds)
            if not ahead:
                collect(_result(*leaving))
                leaving = None
        if leaving is not None:
            collect(_result(*leaving))
    finally:
        pool.shutdown(cancel_futures=True)


def _result(case: PredictCase, writing: Future[Path], seconds: float) -> CaseResult:
    try:
        return CaseResult(case.name, writing.result(), None, seconds)
    except NnplugError as error:
        return CaseResult(case.name, None, error, seconds)
    except Exception as error:
        failure = TrainingError(
            f"the case could not be predicted: {type(error).__name__}: {error}",
            where=f"{case.name} ({', '.join(map(str, case.files))})",
        )
        failure.__cause__ = error
        return CaseResult(case.name, None, failure, seconds)


class _Job:
    """The three steps of a case."""

    step_size = 0.5
    softmax = False
    restore: Mapping[int, int] | None = None

    def __init__(self, model: Model, output: Path, mirroring: bool) -> None:
        self.model = model
        self.output = output
        self.mirroring = mirroring
        self.loaded: int | None = None
        export = model.trainer.plans.get("segmentation_export_params") or {}
        self.separate_z = export.get("force_separate_z")
        self.order = export.get("interpolation_order", 1)
        self.order_z = export.get("interpolation_order_z", 0)

    def read(self, case: PredictCase) -> tuple[Any, dict[str, Any]]:
        """The preprocessed channels (channel, z, y, x) and how to undo the preprocessing."""
        channels = int(self.model.trainer.plans["num_modalities"])
        if len(case.files) != channels:
            raise DataError(
                f"the model takes {channels} channels, the case has {len(case.files)}",
                where=case.name,
            )
        missing = [str(path) for path in case.files if not path.is_file()]
        if missing:
            raise DataError(f"no such file: {', '.join(missing)}", where=case.name)
        files = [str(path) for path in case.files]
        data, _, properties = self.model.trainer.preprocess_patient(files)
        return data, properties

    def infer(self, data: Any) -> Any:
        """Class probabilities averaged over the folds, in the images' axis order."""
        trainer, params = self.model.trainer, self.model.params
        total: Any = None
        for index, checkpoint in enumerate(params):
            if self.loaded != index:
                trainer.load_checkpoint_ram(checkpoint, False)
                self.loaded = index
            one = trainer.predict_preprocessed_data_return_seg_and_softmax(
                data,
                do_mirroring=self.mirroring,
                mirror_axes=trainer.data_aug_params["mirror_axes"],
                use_sliding_window=True,
                step_size=self.step_size,
                use_gaussian=True,
                all_in_gpu=False,
                mixed_precision=self.model.mixed_precision,
            )[1]
            if total is None:
                total = one
            else:
                total += one
        if len(params) > 1:
            total /= len(params)
        return total.transpose([0, *(axis + 1 for axis in trainer.plans["transpose_backward"])])

    def write(self, case: PredictCase, probabilities: Any, properties: dict[str, Any]) -> Path:
        """Resample to the case's own grid, post-process as stock does, rename into place."""
        from nnunet.inference.segmentation_export import save_segmentation_nifti_from_softmax

        beside = self.output / f".part.{os.getpid()}.{case.name}"
        mask, npz = Path(f"{beside}.nii.gz"), Path(f"{beside}.npz")
        try:
            save_segmentation_nifti_from_softmax(
                probabilities,
                str(mask),
                properties,
                self.order,
                self.model.trainer.regions_class_order,
                None,
                None,
                str(npz) if self.softmax else None,
                None,
                self.separate_z,
                self.order_z,
            )
            self._postprocess(mask)
            if self.restore is not None:
                _revalue(mask, self.restore)
            for suffix in (".npz", ".pkl") if self.softmax else ():
                Path(f"{beside}{suffix}").replace(self.output / f"{case.name}{suffix}")
            return mask.replace(self.output / f"{case.name}.nii.gz")
        finally:
            for suffix in (".nii.gz", ".npz", ".pkl"):
                Path(f"{beside}{suffix}").unlink(missing_ok=True)

    def _postprocess(self, mask: Path) -> None:
        if self.model.postprocessing.is_file():
            from nnunet.postprocessing.connected_components import (
                load_postprocessing,
                load_remove_save,
            )

            classes, sizes = load_postprocessing(str(self.model.postprocessing))
            load_remove_save(str(mask), str(mask), classes, sizes)


def _revalue(mask: Path, values: Mapping[int, int]) -> None:
    """Replace the values of a mask, in the smallest integer type that holds the new ones."""
    import numpy as np
    import SimpleITK as sitk

    image = sitk.ReadImage(str(mask))
    new = np.array(list(values.values()))
    kinds = np.min_scalar_type(new.min()), np.min_scalar_type(new.max())
    table = np.zeros(max(values) + 1, np.result_type(*kinds))
    table[list(values)] = new
    changed = sitk.GetImageFromArray(table[sitk.GetArrayFromImage(image)])
    changed.CopyInformation(image)
    sitk.WriteImage(changed, str(mask))
