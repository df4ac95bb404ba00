"""plugins: what is installed, what it offers, what is broken and why."""

from __future__ import annotations

import argparse
import gc
import json
import sys

from nnplug.catalog import Catalog
from nnplug.plugins import Plugin


def main(arguments: list[str]) -> None:
    """The verb; exits with 3 if a plugin is broken."""
    parser = argparse.ArgumentParser(prog="nnplug plugins", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON to standard output")
    parser.add_argument("--timings", action="store_true", help="the slowest to load first")
    chosen = parser.parse_args(arguments)
    plugins = Catalog.build(forgiving=True).host.plugins
    gc.freeze()
    if chosen.json:
        sys.stdout.write(json.dumps([vars(plugin) for plugin in plugins], indent=2) + "\n")
    elif chosen.timings:
        for plugin in sorted(plugins, key=lambda plugin: -plugin.seconds):
            sys.stdout.write(f"{1000 * plugin.seconds:8.1f} ms  {plugin}\n")
    else:
        for plugin in plugins:
            sys.stdout.write("\n".join(_lines(plugin)) + "\n")
    if any(plugin.problem for plugin in plugins):
        sys.exit(3)


def _lines(plugin: Plugin) -> list[str]:
    state = "blocked" if plugin.blocked else "broken" if plugin.problem else "ok"
    lines = [f"{plugin.name:12} {state:8} {plugin.distribution} {plugin.version}"]
    lines += [f"  {kind}: {', '.join(names)}" for kind, names in plugin.offers.items()]
    if plugin.problem:
        lines.append(f"  problem: {plugin.problem}")
    return lines
