"""The process of one job of a sweep: ``python -m nnplug.stages.job FOLDER PARENT``.

It holds the job's lock and its GPUs or cores, so that both are free when it dies, however it
dies; and when whoever started it dies, it stops as if it had been asked to.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from filelock import FileLock

from nnplug import __version__
from nnplug.config.slots import Slots, gpu_folder
from nnplug.errors import Interrupted, NnplugError, Pruned
from nnplug.sweeps.jobs import (
    BEAT,
    BEAT_SECONDS,
    DONE,
    FAILED,
    FINAL,
    INTERRUPTED,
    LOCK,
    PRUNED,
    RUNNING,
    Job,
    born,
)

PARENT_SECONDS = 0.5


def main(folder: Path, parent: int) -> int:
    """Run the job unless it is done; returns the exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(signal, "SIGUSR2"):
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # submitit's, who then tells us
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    job = Job(folder)
    with FileLock(folder / LOCK):
        if job.written().status in FINAL:
            return 0
        return _recorded(job)


def _recorded(job: Job) -> int:
    """Run the job and write down how it went."""
    job.change(
        status=RUNNING,
        attempts=job.written().attempts + 1,
        host=socket.gethostname(),
        pid=os.getpid(),
        born=born(os.getpid()),
        started=time.time(),
        ended=None,
        error=None,
    )
    threading.Thread(target=_beat, args=(job.folder / BEAT,), daemon=True).start()
    status, text, code = DONE, None, 0
    try:
        _run(job)
    except Pruned as error:
        status, text, code = PRUNED, error.problem, error.exit_code
    except (Interrupted, KeyboardInterrupt) as error:
        status, text, code = INTERRUPTED, str(error) or "interrupted", Interrupted.exit_code
    except NnplugError as error:
        status, text, code = FAILED, str(error), error.exit_code
    except BaseException as error:
        traceback.print_exc()
        status, text, code = FAILED, f"{type(error).__name__}: {error}", 1
    if text:
        sys.stderr.write(f"nnplug: {text}\n")
    job.change(status=status, ended=time.time(), error=text)
    return code


def _run(job: Job) -> None:
    from nnplug.catalog import Catalog
    from nnplug.config import task
    from nnplug.plugins import Plugin
    from nnplug.sweeps.live import Live

    content = job.content()
    os.environ.update(content["environment"])
    os.chdir(content["cwd"])
    catalog = Catalog.build()
    catalog.host.add(Plugin("sweep", "nnplug", __version__), lambda: Live(job))
    verb = importlib.import_module(f"nnplug.stages.{content['verb']}")
    with _placed(content["config"], content["slots"]) as config:
        task.call(verb.main, config, catalog)


@contextlib.contextmanager
def _placed(config: Mapping[str, Any], slots: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The configuration for the GPUs, or this process on the cores, that were free first."""
    if slots is None:
        yield dict(config)
    elif slots["kind"] == "gpu":
        with Slots(slots["ids"]).take(slots["count"]) as gpus:
            yield {**config, "trainer": {**config["trainer"], "gpus": list(gpus)}}
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        with Slots(slots["ids"], gpu_folder().with_name("cores")).take(slots["count"]) as cores:
            os.sched_setaffinity(0, cores)
            yield dict(config)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted("it was asked to stop", hint="the same sweep again goes on with it")


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _beat(path: Path) -> None:
    while True:
        with contextlib.suppress(OSError):
            path.touch()
        time.sleep(BEAT_SECONDS)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
