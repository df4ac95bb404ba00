"""Whether files of a kind are the images of a source."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from nnplug.layout.casefolders import is_label_name
from nnplug.layout.scan import Kind, entries, walk

LABEL_FOLDERS = ("labels", "label", "masks", "segmentations")
IMAGE_FOLDERS = ("images", "imagestr", "imagests")


def holds_images(source: Path, suffixes: Sequence[str], *, limit: int = 5000) -> bool:
    """Tell whether files with these suffixes are the images of a source; for ``nnplug_detect``.

    Looks into ``images/``, ``imagesTr/`` and ``imagesTs/`` where there are any, else into the
    source; two levels deep and at no more than ``limit`` entries. Names that mean a label don't
    count.
    """
    kind = Kind(tuple(s.lower() for s in suffixes), folders=False)
    try:
        tops = [p for p in entries(source) if p.is_dir() and p.name.lower() in IMAGE_FOLDERS]
        return any(
            kind.is_image(path) and (bool(tops) or not _label_like(kind, path, source))
            for top in tops or [source]
            for path in islice(walk(top, depth=3), limit)
        )
    except OSError:
        return False


def _label_like(kind: Kind, path: Path, source: Path) -> bool:
    folders = path.relative_to(source).parts[:-1]
    case = folders[-1] if folders else ""
    return is_label_name(kind, path, case) or any(f.lower() in LABEL_FOLDERS for f in folders)
