"""Which file is the label of a case."""

from __future__ import annotations

from pathlib import Path

from nnplug.errors import SourceError
from nnplug_dicom.cases.folders import CaseFiles
from nnplug_dicom.options import DicomLabels

NO_LABEL = "there is no label for it: no volume (.nii.gz, .mha, .nrrd, ...), SEG or RTSTRUCT"


def find_label(case: CaseFiles, options: DicomLabels) -> tuple[Path, ...]:
    """Return the label volume of a case, or all its SEGs or all its RTSTRUCTs.

    Several volumes in a folder that holds nothing else of the case are one mask a region; that
    folder is returned then.

    With ``format=auto`` a label that the source's layout assigns to the case comes first;
    else there must be only one kind.

    Raises:
        SourceError: there is none, there are several volumes, or several kinds.
    """
    if case.label and options.format == "auto":
        return (case.label,)
    drawn = {s.path for s in case.structures}
    label = (case.label,) if case.label and case.label not in drawn else ()
    kinds = {
        "volume": label or _one_folder(case),
        "seg": _of(case, "SEG"),
        "rtstruct": _of(case, "RTSTRUCT"),
    }
    found = {kind: paths for kind, paths in kinds.items() if paths}
    if options.format != "auto":
        found = {options.format: kinds[options.format]}
        if not kinds[options.format]:
            raise SourceError(
                f"there is no label of the kind {options.format}; there is: {_listed(case, kinds)}",
                hint="set converter.labels.format to another kind, or to auto",
            )
    if not found:
        raise SourceError(NO_LABEL)
    if len(found) > 1:
        raise SourceError(
            f"there are labels of {len(found)} kinds: {_listed(case, found)}",
            hint=f"choose one: converter.labels.format={'|'.join(found)}",
        )
    if len(found.get("volume", ())) > 1:
        raise SourceError(
            f"several volumes could be the label: {_listed(case, found)}",
            hint="keep one of them, or name it with layout.label",
        )
    return next(iter(found.values()))


def _one_folder(case: CaseFiles) -> tuple[Path, ...]:
    """The volumes, or the one folder that holds all of them and no image."""
    above = {path.parent for path in case.volumes}
    if len(case.volumes) < 2 or len(above) > 1:
        return case.volumes
    beside = {entry.path.parent for group in case.groups for entry in group if entry.images}
    return tuple(above) if above.isdisjoint({*case.folders, *beside}) else case.volumes


def _of(case: CaseFiles, kind: str) -> tuple[Path, ...]:
    return tuple(s.path for s in case.structures if s.kind == kind)


def _listed(case: CaseFiles, found: dict[str, tuple[Path, ...]]) -> str:
    texts = []
    for kind, paths in found.items():
        names = [_name(case, path) for path in paths[:4]]
        more = f" and {len(paths) - 4} more" if len(paths) > 4 else ""
        if names:
            texts.append(f"{kind} ({', '.join(names)}{more})")
    return "; ".join(texts) or "none"


def _name(case: CaseFiles, path: Path) -> str:
    folder = next((f for f in case.folders if path.is_relative_to(f)), path.parent)
    return path.relative_to(folder).as_posix()
