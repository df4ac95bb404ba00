"""Cases of one conversion dealt out to several processes: as if one had done it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contract
import pytest
from archives import Archive

from nnplug import api
from nnplug.catalog import Catalog
from nnplug.errors import ConfigError, DataError, Interrupted, SweepError
from nnplug.stages import convert
from nnplug.sweeps import attempt
from nnplug.sweeps.shards import Shard

SHARDS = ("parallel.shards=2", "parallel.jobs=2")
Cohort = Callable[..., Path]


def overrides(source: Path, root: Path, *more: str) -> list[str]:
    values = [f"dataset.source={source}", f"paths.root={root}", "converter=nifti", "workers=0"]
    dataset = ["dataset.name=Toy", "dataset.task_id=301", "dataset.channels={0: CT}"]
    return [*values, *dataset, "dataset.labels={background: 0, shell: 1, core: 2}", *more]


def test_shards_are_resumed_and_the_result_is_that_of_one_process(tmp_path: Path) -> None:
    """One of two shards is killed in its midst and tried again."""
    archive = Archive.make(tmp_path, 150)
    process = archive.start("spread", *SHARDS)
    spread = archive.converted("spread")
    contract.wait_for(lambda: len(spread.parts().get(1, {})) > 2)
    os.kill(spread.states()[1]["pid"], signal.SIGKILL)
    before = spread.parts()[1]
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "150 converted, 0 unchanged" in err
    assert [state["attempts"] for state in spread.states().values()] == [1, 2]
    after = spread.rows()
    assert len(before) < 75
    assert all(after[case]["stamps"] == row["stamps"] for case, row in before.items())
    assert not (spread.task / "nnplug_shards").exists()
    code, err = archive.run("local")
    assert code == 0, err
    assert spread.content() == archive.converted("local").content()


def test_only_shards_with_something_to_do_are_started(
    cohort: Cohort, tmp_path: Path, save: Any
) -> None:
    source, names = cohort("p1", "p2", "p3", "p4"), overrides(tmp_path / "source", tmp_path)
    assert api.convert([*names, *SHARDS]).converted == 4
    states = Archive(tmp_path).converted(".").states()
    cohort("p4")  # the same again, newer
    (source / "images" / "p4.nii.gz").write_bytes((source / "images" / "p3.nii.gz").read_bytes())
    result = api.convert([*names, *SHARDS])
    assert (result.converted, result.unchanged) == (1, 3)
    again = Archive(tmp_path).converted(".").states()
    assert again[0] == states[0]
    assert again[1]["started"] > states[1]["started"]


def test_a_bad_case_is_refused_as_without_shards(
    cohort: Cohort, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    source = cohort("p1", "p2", "p3")
    (source / "images" / "p2.nii.gz").write_bytes(b"nothing")
    said = []
    for root, more in (("one", ()), ("two", SHARDS)):
        code, _, err = command("convert", *overrides(source, tmp_path / root, *more))
        said.append((code, err.splitlines()[-1]))
        assert "case p2" in err
    assert said[0] == said[1]
    assert said[0][0] not in (0, 1)
    result = api.convert(overrides(source, tmp_path / "two", *SHARDS, "convert.on_error=skip"))
    assert (result.converted + result.unchanged, len(result.refused)) == (2, 1)


def test_what_a_lost_shard_leaves_is_done_by_the_command(
    cohort: Cohort,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    source, real = cohort("p1", "p2", "p3"), attempt.run
    more = ("parallel.shards=2", "parallel.retry=0")
    monkeypatch.setattr(attempt, "run", lambda folder: None)
    with pytest.raises(SweepError, match="every shard was lost"):
        api.convert(overrides(source, tmp_path, *more))
    tried: list[Path] = []

    def lose_the_second(folder: Path) -> None:
        tried.append(folder)
        if len(tried) == 1:
            real(folder)

    monkeypatch.setattr(attempt, "run", lose_the_second)
    assert api.convert(overrides(source, tmp_path, *more)).converted == 3
    assert len(tried) == 2
    assert f"the shard {tried[1]} was lost" in capfd.readouterr().err


def test_a_shard_ends_when_another_conversion_has_begun(
    cohort: Cohort, settings: Any, core_catalog: Catalog, toy_task: Path
) -> None:
    wanted = settings(cohort("p1", "p2"))
    convert.run(wanted, core_catalog)
    before = {path: path.stat().st_mtime_ns for path in toy_task.rglob("*.nii.gz")}
    (toy_task / "nnplug_manifest.jsonl").write_text("")
    with pytest.raises(DataError, match="another conversion"):
        convert.run_shard(wanted, core_catalog, Shard("old", 0, 1))
    assert {path: path.stat().st_mtime_ns for path in toy_task.rglob("*.nii.gz")} == before


def test_a_conversion_without_shards_takes_over_what_shards_have_done(
    cohort: Cohort,
    tmp_path: Path,
    toy_task: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names, real = overrides(cohort("p1", "p2", "p3"), tmp_path / "root"), attempt.run

    def interrupt_after(folder: Path) -> None:
        real(folder)
        raise Interrupted("enough")

    monkeypatch.setattr(attempt, "run", interrupt_after)
    with pytest.raises(Interrupted):
        api.convert([*names, "parallel.shards=2"])
    assert not (toy_task / "dataset.json").exists()
    done = {path: path.stat().st_mtime_ns for path in toy_task.glob("images*/*.nii.gz")}
    assert len(done) == 2
    assert api.convert(names).converted == 1
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert not (toy_task / "nnplug_shards").exists()


@pytest.mark.parametrize(
    ("word", "words"),
    [("parallel.shards=0", "at least 1"), ("+parallel.shard=2", "did you mean parallel.shards")],
)
def test_what_parallel_refuses(cohort: Cohort, tmp_path: Path, word: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        api.convert(overrides(cohort("p1"), tmp_path, word))
    assert words in str(caught.value)
