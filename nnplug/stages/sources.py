"""Which converter a source is for, and what that converter says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nnplug.catalog import Catalog, Entry, blamed, load
from nnplug.errors import ConfigError, PluginError, SourceError
from nnplug.types import ConverterSpec, Survey


def claims(root: Path, catalog: Catalog) -> list[str]:
    """Names of the converters that recognise the source, sorted; without those that one refines."""
    found = {str(name) for _, name in catalog.host.collect("nnplug_detect", source=root)}
    known = found.intersection(catalog.converters.names())
    refined = {catalog.converters.get(name).spec.refines for name in known}
    return sorted(found - refined)


def choose(root: Path, catalog: Catalog) -> Entry[ConverterSpec]:
    """The one converter that recognises the source.

    Raises:
        SourceError: none does, or several do.
    """
    found = claims(root, catalog)
    if len(found) == 1:
        return catalog.converters.get(found[0])
    raise SourceError(
        f"several converters can read this: {', '.join(found)}"
        if found
        else "no installed converter recognises these files",
        where=str(root),
        hint=f"choose with converter=NAME, one of: {', '.join(catalog.converters.names())}"
        + "".join(f"; {plugin} is broken ({plugin.problem})" for plugin in catalog.host.broken()),
    )


def survey(entry: Entry[ConverterSpec], root: Path) -> Survey:
    """What the converter says of the source; an empty survey if it can't tell.

    Raises:
        SourceError: the source can't be understood.
        PluginError: the plugin's function can't be imported, or returns something else.
    """
    if not entry.spec.survey:
        return Survey(found=())
    function = load(replace(entry.spec, target=entry.spec.survey), entry.owner)
    with blamed(entry.owner, f"the survey of {entry.spec.name!r} failed"):
        found = function(root)
    if not isinstance(found, Survey):
        raise PluginError(
            f"{entry.spec.survey} must return a Survey, not {type(found).__name__}",
            where=f"plugin {entry.owner}",
        )
    return found


def settings(words: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` words of a verb that composes no configuration.

    Raises:
        ConfigError: a word of another form, or a key that is not known.
    """
    values = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in known:
            raise ConfigError(
                f"{word!r} can't be used here", hint=f"known keys: {', '.join(known)} (KEY=VALUE)"
            )
        values[key] = value
    return values


def folder(text: str) -> Path:
    """The source that the user named, absolute.

    Raises:
        ConfigError: it isn't there or is no folder.
    """
    path = Path(text).expanduser().resolve()
    if not path.is_dir():
        raise ConfigError(
            "this is a file, not a folder" if path.exists() else "there is no such folder",
            where=str(path),
            hint="name the folder that holds the scans",
        )
    return path
