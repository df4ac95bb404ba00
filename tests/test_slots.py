"""GPUs that threads and processes share: never two on one, and none is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from nnplug.config.slots import Slots, device_name, gpu_folder

HOLD = """
import sys
from pathlib import Path
from nnplug.config.slots import Slots
with Slots([0, 1, 2], Path(sys.argv[1])).take(2) as gpus:
    print(*gpus, flush=True)
    sys.stdin.read()
"""


def test_no_gpu_has_two_users_and_every_job_gets_its_number(tmp_path: Path) -> None:
    busy: Counter[int] = Counter()
    seen: list[tuple[int, ...]] = []
    guard = threading.Lock()

    def work(count: int) -> None:
        with Slots([4, 5, 7], tmp_path).take(count) as gpus:
            with guard:
                busy.update(gpus)
                assert max(busy.values()) == 1
                seen.append(gpus)
            time.sleep(0.05)
            with guard:
                busy.subtract(gpus)

    threads = [threading.Thread(target=work, args=(count,)) for count in (1, 3, 2, 1, 2, 3, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, seen)) == [1, 1, 1, 2, 2, 3, 3]
    assert {gpu for gpus in seen for gpu in gpus} == {4, 5, 7}


def test_other_processes_count_and_a_killed_one_frees_its_gpus(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline().split() == ["0", "1"]
    with Slots([0, 1, 2], tmp_path).take() as gpus:
        assert gpus == (2,)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with Slots([0, 1, 2], tmp_path).take(3) as gpus:
        assert gpus == (0, 1, 2)


def test_a_wait_can_be_given_up(tmp_path: Path) -> None:
    def give_up() -> None:
        raise KeyboardInterrupt

    with (
        Slots([0], tmp_path).take(),
        pytest.raises(KeyboardInterrupt),
        Slots([0], tmp_path).take(1, give_up),
    ):
        pass
    with pytest.raises(ValueError, match="2 of 1"), Slots([0], tmp_path).take(2):
        pass


def test_numbers_are_those_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert device_name(1) == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-ab")
    assert (device_name(0), device_name(1)) == ("3", "GPU-ab")
    assert gpu_folder() == gpu_folder()
