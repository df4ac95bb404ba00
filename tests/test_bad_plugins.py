"""Whatever a plugin does, its owner is named and the rest goes on working."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug import hookspecs
from nnplug._registration import hooks
from nnplug._timelimit import TooLong, time_limit
from nnplug.catalog import Catalog
from nnplug.plugins import Host, Plugin

Run = Callable[..., subprocess.CompletedProcess[str]]

IMPORTS = """
from nnplug.hookspecs import hookimpl
from nnplug.types import ConverterSpec, RemapperSpec, TrainerSpec, WriterSpec
"""
GOOD = IMPORTS + "@hookimpl\ndef nnplug_converters():\n    return [ConverterSpec('good', 'a:B')]\n"


@pytest.fixture
def install(tmp_path: Path) -> Callable[[str, str], None]:
    """Install a plugin of that name: a dist-info and a module below ``tmp_path / "site"``."""

    def put(name: str, code: str) -> None:
        record = tmp_path / "site" / f"{name}-1.5.dist-info"
        record.mkdir(parents=True)
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (record / "entry_points.txt").write_text(f"[nnplug]\n{name} = {name}_code\n")
        (tmp_path / "site" / f"{name}_code.py").write_text(code)

    return put


@pytest.fixture
def nnplug(tmp_path: Path) -> Run:
    """Run a verb in a process that sees these plugins."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nnplug", *arguments],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), **environ},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


BAD = {
    "import": ("raise RuntimeError('at import')", "RuntimeError: at import"),
    "exit": ("import sys\nsys.exit(7)", "SystemExit: 7"),
    "hang": ("import time\ntime.sleep(60)", "TooLong: took longer than 1 s"),
    "loop": ("while True:\n    try: pass\n    except Exception: pass", "TooLong"),
    "typo": (GOOD.replace("converters", "convertors"), "did you mean nnplug_converters?"),
    "strange": (GOOD.replace("nnplug_converters", "nnplug_xyzzy_q"), "hooks: nnplug_"),
    "unmarked": (GOOD.replace("@hookimpl\n", ""), "nnplug_converters is not marked with hookimpl"),
    "wrapper": (
        IMPORTS + "@hookimpl(wrapper=True)\ndef nnplug_converters():\n    return (yield)\n",
        "nnplug_converters is a wrapper",
    ),
    "hookwrapper": (
        IMPORTS + "@hookimpl(hookwrapper=True)\ndef nnplug_trainers():\n    yield\n",
        "nnplug_trainers is a wrapper",
    ),
    "argument": (GOOD.replace("converters()", "converters(sauce)"), "no argument 'sauce'"),
    "type": (GOOD.replace("ConverterSpec('good', 'a:B')", "3"), "ConverterSpec objects, not 3"),
    "kind": (GOOD.replace("ConverterSpec('", "RemapperSpec('"), "ConverterSpec objects"),
    "name": (GOOD.replace("'good'", "'../up'"), "the name '../up', which can't be used"),
    "target": (GOOD.replace("'a:B'", "'a.B'"), "the target 'a.B', which can't be used"),
    "options": (GOOD.replace("'a:B'", "'a:B', dict"), "options that are no dataclass"),
    "string": (GOOD.replace("[ConverterSpec('good', 'a:B')]", "'good'"), "not the text 'good'"),
    "nothing": (GOOD.replace("[ConverterSpec('good', 'a:B')]", "None"), "TypeError: 'NoneType'"),
    "api": ('nnplug_api = "9.0"\n' + GOOD, "it needs nnplug API 9.0"),
    "old_api": ('nnplug_api = "0.4"\n' + GOOD, "a newer version is needed"),
    "twice": (GOOD.replace("'a:B')]", "'a:B')] * 2"), "offered twice by twice (twice 1.5)"),
}


@pytest.mark.parametrize("case", BAD)
def test_the_owner_is_named_and_plugins_goes_on(
    install: Callable[[str, str], None], nnplug: Run, case: str
) -> None:
    code, reason = BAD[case]
    install(case, code)
    install("zz_fine", GOOD.replace("'good'", "'fine'"))
    done = nnplug("plugins", NNPLUG_PLUGIN_SECONDS="1")
    assert done.returncode == 3, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  problem:")]
    assert reason in line
    assert f"{case:12} broken   {case} 1.5" in done.stdout
    assert "zz_fine      ok" in done.stdout
    assert "converter: fine" in done.stdout
    assert done.stderr == ""


def test_an_api_may_be_stated(install: Callable[[str, str], None], nnplug: Run) -> None:
    install("stated", 'nnplug_api = "1.0"\n' + GOOD)
    assert nnplug("plugins").returncode == 0


# Those around a run have rules of their own: see test_lifecycle.py.
AROUND_A_RUN = {
    *("nnplug_before_run", "nnplug_epoch_end", "nnplug_after_run", "nnplug_on_error"),
}


@pytest.mark.parametrize("hook", [hook for hook in hooks() if hook not in AROUND_A_RUN])
def test_a_hook_that_raises_is_marked_and_no_other(hook: str) -> None:
    def raises(*_: object) -> None:
        raise ZeroDivisionError("in the hook")

    signature = "source" if hook == "nnplug_detect" else ""
    module = type(sys)(f"raising_in_{hook}")
    exec(f"def {hook}({signature}): raises()", {"raises": raises}, module.__dict__)
    setattr(module, hook, hookspecs.hookimpl(getattr(module, hook)))
    host = Host.load([])
    host.add(Plugin("bad", "bad-dist", "1"), lambda: module)
    catalog = Catalog.build(host)
    host.collect("nnplug_detect", source=Path())
    assert [plugin.name for plugin in host.broken()] == ["bad"]
    assert host.broken()[0].problem == f"{hook}: ZeroDivisionError: in the hook"
    assert catalog.trainers.names() == ["v2", "v2_ddp", "v2_dp"]


def test_a_conflict_leaves_the_owners_other_offers(
    install: Callable[[str, str], None], nnplug: Run
) -> None:
    more = "@hookimpl\ndef nnplug_remappers():\n    return [RemapperSpec('of_{}', 'a:R')]\n"
    install("one", GOOD + more.format("one"))
    install("two", GOOD + more.format("two"))
    done = nnplug("plugins")
    assert done.stdout.count("'good' is claimed by more than one plugin: one (one 1.5), two") == 2
    assert "remap: of_one" in done.stdout
    assert "remap: of_two" in done.stdout
    assert nnplug("plugins", NNPLUG_BLOCK="two").returncode == 0


def test_a_user_gets_out(install: Callable[[str, str], None], nnplug: Run, tmp_path: Path) -> None:
    install("bad", f"open({str(tmp_path / 'imported')!r}, 'w').close()\nraise RuntimeError('bad')")
    compose = ["train", "--cfg", "job", "dataset=hippocampus"]
    assert nnplug(*compose).returncode == 0, "other verbs go on"
    strict = nnplug(*compose, NNPLUG_STRICT="1")
    assert strict.returncode == 3
    assert "the plugin bad (bad 1.5) is broken (RuntimeError: bad)" in strict.stderr
    assert "NNPLUG_BLOCK=bad" in strict.stderr
    assert "RuntimeError: bad" in nnplug("plugins", NNPLUG_STRICT="1").stdout
    doctor = nnplug("doctor", NNPLUG_STRICT="1")
    assert doctor.returncode == 3
    assert "bad: RuntimeError: bad" in doctor.stdout
    (tmp_path / "imported").unlink()
    assert nnplug(*compose, NNPLUG_STRICT="1", NNPLUG_BLOCK="bad").returncode == 0
    assert nnplug(*compose, "--no-plugins", NNPLUG_STRICT="1").returncode == 0
    listed = nnplug("plugins", "--no-plugins")
    assert "bad          blocked" in listed.stdout
    assert "builtin      ok" in listed.stdout
    assert not (tmp_path / "imported").exists()


def test_a_slow_import_shows_in_the_timings(
    install: Callable[[str, str], None], nnplug: Run
) -> None:
    install("slow", "import time\ntime.sleep(0.3)\n" + GOOD)
    first = nnplug("plugins", "--timings").stdout.splitlines()[0]
    assert first.endswith("slow (slow 1.5)")
    assert 300 <= float(first.split()[0]) < 3000


CONVERTER = (
    IMPORTS
    + """
import os
from nnplug.types import CaseSource

class Deadly:
    def discover(self, source):
        {discover}
        return [CaseSource(p.stem, (p,)) for p in sorted(source.root.glob("*.nii"))]

    def read(self, case):
        {read}

@hookimpl
def nnplug_converters():
    return [ConverterSpec("deadly", "{target}")]
"""
)


@pytest.mark.parametrize(
    ("discover", "read", "target", "said"),
    [
        ("pass", "os._exit(9)", "bad_code:Deadly", ["worker process was killed", "case p1"]),
        ("pass", "os.kill(os.getpid(), 9)", "bad_code:Deadly", ["worker process was killed"]),
        ("pass", "1 / 0", "bad_code:Deadly", ["case p1: ZeroDivisionError"]),
        ("1 / 0", "pass", "bad_code:Deadly", ["discover of the converter 'deadly' failed"]),
        ("raise SystemExit(3)", "pass", "bad_code:Deadly", ["SystemExit: 3"]),
        ("pass", "pass", "bad_code:Absent", ["'bad_code:Absent'", "can't be imported"]),
        ("pass", "pass", "absent_code:Deadly", ["ModuleNotFoundError"]),
    ],
)
def test_a_converter_that_breaks_its_process_is_named(
    install: Callable[[str, str], None],
    nnplug: Run,
    tmp_path: Path,
    discover: str,
    read: str,
    target: str,
    said: list[str],
) -> None:
    install("bad", CONVERTER.format(discover=discover, read=read, target=target))
    (tmp_path / "in").mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 3, 3), "u1")), str(tmp_path / "in/p1.nii"))
    dataset = ["dataset.name=X", "dataset.task_id=300", "dataset.channels={0:CT}", "workers=1"]
    what = ["dataset.source=in", "dataset.unlabelled=true", "converter=deadly"]
    done = nnplug("convert", *dataset, *what)
    assert done.returncode in (3, 4), done.stderr
    for text in [*said, "plugin bad (bad 1.5)"]:
        assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_time_limit_interrupts_and_gives_the_earlier_timer_back() -> None:
    earlier = signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        with pytest.raises(TooLong, match=r"0\.1 s"), time_limit(0.1):
            time.sleep(5)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 900 < left < 1000
    finally:
        signal.setitimer(signal.ITIMER_REAL, *earlier)


def test_a_deprecated_hook_tells_its_implementer(monkeypatch: pytest.MonkeyPatch) -> None:
    @hookspecs.hookspec(since="1.0", deprecated="use nnplug_converters")
    def nnplug_readers() -> None: ...

    monkeypatch.setattr(hookspecs, "nnplug_readers", nnplug_readers, raising=False)
    module = type(sys)("uses_old_hook")
    exec("def nnplug_readers(): return []", module.__dict__)
    hookspecs.hookimpl(module.nnplug_readers)
    host = Host()
    with pytest.warns(FutureWarning, match=r"plugin old \(o 1\): .*use nnplug_converters"):
        host.add(Plugin("old", "o", "1"), lambda: module)
    assert host.broken() == []
