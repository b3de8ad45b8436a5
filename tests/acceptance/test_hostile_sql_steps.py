"""SQL steps that do their worst, in one launcher: each is logged truly, none disturbs its neighbours."""

import psutil
import psycopg
import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    Cluster,
    Db,
    add_yearly_job,
    check_sound,
    make_due,
    output,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
)

# name: code, status, what the output must hold
HOSTILE = {
    "open transaction": ("BEGIN; CREATE TABLE left_open ()", "s", "The step left a transaction open; it was rolled back."),
    "failed transaction": ("BEGIN; SELECT 1/0", "f", "division by zero"),
    "settings": (
        "SET search_path = nowhere; SET timezone = 'Asia/Kathmandu'; SET client_encoding = 'LATIN1'; SET statement_timeout = 1",
        "s", "SET"),
    "role": ("SET ROLE pg_monitor", "s", "SET"),
    "session role": ("SET SESSION AUTHORIZATION pg_monitor", "s", "SET"),
    "temporary table": ("CREATE TEMP TABLE pga_job AS SELECT 1", "s", "SELECT 1"),
    "listen": ("LISTEN pgagent_py; NOTIFY pgagent_py", "s", "NOTIFY"),
    "advisory lock": ("SELECT pg_advisory_lock(1)", "s", "SELECT 1"),
    "prepared": ("PREPARE p AS SELECT 1", "s", "PREPARE"),
    "cursor": ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "s", "DECLARE CURSOR"),
    "copy in": ("COPY pgagent.pga_jobclass FROM STDIN", "f", "an SQL step has no standard input"),
    "copy out": ("COPY (SELECT 'copied') TO STDOUT", "s", "copied"),
    "many rows": ("SELECT repeat('x', 1000) FROM generate_series(1, 200000)", "s", "SELECT 200000"),
    "wide row": ("SELECT repeat('x', 20000000)", "s", "SELECT 1"),
    "many notices": (
        "DO $$BEGIN FOR i IN 1..200000 LOOP RAISE NOTICE 'notice %', i; END LOOP; END$$", "s", "notice 200000"),
    "suicide": ("SELECT pg_terminate_backend(pg_backend_pid())", "f", "terminating connection due to administrator command"),
    "half done": ("CREATE TABLE half_done (); SELECT 1/0; CREATE TABLE other_half ()", "f", "division by zero"),
    "half committed": ("CREATE TABLE committed (); COMMIT; SELECT 1/0", "f", "division by zero"),
    "no database": ("\\", "f", "syntax error"),
    "idle timeout": ("SET idle_session_timeout = 1", "s", "SET"),
}  # fmt: skip
# Notes what it finds of another step's doings
WITNESS = """
SELECT 1 / (current_setting('search_path') = '"$user", public' AND current_setting('statement_timeout') = '0'
       AND current_user = session_user AND session_user = 'postgres' AND current_setting('client_encoding') = 'UTF8'
       AND to_regclass('pg_temp.pga_job') IS NULL AND NOT EXISTS (SELECT FROM pg_listening_channels())
       AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (
           SELECT oid FROM pg_database WHERE datname = current_database()))
       AND NOT EXISTS (SELECT FROM pg_prepared_statements) AND NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'c'))::integer"""


def test_hostile_sql_is_logged_truly_and_disturbs_nobody(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    """All at once, each with a second step that finds nothing of the first, on connections that are used again."""
    agent = serving(launcher("-l", "2", "--workers", "8", database))
    jobs = {
        name: add_yearly_job(db, name, {"sql": code, "on_error": "ignore"})
        for name, (code, _, _) in HOSTILE.items()
    }
    witnesses = [add_yearly_job(db, f"witness {n}", {"sql": WITNESS}) for n in range(16)]
    bystander = add_yearly_job(db, "bystander", {"batch": "exit 0"}, {"sql": "SELECT 1"})
    make_due(db, *witnesses)
    wait_for_end(db, *witnesses)
    process = psutil.Process(agent.pid)
    before = process.memory_info().rss
    make_due(db, *jobs.values())
    make_due(db, bystander)
    wait_for_end(db, bystander)
    wait_for_end(db, *jobs.values())
    assert process.memory_info().rss - before < 48 * 2**20, "memory is not flat"
    for name, (_, status, words) in HOSTILE.items():
        assert statuses(db, jobs[name]) == [("s", status.replace("f", "i"))], (name, output(db, jobs[name]))
        assert words in output(db, jobs[name]), name
        assert len(output(db, jobs[name])) < 2**21, name
    made = (
        "SELECT count(*) FROM pg_class WHERE relname IN ('left_open', 'half_done', 'other_half', 'committed')"
    )
    assert value(db, made) == 1
    make_due(db, *witnesses)
    wait_for_end(db, *witnesses)
    for job in witnesses:
        assert statuses(db, job) == [("s", "s")] * 2, output(db, job)
    assert statuses(db, bystander) == [("s", "ss")]
    assert value(db, "SELECT count(*) FROM pgagent.pga_jobclass") == 5
    stop(agent)
    check_sound(db)


def test_steps_wait_while_there_are_no_connection_slots(
    own_cluster: Cluster, launcher: StartLauncher
) -> None:
    """All slots are taken: steps wait and do not fail, and so does the launcher if it loses its own connection then.

    When one slot is free again, the launcher comes back by it, even if a step takes it first.
    """
    own_cluster.stop()
    own_cluster.start(max_connections=12, superuser_reserved_connections=2)
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE ROLE launcher LOGIN IN ROLE pgagent_py_launcher; CREATE ROLE hog LOGIN")
        db.execute(
            "GRANT ALL ON SCHEMA pgagent TO launcher; GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO launcher"
        )
        db.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA pgagent TO launcher")
        agent = serving(launcher("-l", "2", "-r", "1", own_cluster.conninfo(TEMPLATE, user="launcher")))
        jobs = [add_yearly_job(db, f"job {n}", {"sql": "SELECT pg_sleep(0.1)"}) for n in range(12)]
        batch = add_yearly_job(db, "batch", {"batch": "sleep 1; echo done"})
        hogs: list[psycopg.Connection[object]] = []

        def take_slots() -> None:
            while True:
                hogs.append(psycopg.connect(own_cluster.conninfo(TEMPLATE, user="hog")))

        with pytest.raises(psycopg.OperationalError, match=r"too many clients|reserved"):
            take_slots()
        make_due(db, *jobs, batch)
        wait_for(
            lambda: (
                value(db, "SELECT count(*) FROM pgagent.pga_jobsteplog WHERE jsloutput LIKE 'Waiting%%'")
                == 12
            )
        )
        with own_cluster.connect(TEMPLATE), own_cluster.connect(TEMPLATE):  # they use what is reserved
            db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")
            agent.wait_for_log("trying again in 1 s")
        wait_for(lambda: agent.log_text().count("action=serve") == 2, what="the launcher's own connection")
        for hog in hogs:
            hog.close()
        wait_for_end(db, *jobs, batch)
        for job in jobs:
            assert statuses(db, job) == [("s", "s")]
            assert "Waiting for a connection" in output(db, job)
        assert output(db, batch) == "done\n"
        check_sound(db)
    stop(agent)
