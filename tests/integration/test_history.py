"""The views job_status and run_history, and the notifications of starts and ends of runs."""

import json
from typing import Any

import psycopg
import pytest

from tests.helpers import PATIENCE, Cluster, Db, add_job, value

# 1,000 jobs with 1,000 runs each, the newest 3 of every 10th job failed
MANY_RUNS = """
SET session_replication_role = replica;  -- no foreign keys to check: it would take minutes
INSERT INTO pgagent.pga_job (jobjclid, jobname) SELECT 1, 'job ' || n FROM generate_series(1, 1000) n;
INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstkind, jstcode, jstdbname)
SELECT j.jobid, 'step', 's', 'SELECT 1', current_database() FROM pgagent.pga_job j;
INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
SELECT j.jobid, CASE WHEN j.jobid % 10 = 0 AND n > 997 THEN 'f' ELSE 's' END, now() - (1001 - n) * interval '1 hour', '1 s'
  FROM generate_series(1, 1000) n, pgagent.pga_job j ORDER BY n;
INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslresult, jslstart, jslduration, jsloutput)
SELECT l.jlgid, s.jstid, l.jlgstatus, 1, l.jlgstart, l.jlgduration, 'SELECT 1'
  FROM pgagent.pga_joblog l JOIN pgagent.pga_jobstep s ON s.jstjobid = l.jlgjobid;
RESET session_replication_role;
ANALYZE;
"""


def run(db: Db, job: int) -> None:
    """Run a job to its end, in this session."""
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert db.execute("SELECT FROM pgagent_py.run_due()").rowcount == 1


def status(db: Db, job: int) -> tuple[Any, ...]:
    row = db.execute(
        "SELECT last_status, failures_in_a_row, running_run FROM pgagent_py.job_status WHERE jobid = %s",
        [job],
    ).fetchone()
    assert row
    return tuple(row)


def test_job_status_follows_a_job(db: Db) -> None:
    job = add_job(db, "divides", sql="SELECT 1 / (SELECT divisor FROM public.divisor)")
    db.execute("CREATE TABLE public.divisor AS SELECT 0 AS divisor")
    assert status(db, job) == (None, 0, None)
    for failures in (1, 2):
        run(db, job)
        assert status(db, job) == ("failure", failures, None)
    db.execute(
        "UPDATE pgagent.pga_joblog SET jlgstatus = 'd' WHERE jlgid = (SELECT max(jlgid) FROM pgagent.pga_joblog)"
    )
    assert status(db, job) == ("aborted", 1, None)
    db.execute("UPDATE public.divisor SET divisor = 1")
    run(db, job)
    assert status(db, job) == ("success", 0, None)
    query = """
        SELECT last_duration = jlgduration, last_start = jlgstart FROM pgagent_py.job_status, pgagent.pga_joblog
         ORDER BY jlgid DESC LIMIT 1"""
    assert db.execute(query).fetchall() == [(True, True)]


def test_job_status_shows_the_run_in_progress(database: str, db: Db) -> None:
    job = add_job(db, "long", sql="SELECT 1")
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    with psycopg.connect(database, autocommit=True) as agent:
        jlgid = value(agent, "SELECT jlgid FROM pgagent_py.run_due(1)")
        row = db.execute(
            "SELECT running_run, running_for BETWEEN '0' AND clock_timestamp() - jlgstart, last_run"
            " FROM pgagent_py.job_status, pgagent.pga_joblog"
        )
        assert row.fetchall() == [(jlgid, True, None)]
        agent.execute("SELECT pgagent_py.stop_agent()")
    assert status(db, job) == ("aborted", 0, None)


def test_job_status_has_the_next_run_and_none_of_a_disabled_job(db: Db) -> None:
    job = int(value(db, "SELECT pgagent_py.add_job('nightly', cron => '0 3 * * *', sql => 'SELECT 1')"))
    query = "SELECT jobenabled, next_run = (SELECT min(r) FROM pgagent_py.next_runs(jobid, 1) r) FROM pgagent_py.job_status"
    assert db.execute(query).fetchall() == [(True, True)]
    db.execute("UPDATE pgagent.pga_job SET jobenabled = false WHERE jobid = %s", [job])
    assert db.execute(query.replace("= (", "IS NULL OR NULL = (")).fetchall() == [(False, True)]


def test_run_history_has_a_line_per_step(db: Db) -> None:
    job = add_job(db, "two steps", sql="SELECT 1")
    db.execute("SELECT pgagent_py.add_step(%s, 'z second', sql => 'SELECT 1/0', on_error => 'ignore')", [job])
    empty = int(value(db, "SELECT pgagent_py.add_job('empty')"))
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
    db.execute("SELECT FROM pgagent_py.run_due()")
    rows = db.execute(
        "SELECT jobid, jobname, run_status, jstname, step_status, jslresult, left(jsloutput, 23) FROM pgagent_py.run_history"
        " ORDER BY jobid, jslid"
    ).fetchall()
    assert rows == [
        (job, "two steps", "success", "two steps", "success", 1, "SELECT 1"),
        (job, "two steps", "success", "z second", "ignored", -1, "ERROR:  division by zero"[:23]),
        (empty, "empty", "no steps", None, None, None, None),
    ]


def test_who_may_not_see_the_job_sees_no_history(db: Db) -> None:
    run(db, add_job(db, "secret", sql="SELECT 1"))
    db.execute("SELECT pgagent_py.add_message(NULL, 'email', 'me@example.org')")
    views = ("job_status", "run_history", "job_message", "unsent_message")
    assert [value(db, f"SELECT count(*) FROM pgagent_py.{view}") for view in views] == [1, 1, 1, 0]
    db.execute("CREATE ROLE history_stranger")
    try:
        db.execute("SET ROLE history_stranger")
        assert [value(db, f"SELECT count(*) FROM pgagent_py.{view}") for view in views] == [0, 0, 0, 0]
        for table in ("message", "queued_message"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(f"TABLE pgagent_py.{table}".encode())
    finally:
        db.execute("RESET ROLE")
        db.execute("DROP ROLE history_stranger")


def test_every_run_is_notified_at_start_and_end(database: str, db: Db) -> None:
    job = add_job(db, 'it\'s "quoted"', sql="SELECT 1")
    db.execute("SELECT pgagent_py.set_notify_runs(true)")
    with psycopg.connect(database, autocommit=True) as follower:
        follower.execute("LISTEN pgagent_py_run")
        run(db, job)
        told = [json.loads(n.payload) for n in follower.notifies(timeout=PATIENCE, stop_after=2)]
        jlgid = value(db, "SELECT max(jlgid) FROM pgagent.pga_joblog")
        assert [(t["event"], t["job"], t["name"], t["run"], t["status"]) for t in told] == [
            ("start", job, 'it\'s "quoted"', jlgid, "running"),
            ("end", job, 'it\'s "quoted"', jlgid, "success"),
        ]
        assert told[0]["seconds"] is None
        lasted = value(db, "SELECT extract(epoch FROM jlgduration)::float8 FROM pgagent.pga_joblog")
        assert told[1]["seconds"] == pytest.approx(lasted)
        assert told[0]["start"] == told[1]["start"]

        db.execute("SELECT pgagent_py.set_notify_runs(false)")
        run(db, job)
        db.execute("NOTIFY pgagent_py_run, 'last'")
        assert [n.payload for n in follower.notifies(timeout=PATIENCE, stop_after=1)] == ["last"]


def test_runs_of_the_c_daemon_are_notified(database: str, db: Db) -> None:
    """The statements by which it logs a run, as its source has them."""
    job = add_job(db, "daemon's", sql="SELECT 1")
    db.execute("SELECT pgagent_py.set_notify_runs(true)")
    with psycopg.connect(database, autocommit=True) as follower:
        follower.execute("LISTEN pgagent_py_run")
        jlgid = value(
            db, "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) VALUES (%s, 'r') RETURNING jlgid", job
        )
        db.execute(
            "UPDATE pgagent.pga_joblog SET jlgstatus = 'f', jlgduration = now() - jlgstart WHERE jlgid = %s",
            [jlgid],
        )
        told = [json.loads(n.payload)["status"] for n in follower.notifies(timeout=PATIENCE, stop_after=2)]
    assert told == ["running", "failure"]


def test_a_very_long_name_does_not_stop_the_run(db: Db) -> None:
    job = add_job(db, "job", sql="SELECT 1")
    db.execute("UPDATE pgagent.pga_job SET jobname = repeat('\N{LATIN SMALL LETTER E WITH ACUTE}', 20000)")
    db.execute("SELECT pgagent_py.set_notify_runs(true)")
    run(db, job)
    assert status(db, job)[0] == "success"


def test_views_are_fast_on_a_million_runs(db: Db) -> None:
    """Bounds that a plan which reads the whole log, of 20,000 pages, for each line misses by far."""
    db.execute(MANY_RUNS)
    assert value(db, "SELECT count(*) FROM pgagent.pga_joblog") == 1_000_000
    for query, rows, most in (
        ("SELECT * FROM pgagent_py.job_status", 1000, 50_000),
        ("SELECT * FROM pgagent_py.job_status WHERE jobid = 500", 1, 500),
        ("SELECT * FROM pgagent_py.job_status WHERE failures_in_a_row >= 3", 100, 50_000),
        ("SELECT * FROM pgagent_py.run_history WHERE jobid = 500 ORDER BY jlgid DESC LIMIT 20", 20, 50_000),
        ("SELECT * FROM pgagent_py.run_history WHERE jlgid = 500000", 1, 500),
        ("SELECT * FROM pgagent_py.run_history ORDER BY jlgid DESC LIMIT 50", 50, 5_000),
    ):
        (explained,) = value(db, f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT JSON) {query}")
        plan = explained["Plan"]
        pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        assert plan["Actual Rows"] == rows
        assert 0 < pages < most, f"{query} looks at {pages} pages"


def test_dump_and_restore_keep_messages_and_tell_nobody_anew(cluster: Cluster, database: str, db: Db) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    job = add_job(db, "fails", sql="SELECT 1/0")
    db.execute("SELECT pgagent_py.add_message(%s, 'email', 'me@example.org')", [job])
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 7)")
    run(db, job)
    assert value(db, "SELECT count(*) FROM pgagent_py.queued_message") == 1
    db.execute("UPDATE pgagent.pga_joblog SET jlgstart = jlgstart - interval '1 day'")
    dump = cluster.run("pg_dump", str(name)).stdout
    with cluster.connect() as server:
        server.execute("CREATE DATABASE history_restored")
    try:
        cluster.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", "history_restored", input=dump)
        with cluster.connect("history_restored") as restored:
            assert value(restored, "SELECT msgtarget FROM pgagent_py.message") == "me@example.org"
            assert value(restored, "SELECT value FROM pgagent_py.setting WHERE name = 'keep_runs'") == "7"
            assert value(restored, "SELECT count(*) FROM pgagent_py.queued_message") == 0
            assert value(restored, "SELECT pgagent_py.add_message(%s, 'email', 'you@example.org')", job) == 2
    finally:
        with cluster.connect() as server:
            server.execute("DROP DATABASE history_restored")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("-1, 'email', 'a@b.c'", "job -1 does not exist"),
        ("NULL, 'pigeon', 'a@b.c'", 'kind "pigeon" is unknown'),
        ("NULL, 'email', 'a@b.c, nobody'", "target is not an e-mail address"),
        ("NULL, 'email', E'a@b.c\\nBcc: x@y.z'", "target is not an e-mail address"),
        ("NULL, 'webhook', 'file:///etc/passwd'", "target is not a URL"),
        ("NULL, 'webhook', E'http://host/\\r\\nX: y'", "target is not a URL"),
        ("NULL, 'webhook', 'http://host:port/'", "target is not a URL"),
        ("NULL, 'webhook', 'http://host:70000/'", "target is not a URL"),
        ("NULL, 'webhook', 'http://:80/'", "target is not a URL"),
        ("NULL, 'webhook', 'http://[::1/'", "target is not a URL"),
        ("NULL, 'webhook', E'http://host/\u0001'", "target is not a URL"),
        ("NULL, 'email', 'a@b.c', 'sometimes'", 'when "sometimes" is unknown'),
        ("NULL, 'webhook', 'http://host/', subject => 'x'", "subject is given for a webhook"),
    ],
)
def test_bad_messages_are_refused(db: Db, arguments: str, words: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
        db.execute(f"SELECT pgagent_py.add_message({arguments})".encode())
    assert value(db, "SELECT count(*) FROM pgagent_py.message") == 0


def test_messages_are_listed_without_secrets_and_dropped(db: Db) -> None:
    add = "SELECT pgagent_py.add_message(NULL, 'webhook', 'https://user:word@hooks.example.org:8443/T0/secret?k=v', 'finish')"
    msgid = value(db, add)
    assert db.execute("SELECT msgkind, msgtarget, msgwhen FROM pgagent_py.job_message").fetchall() == [
        ("webhook", "hooks.example.org", "finish")
    ]
    value(
        db, add.replace("user:word@", "user:wo@rd@")
    )  # urlsplit takes the last @ for the end of the password, too
    assert db.execute("SELECT DISTINCT msgtarget FROM pgagent_py.job_message").fetchall() == [
        ("hooks.example.org",)
    ]
    db.execute("SELECT pgagent_py.drop_message(%s)", [msgid])
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=f"message {msgid} does not exist"):
        db.execute("SELECT pgagent_py.drop_message(%s)", [msgid])


def test_which_runs_queue_which_messages(db: Db) -> None:
    good, bad = add_job(db, "good", sql="SELECT 1"), add_job(db, "bad", sql="SELECT 1/0")
    for when in ("failure", "success", "finish"):
        db.execute("SELECT pgagent_py.add_message(NULL, 'email', %s || '@all', %s)", [when, when])
        db.execute("SELECT pgagent_py.add_message(%s, 'email', %s || '@bad', %s)", [bad, when, when])
    run(db, good)
    run(db, bad)
    rows = db.execute("SELECT qmsjobid, qmstarget FROM pgagent_py.queued_message ORDER BY 1, 2").fetchall()
    assert rows == [
        (good, "finish@all"),
        (good, "success@all"),
        (bad, "failure@all"),
        (bad, "failure@bad"),
        (bad, "finish@all"),
        (bad, "finish@bad"),
    ]
    data = value(db, "SELECT qmsdata FROM pgagent_py.queued_message WHERE qmstarget = 'failure@bad'")
    assert (data["job"]["name"], data["run"]["status"], data["steps"][0]["name"]) == ("bad", "failure", "bad")
    assert "division by zero" in data["steps"][0]["output"]


def test_what_a_message_holds_is_limited_so_that_no_run_is_too_long_to_end(db: Db) -> None:
    """Names, descriptions and outputs have no limit; jsonb has, and to hit it would keep all jobs from going on."""
    job = add_job(db, "job", sql="SELECT 1/0")
    db.execute("UPDATE pgagent.pga_job SET jobname = repeat('n', 1001), jobdesc = repeat('d', 10001)")
    db.execute("UPDATE pgagent.pga_jobstep SET jstname = repeat('s', 1001)")
    db.execute(
        "SELECT pgagent_py.alter_step(jstid, retries => 100, retry_delay => '0') FROM pgagent.pga_jobstep"
    )
    db.execute("SELECT pgagent_py.add_message(%s, 'email', 'me@example.org')", [job])
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert db.execute("SELECT FROM pgagent_py.run_due()").rowcount == 101
    data = value(db, "SELECT qmsdata FROM pgagent_py.queued_message")
    assert (data["job"]["name"], data["job"]["description"]) == ("n" * 1000, "d" * 10000)
    assert [step["name"] for step in data["steps"]] == ["s" * 1000] * 100
    assert data["steps"][-1]["status"] == "failure"
