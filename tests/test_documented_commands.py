"""Every nnplug command in the documentation composes, and every value in it is accepted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep

from nnplug.catalog import Catalog
from nnplug.cli import VERBS
from nnplug.config import load

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += sorted((ROOT / "plugins").glob("*/README.md"))
CHECKS = {
    "convert": load.data_settings,
    "check": load.data_settings,
    "plan": load.model_settings,
    "train": load.model_settings,
    "predict": load.predict_settings,
    "evaluate": lambda config, _: load.evaluate_settings(config),
    "best": load.best_settings,
}
# The trainer that docs/plugins teaches to write is not installed.
NOT_INSTALLED = "trainer=mine"

Command = Callable[..., tuple[int, str, str]]


def _commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        verbs = "|".join(VERBS)
        for line in re.findall(rf"^(?: {{4}})?nnplug ((?:{verbs})\b.*)$", text, re.MULTILINE):
            words = shlex.split(line, comments=True)
            if not {NOT_INSTALLED, "..."} & set(words):
                yield page.name, shlex.join(words)


def _datasets() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        pattern = r"nnplug_conf/dataset/(\w+)\.yaml[^`]*`[^`]*```yaml\n(.*?)```"
        yield from re.findall(pattern, text, re.DOTALL)


def _first(word: str) -> str:
    """The first job's of a sweep's values."""
    if word.startswith("-"):
        return word
    override = OverridesParser.create().parse_override(word)
    if not override.is_sweep_override():
        return word
    value = override.value()
    low = (
        value.start if isinstance(value, IntervalSweep) else next(override.sweep_string_iterator())
    )
    return f"{override.get_key_element()}={low}"


@pytest.mark.parametrize(("page", "line"), list(_commands()))
def test_a_documented_command_is_understood(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, line: str
) -> None:
    for name, text in [("mine", MINE), *_datasets()]:
        path = tmp_path / "nnplug_conf" / "dataset" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    verb, *overrides = shlex.split(line)
    overrides = [_first(word) for word in overrides if word not in ("--help", "-m")]
    code, out, err = command(verb, "--cfg", "job", *overrides)
    assert (code, err) == (0, ""), page
    if verb in CHECKS:
        CHECKS[verb](yaml.safe_load(out), Catalog.build())


MINE = "{name: Mine, task_id: 399, channels: {0: CT}, labels: {background: 0, organ: 1}}"


def test_the_documentation_has_commands_and_datasets() -> None:
    assert len(list(_commands())) > 15
    assert {"liver", "lobes"} <= {name for name, _ in _datasets()}
