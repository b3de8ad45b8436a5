"""DROP EXTENSION pgagent_py leaves pgagent as it was, with its jobs, and the C++ daemon can serve it again."""

import re
from typing import Any

import psycopg
import pytest

from tests.helpers import Cluster, Db

PGAGENTS_JOB = """
    INSERT INTO pgagent.pga_job (jobjclid, jobname) VALUES (1, 'plain');
    INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstkind, jstdbname, jstcode)
        SELECT jobid, 'one', 's', current_database(), 'SELECT 1' FROM pgagent.pga_job;
    INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscstart, jscminutes)
        SELECT jobid, 'every minute', now(), array_fill(true, ARRAY[60]) FROM pgagent.pga_job;
"""


def definitions(cluster: Cluster, dbname: str) -> str:
    """Return pg_dump's text of all definitions, those of the extensions' members too, without what no two dumps share."""
    dump = cluster.run("pg_dump", "--schema-only", "--binary-upgrade", dbname).stdout
    dump = re.sub(
        r"(?m)^(\\(un)?restrict|SELECT pg_catalog\.binary_upgrade_set_|-- For binary).*\n", "", dump
    )
    dump = re.sub(r"(?m)^SELECT pg_catalog\.setval\(.*\n", "", dump)  # data, not definitions
    return re.sub(r"'\{?\d+(,\d+)*\}?'", "'number'", dump)


def rows(db: Db) -> list[str]:
    """Return the rows of pgagent's job, step and schedule tables."""
    tables = ("pga_job", "pga_jobstep", "pga_schedule", "pga_joblog", "pga_jobsteplog", "pga_exception")
    return [
        str(row) for table in tables for row in db.execute(f"SELECT t::text FROM pgagent.{table} t".encode())
    ]


@pytest.fixture
def plain(bare_database: str) -> Any:
    """Return a connection to a database with pgagent and PL/Python, and a job, without our extension."""
    with psycopg.connect(bare_database, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pgagent; CREATE EXTENSION plpython3u")
        connection.execute(PGAGENTS_JOB)
        yield connection


def test_pgagent_is_as_it_was(cluster: Cluster, plain: Db) -> None:
    name = plain.info.dbname
    dump, full_dump = cluster.run("pg_dump", "--schema-only", name).stdout, definitions(cluster, name)
    plain.execute("CREATE EXTENSION pgagent_py")
    assert definitions(cluster, name) != full_dump
    plain.execute(
        "SELECT pgagent_py.add_job('ours', cron => '0 3 * * *', timezone => 'Asia/Kathmandu', sql => 'SELECT 1')"
    )
    plain.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
    assert len(plain.execute("SELECT * FROM pgagent_py.run_due()").fetchall()) == 2
    before = rows(plain)
    assert before

    plain.execute("DROP EXTENSION pgagent_py")

    after = cluster.run("pg_dump", "--schema-only", name).stdout
    guard = re.compile(r"(?m)^\\(un)?restrict.*\n")  # random in each dump
    assert guard.sub("", after) == guard.sub("", dump)
    assert definitions(cluster, name) == full_dump
    assert rows(plain) == before
    assert plain.execute("SELECT to_regnamespace('pgagent_py')").fetchone() == (None,)
    # pgAgent's own trigger is at work again
    plain.execute("UPDATE pgagent.pga_job SET jobnextrun = NULL WHERE jobname = 'plain'")
    assert plain.execute(
        "SELECT jobnextrun > now() FROM pgagent.pga_job WHERE jobname = 'plain'"
    ).fetchone() == (True,)


def test_schedules_that_pgagent_cannot_read_are_found_and_disabled(plain: Db) -> None:
    """By the statement that docs/options.md gives for going back; to pgAgent alone they would mean every minute."""
    plain.execute("CREATE EXTENSION pgagent_py")
    plain.execute("SELECT pgagent_py.add_job('reboot', cron => '@reboot')")
    for name, way in (("every", "every => '6 h'"), ("at", "at => '2099-01-01Z'"), ("sets", "hours => '{3}'")):
        plain.execute(f"SELECT pgagent_py.add_schedule(pgagent_py.add_job('{name}'), 's', {way})".encode())
    plain.execute("""
        UPDATE pgagent.pga_schedule SET jscenabled = false WHERE jscid IN (
            SELECT jscid FROM pgagent_py.schedule_options WHERE every IS NOT NULL OR at IS NOT NULL OR reboot)""")
    plain.execute("DROP EXTENSION pgagent_py")
    plain.execute("UPDATE pgagent.pga_job SET jobnextrun = NULL")
    asleep = "SELECT jobname FROM pgagent.pga_job WHERE jobnextrun IS NULL ORDER BY 1"
    assert plain.execute(asleep).fetchall() == [("at",), ("every",), ("reboot",)]


def test_create_and_drop_again_and_again(plain: Db) -> None:
    """In one session, which has the Python code of a former life loaded."""
    for _ in range(3):
        plain.execute("CREATE EXTENSION pgagent_py")
        plain.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
        assert len(plain.execute("SELECT * FROM pgagent_py.run_due()").fetchall()) == 1
        plain.execute("DROP EXTENSION pgagent_py")


def test_jobs_that_were_there_keep_their_next_run_or_get_ours(plain: Db) -> None:
    """CREATE EXTENSION in a database with jobs changes none of them; the next change or run follows our rules."""
    before = rows(plain)
    plain.execute("CREATE EXTENSION pgagent_py")
    assert rows(plain) == before
    plain.execute("UPDATE pgagent.pga_job SET jobnextrun = NULL")
    query = "SELECT jobnextrun > now() AND jobnextrun <= now() + interval '1 min' FROM pgagent.pga_job"
    assert plain.execute(query).fetchone() == (True,)


def test_pgagent_does_not_go_without_ours(plain: Db) -> None:
    plain.execute("CREATE EXTENSION pgagent_py")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist, match="pgagent_py"):
        plain.execute("DROP EXTENSION pgagent")
    plain.execute("DROP EXTENSION pgagent CASCADE")
    assert plain.execute("SELECT to_regnamespace('pgagent_py')").fetchone() == (None,)
