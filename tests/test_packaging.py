"""Wheel, sdist and editable install: each is complete and runs from anywhere."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))
CONF = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "conf").rglob("*.yaml"))


def has_backend() -> bool:
    """Whether this environment's setuptools can build nnplug."""
    try:
        return int(version("setuptools").split(".")[0]) >= 77
    except PackageNotFoundError:
        return False


OWN_BACKEND = has_backend()
NOT_SOURCES = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "plugins", "tests", "docs", "nnplug_data"
)


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def build(project: Path, kind: str, target: Path) -> Path:
    """Build ``wheel`` or ``sdist`` of a copied project; with isolation if setuptools is old."""
    target.mkdir(exist_ok=True)
    if OWN_BACKEND:
        code = f"from setuptools import build_meta; build_meta.build_{kind}({str(target)!r})"
        run(sys.executable, "-c", code, cwd=project)
    else:
        if importlib.util.find_spec("build") is None:
            pytest.skip("neither setuptools 77 nor build is installed")
        run(sys.executable, "-m", "build", f"--{kind}", "--outdir", target, project, cwd=project)
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, so that nothing is built in the working tree."""
    return Path(
        shutil.copytree(ROOT, tmp_path_factory.mktemp("copy") / "nnplug", ignore=NOT_SOURCES)
    )


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(project, "wheel", tmp_path_factory.mktemp("dist") / "wheel")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The Python of a fresh environment that borrows this one's packages."""
    folder = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=tmp_path)
    (packages,) = folder.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "zz_borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return folder / "bin" / "python"


def install(python: Path, *what: object, cwd: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--quiet")
    offline = ("--no-index", "--no-build-isolation") if OWN_BACKEND else ()
    run(*pip, *offline, *what, cwd=cwd)


def composes(python: Path, folder: Path) -> Any:
    """The lung lobes' configuration, composed in another folder than the sources'."""
    command = python.with_name("nnplug"), "train", "--cfg", "job", "dataset=lunglobe"
    return yaml.safe_load(run(*command, cwd=folder))


def home(python: Path, folder: Path) -> Path:
    return Path(run(python, "-c", "import nnplug; print(nnplug.__file__)", cwd=folder).strip())


def test_the_wheel_holds_every_config(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    configs = sorted(name for name in names if name.endswith(".yaml"))
    assert configs == [f"nnplug/{one}" for one in CONF]
    assert "nnplug/py.typed" in names
    sources = (path for path in (ROOT / "nnplug").rglob("*.py") if "__pycache__" not in str(path))
    assert {path.relative_to(ROOT).as_posix() for path in sources} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "docs/", "plugins/"))]
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_the_sdist_builds_the_same_wheel(project: Path, wheel: Path, tmp_path: Path) -> None:
    sdist = build(project, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert (unpacked / "constraints.txt").is_file()
    again = build(unpacked, "wheel", tmp_path / "wheel")
    contents = []
    for path in (wheel, again):
        with zipfile.ZipFile(path) as archive:
            contents.append({info.filename: info.CRC for info in archive.infolist()})
    assert contents[0].keys() == contents[1].keys()
    changed = [name for name, crc in contents[0].items() if contents[1][name] != crc]
    assert [name for name in changed if ".dist-info/" not in name] == []


def test_an_installed_wheel_runs_from_anywhere(
    wheel: Path, environment: Path, tmp_path: Path
) -> None:
    install(environment, wheel, cwd=tmp_path)
    assert environment.parents[1] in home(environment, tmp_path).parents
    assert composes(environment, tmp_path)["dataset"]["task_id"] == 128


def test_an_editable_install_runs_and_sees_new_configs(
    project: Path, environment: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(project, tmp_path / "checkout"))
    install(environment, "--editable", copy, cwd=tmp_path)
    assert home(environment, tmp_path) == copy / "nnplug" / "__init__.py"
    assert composes(environment, tmp_path)["dataset"]["task_id"] == 128
    added = copy / "conf" / "dataset" / "lunglobe.yaml"
    added.write_text(added.read_text().replace("task_id: 128", "task_id: 228"))
    assert composes(environment, tmp_path)["dataset"]["task_id"] == 228


def test_mypy_sees_a_strict_editable_install(
    project: Path, environment: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(project, tmp_path / "checkout")
    strict = ("--config-settings", "editable_mode=strict")
    install(environment, "--editable", copy, *strict, cwd=tmp_path)
    code = "from nnplug.hookspecs import hookimpl\n\n@hookimpl\ndef mine() -> None: ...\n"
    (tmp_path / "mine.py").write_text(code)
    assert "Success" in run(environment, "-m", "mypy", "--strict", "mine.py", cwd=tmp_path)
    assert composes(environment, tmp_path)["dataset"]["task_id"] == 128


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugins_wheel_has_its_entry_point(name: str, tmp_path: Path) -> None:
    skipped = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "tests")
    copy = Path(shutil.copytree(ROOT / "plugins" / name, tmp_path / name, ignore=skipped))
    made = build(copy, "wheel", tmp_path / "wheel")
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        (record,) = [one for one in names if one.endswith("entry_points.txt")]
        parser = ConfigParser()
        parser.read_string(archive.read(record).decode())
    declared = tomllib.loads((copy / "pyproject.toml").read_text())["project"]["entry-points"]
    assert dict(parser["nnplug"]) == declared["nnplug"]
    for module in declared["nnplug"].values():
        assert f"{module.replace('.', '/')}.py" in names
    assert f"{name.replace('-', '_')}/py.typed" in names


def test_every_plugin_is_an_extra_of_nnplug() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert sorted(extras["all"]) == PLUGINS
    for name in PLUGINS:
        assert extras[name.removeprefix("nnplug-")] == [name]
