"""An SSH server on loopback, with keys of its own, for the user of the tests."""

import getpass
import os
import socket
import subprocess
from pathlib import Path

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
        found = subprocess.run(
            ["pgrep", "-f", f"sshd: {getpass.getuser()}"], capture_output=True, text=True, check=False
        )
        mine = [int(pid) for pid in found.stdout.split() if _descends(int(pid), self.process.pid)]
        for pid in [*mine, self.process.pid]:
            os.kill(pid, 9)
        self.process.wait()

    def logins(self) -> int:
        """Return how many connections it has let in."""
        return (self.directory / "log").read_text().count("Accepted publickey")

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        stat = Path(f"/proc/{pid}/stat")
        pid = int(stat.read_text().rpartition(")")[2].split()[1]) if stat.exists() else 0
    return pid == ancestor
