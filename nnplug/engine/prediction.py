"""Predict cases with a trained model as ``nnUNet_predict`` does, one case at a time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from nnplug.engine.ensembling import Ensemble
from nnplug.engine.inference import Inference, Raw
from nnplug.engine.interrupts import Stop, Watch
from nnplug.engine.models import Model, load_model
from nnplug.engine.network import Preprocessed
from nnplug.engine.output import loud, quiet
from nnplug.engine.segmentation import Segmentation
from nnplug.errors import ConfigError, DataError, NnplugError, TrainingError
from nnplug.whole import replacing

__all__ = ["CaseResult", "Model", "PredictCase", "load_model", "predict"]

Read = Callable[["PredictCase"], Sequence[Path] | Sequence[sitk.Image]]
Write = Callable[["PredictCase", Segmentation], Path]


@dataclass(frozen=True)
class PredictCase:
    """One case to predict.

    Attributes:
        name: of the case, and so of its mask.
        files: one image a channel, in channel order.
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
    model: Model | Ensemble,
    cases: Sequence[PredictCase],
    output: Path,
    *,
    mirroring: bool | None = None,
    step_size: float = 0.5,
    softmax: bool = False,
    read: Read | None = None,
    write: Write | None = None,
    workers: int = 1,
    on_case: Callable[[CaseResult], None] | None = None,
    log: Path | None = None,
) -> list[CaseResult]:
    """Predict cases in order; one that fails is reported and doesn't stop the others.

    Args:
        model: from :func:`load_model`, or several.
        cases: what to predict.
        output: folder of the masks, made if need be; files of the same names are replaced.
        mirroring: average over mirrored images; None as the model was trained.
        step_size: distance of the patches as a part of the patch size, above 0 up to 1.
        softmax: also write ``NAME.npz`` and ``NAME.pkl`` for nnU-Net's ensembling.
        read: returns the images of a case, or their files; None takes the case's files.
        write: writes a case's result and returns the mask's file; None writes the model's label
            values as ``NAME.nii.gz``. Both may be called in another thread.
        workers: above 1, the next case is read and the last one written meanwhile.
        on_case: called after every case.
        log: file for what nnU-Net prints; None drops it.

    Raises:
        ConfigError: mirroring was asked of a model that was trained without, or a bad value.
        Interrupted: SIGINT or SIGTERM; masks written so far are whole.
    """
    inference = Inference(model, mirroring=mirroring, step_size=step_size)
    for case in cases:
        if not case.name or Path(case.name).name != case.name:
            raise ConfigError(f"a case can't be called {case.name!r}")
    output.mkdir(parents=True, exist_ok=True)
    steps = _Steps(inference, read or _files, write or partial(_write_mask, output))
    steps.softmax = output if softmax else None
    results: list[CaseResult] = []

    def collect(result: CaseResult) -> None:
        results.append(result)
        if on_case is not None:
            with loud():
                on_case(result)

    watch = Watch(at_once=True)
    try:
        with quiet(log), watch:
            _run(steps, cases, workers > 1, collect)
    except Stop:
        hint = f"{len(results)} of {len(cases)} cases are done; run the command again"
        raise watch.explain("prediction", hint) from None
    if inference.ensemble.postprocessing.is_file():
        shutil.copy(inference.ensemble.postprocessing, output)
    return results


class _Steps:
    """The three steps of a case."""

    softmax: Path | None = None

    def __init__(self, inference: Inference, read: Read, write: Write) -> None:
        self.inference = inference
        self._read = read
        self._write = write

    def read(self, case: PredictCase) -> list[Preprocessed]:
        with loud():
            images = self._read(case)
        try:
            return self.inference.read(images)
        except DataError as error:
            raise DataError(error.problem, where=case.name, hint=error.hint) from error

    def write(self, case: PredictCase, raw: list[Raw]) -> Path:
        segmentation = self.inference.export(raw)
        if self.softmax is not None:
            segmentation.save_softmax(self.softmax / case.name)
        return self._write(case, segmentation)


def _files(case: PredictCase) -> Sequence[Path]:
    return case.files


def _write_mask(output: Path, case: PredictCase, segmentation: Segmentation) -> Path:
    path = output / f"{case.name}.nii.gz"
    with replacing(path, ".nii.gz") as beside:
        sitk.WriteImage(segmentation.mask, str(beside))
    return path


def _run(
    steps: _Steps,
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
            reading = coming or pool.submit(steps.read, case)
            more = ahead and index + 1 < len(cases)
            coming = pool.submit(steps.read, cases[index + 1]) if more else None
            writing: Future[Path] = Future()
            began = time.monotonic()
            try:
                preprocessed = reading.result()
                began = time.monotonic()
                raw = steps.inference.infer(preprocessed)
                writing = pool.submit(steps.write, case, raw)
                del preprocessed, raw
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
