"""A single-node Slurm of Debian's packages, with a folder, ports and keys of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.servers import free_port
from tests.support.processes import until

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sinfo")
CONFIG = """
ClusterName=trtbuild
SlurmctldHost={host}
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which its commands find it."""
    paths = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    lacking = [name for name in PROGRAMS if shutil.which(name, path=paths) is None]
    if lacking or os.geteuid() != 0:
        pytest.skip(f"needs root, and Debian's slurmctld, slurmd, slurm-client and munge (lacks: {lacking})")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    config, host = folder / "slurm.conf", os.uname().nodename.partition(".")[0]
    settings = {"host": host, "folder": folder, "cpus": os.cpu_count()}
    config.write_text(CONFIG.format(**settings, controller=free_port(), daemon=free_port()), "utf-8")
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    environment = os.environ | {"SLURM_CONF": str(config), "PATH": paths}
    files = {name: folder / f"munge.{name}" for name in ("key", "socket", "pid", "seed", "log")}
    munge = [f"--{name}{'' if name == 'socket' else '-file'}={file}" for name, file in files.items()]
    started: list[subprocess.Popen[bytes]] = []
    with (folder / "log").open("wb") as log:
        for argv in (["munged", "-F", "--force", *munge], ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]):
            started.append(subprocess.Popen(argv, env=environment, stdout=log, stderr=log))
            if argv[0] == "munged":
                assert until((folder / "munge.socket").exists)
        try:
            idle = ["sinfo", "-h", "-t", "idle", "-o", "%n"]
            ready = until(lambda: subprocess.run(idle, env=environment, capture_output=True).stdout.strip() != b"", 30)
            assert ready, (folder / "log").read_text("utf-8", "replace")[-2000:]
            yield environment
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(20)
