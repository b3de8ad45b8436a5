"""Connections that are cut at a certain moment."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import (
    PATIENCE,
    Cluster,
)


class CuttingProxy:
    """Passes on TCP connections to a port of 127.0.0.1, but cuts the first in which an answer holds certain bytes."""

    def __init__(self, port: int, bytes_: bytes) -> None:
        self.bytes: bytes | None = bytes_
        self._upstream = port
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self._sockets[0].getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._sockets[0].accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._sockets += client, server
                self._start(self._pass_on, client, server, False)
                self._start(self._pass_on, server, client, True)

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                if answers and self.bytes and self.bytes in data:
                    self.bytes = None
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections, and take no more."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for end in self._sockets:
            end.close()


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
