"""Roles that have jobs, or would like to."""

from collections.abc import Iterator

import pytest
from psycopg import sql

from tests.helpers import Cluster, Db, value
from tests.helpers.roles import SECRET, login

ROLES = ("alice", "bob", "carol", "team", "editor", "starter", "nobody")


@pytest.fixture(scope="module", autouse=True)
def roles(cluster: Cluster) -> Iterator[None]:
    """Make alice, bob (users), carol (a user who is in team), team, editor (as pgAdmin's user), starter (a launcher), nobody."""
    with cluster.connect() as db:
        for name in ROLES:
            db.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        db.execute("GRANT pgagent_py_user TO alice, bob, carol")
        db.execute("GRANT pgagent_py_launcher TO starter")
        db.execute("GRANT team TO carol")
        yield
        for name in ROLES:
            db.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def editor_rights(db: Db) -> Iterator[None]:
    """Let editor do what pgAdmin's users do."""
    db.execute("GRANT USAGE ON SCHEMA pgagent TO editor")
    db.execute("GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO editor")
    db.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA pgagent TO editor")
    yield
    db.execute("DROP OWNED BY editor")


@pytest.fixture
def alice(database: str) -> Iterator[Db]:
    with login(database, "alice") as connection:
        yield connection


@pytest.fixture
def bob(database: str) -> Iterator[Db]:
    with login(database, "bob") as connection:
        yield connection


@pytest.fixture
def bobs_job(bob: Db) -> dict[str, int]:
    """Return ids of things that alice must not see: a job of bob's that has run, failing, with output."""
    job = value(bob, "SELECT pgagent_py.add_job('bob''s', cron => '0 3 * * *', sql => %s)", SECRET)
    step = value(bob, "SELECT jstid FROM pgagent_py.visible_step WHERE jstjobid = %s", job)
    schedule = value(bob, "SELECT jscid FROM pgagent_py.visible_schedule WHERE jscjobid = %s", job)
    exception = value(bob, "SELECT pgagent_py.add_exception(%s, on_date => '2040-01-01')", schedule)
    message = value(bob, "SELECT pgagent_py.add_message(%s, 'email', 'bob@example.org')", job)
    bob.execute("SELECT pgagent_py.run_now(%s)", [job])
    executed = bob.execute("SELECT jobid, jlgid, jslid FROM pgagent_py.run_due()").fetchall()
    assert [row[0] for row in executed] == [job]
    run, log = executed[0][1:]
    ids = {"job": job, "step": step, "schedule": schedule, "exception": exception, "message": message}
    return ids | {"run": run, "log": log}
