"""PgBouncer in front of a server."""

import subprocess
from pathlib import Path
from typing import Any

import psycopg
from port_for import get_port
from psycopg.conninfo import make_conninfo

from .server import Cluster
from .waiting import wait_for

PROGRAM = "/usr/sbin/pgbouncer"
CONFIGURATION = """\
[databases]
* = host={server} port={server_port}
[users]
{users}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users
logfile = {directory}/log
pidfile = {directory}/pid
max_client_conn = 1000
pool_mode = {mode}
default_pool_size = {size}
"""


class PgBouncer:
    """Listens on a port of 127.0.0.1. Nobody needs a password."""

    def __init__(self, cluster: Cluster, directory: Path, mode: str, size: int = 50, **users: str) -> None:
        """Start it with pools of *size* connections; *users* have modes of their own."""
        directory.mkdir()
        self.port = int(get_port(None) or 0)
        configuration = directory / "ini"
        configuration.write_text(
            CONFIGURATION.format(
                server=cluster.directory,
                server_port=cluster.port,
                port=self.port,
                directory=directory,
                mode=mode,
                size=size,
                users="\n".join(f"{name} = pool_mode={mode}" for name, mode in users.items()),
            )
        )
        (directory / "users").write_text("".join(f'"{name}" ""\n' for name in ("postgres", *users)))
        self._process = subprocess.Popen([PROGRAM, "--quiet", configuration])
        wait_for(self._answers, what="PgBouncer")

    def conninfo(self, dbname: str, **settings: Any) -> str:
        """Return the superuser's connection string that leads through it."""
        base: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "user": "postgres", "dbname": dbname}
        return make_conninfo("", **(base | settings))

    def stop(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.conninfo("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True
