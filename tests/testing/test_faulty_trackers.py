"""The suite for trackers catches what it is meant to catch: one fault, the right check."""

# ruff: noqa: E501 - a fault is easier to read in one line
from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nnplug.runs import RunInfo
from nnplug.testing import TrackerContract
from nnplug.testing.tracker import Life

Install = Callable[[str, Mapping[str, str]], str]

PLUGIN = """
from dataclasses import dataclass
from nnplug.hookspecs import hookimpl
from nnplug.types import TrackerSpec

@dataclass(frozen=True)
class Options:
    folder: str = ""

@hookimpl
def nnplug_trackers():
    return [TrackerSpec("lines", "{package}.code:Lines", Options, "lines of text")]
"""
CODE = """
import json
from pathlib import Path

class Lines:
    def __init__(self, options):
        self.options = options

    def open(self, run):
        self.run = run
        self.path = Path(self.options.folder or run.folder) / "lines.txt"

    def log(self, epoch, time, values, pictures):
        self._add({"epoch": epoch, **values})

    def close(self, status, values):
        self._add({"status": status, **values})

    def _add(self, line):
        with self.path.open("a") as stream:
            stream.write(json.dumps(line) + "\\n")
"""
LOG = "        self._add({"
TOLD_LINES = """
        told = self.path.read_text().splitlines() if self.path.is_file() else []
"""
FAULTS: list[tuple[str, dict[str, str]]] = [
    ("it_has_the_methods_of_a_tracker", {"def close": "def finish"}),
    ("it_has_the_methods_of_a_tracker", {", pictures": ""}),
    ("it_shows_every_epoch", {LOG + '"epoch"': '        epoch % 2 and self._add({"epoch"'}),
    ("it_shows_every_epoch", {'"epoch": epoch': '"epoch": epoch - 1'}),
    ("it_shows_every_epoch", {'"epoch": epoch, **values': '"epoch": epoch, **{name: round(one, 1) for name, one in values.items()}'}),
    ("what_it_is_given_is_left_alone", {LOG + '"epoch"': f'        values.pop("lr")\n{LOG}"epoch"'}),
    ("what_it_is_given_is_left_alone", {
        LOG + '"epoch"': f'        [path.unlink() for path in pictures.values()]\n{LOG}"epoch"'
    }),
    ("what_it_is_given_is_left_alone", {"self.run = run": "run.config.pop('seed')"}),
    ("it_loads_nothing_heavy", {"import json": "import json, torch"}),
    ("a_later_process_goes_on_with_the_run", {"self.run = run": "(run.folder / 'lines.txt').write_text('')"}),
    ("a_later_process_goes_on_with_the_run", {
        LOG + '"epoch"': '        self.count = getattr(self, "count", 0) + 1\n'
        '        self._add({"epoch": self.count, **values})\n        return\n' + LOG + '"epoch"'
    }),
    ("an_epoch_that_comes_again_has_its_new_values", {
        LOG + '"epoch"': TOLD_LINES + '        if any(f\'"epoch": {epoch}\' in line for line in told):\n'
        f'            return\n{LOG}"epoch"'
    }),
    ("what_is_told_twice_is_shown_once", {
        LOG + '"epoch"': TOLD_LINES + '        if json.dumps({"epoch": epoch, **values}) in told:\n'
        f'            raise ValueError("told before")\n{LOG}"epoch"'
    }),
    ("what_is_told_twice_is_shown_once", {
        LOG + '"epoch"': TOLD_LINES + '        if json.dumps({"epoch": epoch, **values}) in told:\n'
        f'            epoch += 100\n{LOG}"epoch"'
    }),
    ("any_name_of_a_label_will_do", {
        LOG + '"epoch"': f'        assert " " not in "".join(values)\n{LOG}"epoch"'
    }),
    ("any_name_of_a_label_will_do", {
        LOG + '"epoch"': f'        "".join(values).encode("ascii")\n{LOG}"epoch"'
    }),
    ("every_end_is_taken", {'"status": status': '"status": {"finished": 0, "failed": 1}[status]'}),
    ("every_end_is_taken", {LOG + '"status"': f'        self.count + 1\n{LOG}"status"'}),
    ("nobody_is_told_of_the_source", {
        "self.run = run": "(run.folder / 'copy').write_text((run.folder / 'run.json').read_text())"
    }),
    ("its_processes_end", {
        "self.run = run": "import threading\n        threading.Thread(target=threading.Event().wait).start()"
    }),
    ("it_says_what_it_could_not_deliver", {
        "        with self.path": "        if not self.path.parent.is_dir():\n            return\n        with self.path"
    }),
    ("it_says_what_it_could_not_deliver", {
        "        with self.path": "        while not self.path.parent.is_dir():\n            pass\n        with self.path"
    }),
]  # fmt: skip

SLOW = ("its_processes_end", "it_says_what_it_could_not_deliver")


class Contract(TrackerContract):
    tracker = "lines"
    away: Mapping[str, str] = {"folder": "/dev/null/nowhere"}
    patience = 60

    def history(self, run: RunInfo, figure: str) -> Mapping[int, float]:
        text = (run.folder / "lines.txt").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        return {line["epoch"]: line[figure] for line in lines if "epoch" in line}


CHECKS = {
    name.removeprefix("test_"): check
    for name, check in inspect.getmembers(TrackerContract, inspect.isfunction)
    if name.startswith("test_")
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Write a package, some of its text replaced; returns the plugin's module."""

    def put(package: str, changes: Mapping[str, str]) -> str:
        code = CODE
        for old, new in changes.items():
            assert old in code, f"nothing to change: {old}"
            code = code.replace(old, new)
        folder = tmp_path / "site" / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "plugin.py").write_text(PLUGIN.replace("{package}", package))
        (folder / "code.py").write_text(code)
        return f"{package}.plugin"

    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    return put


def life(plugin: str, folder: Path) -> tuple[Contract, Life]:
    contract = Contract()
    contract.plugin = plugin
    folder.mkdir()
    return contract, Life(contract, folder)


def test_a_tracker_without_fault_passes(install: Install, tmp_path: Path) -> None:
    contract, sound = life(install("fault_none", {}), tmp_path / "told")
    for check in CHECKS.values():
        check(contract, sound)


@pytest.mark.parametrize(("check", "changes"), FAULTS, ids=[name for name, _ in FAULTS])
def test_a_fault_is_caught_by_the_check_for_it(
    install: Install, tmp_path: Path, check: str, changes: Mapping[str, str]
) -> None:
    contract, faulty = life(install(f"fault_{check}", changes), tmp_path / "told")
    if check in SLOW:
        contract.patience = 2
    with pytest.raises((Exception, pytest.fail.Exception)):
        CHECKS[check](contract, faulty)


def test_every_check_has_its_fault() -> None:
    assert {check for check, _ in FAULTS} == set(CHECKS)
