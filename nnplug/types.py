"""What nnplug and its plugins exchange: frozen data and a few small protocols.

Importing this module loads neither SimpleITK nor numpy nor torch, so a plugin can describe
what it offers for the price of a few dataclasses.

Axis order: SimpleITK images carry x, y, z; arrays are z, y, x. Lengths are in mm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk
    from numpy.typing import NDArray

Split = Literal["train", "test"]
Apply = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Layout:
    """Where the files of a case lie below the source, as glob patterns.

    Every field is optional; without any, the usual layouts are recognised (see
    :func:`nnplug.layout.find_cases`). In a pattern ``{case}`` stands for the case's name.

    Attributes:
        images: one pattern a channel, e.g. ``("scans/{case}/t1.nii.gz",)``.
        label: the pattern of the label file, e.g. ``"masks/{case}.nii.gz"``.
    """

    images: tuple[str, ...] = ()
    label: str | None = None


@dataclass(frozen=True)
class Source:
    """The source images of a dataset, as the user described them.

    Attributes:
        root: the folder to read.
        channels: channel number to name, e.g. ``{0: "CT"}``; in order of the numbers.
        labels: label name to value of the dataset, background 0 among them; for formats whose
            regions carry names. Empty where nothing is known.
        unlabelled: no labels are expected; every case is a test case.
        reference: the number of the channel whose grid a case gets; regions that are given in
            the patient's coordinates are drawn on it.
        layout: patterns for layouts that are not recognised.
        apply: like ``map`` for lists, but in several processes if there are; for a function of
            a module. Worth it for what takes a tenth of a second an item.
    """

    root: Path
    channels: Mapping[int, str] = field(default_factory=lambda: {0: "image"})
    labels: Mapping[str, int] = field(default_factory=dict)
    unlabelled: bool = False
    reference: int = 0
    layout: Layout = Layout()
    apply: Apply = map


@dataclass(frozen=True)
class CaseSource:
    """One case that a converter found, before any pixel is read. Crosses process borders.

    Attributes:
        name: the case's name in the source; unique within it.
        images: one file or folder a channel, in channel order.
        label: the label's file or folder, or None.
        subject: who was scanned, where the source says so.
        split: ``"train"`` or ``"test"`` where the source says so.
        details: whatever else the converter needs in ``read``; small and picklable. Two keys
            mean something to nnplug: ``"problem"``, why this case can't be converted, and
            ``"files"``, further paths that ``read`` looks at.
    """

    name: str
    images: tuple[Path, ...]
    label: Path | None = None
    subject: str | None = None
    split: Split | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One case that was read.

    Attributes:
        images: one three-dimensional scalar image a channel, each on its own grid; size,
            spacing (mm), origin (mm) and direction travel with it. nnplug refuses channels on
            different grids or brings them onto one, as the user decided.
        label: an integer-valued image, or None. nnplug turns its axes to those of the images
            where that is all that differs, and refuses or resamples other grids.
        provenance: short notes for the manifest (no patient data), e.g. what was repaired.
    """

    images: tuple[sitk.Image, ...]
    label: sitk.Image | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)


class Converter(Protocol):
    """Reads one format. Constructed as ``Target(options)`` with the spec's options dataclass."""

    def discover(self, source: Source) -> Iterable[CaseSource]:
        """List the cases without reading pixels.

        Raises:
            nnplug.errors.SourceError: the source can't be understood.
        """
        ...

    def read(self, case: CaseSource) -> Case:
        """Read one case; runs in a worker process.

        Raises:
            nnplug.errors.SourceError: the case can't be converted correctly; never guess.
        """
        ...


@runtime_checkable
class ValueRemapper(Protocol):
    """Says what each label value becomes. Constructed as ``Target(options)``.

    nnplug asks once a value, composes the steps of a chain, and derives the way back.

    Attributes:
        keys: values that the options name, and that therefore ought to occur; nnplug tells
            which of them never do. Empty if none is named.
    """

    @property
    def keys(self) -> Collection[int]: ...

    def value(self, old: int) -> int | str | None:
        """The new value, or the name of a label of the dataset; None if it has no place."""
        ...


@runtime_checkable
class VoxelRemapper(Protocol):
    """Moves voxels from one value to another by where they are. ``Target(options)``."""

    def apply(
        self, label: NDArray[np.integer[Any]], spacing: tuple[float, float, float]
    ) -> NDArray[np.integer[Any]]:
        """Return a new array of the same shape (z, y, x); ``spacing`` is z, y, x in mm.

        Raises:
            nnplug.errors.SourceError: this label can't be changed correctly.
        """
        ...


Remapper = ValueRemapper | VoxelRemapper


class Writer(Protocol):
    """Writes masks in one format. Constructed as ``Target(options)``."""

    def write(
        self,
        mask: sitk.Image,
        labels: Mapping[str, int],
        case: CaseSource,
        channel: int,
        path: Path,
    ) -> None:
        """Write one mask.

        Args:
            mask: label values, an unsigned integer image on the grid of the case's images.
            labels: name to value in the mask, background not among them.
            case: where the images came from, as the converter found it.
            channel: the number of the channel whose grid the mask has.
            path: the file to write; it ends in the spec's suffix.

        Raises:
            nnplug.errors.SourceError: this mask can't be written in this format.
        """
        ...


@dataclass(frozen=True)
class Found:
    """One thing that lies in a source: a series, a file, a structure set.

    Attributes:
        path: its file or common folder, relative to the source.
        kind: what it is: a modality such as ``CT`` or ``RTSTRUCT``, or ``image`` or ``label``.
        subject: who it belongs to, or "".
        study: which examination, or "".
        description: what the source calls it.
        count: images (slices, frames or files) in it.
        size: voxels along x, y, z, or () where it is no volume.
        spacing: mm along x, y, z, or ().
        use: what it can be: channel names or ``label``; empty where it can't be used.
        problem: why not, or "".
    """

    path: str
    kind: str
    subject: str = ""
    study: str = ""
    description: str = ""
    count: int = 1
    size: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    use: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Survey:
    """What a source holds, and how to describe it; for ``nnplug scan`` and ``nnplug init``.

    Attributes:
        found: everything in it, usable or not.
        channels: channel number to name, as suggested.
        labels: label name to value where the source has names (segments, ROIs, a table).
        options: keys below ``converter.`` that are needed or worth knowing, with values.
        unlabelled: there are no labels.
    """

    found: tuple[Found, ...]
    channels: Mapping[int, str] = field(default_factory=lambda: {0: "image"})
    labels: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    unlabelled: bool = False


@dataclass(frozen=True)
class ConverterSpec:
    """A converter by name.

    Attributes:
        name: what the user writes in ``converter=NAME``.
        target: ``"package.module:Class"``; imported only when chosen.
        options: a dataclass; its fields are the keys below ``converter.``, checked in its
            ``__post_init__`` (raise ValueError).
        summary: one line for ``nnplug plugins``.
        survey: ``"package.module:function"`` that takes the source's root (a Path) and returns
            a :class:`Survey`, reading headers only; "" if the converter can't tell.
        identifiers: ``"package.module:function"`` that takes one source file (a Path) and
            yields pairs of a field's name and a text in it that may identify a patient, a
            study or a site; for ``nnplug check --phi``. Nothing for a file of another format.
        refines: name of a converter that reads the same files in simpler folders. Where both
            claim a source, this one is meant.
    """

    name: str
    target: str
    options: type | None = None
    summary: str = ""
    survey: str = ""
    identifiers: str = ""
    refines: str = ""


@dataclass(frozen=True)
class RemapperSpec:
    """A label remapper by name; fields as in :class:`ConverterSpec`, keys below ``remap.``."""

    name: str
    target: str
    options: type | None = None
    summary: str = ""


@dataclass(frozen=True)
class TrainerSpec:
    """A trainer by name.

    Attributes:
        name: what the user writes in ``trainer=NAME``.
        target: ``"package.module:Class"``, a subclass of ``nnUNetTrainerV2``. The class's own
            name is what nnU-Net puts into folder names and checkpoints.
        options: a dataclass set as ``trainer.options`` before ``initialize()``; its fields are
            the keys below ``trainer.options.``.
        defaults: recommended values for the keys below ``trainer.``, e.g. ``{"epochs": 40}``.
        data_parallel: the class takes ``num_gpus`` and ``distribute_batch_size`` as
            ``nnUNetTrainerV2_DP`` does.
        distributed: the class takes ``local_rank`` and ``distribute_batch_size`` as
            ``nnUNetTrainerV2_DDP`` does, and runs in one process a GPU.
        summary: one line for ``nnplug plugins``.
        cascade: ``"package.module:Class"`` for ``network=3d_cascade_fullres``, a subclass of
            ``nnUNetTrainerV2CascadeFullRes``; the target then trains the first stage.
    """

    name: str
    target: str
    options: type | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    data_parallel: bool = False
    distributed: bool = False
    summary: str = ""
    cascade: str | None = None

    def for_network(self, network: str) -> TrainerSpec:
        """What trains ``network``: itself, or its class for the cascade's second stage."""
        if self.cascade is None or network != "3d_cascade_fullres":
            return self
        return replace(self, target=self.cascade, data_parallel=False, distributed=False)


@dataclass(frozen=True)
class PlannerSpec:
    """An experiment planner by name; at least one of the two targets.

    Attributes:
        name: what the user writes in ``planner=NAME``.
        target: ``"package.module:Class"``, a subclass of nnU-Net's ``ExperimentPlanner``
            (usually of ``ExperimentPlanner3D_v21``); plans the 3D networks.
        target_2d: the same for the 2D network, a subclass of ``ExperimentPlanner2D``.
        summary: one line for ``nnplug plugins``.
    """

    name: str
    target: str = ""
    target_2d: str = ""
    summary: str = ""


@dataclass(frozen=True)
class PreprocessorSpec:
    """A preprocessor by name.

    Attributes:
        name: what the user writes in ``planner.preprocessor=NAME``.
        target: ``"package.module:Class"``, a subclass of nnU-Net's ``GenericPreprocessor``. The
            class's own name is what planners set and nnU-Net puts into plans files.
        summary: one line for ``nnplug plugins``.
    """

    name: str
    target: str
    summary: str = ""


@dataclass(frozen=True)
class WriterSpec:
    """A format of masks by name.

    Attributes:
        name: what the user writes in ``format=NAME``.
        target: ``"package.module:Class"``, a :class:`Writer`.
        suffix: what the files' names end in, e.g. ``".nrrd"``.
        options: a dataclass; the user writes ``format={NAME: {OPTION: VALUE}}``.
        summary: one line for ``nnplug plugins``.
    """

    name: str
    target: str
    suffix: str
    options: type | None = None
    summary: str = ""


@dataclass(frozen=True)
class TrackerSpec:
    """A tracker by name.

    Attributes:
        name: what the user writes in ``tracking=[NAME]``.
        target: ``"package.module:Class"``, a :class:`nnplug.runs.Tracker`.
        options: a dataclass; the user writes ``tracking=[{NAME: {OPTION: VALUE}}]``.
        summary: one line for ``nnplug plugins``.
    """

    name: str
    target: str
    options: type | None = None
    summary: str = ""


@dataclass(frozen=True)
class SearchSpec:
    """A search by name.

    Attributes:
        name: what the user writes in ``sweep/search=NAME``.
        target: ``"package.module:Class"``, a :class:`nnplug.search.Search`.
        options: a dataclass; its fields are keys below ``sweep.search.``.
        summary: one line for ``nnplug plugins``.
    """

    name: str
    target: str
    options: type | None = None
    summary: str = ""


Spec = (
    ConverterSpec
    | RemapperSpec
    | TrainerSpec
    | PlannerSpec
    | PreprocessorSpec
    | WriterSpec
    | TrackerSpec
    | SearchSpec
)
