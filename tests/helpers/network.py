"""A server whose network can be cut."""

import subprocess
from pathlib import Path

import pytest

from tests.helpers import (
    Cluster,
)


class CutOffCluster(Cluster):
    """A server in a network namespace of its own, in which a user may do what else needs root."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.shell = subprocess.Popen(
            ["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.network("up")
        except (AssertionError, BrokenPipeError):
            self.shell.communicate()
            # Containers and chroots forbid it, and no packet can be lost without: the rest of the tests goes on.
            pytest.skip("no network namespace is to be had by this user here")

    def network(self, state: str) -> None:
        """Turn the loopback interface up or down."""
        assert self.shell.stdin
        assert self.shell.stdout
        self.shell.stdin.write(f'PATH="$PATH:/usr/sbin:/sbin" ip link set lo {state}; echo $?\n')
        self.shell.stdin.flush()
        assert self.shell.stdout.readline() == "0\n", "this user can't make network namespaces"

    def inside(self) -> list[str]:
        """Return the beginning of a command that is to run in the namespace."""
        return ["nsenter", "--user", "--net", "--preserve-credentials", f"--target={self.shell.pid}"]

    def _quietly(self, program: str, *arguments: object) -> None:
        command = [*self.inside(), str(self.bin_dir / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
