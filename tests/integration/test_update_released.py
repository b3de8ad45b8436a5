"""ALTER EXTENSION UPDATE from each released version to this one, with everything in the database and everybody at work."""

import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sql.render.scripts import read_version
from sql.render.updates import released_versions
from tests.conftest import StartLauncher
from tests.helpers import Cluster, Launcher, wait_for
from tests.helpers.filled_database import JOBS, RUNS, TABLES, behaviour
from tests.helpers.updates import TOP, differences, install_released, rights

NOW = read_version(TOP)
OLD = [version for version in released_versions(TOP) if version != NOW]


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a released version; its script is installed."""
    version = str(request.param)
    install_released(version, tmp_path)
    return version


@pytest.fixture
def old_database(cluster: Cluster, old: str) -> Iterator[str]:
    """Return the connection string of a database with the released version."""
    with cluster.connect() as db:
        db.execute("CREATE DATABASE released TEMPLATE template0")
        with cluster.connect("released") as released:
            released.execute(f"CREATE EXTENSION pgagent_py VERSION '{old}' CASCADE".encode())
        yield cluster.conninfo("released")
        db.execute("DROP DATABASE released WITH (FORCE)")


def update(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as db:
        db.execute("ALTER EXTENSION pgagent_py UPDATE")
        found = db.execute(
            "SELECT e.extversion FROM pg_extension e WHERE e.extname = 'pgagent_py'"
        ).fetchone()
        assert found == (NOW,)


def test_updated_database_equals_a_fresh_one(cluster: Cluster, database: str, old_database: str) -> None:
    update(old_database)
    assert differences(cluster, database, old_database) == []


def columns(db: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the names of the columns of all tables of both extensions, as a list for SELECT."""
    query = """
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
          FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"""
    found: dict[str, str] = {}
    for (table,) in db.execute(TABLES).fetchall():
        row = db.execute(query, [table]).fetchone()
        assert row
        found[table] = row[0]
    return found


def rows(db: psycopg.Connection[Any], lists: dict[str, str]) -> dict[str, list[str]]:
    """Return these columns of all rows of these tables, in text form."""
    return {
        table: sorted(str(row) for row in db.execute(f"SELECT {names} FROM {table}".encode()).fetchall())
        for table, names in lists.items()
    }


OWNED = """
    CREATE ROLE released_owner LOGIN IN ROLE pgagent_py_user;
    SET ROLE released_owner;
    SELECT pgagent_py.add_job('owned', cron => '@hourly', sql => 'SELECT 1');
    RESET ROLE;
    GRANT SELECT ON pgagent_py.job_option TO released_owner;
    REVOKE EXECUTE ON FUNCTION pgagent_py.start_agent FROM PUBLIC;
    CREATE VIEW public.failing AS SELECT s.jobname, s.last_status, o.*
      FROM pgagent_py.job_status s LEFT JOIN pgagent_py.job_options o ON o.name = s.jobname;
"""


def test_all_data_rights_and_views_of_users_are_there_afterwards(old_database: str) -> None:
    with psycopg.connect(old_database, autocommit=True) as db:
        db.execute((JOBS + RUNS + OWNED).encode())
        lists = columns(db)
        held, runs, before = rows(db, lists), behaviour(db), rights(db)
        assert len(runs) > 80
        assert ("pgagent_py.job_option", "released_owner", "SELECT", False) in before
        seen = db.execute("SELECT * FROM public.failing ORDER BY 1").fetchall()
        update(old_database)
        kept = {table: names for table, names in lists.items() if table in columns(db)}
        assert lists.keys() - kept.keys() <= {"pgagent_py.waiting_run"}  # its rows go over into run
        assert rows(db, kept) == {table: held[table] for table in kept}
        assert behaviour(db) == runs
        assert db.execute("SELECT * FROM public.failing ORDER BY 1").fetchall() == seen
        after = rights(db)
        names = {name for name, *_ in before} | {"pgagent_py.start_agent"}
        assert {right for right in after if right[0] in names} == before
        db.execute("DROP OWNED BY released_owner; DROP ROLE released_owner")


def old_launcher(home: Path, version: str, conninfo: str) -> Launcher:
    """Start the launcher that was released with *version*; its sources are kept in tests/released/."""
    home.mkdir()
    with tarfile.open(TOP / f"tests/released/launcher-{version}.tar.xz") as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian 12 has none
        archive.extractall(home)
    shutil.move(home / "launcher", home / "pgagent_py_launcher")
    program = (sys.executable, "-P", "-m", "pgagent_py_launcher.main")
    return Launcher(home, ("-l", "1", conninfo), {"PYTHONPATH": str(home)}, program)


GATE = "CREATE TABLE public.gate (opened boolean); CREATE TABLE public.done (step text, version text);"
WAIT_AT_GATE = """
    DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM public.gate) LOOP PERFORM pg_sleep(0.05); END LOOP; END $$;
    INSERT INTO public.done SELECT 'waited', pgagent_py.version()"""
SECOND = "INSERT INTO public.done SELECT 'second', pgagent_py.version()"


def test_the_old_launcher_goes_on_and_the_new_one_takes_over(
    old: str, old_database: str, tmp_path: Path, launcher: StartLauncher
) -> None:
    """A run is in progress during the update; its step is booked, and its next one executed, after it."""
    with psycopg.connect(old_database, autocommit=True) as db:
        db.execute(GATE)
        row = db.execute("SELECT pgagent_py.add_job('slow', sql => %s)", [WAIT_AT_GATE]).fetchone()
        assert row
        job = row[0]
        db.execute("SELECT pgagent_py.add_step(%s, 'then', sql => %s)", [job, SECOND])
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
        process = old_launcher(tmp_path / "old", old, old_database)
        try:
            running = "SELECT 1 FROM pgagent.pga_jobsteplog s WHERE s.jslstatus = 'r'"
            wait_for(lambda: db.execute(running).fetchone(), what="the step in progress")
            update(old_database)
            assert db.execute(running).fetchone()
            db.execute("INSERT INTO public.gate VALUES (true)")
            ended = "SELECT l.jlgstatus FROM pgagent.pga_joblog l WHERE l.jlgstatus <> 'r'"
            assert wait_for(lambda: db.execute(ended).fetchone(), what="the end of the run") == ("s",)
            done = db.execute("SELECT d.step, split_part(d.version, '+', 1) FROM public.done d").fetchall()
            assert done == [("waited", NOW), ("second", NOW)]
            db.execute("SELECT pgagent_py.run_now(%s)", [job])
            count = "SELECT 1 FROM public.done HAVING count(*) = 4"
            wait_for(lambda: db.execute(count).fetchone(), what="a run that began after the update")
            assert process.terminate() == 0
        finally:
            process.clean_up()
        # A call that has waited for the update's lock began with the old functions: it fails once, and is made again.
        errors = [line for line in process.log_text().splitlines() if "ERROR" in line]
        known = "structure of query does not match", "function pgagent_py._turn("
        assert all(any(text in line for text in known) for line in errors)
        launcher("-l", "1", old_database)
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
        count = "SELECT 1 FROM public.done HAVING count(*) = 6"
        wait_for(lambda: db.execute(count).fetchone(), what="a run of the new launcher's")
        query = "SELECT DISTINCT l.jlgstatus FROM pgagent.pga_joblog l"
        wait_for(lambda: db.execute(query).fetchall() == [("s",)], what="the end of all runs, with success")
