"""Servers, databases and launchers for all tests.

database        connection string of a fresh database with the extension
db              autocommit connection to it
bare_database   connection string of a fresh database without any extension
own_cluster     a server of the test's own, to be crashed or restarted; it has `pgagent_py_template`, too
standby         a hot standby that streams from `own_cluster`
launcher        launcher(*arguments, env={...}) starts a real pgagent-py
cluster         the server that all tests share: leave its settings alone, drop the roles you make
"""

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from pytest_postgresql.janitor import DatabaseJanitor

from tests.helpers import Cluster, Launcher

TEMPLATE = "pgagent_py_template"


def pytest_configure() -> None:
    """Stop the servers when told to stop, too."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


class StartLauncher(Protocol):
    """Start a launcher that is killed when the test ends."""

    def __call__(self, *arguments: str, env: dict[str, str] | None = None) -> Launcher: ...


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """Return a directory with a short path: those of Unix sockets may have 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="tests."))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def pristine_cluster(scratch: Path) -> Cluster:
    """Return a server, stopped, that has a template database with the extension."""
    if os.geteuid() == 0:
        pytest.exit("PostgreSQL refuses root: run `make test-integration`, which switches user", returncode=4)
    cluster = Cluster(scratch / "pristine")
    cluster.initialise()
    cluster.start()
    try:
        with cluster.connect() as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE} IS_TEMPLATE true")
        with cluster.connect(TEMPLATE) as connection:
            connection.execute("CREATE EXTENSION pgagent_py CASCADE")
    finally:
        cluster.stop()
    return cluster


@pytest.fixture(scope="session")
def cluster(scratch: Path, pristine_cluster: Cluster) -> Iterator[Cluster]:
    """Return the running server that the tests share."""
    yield from running_copy(pristine_cluster, scratch / "shared")


@pytest.fixture
def own_cluster(scratch: Path, pristine_cluster: Cluster) -> Iterator[Cluster]:
    """Return a running server that only this test uses."""
    directory = Path(tempfile.mkdtemp(prefix="own", dir=scratch))
    yield from running_copy(pristine_cluster, directory)
    shutil.rmtree(directory)


@pytest.fixture
def standby(own_cluster: Cluster, scratch: Path) -> Iterator[Cluster]:
    """Return a hot standby that streams from `own_cluster`."""
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="standby", dir=scratch)))
    own_cluster.run(
        "pg_basebackup",
        "--write-recovery-conf",
        "--checkpoint=fast",
        "--no-sync",
        f"--pgdata={cluster.pgdata}",
    )
    cluster.start()
    yield cluster
    cluster.stop("immediate")


def running_copy(pristine: Cluster, directory: Path) -> Iterator[Cluster]:
    """Yield a running server with what *pristine* holds."""
    cluster = Cluster(directory)
    cluster.copy_from(pristine)
    cluster.start()
    yield cluster
    cluster.stop("immediate")


_numbers = itertools.count(1)


def _new_database(cluster: Cluster, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    janitor = DatabaseJanitor(
        user="postgres", host=str(cluster.directory), port=cluster.port, dbname=name, template_dbname=template
    )
    with janitor:
        yield cluster.conninfo(name)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """Return the connection string of a fresh database with the extension."""
    yield from _new_database(cluster, TEMPLATE)


@pytest.fixture
def bare_database(cluster: Cluster) -> Iterator[str]:
    """Return the connection string of a fresh database without the extension."""
    yield from _new_database(cluster, "template0")


@pytest.fixture
def db(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Return an autocommit connection to `database`."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[StartLauncher]:
    """Return the function that starts launchers."""
    started: list[Launcher] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> Launcher:
        home = tmp_path / f"launcher{len(started) + 1}"
        home.mkdir(exist_ok=True)
        started.append(Launcher(home, arguments, env or {}))
        return started[-1]

    yield start
    for process in started:
        process.clean_up()
