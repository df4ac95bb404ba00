"""doctor: what this machine and this installation can do."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.folders import VARIABLES, Folders
from nnplug.config.resources import cores
from nnplug.stages.provenance import versions

GIB = 1 << 30
LITTLE_MEMORY = 8.0
LITTLE_DISK = 10.0
LITTLE_SHARED_MEMORY = 1.0


def main(arguments: list[str]) -> None:
    """The verb; exits with 3 if a plugin is broken."""
    parser = argparse.ArgumentParser(prog="nnplug doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON to standard output")
    chosen = parser.parse_args(arguments)
    found = examine()
    if chosen.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        _print(found)
    if found["broken_plugins"]:
        sys.exit(3)


def examine() -> dict[str, Any]:
    """Versions, devices, memory, disk, folders and plugins, and what is wrong with them."""
    import psutil

    from nnplug.engine.environment import devices

    root = Path(os.environ.get("NNPLUG_ROOT", "nnplug_data")).expanduser().resolve()
    folders = Folders.below(root)
    memory = psutil.virtual_memory().total / GIB
    found: dict[str, Any] = {
        "versions": versions(),
        "devices": devices(),
        "cores": cores(),
        "memory_gib": round(memory, 1),
        "shared_memory_gib": _free(Path("/dev/shm")),
        "disk_gib": _free(root),
        "folders": folders.environment(),
        "set_by_nnunet": [name for name in VARIABLES if os.environ.get(name)],
        "broken_plugins": {
            plugin.name: plugin.problem for plugin in Catalog.build(forgiving=True).host.broken()
        },
    }
    found["advice"] = _advice(found)
    return found


def _free(path: Path) -> float | None:
    while not path.exists() and path != path.parent:
        path = path.parent
    return round(shutil.disk_usage(path).free / GIB, 1) if path.exists() else None


def _advice(found: dict[str, Any]) -> list[str]:
    advice = []
    if found["devices"] == ["cpu"]:
        advice.append("no GPU: trainer=quick gives a baseline on a CPU (package nnplug-trainers)")
    if found["memory_gib"] < LITTLE_MEMORY:
        advice.append("little memory: set workers=1")
    if found["disk_gib"] is not None and found["disk_gib"] < LITTLE_DISK:
        advice.append("little disk space: nnU-Net unpacks its preprocessed cases")
    shared = found["shared_memory_gib"]
    if shared is not None and shared < LITTLE_SHARED_MEMORY:
        advice.append("little /dev/shm: workers may die; start the container with --shm-size")
    return advice


def _print(found: dict[str, Any]) -> None:
    for key, value in found.items():
        if isinstance(value, dict):
            sys.stdout.write(f"{key}\n")
            sys.stdout.writelines(f"  {name}: {item}\n" for name, item in value.items())
        elif isinstance(value, list):
            sys.stdout.write(f"{key}: {'; '.join(map(str, value)) or 'none'}\n")
        else:
            sys.stdout.write(f"{key}: {value}\n")
