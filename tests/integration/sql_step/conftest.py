"""What the tests of SQL steps share."""

import uuid
from collections.abc import Iterator

import pytest
from psycopg import sql

from launcher import sql_pool
from tests.helpers import PASSWORD, PATIENCE, Cluster


@pytest.fixture(scope="module")
def shared(cluster: Cluster) -> Iterator[str]:
    """Return the connection string of a database for tests that leave nothing in it."""
    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE shared_by_sql_steps")
        yield cluster.conninfo("shared_by_sql_steps")
        admin.execute("DROP DATABASE shared_by_sql_steps WITH (FORCE)")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a step wait for a connection being reset as long as it takes on a busy machine."""
    monkeypatch.setattr(sql_pool, "RESET_SECONDS", PATIENCE)


@pytest.fixture
def role(cluster: Cluster) -> Iterator[str]:
    """Return a role that may log in, with the superuser's password."""
    name = f"role_{uuid.uuid4().hex[:12]}"
    with cluster.connect() as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(PASSWORD))
        )
        yield name
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
