"""What tests share: a PostgreSQL server of their own, a launcher process, waiting for an event."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil
import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis.strategies import SearchStrategy
from port_for import get_port
from psycopg.conninfo import make_conninfo

T = TypeVar("T")

PASSWORD = "for tests on loopback only"  # of postgres, over TCP; the socket asks for none

# Seconds that a test waits for an event before it fails. It measures nothing: the machine may be slow and busy.
PATIENCE = 60.0
WAIT = ("--wait", "--timeout", f"{5 * PATIENCE:.0f}")  # of pg_ctl


def for_all(
    size: int, check: Callable[..., None], *strategies: SearchStrategy[Any], first: Any = None
) -> None:
    """Check `size` cases that hypothesis draws; `first`, if there is one, before them."""
    test = given(*strategies)(check)
    settings(max_examples=size)(test if first is None else example(first)(test))()


def forms(short: int, long: int) -> pytest.MarkDecorator:
    """Give a test its argument `size` in two forms: [short] for `make test`, [long], marked so, for `make test-long`.

    Whatever is repeated, the short form takes seconds, all of a suite two minutes at most.
    """
    return pytest.mark.parametrize(
        "size", [pytest.param(short, id="short"), pytest.param(long, id="long", marks=pytest.mark.long)]
    )


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


def wait_for(
    condition: Callable[[], T | None],
    timeout: float = PATIENCE,
    what: str = "the condition",
    every: float = 0.02,
) -> T:
    """Return the first true value of condition(), asked every so many seconds; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what}; it is still {value!r}"
        time.sleep(every)
    return value


def wait_for_row(
    db: psycopg.Connection[Any], query: str, parameters: Any = None, timeout: float = PATIENCE
) -> tuple[Any, ...]:
    """Return the first row that `query` gives, asking until there is one; `db` must be in autocommit mode."""
    # The tests' own text, not a user's: psycopg would have it a literal
    return wait_for(lambda: db.execute(query.encode(), parameters).fetchone(), timeout, f"a row of: {query}")


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
            self._quietly("pg_ctl", "stop", *WAIT, "-D", self.pgdata, "-m", mode)

    def restart(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop and start it."""
        self.stop(mode)
        self.start()

    def running(self) -> bool:
        """Return whether there is a server process for the data directory."""
        command = [str(self.bin_dir / "pg_ctl"), "status", "-D", str(self.pgdata)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

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


class Launcher:
    """A running `pgagent-py` process with a home directory and a log file of its own.

    Its directory for temporary files is the test's: a launcher that starts tidies up after all dead ones that it finds there.
    """

    def __init__(
        self,
        directory: Path,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        program: tuple[str, ...] = (),
    ) -> None:
        """Start it; `environment` adds to an otherwise nearly empty one. `program`: another than the installed one."""
        if not program:
            found = shutil.which("pgagent-py", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
            assert found, "pgagent-py is not installed: run the tests by make, or pip install . first"
            program = (found,)
        self.arguments = arguments
        self.home = directory
        self.logfile = directory / "launcher.log"
        self.temporary = str(directory.parent)
        base = {
            "HOME": str(directory),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TMPDIR": self.temporary,
        }
        with self.logfile.open("ab") as log:
            self.process = subprocess.Popen(
                [*program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=base | dict(environment),
                cwd=directory,
                start_new_session=True,
            )
        self.pid = self.process.pid

    def log_text(self) -> str:
        """Return all that it has written so far."""
        return self.logfile.read_text(errors="replace")

    def wait_for_log(self, text: str, timeout: float = PATIENCE) -> None:
        """Wait until it has written `text`."""
        wait_for(lambda: text in self.log_text(), timeout, f"{text!r} in the launcher's log")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Return its exit status (minus the signal that killed it) once it has ended."""
        return self.process.wait(timeout)

    def terminate(self, timeout: float = PATIENCE) -> int:
        """Send SIGTERM and return the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """Kill it with SIGKILL, it alone, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def clean_up(self) -> None:
        """Kill it with all that it has started and left running."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)  # so that it starts nothing more
        while family := self._family():
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.poll()
        self.process.wait()

    def _family(self) -> list[psutil.Process]:
        """Return the live processes of the test's launchers and their steps, known by their directory for temporary files."""
        family = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TMPDIR") == self.temporary:
                    family.append(process)
        return family
