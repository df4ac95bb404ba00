"""A config is data: whatever it says, nothing is constructed or imported by its words."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nnplug
from nnplug.errors import ConfigError

Command = Callable[..., tuple[int, str, str]]
EVIL = "evil_module_of_a_config"
JOB = ["evaluate", "reference=a", "prediction=b", "output=c"]


@pytest.fixture(autouse=True)
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package on the path that leaves a file when it is imported; it never may be."""
    mark = tmp_path / "it_ran"
    folder = tmp_path / "path" / EVIL
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        f"open({str(mark)!r}, 'w').close()\ndef run(*a, **k): pass\nclass Thing: pass\n"
    )
    monkeypatch.syspath_prepend(folder.parent)
    yield mark
    assert not mark.exists()
    assert EVIL not in sys.modules


OVERRIDES = [
    [f"+hydra.callbacks.x._target_={EVIL}.run"],
    ["+hydra.callbacks.x._target_=os.system", "+hydra.callbacks.x.command=touch it_ran"],
    [f"+hydra.callbacks.x.deep=[{{_target_:{EVIL}.run}}]", "+hydra.callbacks.x._target_=x.y"],
    [f"+hydra.callbacks={{x:{{_target_:{EVIL}.Thing}}}}"],
    [f"hydra.launcher._target_={EVIL}.Thing", "--multirun"],
    [f"+hydra.launcher.extra._target_={EVIL}.Thing", "--multirun"],
    [f"hydra.sweeper._target_={EVIL}.Thing", "--multirun"],
    ["hydra.sweeper._target_=hydra._internal.core_plugins.basic_launcher.os.system", "-m"],
    ["hydra.sweeper._target_=hydra._internal.core_plugins.basic_launcher.BasicLauncher", "-m"],
    [f"+hydra.sweeper.sampler._target_={EVIL}.Thing", "--multirun"],
    ["+hydra.sweeper.sampler._target_=optuna.samplers.os.system", "--multirun"],
    [f"+hydra.job_logging.handlers.x={{class:{EVIL}.Thing}}"],
    [f"+hydra.job_logging.handlers.x={{\\(\\):{EVIL}.run}}"],
    [f"+hydra.job_logging.formatters.x={{\\(\\):{EVIL}.run}}"],
    [f"hydra.job_logging.handlers.console.stream='ext://{EVIL}.run'"],
    [f"+hydra.hydra_logging.handlers.x={{class:{EVIL}.Thing}}"],
    [f"+hydra.hydra_logging.filters.x={{\\(\\):{EVIL}.run}}"],
    [f"hydra.searchpath=[pkg://{EVIL}]"],
    [f"hydra.searchpath=[structured://{EVIL}]"],
    [f"hydra.searchpath=[file:///nowhere,'pkg://{EVIL}']"],
    ["+hydra.job.env_set.PYTHONPATH=evil"],
    ["+hydra.job.env_set.LD_PRELOAD=evil.so"],
    ["+hydra.job.env_set.HYDRA_INSTANTIATE_ALLOWLIST_OVERRIDE=os.system"],
    ["--config-path", f"pkg://{EVIL}"],
    ["+mine={x:{_target_:os.system}}", "++hydra.callbacks=${mine}"],
]


@pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda each: " ".join(each))
def test_an_override_cannot_name_code(
    command: Command, tmp_path: Path, overrides: list[str]
) -> None:
    code, _, err = command(*JOB, *overrides)
    assert code == 2, err
    assert "a config only names things" in err
    assert "Traceback" not in err
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("overrides", OVERRIDES[:4] + OVERRIDES[11:23], ids=" ".join)
def test_neither_can_one_from_python(overrides: list[str]) -> None:
    with pytest.raises(ConfigError, match="a config only names things"):
        nnplug.evaluate([*JOB[1:], *overrides])


FILES = [
    f"hydra: {{callbacks: {{x: {{_target_: {EVIL}.run}}}}}}",
    f"hydra: {{job_logging: {{handlers: {{x: {{class: {EVIL}.Thing}}}}}}}}",
    f"hydra: {{launcher: {{_target_: {EVIL}.Thing}}, mode: MULTIRUN}}",
    "hydra: {job: {env_set: {PYTHONPATH: evil}}}",
    "mine: {x: {_target_: os.system}}\nhydra: {callbacks: '${mine}'}",
    "mine: '{_target_: os.system}'\nhydra: {callbacks: {x: '${oc.decode:${mine}}'}}",
]


@pytest.mark.parametrize("text", FILES)
def test_a_file_cannot_name_code(command: Command, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "nnplug_conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "hostile.yaml").write_text(f"# @package _global_\n{text}\n")
    for more in ([], ["-m"]):
        code, _, err = command("train", "dataset=hippocampus", "experiment=hostile", *more)
        assert code == 2
        assert "a config only names things" in err


def test_a_job_of_a_sweep_is_vetted_by_itself(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "nnplug_conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "hostile.yaml").write_text(f"# @package _global_\n{FILES[1]}\n")
    code, _, err = command("train", "dataset=hippocampus", "experiment=hostile,small", "-m")
    assert code == 2
    assert "a config only names things" in err


def test_a_shadowing_main_config_cannot_add_a_package(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "nnplug_conf"
    folder.mkdir()
    (folder / "evaluate.yaml").write_text(f"hydra: {{searchpath: ['pkg://{EVIL}']}}\n")
    code, _, err = command(*JOB)
    assert (code, "pkg://" in err) == (2, True)


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return __import__, (EVIL,)


@pytest.mark.parametrize("flag", ["--experimental-rerun", "--experimental"])
def test_a_pickled_job_is_not_read(command: Command, tmp_path: Path, flag: str) -> None:
    (tmp_path / "job.pickle").write_bytes(pickle.dumps(_Evil()))
    code, _, err = command(*JOB, flag, "job.pickle")
    assert (code, "runs code when it is read" in err) == (2, True)


@pytest.mark.parametrize("name", [f"{EVIL}:Thing", f"{EVIL}.Thing", "os:system", "../x"])
@pytest.mark.parametrize("key", ["trainer.name", "converter.name", "remap.name"])
def test_names_are_looked_up_never_imported(command: Command, key: str, name: str) -> None:
    code, _, err = command("train", "dataset=hippocampus", f"{key}='{name}'")
    assert code == 3
    assert "is called" in err


@pytest.mark.parametrize(
    "overrides",
    [
        ["+hydra.job.env_set.OMP_NUM_THREADS='1'"],
        ["hydra/job_logging=stdout"],
        ["hydra.searchpath=[file://{folder}]"],
    ],
    ids=" ".join,
)
def test_what_is_on_the_list_goes_through(
    command: Command, tmp_path: Path, overrides: list[str]
) -> None:
    given = [override.format(folder=tmp_path) for override in overrides]
    code, _, err = command(*JOB, *given)
    assert (code, "a: " in err or "=a" in err) == (2, True)
    assert "only names things" not in err
