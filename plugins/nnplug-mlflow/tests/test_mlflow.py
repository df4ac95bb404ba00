"""A real MLflow server on the loopback interface, killed in the middle of a run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nnplug.runs import EpochReport, RunInfo
from nnplug.stages import record
from nnplug.stages.progress import Progress
from nnplug.stages.track import Beside
from nnplug_mlflow.options import MlflowOptions

START_SECONDS = 120
TOLD_SECONDS = 90
QUICK = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
CONFIG = {
    "seed": 3,
    "trainer": {"epochs": 4},
    "dataset": {"name": "Liver", "source": "/data/Miller"},
}


class Server:
    """``mlflow server`` that keeps its data when it is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"),
            *("--artifacts-destination", str(self.folder / "artifacts")),
        ]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                words,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                env={**os.environ, **QUICK},
            )
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.3)
        pytest.fail((self.folder / "server.log").read_text())

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None

    def ask(self, path: str, **values: Any) -> dict[str, Any]:
        """MLflow's REST interface, without its client."""
        request = urllib.request.Request(
            f"{self.uri}/api/2.0/mlflow/{path}",
            data=json.dumps(values).encode() if values else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def run(self) -> dict[str, Any]:
        (experiment,) = [
            found["experiment_id"]
            for found in self.ask("experiments/search", max_results=10)["experiments"]
            if found["name"] == "nnplug"
        ]
        (found,) = self.ask("runs/search", experiment_ids=[experiment])["runs"]
        return dict(found)

    def history(self, name: str) -> list[tuple[int, float]]:
        run = self.run()["info"]["run_id"]
        found = self.ask(f"metrics/get-history?run_id={run}&metric_key={name}").get("metrics", [])
        return sorted((int(metric.get("step", 0)), metric["value"]) for metric in found)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.kill()


class Training:
    """Writes what a training writes, and has its trackers told beside it."""

    def __init__(self, folder: Path, uri: str, *, resumed: bool = False) -> None:
        self.folder = folder
        run = RunInfo(
            record.run_id(folder, resumed), "train", "x/f", folder, CONFIG, ("core",), resumed
        )
        facts = {
            **record.about(run, CONFIG),
            "trackers": [{"name": "mlflow", "options": {"uri": uri}}],
        }
        self.record = record.Record(folder, facts, resumed=resumed)
        self.record.start({})
        self.progress = Progress(folder, ("core",), len(self.record.content["sessions"]))
        self.beside = Beside(folder)

    def epoch(self, number: int) -> None:
        picture = self.folder / f"{number}.png"
        Image.new("L", (4, 4)).save(picture)
        report = EpochReport(number, 4, 1 / number, 0.4, [0.5], 0.01, 1.0)
        self.progress.add(report, {"patch": picture.name})

    def end(self, error: BaseException | None = None) -> None:
        self.record.end(None if error else {"mean_dice": 0.75}, error)
        self.beside.finish()

    def wait_until_told(self, epoch: int) -> None:
        self._wait(lambda: self._told() >= epoch)

    def wait_for(self, line: str) -> None:
        """Something like it is in the log."""
        before = self.log.read_text().count(line)
        self._wait(lambda: self.log.read_text().count(line) > before)

    @property
    def log(self) -> Path:
        return self.folder / "tracking" / "log.txt"

    def _told(self) -> int:
        path = self.folder / "tracking" / "mlflow.json"
        return int(json.loads(path.read_text())["told"][1]) if path.is_file() else 0

    def _wait(self, done: Callable[[], bool]) -> None:
        limit = time.monotonic() + TOLD_SECONDS
        while not done():
            if time.monotonic() > limit:
                pytest.fail(self.log.read_text())
            time.sleep(0.2)


@pytest.mark.slow
def test_nothing_is_lost_while_the_server_is_away(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Away for the whole of a run that was interrupted: told later.
    training = Training(tmp_path / "run", server.uri)
    training.epoch(1)
    began = time.monotonic()
    training.end(KeyboardInterrupt())
    assert time.monotonic() - began < 30
    assert "nnplug track" in capfd.readouterr().err
    command = [sys.executable, "-m", "nnplug", "track", str(training.folder)]
    failed = subprocess.run(command, capture_output=True, text=True)
    assert failed.returncode == 7
    assert "try again later" in failed.stderr
    server.start()
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "mlflow: 1 epochs told" in told.stderr
    first = server.run()["info"]
    assert first["status"] == "KILLED"

    # Killed in the middle of the resumed run, and back before its end.
    training = Training(tmp_path / "run", server.uri, resumed=True)
    training.epoch(2)
    training.wait_until_told(2)
    server.kill()
    training.epoch(3)
    training.wait_for("mlflow: ")
    server.start()
    training.wait_until_told(3)
    training.epoch(4)
    training.end()

    assert server.history("train_loss") == [(n, pytest.approx(1 / n)) for n in (1, 2, 3, 4)]
    run = server.run()
    assert (run["info"]["run_id"], run["info"]["status"]) == (first["run_id"], "FINISHED")
    parameters = {found["key"]: found["value"] for found in run["data"]["params"]}
    assert parameters == {"seed": "3", "trainer.epochs": "4", "dataset.name": "Liver"}
    assert server.history("validation.mean_dice") == [(0, 0.75)]
    pictures = {path.name for path in (tmp_path / "artifacts").rglob("*.png")}
    assert pictures == {"1.png", "2.png", "3.png", "4.png"}


def test_a_password_in_the_address_is_refused() -> None:
    with pytest.raises(ValueError, match="MLFLOW_TRACKING_PASSWORD"):
        MlflowOptions("http://anna:secret@127.0.0.1:5000")


def test_mlflows_usage_statistics_are_off() -> None:
    code = (
        "import nnplug_mlflow.tracker\n"
        "from mlflow.telemetry import get_telemetry_client\n"
        "assert get_telemetry_client() is None\n"
    )
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "CI", "PYTEST"))
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
