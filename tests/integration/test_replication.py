"""Logical replication: a publication of all tables holds nothing up, and a subscription's target runs no jobs by itself."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import StartLauncher
from tests.helpers import (
    Cluster,
    Db,
    add_dependency,
    add_due_job,
    add_job,
    call,
    rows,
    run_due,
    run_to_end,
    serving,
    value,
    wait_for,
    wait_for_row,
)
from tests.helpers.filled_database import JOBS, NEWER, RUNS

DATABASE = "pgagent_py_template"


@pytest.fixture
def publisher(own_cluster: Cluster) -> Iterator[Db]:
    """Return a connection to a database that publishes all of its tables."""
    own_cluster.stop()
    own_cluster.start(wal_level="logical")
    with own_cluster.connect(DATABASE) as db:
        db.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        yield db


def test_every_table_of_both_extensions_has_a_replica_identity(db: Db) -> None:
    query = """
        SELECT c.oid::regclass::text FROM pg_class c
         WHERE c.relnamespace IN ('pgagent'::regnamespace, 'pgagent_py'::regnamespace) AND c.relkind IN ('r', 'p')
           AND CASE c.relreplident WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
                                   ELSE c.relreplident = 'n' END"""
    assert rows(db, query) == []


def test_a_publication_of_all_tables_stops_no_job(publisher: Db) -> None:
    publisher.execute(JOBS + RUNS + NEWER)
    first = add_due_job(publisher, "first", "SELECT 1")
    add_dependency(publisher, add_job(publisher, "second", "SELECT 2"), first, "finish")
    call(publisher, "pause", "Data Export")
    call(publisher, "resume", "Data Export")
    call(publisher, "set_limit", "Data Export", running=3)
    call(publisher, "set_limit", "Data Export", running=None)
    assert run_due(publisher) == ["first", "second"]
    assert value(publisher, "SELECT count(*) FROM pgagent_py.problems") == 0


@pytest.fixture
def subscriber(publisher: Db, own_cluster: Cluster) -> Iterator[Db]:
    """Return a connection to a database of the same server that gets the jobs of `publisher`."""
    publisher.execute("SELECT pg_create_logical_replication_slot('copy', 'pgoutput')")
    publisher.execute("CREATE DATABASE copy TEMPLATE template0")
    with own_cluster.connect("copy") as db:
        db.execute("CREATE EXTENSION pgagent_py CASCADE")
        # what CREATE EXTENSION has put there is in the copy, too
        db.execute("TRUNCATE pgagent.pga_jobclass, pgagent_py.setting CASCADE")
        db.execute(
            f"CREATE SUBSCRIPTION copy CONNECTION '{own_cluster.conninfo(DATABASE)}'"
            " PUBLICATION everything WITH (create_slot = false)".encode()
        )
        yield db


def test_a_subscriptions_target_starts_no_job_unless_it_is_allowed(
    publisher: Db, subscriber: Db, own_cluster: Cluster, launcher: StartLauncher
) -> None:
    job = add_due_job(publisher, "job", {"sql": "SELECT 1", "database": "copy"})
    wait_for_row(subscriber, "SELECT 1 FROM pgagent.pga_job WHERE jobnextrun <= now()")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="come by subscription copy"):
        run_due(subscriber)
    (problem,) = rows(subscriber, "SELECT jobid, error FROM pgagent_py.problems")
    assert problem == (None, "no job starts: the jobs come by subscription copy")
    process = launcher("-l", "2", own_cluster.conninfo("copy"))
    process.wait_for_log("come by subscription copy: they run where they are published")
    assert process.process.poll() is None
    assert value(subscriber, "SELECT count(*) FROM pgagent.pga_joblog") == 0

    call(subscriber, "set_serve_subscribed", True)
    serving(process)
    wait_for_row(subscriber, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 's'", job)
    assert value(publisher, "SELECT count(*) FROM pgagent.pga_joblog") == 0

    # a launcher that serves already takes nothing more, either
    words = "come by subscription copy"
    said = process.log_text().count(words)
    call(subscriber, "set_serve_subscribed", False)
    add_due_job(publisher, "another", {"sql": "SELECT 1", "database": "copy"})
    wait_for_row(
        subscriber, "SELECT 1 FROM pgagent.pga_job WHERE jobname = 'another' AND jobnextrun <= now()"
    )
    subscriber.execute("NOTIFY pgagent_py")
    wait_for(lambda: process.log_text().count(words) > said, what="the launcher to be refused")
    assert value(subscriber, "SELECT count(*) FROM pgagent.pga_joblog") == 1
    subscriber.execute("DROP SUBSCRIPTION copy")
    wait_for_row(subscriber, "SELECT 1 FROM pgagent.pga_joblog HAVING count(*) = 2")
    assert process.terminate() == 0


def test_functions_refuse_a_session_without_triggers(database: str, db: Db) -> None:
    job = add_due_job(db, "x", "SELECT 1")
    with psycopg.connect(
        f"{database} options='-c session_replication_role=replica'", autocommit=True
    ) as replica:
        for query in (
            "SELECT pgagent_py.add_job('y')",
            "SELECT pgagent_py.alter_job(1, enabled => false)",
            "SELECT * FROM pgagent_py.run_due()",
            "SELECT * FROM pgagent_py.import_crontab('@daily true')",
        ):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="triggers do not fire"):
                replica.execute(query.encode())
        replica.execute("SET session_replication_role = local")
        assert run_due(replica) == ["x"]
    assert value(db, "SELECT jobname FROM pgagent.pga_job WHERE jobid = %s", job) == "x"


def test_a_launcher_whose_role_has_no_triggers_sets_that_right_if_it_may(
    cluster: Cluster, db: Db, launcher: StartLauncher
) -> None:
    db.execute("CREATE ROLE strong LOGIN SUPERUSER; CREATE ROLE weak LOGIN IN ROLE pgagent_py_launcher")
    try:
        for role in ("strong", "weak"):
            db.execute(f"ALTER ROLE {role} SET session_replication_role = replica".encode())
        weak = launcher("-r", "1", cluster.conninfo(db.info.dbname, user="weak"))
        weak.wait_for_log("session_replication_role is replica: triggers do not fire")
        strong = serving(launcher("-l", "2", cluster.conninfo(db.info.dbname, user="strong")))
        job = add_job(db, "x", "SELECT 1", cron="@daily")
        assert run_to_end(db, job).status == "s"
        assert value(db, "SELECT jobnextrun FROM pgagent.pga_job WHERE jobid = %s", job) is not None
        assert (weak.terminate(), strong.terminate()) == (0, 0)
    finally:
        db.execute("DROP ROLE strong, weak")


def test_disabled_triggers_are_said_at_the_start_and_in_the_view(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    db.execute("ALTER TABLE pgagent.pga_job DISABLE TRIGGER pga_job_next_run")
    db.execute("ALTER TABLE pgagent.pga_exception DISABLE TRIGGER ALL")
    errors = [error for (error,) in rows(db, "SELECT error FROM pgagent_py.problems ORDER BY 1")]
    assert [error.partition(" are ")[0] for error in errors] == [
        "triggers of pgagent.pga_exception",
        "triggers of pgagent.pga_job",
    ]
    assert errors[1].endswith(": pga_job_next_run")
    process = launcher(database)
    process.wait_for_log("action=check triggers of pgagent.pga_job are disabled")
    for table in ("pga_job", "pga_exception"):
        db.execute(f"ALTER TABLE pgagent.{table} ENABLE TRIGGER ALL".encode())
    assert rows(db, "SELECT error FROM pgagent_py.problems") == []
    assert process.terminate() == 0
