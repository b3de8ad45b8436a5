"""The view of the launchers at work."""

from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from launcher.handshake import launcher_version
from tests.conftest import StartLauncher
from tests.helpers import Cluster, Db, rows, wait_for_row
from tests.helpers.protocol import Agent, due_job
from tests.helpers.roles import login

LAUNCHERS = """
    SELECT l.launcher, l.host, l.version, l.kind, l.role, l.places, l.running, l.labels, l.draining,
           l.since <= l.last_seen AND l.last_seen <= clock_timestamp()
      FROM pgagent_py.launchers l WHERE l.host = %s"""


def test_agents_and_daemons_are_shown_while_they_live(database: str, agent: Agent, db: Db) -> None:
    due_job(db, "x")
    agent.run_due(1)
    assert rows(db, LAUNCHERS, "here.example") == [
        (agent.agent, "here.example", None, "pgagent-py", "postgres", None, 1, [], False, True)
    ]
    with psycopg.connect(database, autocommit=True) as daemon:
        daemon.execute(
            "INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'other')"
        )
        assert rows(db, LAUNCHERS, "other") == [
            (None, "other", None, "pgagent", "postgres", None, 0, [], False, True)
        ]
        db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (-7, 'gone')")
        assert rows(db, LAUNCHERS, "gone") == []


def test_launcher_says_what_it_is(database: str, db: Db, launcher: StartLauncher) -> None:
    launcher("--workers", "7", database)
    query = "SELECT l.launcher, l.version, l.places FROM pgagent_py.launchers l WHERE l.kind = 'pgagent-py'"
    found, version, places = wait_for_row(db, query)
    assert (version, places) == (launcher_version(), 7)
    assert rows(db, "SELECT agent FROM pgagent_py.agent") == [(found,)]


def test_only_roles_that_have_to_do_with_jobs_see_them(cluster: Cluster, database: str, agent: Agent) -> None:
    with cluster.connect() as admin:
        admin.execute("CREATE ROLE launchers_none LOGIN")
        admin.execute("CREATE ROLE launchers_user LOGIN IN ROLE pgagent_py_user")
    try:
        for role, seen in (("launchers_none", 0), ("launchers_user", 1)):
            with login(database, role) as session:
                assert len(rows(session, LAUNCHERS, "here.example")) == seen
        # In the backend of an agent, its id is that of the role which has registered it.
        agent.db.execute("SET ROLE launchers_user")
        assert rows(agent.db, LAUNCHERS, "here.example") == []
        agent.db.execute("RESET ROLE")
        assert len(rows(agent.db, LAUNCHERS, "here.example")) == 1
    finally:
        with cluster.connect() as admin:
            for role in ("launchers_none", "launchers_user"):
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_what_launchers_report_is_shown_to_those_who_see_the_job(database: str, agent: Agent, db: Db) -> None:
    due_job(db, "x")
    (step,) = rows(db, "SELECT jstid FROM pgagent.pga_jobstep")
    report = (
        "SELECT pgagent_py.report_launcher('1.5 s', '{PrivateTmp}', jsonb_build_object(%s::text, 'no room'))"
    )
    agent.db.execute(report, step)
    assert rows(db, "SELECT l.skew, l.hindered, l.pooled FROM pgagent_py.launchers l") == [
        (timedelta(seconds=1.5), ["PrivateTmp"], False)
    ]
    ((since, *shown),) = rows(
        db, "SELECT since, jobname, jstid, launcher, host, error FROM pgagent_py.refusals"
    )
    assert shown == ["x", *step, agent.agent, "here.example", "no room"]
    agent.db.execute(report, step)
    assert rows(db, "SELECT since FROM pgagent_py.refusals") == [(since,)]
    db.execute("CREATE ROLE reports_user LOGIN IN ROLE pgagent_py_user")
    try:
        with login(database, "reports_user") as stranger:
            assert rows(stranger, "SELECT FROM pgagent_py.refusals") == []
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stranger.execute("SELECT pgagent_py.report_launcher('0', '{}')")
    finally:
        db.execute("DROP ROLE reports_user")
    for refused in ("[]", '{"x": "y"}', '{"1": 2}', '{"0": ""}', '{"1": "' + "x" * 1001 + '"}'):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="refused is no object"):
            agent.db.execute("SELECT pgagent_py.report_launcher('0', '{}', %s::jsonb)", [refused])
    agent.db.execute("SELECT pgagent_py.report_launcher('0', '{}')")
    assert rows(db, "SELECT FROM pgagent_py.refusals") == []
    agent.db.execute(report, step)
    agent.close()
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'there')")
        db.execute("DELETE FROM pgagent_py.agent WHERE jagstation = 'here.example'")
        other.execute("SELECT pgagent_py.upkeep()")
    assert (
        rows(db, "SELECT FROM pgagent_py.refusal") == rows(db, "SELECT FROM pgagent_py.launcher_report") == []
    )
