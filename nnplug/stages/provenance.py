"""What software and hardware this process runs on."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil

from nnplug.catalog import Catalog

PACKAGES = (
    *("nnplug", "nnunet", "torch", "numpy", "SimpleITK", "batchgenerators"),
    *("hydra-core", "omegaconf", "pluggy"),
)
GIB = 1 << 30
GIT_SECONDS = 20
CODE = ("*.py", "*.yaml", "*.toml")


def facts(catalog: Catalog, devices: list[str]) -> dict[str, Any]:
    """Everything below, for ``run.json``."""
    found = plugins(catalog)
    return {
        "versions": versions(),
        "plugins": found,
        "sources": sources(text.split()[0] for text in found.values()),
        "packages": packages(),
        "hardware": hardware(devices),
    }


def versions() -> dict[str, str]:
    """Python and the packages that shape a result."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def packages() -> dict[str, str]:
    """Every installed package."""
    found = {one.name: one.version for one in importlib.metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].casefold()))


def plugins(catalog: Catalog) -> dict[str, str]:
    """The usable plugins: entry point to package and version."""
    return {
        plugin.name: f"{plugin.distribution} {plugin.version}"
        for plugin in catalog.host.plugins
        if not plugin.problem and not plugin.blocked
    }


def sources(distributions: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The git state of those packages that are installed from a folder (``pip install -e``).

    Returns:
        Package to ``commit`` and ``changes``, a hash of what differs from it (null if nothing
        does); both are null where the folder is not in git.
    """
    found = {}
    for name in sorted(set(distributions)):
        folder = _editable(name)
        if folder is not None:
            found[name] = _git_state(folder)
    return found


def hardware(devices: list[str]) -> dict[str, Any]:
    """Processor, cores, memory and the devices of this machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / GIB, 1),
        "devices": devices,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _processor() -> str:
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _editable(name: str) -> Path | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError):
        text = importlib.metadata.distribution(name).read_text("direct_url.json")
        about = json.loads(text) if text else {}
        if about.get("dir_info", {}).get("editable"):
            return Path(unquote(urlsplit(about["url"]).path))
    return None


def _git_state(folder: Path) -> dict[str, Any]:
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "changes": None}
    status = _git(folder, "status", "--porcelain", "--", *CODE) or b""
    changed = (_git(folder, "diff", "HEAD", "--", *CODE) or b"") + status
    return {
        "commit": commit.decode().strip(),
        "changes": sha256(changed).hexdigest()[:16] if status else None,
    }


def _git(folder: Path, *words: str) -> bytes | None:
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, capture_output=True, check=True, timeout=GIT_SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return None
