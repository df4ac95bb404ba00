"""One case into the task folder, unless it stands there already; runs in a worker process."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from nnplug.data import fingerprint, measures, nifti, overlay, qc
from nnplug.data.files import content_hash, value_hash
from nnplug.data.fingerprint import FileState
from nnplug.data.taskfolder import Row, TaskFolder
from nnplug.errors import SourceError
from nnplug.stages.case import Job, Prepared, named, prepare


def unchanged(job: Job) -> Row | None:
    """The manifest's row of a case whose files were not touched since; reads no content."""
    row = job.previous
    if row is None or _stamps(job.task, row.outputs) != row.stamps:
        return None
    with contextlib.suppress(SourceError):
        if fingerprint.untouched(_files(job), row.sources):
            return row if row.key == _key(job, row.sources) else None
    return None


def convert(job: Job) -> Row:
    """Convert one case, unless nothing that shapes it has changed.

    Raises:
        NnplugError: the case can't be converted correctly; ``where`` names it.
    """
    with named(job):
        sources = fingerprint.states(_files(job), job.previous.sources if job.previous else ())
        key = _key(job, sources)
        if job.previous is not None and job.previous.key == key and _outputs_stand(job):
            stamps = _stamps(job.task, job.previous.outputs)
            return replace(job.previous, sources=sources, stamps=stamps)
    case = prepare(job)
    with named(job):
        return _write(job, case, key, sources)


def _files(job: Job) -> list[str]:
    source = job.numbered.source
    paths = [*source.images, *([source.label] if source.label is not None else [])]
    return fingerprint.listed([*paths, *source.details.get("files", ())])


def _key(job: Job, sources: list[FileState]) -> str:
    """A hash of everything that shapes the result."""
    place = [job.numbered.identifier, job.numbered.subject, job.numbered.split]
    settings = [dict(job.channels), dict(job.labels), job.unlabelled, job.reference]
    how = {**asdict(job.convert), "on_error": None, "reference": None}
    recipe = [job.converter.identity(), [tool.identity() for tool in job.remap], place, settings]
    return value_hash([[state[3] for state in sources], recipe, how])


def _outputs_stand(job: Job) -> bool:
    assert job.previous is not None
    return all(
        (job.task.path / name).is_file() and content_hash(job.task.path / name) == digest
        for name, digest in job.previous.outputs.items()
    )


def _stamps(task: TaskFolder, outputs: Mapping[str, str]) -> dict[str, list[int]]:
    return {name: fingerprint.stamp(task.path / name) for name in outputs}


def _write(job: Job, case: Prepared, key: str, sources: list[FileState]) -> Row:
    numbered, task = job.numbered, job.task
    written: dict[str, str] = {}

    def keep(image: sitk.Image, path: Path) -> None:
        nifti.write(image, path)
        written[path.relative_to(task.path).as_posix()] = content_hash(path)

    if case.label is not None:
        keep(case.label, task.label(numbered.identifier, numbered.split))
    for channel, image in enumerate(case.images):
        keep(image, task.image(numbered.identifier, channel, numbered.split))
    measured: dict[str, Any] = {}
    if job.convert.qc:
        drawn = [case.label] if case.label is not None else []
        overlay.write(case.images[0], drawn, qc.picture(task.path, numbered.identifier))
        measured = asdict(measures.measure(case.images, case.label))
    return Row(
        case=numbered.identifier,
        original=numbered.source.name,
        subject=numbered.subject,
        split=numbered.split,
        key=key,
        sources=sources,
        outputs=written,
        stamps=_stamps(task, written),
        values=case.values,
        labels={str(value): number for value, number in case.counts.items()},
        provenance=case.notes,
        measures=measured,
    )
