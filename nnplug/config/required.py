"""``plugins.required``: packages that a configuration can't do without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from nnplug.config.build import unknown_key
from nnplug.errors import ConfigError, PluginError

KEY = "plugins.required"
EXAMPLE = f'{KEY}=["nnplug-dicom>=0.2"]'


def check(node: Any) -> None:
    """Refuse a configuration that needs packages which are not installed.

    Args:
        node: the value of ``plugins``: ``{"required": ["nnplug-dicom>=0.2"]}`` or None.

    Raises:
        ConfigError: it says something else.
        PluginError: a package is missing, or its version is another.
    """
    if not isinstance(node, Mapping | None):
        raise ConfigError("keys and values are wanted here", where="plugins", hint=EXAMPLE)
    for key in node or {}:
        if key != "required":
            raise unknown_key(f"plugins.{key}", [KEY])
    listed = (node or {}).get("required") or []
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise ConfigError("a list is wanted here", where=KEY, hint=EXAMPLE)
    wanted = [_requirement(text) for text in listed]
    found = [(one, _installed(one.name)) for one in wanted]
    unmet = [(one, has) for one, has in found if not _serves(one, has)]
    if unmet:
        packages = " ".join(f"'{one.name}{one.specifier}'" for one, _ in unmet)
        raise PluginError(
            "; ".join(
                f"this needs {one.name}{one.specifier}, "
                + ("which is not installed" if has is None else f"but {has} is installed")
                for one, has in unmet
            ),
            where=KEY,
            hint=f"pip install {packages}",
        )


def _requirement(text: Any) -> Requirement:
    """A name and versions; a config must not bring an address to install from."""
    try:
        made = Requirement(text if isinstance(text, str) else "")
    except InvalidRequirement:
        made = None
    if made is None or made.url or made.marker or made.extras:
        raise ConfigError(
            f"a package's name and versions are wanted here, not {text!r:.100}",
            where=KEY,
            hint=EXAMPLE,
        )
    return made


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _serves(wanted: Requirement, installed: str | None) -> bool:
    return installed is not None and wanted.specifier.contains(installed, prereleases=True)
