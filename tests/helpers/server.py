"""A PostgreSQL server of the tests' own."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any, Literal

import psutil
import psycopg
from port_for import get_port
from psycopg.conninfo import make_conninfo

from .waiting import PATIENCE

PASSWORD = "for tests on loopback only"  # of postgres, over TCP; the socket asks for none
WAIT = ("--wait", "--timeout", f"{5 * PATIENCE:.0f}")  # of pg_ctl
SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 200
fsync = off
timezone = 'UTC'
log_timezone = 'UTC'
max_wal_size = '1GB'
shared_buffers = '64MB'
log_line_prefix = '%m [%p] %u@%d '
"""

HBA = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
local replication all trust
host replication all 127.0.0.1/32 scram-sha-256
"""


def pg_config(option: str) -> Path:
    """Return a directory that pg_config knows, such as "--bindir"."""
    command = [os.environ.get("PG_CONFIG", "pg_config"), option]
    return Path(subprocess.check_output(command, text=True).strip())


class Cluster:
    """A PostgreSQL server in a directory, on a Unix socket (no password) and on a port of 127.0.0.1."""

    def __init__(self, directory: Path) -> None:
        """`directory` becomes data directory and socket directory; its path must be short (107 bytes)."""
        self.bin_dir = pg_config("--bindir")
        self.directory = directory
        self.pgdata = directory / "data"
        self.logfile = directory / "log"
        self.port = int(get_port(None) or 0)

    def conninfo(self, dbname: str = "postgres", **settings: Any) -> str:
        """Return a libpq connection string for the superuser over the socket; `settings` replace or add."""
        base: dict[str, Any] = {
            "host": str(self.directory),
            "port": self.port,
            "user": "postgres",
            "dbname": dbname,
        }
        return make_conninfo("", **(base | settings))

    def connect(self, dbname: str = "postgres") -> psycopg.Connection[Any]:
        """Return a new autocommit connection of the superuser."""
        return psycopg.connect(self.conninfo(dbname), autocommit=True)

    def run(self, program: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program of the server's version (psql, pg_dump, ...) against it; raise when it fails."""
        environment = os.environ | {
            "PGHOST": str(self.directory),
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
        }
        keywords: dict[str, Any] = {"check": True, "text": True, "capture_output": True} | options
        return subprocess.run([self.bin_dir / program, *arguments], env=environment, **keywords)

    def initialise(self) -> None:
        """Create the data directory."""
        self.directory.mkdir(parents=True, exist_ok=True)
        password_file = self.directory / "password"
        password_file.write_text(PASSWORD)
        self._quietly(
            "initdb",
            "--pgdata",
            self.pgdata,
            "--username=postgres",
            "--pwfile",
            password_file,
            "--locale=C.UTF-8",
            "--encoding=UTF8",
            "--no-sync",
            "--wal-segsize=1",
        )
        with (self.pgdata / "postgresql.conf").open("a") as conf:
            conf.write(SETTINGS)
        (self.pgdata / "pg_hba.conf").write_text(HBA)

    def copy_from(self, stopped: "Cluster") -> None:
        """Take over the data directory of a server that does not run."""
        self.directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", stopped.pgdata, self.pgdata], check=True)

    def start(self, **settings: Any) -> None:
        """Start the server with `settings` on its command line and wait until it accepts connections."""
        options = {"port": self.port, "unix_socket_directories": self.directory} | settings
        flags = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        self._quietly("pg_ctl", "start", *WAIT, "-D", self.pgdata, "-l", self.logfile, "-o", flags)

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server if it runs; "immediate" is a crash: it does not even write a checkpoint."""
        if self.running():
            self.thaw()
            self._quietly("pg_ctl", "stop", *WAIT, "-D", self.pgdata, "-m", mode)

    def restart(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop and start it."""
        self.stop(mode)
        self.start()

    def running(self) -> bool:
        """Return whether there is a server process for the data directory."""
        command = [str(self.bin_dir / "pg_ctl"), "status", "-D", str(self.pgdata)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def freeze(self) -> None:
        """Stop all its processes where they are, as a machine that hangs does. `stop` thaws them."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):  # backends come and go
                process.suspend()

    def thaw(self) -> None:
        """Let them go on."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def _processes(self) -> list[psutil.Process]:
        postmaster = psutil.Process(int((self.pgdata / "postmaster.pid").read_text().split()[0]))
        return [postmaster, *postmaster.children()]

    def _quietly(self, program: str, *arguments: object) -> None:
        """Run a program that may leave children behind; raise with its and the server's words if it fails."""
        output = self.directory / f"{program}.log"  # not a pipe: the server would keep it open
        command = [str(self.bin_dir / program), *map(str, arguments)]
        environment = os.environ | {"LC_ALL": "C.UTF-8"}
        with output.open("w") as file:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, check=False
            )
        if done.returncode:
            log = self.logfile.read_text()[-4000:] if self.logfile.exists() else ""
            raise RuntimeError(f"{program} failed: {output.read_text()}\n{log}")
