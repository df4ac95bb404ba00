"""The files of a new plugin, as texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from string import Template

from nnplug import hookspecs
from nnplug.scaffold.kinds import KINDS

STDLIB = ("from dataclasses", "from pathlib", "from collections", "import json")
WIDTH = 100


def package(distribution: str, kinds: Sequence[str]) -> dict[str, str]:
    """Path to text of every file of a plugin that offers these kinds.

    Args:
        distribution: the package's name, e.g. ``nnplug-mine``; the plugin is called ``mine``.
        kinds: keys of :data:`nnplug.scaffold.kinds.KINDS`.
    """
    name = distribution.removeprefix("nnplug-").replace("-", "_")
    module = distribution.replace("-", "_")
    major, minor = hookspecs.API
    words = {
        "distribution": distribution,
        "package": module,
        "name": name,
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "api": f"{major}.{minor}",
        "offers": "\n".join(f"- {KINDS[kind].says.format(name=name)}" for kind in kinds),
    }
    words |= _plugin(kinds, words) | _tests(kinds, words)
    source = f"src/{module}"
    made = {
        "pyproject.toml": _filled("package/pyproject.toml", words),
        "README.md": _filled("package/README.md", words),
        ".github/workflows/test.yml": _filled("package/test.yml", words),
        f"{source}/__init__.py": "",
        f"{source}/py.typed": "",
        f"{source}/conf/__init__.py": "",
        f"{source}/plugin.py": _filled("package/plugin.py", words),
        f"tests/test_{module}.py": _filled("package/tests.py", words),
    }
    if _with_options(kinds):
        made[f"{source}/options.py"] = _options(kinds, words)
    for kind in kinds:
        made[f"{source}/{kind}.py"] = _filled(f"{kind}/code", words)
        made[f"{source}/conf/{KINDS[kind].conf.format(name=name)}"] = _filled(f"{kind}/conf", words)
    return made


def _plugin(kinds: Sequence[str], words: dict[str, str]) -> dict[str, str]:
    specs: dict[str, list[str]] = {}
    for kind in kinds:
        specs.setdefault(KINDS[kind].hook, []).append(kind)
    hooks = []
    for hook, offered in specs.items():
        listed = "".join(
            f"        {_filled(f'{kind}/spec', words).rstrip()},\n" for kind in offered
        )
        returned = KINDS[offered[0]].spec
        hooks.append(
            f"\n\n@hookimpl\ndef {hook}() -> list[{returned}]:\n"
            f'    """{" and ".join(offered).capitalize()}."""\n    return [\n{listed}    ]\n'
        )
    further = [_filled(f"{kind}/hooks", words) for kind in kinds if _has(f"{kind}/hooks")]
    lines = [line for kind in kinds for line in KINDS[kind].imports]
    lines.append("from nnplug.hookspecs import hookimpl")
    lines.append(_import("nnplug.types", {KINDS[kind].spec for kind in kinds}))
    own = f"\n\nfrom {words['package']} import options" if _with_options(kinds) else ""
    return {"imports": f"{_sorted(lines)}{own}", "hooks": "".join([*hooks, *further])}


def _tests(kinds: Sequence[str], words: dict[str, str]) -> dict[str, str]:
    lines = [line for kind in kinds for line in KINDS[kind].test_imports]
    suites = {"PluginContract", *(KINDS[kind].contract for kind in kinds)}
    lines.append(_import("nnplug.testing", suites))
    tests = "".join(_filled(f"{kind}/test", words) for kind in kinds)
    return {"test_imports": _sorted(lines), "tests": tests.rstrip("\n")}


def _options(kinds: Sequence[str], words: dict[str, str]) -> str:
    lead = (
        '"""The options of what this package offers: one dataclass each, checked when made."""\n\n'
        "from __future__ import annotations\n\n"
    )
    lines = [line for kind in kinds for line in KINDS[kind].option_imports]
    imports = _sorted([*lines, "from dataclasses import dataclass"])
    texts = [_filled(f"{kind}/options", words) for kind in _with_options(kinds)]
    return "".join([lead, imports, "\n", *(f"\n\n{text}" for text in texts)])


def _with_options(kinds: Sequence[str]) -> list[str]:
    return [kind for kind in kinds if _has(f"{kind}/options")]


def _import(module: str, names: Iterable[str]) -> str:
    """One statement, in one line if it fits."""
    names = sorted(names)
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    listed = "".join(f"    {name},\n" for name in names)
    return f"from {module} import (\n{listed})"


def _sorted(lines: Iterable[str]) -> str:
    """Import lines in two blocks, the standard library's first."""
    lines = sorted(set(lines), key=lambda line: (line.startswith("from"), line.split()[1].lower()))
    blocks = (
        [line for line in lines if line.startswith(STDLIB)],
        [line for line in lines if not line.startswith(STDLIB)],
    )
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _has(template: str) -> bool:
    return files(__package__).joinpath("templates", f"{template}.in").is_file()


def _filled(template: str, words: dict[str, str]) -> str:
    text = files(__package__).joinpath("templates", f"{template}.in").read_text(encoding="utf-8")
    return Template(text).substitute(words)
