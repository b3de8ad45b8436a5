"""A server for the tests of one file, with the roles that they are about.

alice, bob   are in pgagent_py_user
carol        is in pgagent_py_user and in pgagent_py_batch
editor       has all privileges on pgAgent's tables
dbowner      is to own a database
reader       may read them
mallory      has nothing but a schema of her own
starter      runs launchers: it is in pgagent_py_launcher
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import running_copy
from tests.helpers import Cluster, Db
from tests.helpers.roles import login

ROLES = """
CREATE ROLE alice LOGIN IN ROLE pgagent_py_user;
CREATE ROLE bob LOGIN IN ROLE pgagent_py_user;
CREATE ROLE carol LOGIN IN ROLE pgagent_py_user, pgagent_py_batch;
CREATE ROLE editor LOGIN;
CREATE ROLE dbowner LOGIN;
CREATE ROLE reader LOGIN;
CREATE ROLE mallory LOGIN;
CREATE ROLE starter LOGIN IN ROLE pgagent_py_launcher"""
RIGHTS = """
GRANT USAGE ON SCHEMA pgagent TO editor, reader;
GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO editor;
GRANT ALL ON ALL SEQUENCES IN SCHEMA pgagent TO editor;
GRANT SELECT ON ALL TABLES IN SCHEMA pgagent TO reader;
CREATE SCHEMA mallory AUTHORIZATION mallory"""
DATABASE = "jobs"


@pytest.fixture(scope="module")
def server(scratch: Path, pristine_cluster: Cluster) -> Iterator[Cluster]:
    """Return the server of this file's tests; its database jobs has the extension."""
    for cluster in running_copy(pristine_cluster, Path(tempfile.mkdtemp(prefix="sec", dir=scratch))):
        with cluster.connect() as connection:
            connection.execute(ROLES.encode())
            connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE pgagent_py_template".encode())
        with cluster.connect(DATABASE) as connection:
            connection.execute(RIGHTS.encode())
        yield cluster


@pytest.fixture(scope="module")
def address(server: Cluster) -> str:
    """Return the connection string of the database, for the superuser."""
    return server.conninfo(DATABASE)


@pytest.fixture
def admin(address: str) -> Iterator[Db]:
    """Return a superuser's session; afterwards no job is left."""
    with login(address, "postgres") as connection:
        yield connection
        connection.execute("DELETE FROM pgagent.pga_job")


@pytest.fixture
def alice(address: str, admin: Db) -> Iterator[Db]:  # noqa: ARG001 - it cleans up afterwards
    """Return a session of alice's."""
    with login(address, "alice") as connection:
        yield connection


@pytest.fixture
def bob(address: str, admin: Db) -> Iterator[Db]:  # noqa: ARG001
    """Return a session of bob's."""
    with login(address, "bob") as connection:
        yield connection
