"""What holds on every engine; each function is called by a test of each engine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

NUMBERS = "number=1,2,3,4"


def results_are_equal(naps: Any) -> None:
    swept = naps.run(NUMBERS)
    assert swept.code == 0, swept.err
    dice = {number: state["metrics"]["val_dice"] for number, state in naps.states().items()}
    assert dice == {1: 1 / 2, 2: 1 / 3, 3: 1 / 4, 4: 1 / 5}
    assert naps.starts() == {1: 1, 2: 1, 3: 1, 4: 1}


def done_jobs_are_skipped(naps: Any) -> None:
    assert naps.run("number=1,2").code == 0
    swept = naps.run("number=1,2,3", "paths.root=./", "+workers=7")
    assert swept.code == 0, swept.err
    assert "2 are done already" in swept.err
    assert naps.starts() == {1: 1, 2: 1, 3: 1}


def bad_jobs_cost_themselves_only(naps: Any) -> None:
    """One fails, one is killed, one gives NaN: the others are done, the end says what and why."""
    for number, does in ((1, "fail"), (2, "die"), (3, "nan"), (4, "nothing")):
        naps.root.joinpath(f"does_{number}").write_text(does)
    swept = naps.run(NUMBERS, "does=by_number")
    assert swept.code == 10, swept.err
    states = {number: (s["status"], s["error"]) for number, s in naps.states().items()}
    assert states[4] == ("done", None)
    assert states[1][0] == "failed"
    assert "this nap failed" in states[1][1]
    assert states[2][0] == "cut off"
    assert "SIGKILL" in states[2][1]
    assert states[3][0] == "failed"
    assert "val_dice is not a finite number" in states[3][1]
    assert "3 of 4 jobs did not end well" in swept.err
    for words in ("number=1", "this nap failed", "SIGKILL", "not a finite number"):
        assert words in swept.err
    naps.root.joinpath("does_3").write_text("nothing")
    again = naps.run(NUMBERS, "does=by_number")
    assert again.code == 0, again.err
    assert naps.starts() == {1: 2, 2: 2, 3: 2, 4: 1}


def failed_jobs_are_tried_again(naps: Any) -> None:
    swept = naps.run("number=1,2", "does=fail", "sweep.retry=1")
    assert swept.code == 0, swept.err
    assert naps.starts() == {1: 2, 2: 2}
    assert [state["attempts"] for state in naps.states().values()] == [2, 2]


def a_killed_sweep_goes_on(naps: Any, kill: Callable[[Any], None], starts: int = 2) -> None:
    """Jobs of two seconds; everything is killed in their midst; each goes on where it was."""
    process = naps.start("number=1,2", "seconds=2")
    wait_for(lambda: any(state.get("live") for state in naps.states().values()))
    kill(process)
    process.communicate(timeout=60)
    swept = naps.run("number=1,2", "seconds=2")
    assert swept.code == 0, swept.err
    assert {state["status"] for state in naps.states().values()} == {"done"}
    assert max(naps.starts().values()) == starts


def kill_command(process: Any) -> None:
    """SIGKILL to the command alone."""
    os.kill(process.pid, signal.SIGKILL)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)
