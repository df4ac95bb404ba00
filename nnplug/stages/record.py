"""run.json: what a training was made of, beside its checkpoint."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import socket
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.data.files import value_hash, write_json
from nnplug.data.taskfolder import TaskFolder

RUN = "run.json"
PACKAGES = (
    *("nnplug", "nnunet", "torch", "numpy", "SimpleITK", "batchgenerators"),
    *("hydra-core", "omegaconf", "pluggy"),
)


@contextlib.contextmanager
def kept(
    folder: Path,
    config: Mapping[str, Any],
    catalog: Catalog,
    task: TaskFolder,
    device: Mapping[str, Any],
    trainer: Mapping[str, str],
) -> Iterator[None]:
    """Write ``run.json`` before the block, and how the block ended after it."""
    resolved = {key: value for key, value in config.items() if key != "hydra"}
    content: dict[str, Any] = {
        "command": sys.argv,
        "config": resolved,
        "config_hash": value_hash(resolved),
        "data_hash": task.data_hash(),
        "seed": resolved.get("seed"),
        "trainer": dict(trainer),
        "device": dict(device),
        "versions": versions(),
        "plugins": {
            plugin.name: f"{plugin.distribution} {plugin.version}"
            for plugin in catalog.host.plugins
            if not plugin.problem and not plugin.blocked
        },
        "host": socket.gethostname(),
        "started": _now(),
        "status": "running",
    }
    write_json(folder / RUN, content)
    try:
        yield
    except BaseException as error:
        content |= {"status": "failed", "error": str(error) or type(error).__name__}
        raise
    else:
        content["status"] = "finished"
    finally:
        content["ended"] = _now()
        write_json(folder / RUN, content)


def versions() -> dict[str, str]:
    """Python and the packages that shape a result."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
