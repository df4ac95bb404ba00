"""A real Slurm of two nodes on this machine, loopback only: munged, MariaDB, slurmdbd, slurmctld
and two slurmd, all in one folder, started here and stopped by process id.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch")
# A job that is queued again waits until its old credential has expired, by default two minutes.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=15
CredType=cred/munge
SlurmctldPort={ctld}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2
KillWait=5
PreemptMode=OFF
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge.socket
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={n1} CPUs={cpus} RealMemory=1000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={n2} CPUs={cpus} RealMemory=1000
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""
SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdAddr=127.0.0.1
DbdHost={host}
DbdPort={dbd}
SlurmUser=root
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
"""


def missing() -> str:
    """Why there can be no cluster here; "" if there can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return "" if os.getuid() == 0 else "slurmd needs root"


@contextmanager
def cluster(folder: Path) -> Iterator[Path]:
    """Start it, give its ``slurm.conf`` (for ``SLURM_CONF``), and stop it."""
    ports = dict(zip(("ctld", "dbd", "n1", "n2", "sql"), _free_ports(5), strict=True))
    values = {
        "folder": folder,
        "host": socket.gethostname().partition(".")[0],
        "cpus": max(2, os.cpu_count() or 1),
        **ports,
    }
    (folder / "state").mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(SLURM_CONF.format(**values))
    dbd = folder / "slurmdbd.conf"
    dbd.write_text(SLURMDBD_CONF.format(**values))
    dbd.chmod(0o600)
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: object) -> None:
        log = (folder / f"{Path(str(words[0])).name}.out").open("ab")
        with log:
            running.append(
                subprocess.Popen(
                    [str(word) for word in words], env=environment, stdout=log, stderr=log
                )
            )

    try:
        _start_munge(folder, start)
        _start_database(folder, ports["sql"], start)
        start("slurmdbd", "-D")
        _wait("slurmdbd", lambda: _answers(ports["dbd"]))
        start("slurmctld", "-D", "-c", "-f", conf)
        _wait("slurmctld", lambda: _answers(ports["ctld"]))
        for node in ("n1", "n2"):
            (folder / f"spool-{node}").mkdir()
            start("slurmd", "-D", "-N", node, "-f", conf)
        _wait("nodes", lambda: _sinfo(environment).count("idle") == 2)
        yield conf
    finally:
        for process in reversed(running):
            process.terminate()
        for process in reversed(running):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start_munge(folder: Path, start: Callable[..., None]) -> None:
    key = folder / "munge.key"
    key.write_bytes(os.urandom(64))
    key.chmod(0o400)
    folder.chmod(0o755)
    files = [
        f"--{name}={folder}/munge.{name[:3]}" for name in ("pid-file", "log-file", "seed-file")
    ]
    socket_file = folder / "munge.socket"
    start("munged", "-F", "-f", f"--key-file={key}", f"--socket={socket_file}", *files)
    _wait("munged", socket_file.exists)


def _start_database(folder: Path, port: int, start: Callable[..., None]) -> None:
    data, socket_file = folder / "mysql", folder / "mysql.socket"
    make = f"mariadb-install-db --no-defaults --user=root --datadir={data} --skip-test-db"
    normal = "--auth-root-authentication-method=normal"
    subprocess.run([*make.split(), normal], check=True, capture_output=True)
    start(
        *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}"),
        *(f"--socket={socket_file}", f"--port={port}", "--bind-address=127.0.0.1"),
        *(f"--pid-file={folder}/mysql.pid", "--innodb-buffer-pool-size=64M"),
    )
    _wait("mariadbd", lambda: socket_file.exists() and _answers(port))
    users = ("slurm@localhost", "slurm@'127.0.0.1'")
    made = "".join(
        f"create user {user} identified by 'slurm'; grant all on slurm_acct.* to {user};"
        for user in users
    )
    client = f"mariadb --no-defaults --socket={socket_file} -u root -e"
    subprocess.run(
        [*client.split(), f"create database slurm_acct; {made}"], check=True, capture_output=True
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _answers(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


def _sinfo(environment: dict[str, str]) -> str:
    words = ["sinfo", "-h", "-N", "-o", "%T"]
    return subprocess.run(words, env=environment, capture_output=True, text=True).stdout


def _wait(what: str, ready: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not start in {seconds:.0f} s")
        time.sleep(0.2)
