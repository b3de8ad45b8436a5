"""An SSH server on loopback, with keys of its own, for the user of the tests."""

import contextlib
import getpass
import socket
import subprocess
from pathlib import Path

import psutil

from .waiting import wait_for

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile {directory}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
"""


class Sshd:
    """The server. `home` is the HOME of somebody who may log in and knows the host."""

    def __init__(self, directory: Path, port: int) -> None:
        """Make the keys, and start it."""
        self.directory, self.port, self.home = directory, port, directory / "home"
        (self.home / ".ssh").mkdir(parents=True, mode=0o700)
        for file in (directory / "host_key", self.home / ".ssh/id_ed25519"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
        (directory / "authorized_keys").write_text((self.home / ".ssh/id_ed25519.pub").read_text())
        self.know((directory / "host_key.pub").read_text())
        (directory / "sshd_config").write_text(CONFIG.format(port=port, directory=directory))
        self.options = {"host": "127.0.0.1", "user": getpass.getuser(), "port": port}
        self.start()

    def know(self, key: str) -> None:
        """Let this key be the one that the host is known by."""
        kind, text, *_ = key.split()
        (self.home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {text}\n")

    def start(self) -> None:
        """Start it."""
        command = [
            "/usr/sbin/sshd",
            "-D",
            "-f",
            str(self.directory / "sshd_config"),
            "-E",
            str(self.directory / "log"),
        ]
        self.process = subprocess.Popen(command, start_new_session=True)
        wait_for(self._listens, what="sshd")

    def kill(self) -> None:
        """Kill it with all its connections."""
        if self.process.poll() is not None:
            return
        # A connection has a process called sshd or, from OpenSSH 9.8 on, sshd-session. What it executes goes on.
        listener = psutil.Process(self.process.pid)
        for process in [*listener.children(recursive=True), listener]:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith("sshd"):
                    process.kill()
        self.process.wait()

    def logins(self) -> int:
        """Return how many connections it has let in."""
        return (self.directory / "log").read_text().count("Accepted publickey")

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0
