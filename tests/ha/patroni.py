"""Three PostgreSQL nodes under Patroni, with one etcd: all on loopback, below one directory, as processes of the test."""

import contextlib
import json
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import psycopg
from port_for import get_port
from psycopg.conninfo import make_conninfo

from tests.helpers import PATIENCE, pg_config, wait_for

NODES = 3
SCOPE = "ha"
LOCALHOST = "127.0.0.1"
# Seconds. As short as a busy machine lets them be: a failover after a freeze takes ttl, one after a crash none of them.
TIMES = {"ttl": 10, "loop_wait": 1, "retry_timeout": 4}
PARAMETERS = {
    "max_connections": 100,
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "wal_keep_size": "128MB",  # so that a former primary can be rewound
    "fsync": "off",  # only processes go down here, not the machine
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
PROGRAMS = {
    name: shutil.which(name, path="/usr/bin:/usr/local/bin") for name in ("etcd", "patroni", "patronictl")
}


def ports(count: int) -> list[int]:
    """Return so many free ports."""
    found: set[int] = set()
    while len(found) < count:
        found.add(int(get_port(None) or 0))
    return sorted(found)


class Process:
    """A program of the cluster that is started, killed and frozen."""

    def __init__(self, name: str, directory: Path, *command: str) -> None:
        program = PROGRAMS[command[0]]
        assert program, f"{command[0]} is missing: make setup installs it"
        self.name, self.directory, self._command = name, directory, [program, *command[1:]]
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, if it does not run."""
        if self._popen is None or self._popen.poll() is not None:
            with (self.directory / f"{self.name}.log").open("ab") as log:
                self._popen = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.directory,
                    start_new_session=True,
                )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._popen:
            self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill it, it alone."""
        if self._popen:
            self._popen.kill()
            self._popen.wait()


class Node:
    """A PostgreSQL server and the Patroni that looks after it."""

    def __init__(self, name: str, directory: Path, etcd_port: int, synchronous: bool) -> None:
        self.name, self.directory = name, directory
        directory.mkdir()
        self.port, self.rest_port = ports(2)
        self.patroni = Process("patroni", directory, "patroni", str(directory / "patroni.json"))
        settings = self._settings(etcd_port, synchronous)
        (directory / "patroni.json").write_text(json.dumps(settings, indent=1))  # JSON is YAML, too

    def _settings(self, etcd_port: int, synchronous: bool) -> dict[str, Any]:
        trust = [f"{kind} all trust" for kind in ("local all", "local replication")]
        trust += [f"host {database} all {LOCALHOST}/32 trust" for database in ("all", "replication")]
        dcs = TIMES | {
            "synchronous_mode": synchronous,
            # Else a Patroni that is killed and started again takes synchronous_standby_names away from a former primary, whose
            # commits then end without having reached anybody.
            "synchronous_mode_strict": synchronous,
            "primary_start_timeout": 0,  # a primary that has crashed makes way at once
            "maximum_lag_on_failover": 1 << 30,
            "postgresql": {"use_pg_rewind": True, "parameters": PARAMETERS},
        }
        initdb = [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, {"wal-segsize": "1"}, "no-sync"]
        return {
            "scope": SCOPE,
            "name": self.name,
            "restapi": {
                "listen": f"{LOCALHOST}:{self.rest_port}",
                "connect_address": f"{LOCALHOST}:{self.rest_port}",
            },
            # Its third interface has Patroni 3.0.2 overwrite a lock that another node holds by then: two primaries.
            "etcd": {"host": f"{LOCALHOST}:{etcd_port}"},
            "watchdog": {"mode": "off"},
            "bootstrap": {"dcs": dcs, "initdb": initdb, "pg_hba": trust},
            "postgresql": {
                "listen": f"{LOCALHOST}:{self.port}",
                "connect_address": f"{LOCALHOST}:{self.port}",
                "bin_dir": str(pg_config("--bindir")),
                "data_dir": str(self.directory / "data"),
                "authentication": {
                    "superuser": {"username": "postgres"},
                    "replication": {"username": "replicator"},
                },
                "parameters": {"unix_socket_directories": str(self.directory)},
                "pg_hba": trust,
                "remove_data_directory_on_diverged_timelines": True,
                "remove_data_directory_on_rewind_failure": True,
            },
        }

    def conninfo(self, dbname: str = "postgres") -> str:
        """Return a connection string for the superuser of this node."""
        return make_conninfo(
            "", host=LOCALHOST, port=self.port, user="postgres", dbname=dbname, connect_timeout=2
        )

    def postmaster(self) -> psutil.Process | None:
        """Return the server's first process while it runs."""
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            pid = int((self.directory / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            if (
                process.is_running()
                and process.status() != psutil.STATUS_ZOMBIE
                and process.name() == "postgres"
            ):
                return process
        return None

    def server(self) -> list[psutil.Process]:
        """Return all processes of the server, the first one first."""
        first = self.postmaster()
        with contextlib.suppress(psutil.Error):
            return [first, *first.children(recursive=True)] if first else []
        return []

    def signal_server(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the server, the first one first."""
        for process in self.server():
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)

    def role(self) -> str:
        """Return what its Patroni says that it is: primary, replica, sync_standby, or why it is none of them."""
        try:
            with urllib.request.urlopen(f"http://{LOCALHOST}:{self.rest_port}/patroni", timeout=1) as answer:
                state = json.load(answer)
        except urllib.error.HTTPError as error:
            state = json.load(error)
        except OSError as error:
            return str(error)
        role = "sync_standby" if state.get("sync_standby") else str(state["role"])
        role = "primary" if role == "master" else role  # as before Patroni 4
        return role if state["state"] == "running" else str(state["state"])


class PatroniCluster:
    """The nodes and their etcd."""

    def __init__(self, directory: Path, synchronous: bool) -> None:
        directory.mkdir()
        self.directory, self.synchronous = directory, synchronous
        client, peer = ports(2)
        url = f"http://{LOCALHOST}:{client}"
        self.etcd = Process(
            "etcd", directory, "etcd", "--name=etcd", f"--data-dir={directory / 'etcd'}", "--unsafe-no-fsync", "--enable-v2",
            f"--listen-client-urls={url}", f"--advertise-client-urls={url}", f"--listen-peer-urls=http://{LOCALHOST}:{peer}",
            f"--initial-advertise-peer-urls=http://{LOCALHOST}:{peer}", f"--initial-cluster=etcd=http://{LOCALHOST}:{peer}",
        )  # fmt: skip
        self.nodes = [
            Node(f"node{number}", directory / f"n{number}", client, synchronous) for number in range(NODES)
        ]

    def conninfo(self, dbname: str) -> str:
        """Return the connection string that users of the cluster have: it names all nodes."""
        return make_conninfo(
            "",
            host=",".join([LOCALHOST] * NODES),
            port=",".join(str(node.port) for node in self.nodes),
            user="postgres",
            dbname=dbname,
        )

    def start(self) -> None:
        """Start everything and wait until it is one primary with replicas."""
        self.etcd.start()
        for node in self.nodes:
            node.patroni.start()
        self.wait_until_healthy()

    def wait_until_healthy(self) -> Node:
        """Wait until one node is primary and the others follow it, one of them synchronously if so wanted; return the primary."""
        wanted = ["primary", "replica", "sync_standby" if self.synchronous else "replica"]
        wait_for(lambda: sorted(self.roles().values()) == wanted, 3 * PATIENCE, "a healthy cluster", 0.2)
        return self.primary()

    def roles(self) -> dict[str, str]:
        """Return what each node says that it is."""
        return {node.name: node.role() for node in self.nodes}

    def primary(self) -> Node:
        """Return the node that is primary, once there is one."""
        return wait_for(
            lambda: next((node for node in self.nodes if node.role() == "primary"), None), what="a primary"
        )

    def connect(self, dbname: str = "postgres") -> psycopg.Connection[Any]:
        """Return a new autocommit connection to the primary."""
        conninfo = make_conninfo(self.conninfo(dbname), target_session_attrs="read-write", connect_timeout=2)
        return psycopg.connect(conninfo, autocommit=True)

    def switch_over(self) -> str:
        """Let Patroni make another node the primary; return its words."""
        program = PROGRAMS["patronictl"]
        assert program
        command = [
            program,
            "-c",
            str(self.nodes[0].directory / "patroni.json"),
            "switchover",
            SCOPE,
            "--force",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        return done.stdout + done.stderr

    def close(self) -> None:
        """Kill everything."""
        for node in self.nodes:
            node.patroni.kill()
        self.etcd.kill()
        for node in self.nodes:
            # Frozen processes can be killed, too
            while node.server():
                node.signal_server(signal.SIGKILL)
