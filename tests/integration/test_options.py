"""Options of jobs and steps, pauses, limits and orders without a launcher: arguments, views, run_due() in the session."""

import psycopg
import pytest

from tests.helpers import (
    Cluster,
    Db,
    add_due_job,
    add_job,
    alter_job,
    alter_step,
    first_step,
    run_due,
    wait_for,
)

RUNS = """
    SELECT j.jobname, r.jlgstatus FROM pgagent.pga_joblog r JOIN pgagent.pga_job j ON j.jobid = r.jlgjobid ORDER BY r.jlgid"""
TRIES = """
    SELECT s.jstname, l.jslstatus FROM pgagent.pga_jobsteplog l JOIN pgagent.pga_jobstep s ON s.jstid = l.jsljstid
     ORDER BY l.jslid"""


def test_alter_job_changes_what_is_given(db: Db) -> None:
    job = add_job(db, "old", "SELECT 1")
    alter_job(
        db,
        job,
        name="new",
        description="what for",
        host="there",
        enabled=False,
        timeout="90 s",
        max_lateness="1 h",
        priority=5,
        group="g",
        max_failures=3,
        delete_on_success=True,
        **{"class": "Data Export"},
    )
    query = "SELECT jobname, jobdesc, jobjclid, jobhostagent, jobenabled FROM pgagent.pga_job"
    assert db.execute(query).fetchall() == [("new", "what for", 3, "there", False)]
    query = """
        SELECT job, name, timeout::text, max_lateness::text, priority, "group", max_failures, delete_on_success
          FROM pgagent_py.job_options"""
    full = (job, "new", "00:01:30", "01:00:00", 5, "g", 3, True)
    assert db.execute(query).fetchall() == [full]
    alter_job(db, job, description="else")
    assert db.execute("SELECT jobdesc, jobname FROM pgagent.pga_job").fetchall() == [("else", "new")]
    assert db.execute(query).fetchall() == [full]
    alter_job(
        db, job, timeout="0", max_lateness="0", priority=0, group="", max_failures=0, delete_on_success=False
    )
    assert db.execute(query).fetchall() == [(job, "new", None, None, 0, None, None, False)]


def test_alter_step_changes_what_is_given(db: Db, database: str) -> None:
    job = add_job(db, "job", "SELECT 1")
    step = first_step(db, job)
    here = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    query = """
        SELECT jstname, jstkind, jstcode, jstdbname, jstconnstr, jstonerror, jstenabled, jstdesc FROM pgagent.pga_jobstep"""
    alter_step(db, step, name="a", on_error="ignore", enabled=False, description="d")
    assert db.execute(query).fetchall() == [("a", "s", "SELECT 1", here, "", "i", False, "d")]
    alter_step(db, step, sql="SELECT 2", connstr="host=there")
    assert db.execute(query).fetchall() == [("a", "s", "SELECT 2", "", "host=there", "i", False, "d")]
    alter_step(db, step, database="other")
    assert db.execute(query).fetchall() == [("a", "s", "SELECT 2", "other", "", "i", False, "d")]
    alter_step(db, step, batch="true")
    assert db.execute(query).fetchall() == [("a", "b", "true", "", "", "i", False, "d")]
    alter_step(db, step, sql="SELECT 3", atomic=True)
    assert db.execute(query).fetchall() == [("a", "s", "SELECT 3", here, "", "i", False, "d")]
    alter_step(db, step, timeout="1 min", retries=2, retry_delay="5 s", retry_backoff=1.5)
    query = "SELECT step, atomic, timeout::text, retries, retry_delay::text, retry_backoff FROM pgagent_py.step_options"
    assert db.execute(query).fetchall() == [(step, True, "00:01:00", 2, "00:00:05", 1.5)]
    alter_step(db, step, timeout="0", retries=0)
    assert db.execute(query).fetchall() == [(step, True, None, 0, "00:00:05", 1.5)]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("alter_job(-1)", "job -1 does not exist"),
        ("alter_job(NULL)", "job is missing"),
        ("alter_job({job}, name => ' ')", "name is empty"),
        ("alter_job({job}, class => 'x')", 'class "x" does not exist'),
        ("alter_job({job}, timeout => '-1 s')", "timeout can't be -1"),
        ("alter_job({job}, timeout => '200 years')", "timeout can't be"),
        ("alter_job({job}, max_lateness => '-1 s')", "max_lateness can't be -1"),
        ("alter_job({job}, max_failures => -1)", "max_failures can't be -1"),
        ("alter_step(-1)", "step -1 does not exist"),
        ("alter_step({step}, sql => ' ')", "sql is empty"),
        ("alter_step({step}, sql => 'x', batch => 'x')", "both sql and batch"),
        ("alter_step({step}, batch => 'x', database => 'x')", "database is given for a batch step"),
        ("alter_step({step}, database => 'x', connstr => 'host=x')", "both database and connstr"),
        ("alter_step({step}, connstr => 'host=x', atomic => true)", "atomic: the step is remote"),
        (
            "add_step({job}, 'x', sql => 'x', connstr => 'host=x', atomic => true)",
            "atomic: the step is remote",
        ),
        (
            "add_step({job}, 'x', sql => 'x', database => 'other', atomic => true)",
            "atomic: the step is remote",
        ),
        ("alter_step({step}, on_error => 'x')", 'on_error "x" is unknown'),
        ("alter_step({step}, timeout => '-1 s')", "timeout can't be -1"),
        ("alter_step({step}, retries => -1)", "retries can't be -1"),
        ("alter_step({step}, retries => 101)", "retries can't be 101"),
        ("alter_step({step}, retry_delay => '2 days')", "retry_delay can't be 172800"),
        ("alter_step({step}, retry_backoff => 0.5)", "retry_backoff can't be 0.5"),
        ("alter_step({step}, retry_backoff => 'NaN')", "retry_backoff can't be NaN"),
        ("alter_step({step}, retry_backoff => 'Infinity')", "retry_backoff can't be Infinity"),
        ("run_now({job}, from_step => -1)", "step -1 does not exist"),
        ("run_now({job}, from_step => {other})", "from_step {other} is no enabled step of job {job}"),
        ("cancel_run(-1)", "run -1 does not exist"),
        ("cancel_run(NULL)", "run is missing"),
        ("pause('x')", 'class "x" does not exist'),
        ("resume('x')", 'class "x" does not exist'),
        ("set_limit(running => 1)", "neither class nor group"),
        ("set_limit(class => 'Data Import', \"group\" => 'g', running => 1)", "both class and group"),
        ("set_limit(\"group\" => '', running => 1)", "group is empty"),
        ("set_limit(\"group\" => 'g', running => 0)", "running can't be 0"),
    ],
)
def test_bad_values_are_refused(db: Db, call: str, words: str) -> None:
    job = add_job(db, "job", "SELECT 1")
    ids = {
        "job": job,
        "step": first_step(db, job),
        "other": first_step(db, add_job(db, "other", "SELECT 1")),
    }
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        db.execute(f"SELECT pgagent_py.{call.format(**ids)}".encode())
    assert words.format(**ids) in str(caught.value)
    assert caught.value.diag.message_hint
    for table in ("job_option", "step_option", "pause", "job_limit", "run_order"):
        assert db.execute(f"SELECT count(*) FROM pgagent_py.{table}".encode()).fetchone() == (0,)


@pytest.mark.parametrize("call", ["resume()", "resume('Data Import')", "cancel_run({run})"])
def test_what_does_not_fit_the_state_is_refused(db: Db, call: str) -> None:
    add_due_job(db, "job", "SELECT 1")
    run_due(db)
    ((run,),) = db.execute("SELECT jlgid FROM pgagent.pga_joblog").fetchall()
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        db.execute(f"SELECT pgagent_py.{call.format(run=run)}".encode())


def test_pauses_are_independent(db: Db) -> None:
    alter_job(db, add_due_job(db, "import", "SELECT 1"), **{"class": "Data Import"})
    alter_job(db, add_due_job(db, "export", "SELECT 1"), **{"class": "Data Export"})
    db.execute("SELECT pgagent_py.pause(), pgagent_py.pause('Data Import'), pgagent_py.pause('Data Import')")
    assert db.execute("SELECT class FROM pgagent_py.paused ORDER BY class").fetchall() == [
        ("Data Import",),
        (None,),
    ]
    assert run_due(db) == []
    db.execute("SELECT pgagent_py.resume()")
    assert run_due(db) == ["export"]
    db.execute("SELECT pgagent_py.resume('Data Import')")
    assert run_due(db) == ["import"]
    assert run_due(db) == []


def test_a_pause_begins_and_ends_by_itself(db: Db) -> None:
    def pause(begin: str, end: str) -> None:
        db.execute(f'SELECT pgagent_py.pause("from" => now() + {begin!r}, until => now() + {end!r})'.encode())

    def shown() -> list[tuple[bool]]:
        return db.execute("SELECT begun FROM pgagent_py.paused").fetchall()

    add_due_job(db, "job", "SELECT 1")
    pause("1 h", "2 h")
    pause("-1 h", "1 h")
    assert (shown(), run_due(db)) == ([(True,)], [])
    pause("1 h", "2 h")
    assert (shown(), run_due(db)) == ([(False,)], ["job"])
    db.execute("UPDATE pgagent_py.pause SET paused_from = NULL, paused_until = now() - interval '1 s'")
    assert (shown(), run_due(db)) == ([], [])
    add_due_job(db, "other", "SELECT 1")
    assert run_due(db) == ["other"]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        db.execute("SELECT pgagent_py.resume()")
    for begin, end in (("0 s", "-1 s"), ("2 h", "1 h")):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="until"):
            pause(begin, end)
    db.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'x'), pgagent_py.pause(until => 'infinity')")
    assert db.execute("SELECT pgagent_py.next_wake()").fetchall()


def test_priority_and_lateness_in_the_session(db: Db) -> None:
    for name, priority in (("low", -5), ("normal", 0), ("high", 7)):
        alter_job(db, add_due_job(db, name, "SELECT 1"), priority=priority, max_lateness="1 h")
    late = add_due_job(db, "late", "SELECT 1")
    alter_job(db, late, max_lateness="1 h")
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '2 h' WHERE jobid = %s", [late])
    assert run_due(db) == ["high", "normal", "low"]
    assert sorted(db.execute(RUNS).fetchall()) == [
        ("high", "s"),
        ("late", "i"),
        ("low", "s"),
        ("normal", "s"),
    ]


def test_limited_jobs_run_one_after_the_other_in_the_session(db: Db) -> None:
    """With one place, all three still run in one call: each gets the place that the one before has left."""
    db.execute("""SELECT pgagent_py.set_limit("group" => 'g', running => 1)""")
    db.execute("CREATE TABLE seen (running integer)")
    code = "INSERT INTO seen SELECT count(*) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL"
    for name in "abc":
        alter_job(db, add_due_job(db, name, code, code), group="g")
    assert run_due(db) == ["a", "a", "b", "b", "c", "c"]
    assert db.execute("SELECT DISTINCT running FROM seen").fetchall() == [(1,)]


def test_both_limits_count_and_a_full_class_holds_up_no_other(db: Db) -> None:
    """A job that has to wait for its class takes no place of its group."""
    db.execute("""SELECT pgagent_py.set_limit(class => 'Data Import', running => 1),
                         pgagent_py.set_limit("group" => 'g', running => 1)""")
    db.execute("CREATE TABLE seen (name text, running text)")
    code = """INSERT INTO seen SELECT '{}', string_agg(jobname, ' ' ORDER BY jobid) FROM pgagent.pga_job
               WHERE jobagentid IS NOT NULL"""
    for name, options in (
        ("import", {"class": "Data Import"}),
        ("both", {"class": "Data Import", "group": "g"}),
        ("group", {"group": "g"}),
        ("free", {"priority": -1}),
    ):
        alter_job(db, add_due_job(db, name, code.format(name)), **options)
    assert sorted(run_due(db)) == ["both", "free", "group", "import"]
    ((first,), *_) = db.execute("SELECT running FROM seen").fetchall()
    assert first == "import group free"
    assert db.execute("SELECT running FROM seen WHERE name = 'both'").fetchall() == [("both",)]


def test_set_limit_replaces_and_removes(db: Db) -> None:
    for running in (1, 4):
        db.execute("""SELECT pgagent_py.set_limit("group" => 'g', running => %s)""", [running])
    db.execute("SELECT pgagent_py.set_limit(class => 'Data Import', running => 2)")
    query = 'SELECT class, "group", running, running_now FROM pgagent_py.limits ORDER BY class'
    assert db.execute(query).fetchall() == [("Data Import", None, 2, 0), (None, "g", 4, 0)]
    db.execute(
        """SELECT pgagent_py.set_limit("group" => 'g'), pgagent_py.set_limit(class => 'Data Import')"""
    )
    assert db.execute(query).fetchall() == []


def test_retries_in_the_session_wait_for_their_delay(db: Db) -> None:
    db.execute("CREATE TABLE tried (at timestamptz)")
    db.execute("CREATE SEQUENCE try")
    job = add_due_job(db, "flaky", "SELECT 1 / (nextval('try') / 3)", "SELECT 2")
    alter_step(db, first_step(db, job), retries=2, retry_delay="0.3 s")
    run_due(db)
    assert db.execute(TRIES).fetchall() == [("1", "f"), ("1", "f"), ("1", "s"), ("2", "s")]
    assert db.execute(RUNS).fetchall() == [("flaky", "s")]
    query = "SELECT max(jslstart) - min(jslstart) >= '0.6 s' FROM pgagent.pga_jobsteplog"
    assert db.execute(query).fetchone() == (True,)


def test_order_to_begin_at_a_step_is_for_that_run_only(db: Db) -> None:
    job = add_job(db, "job", "SELECT 1", "SELECT 2", "SELECT 3")
    ((second,),) = db.execute("SELECT jstid FROM pgagent.pga_jobstep WHERE jstname = '2'").fetchall()
    db.execute("SELECT pgagent_py.run_now(%s, from_step => %s)", [job, second])
    run_due(db)
    assert db.execute(TRIES).fetchall() == [("2", "s"), ("3", "s")]
    db.execute("TRUNCATE pgagent.pga_joblog CASCADE")
    # Another order, from pgAdmin: the former is void
    db.execute("SELECT pgagent_py.run_now(%s, from_step => %s)", [job, second])
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid = %s", [job])
    run_due(db)
    assert db.execute(TRIES).fetchall() == [("1", "s"), ("2", "s"), ("3", "s")]
    assert db.execute("SELECT count(*) FROM pgagent_py.run_order").fetchone() == (0,)
    db.execute("TRUNCATE pgagent.pga_joblog CASCADE")
    with db.transaction():  # the same now()
        db.execute("SELECT pgagent_py.run_now(%s, from_step => %s)", [job, second])
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
    run_due(db)
    assert db.execute(TRIES).fetchall() == [("1", "s"), ("2", "s"), ("3", "s")]


def test_cancel_of_a_run_that_nobody_executes_closes_it(db: Db, database: str) -> None:
    job = add_due_job(db, "orphan", "SELECT 1")
    with psycopg.connect(database, autocommit=True) as agent:
        agent.execute("SELECT pgagent_py.run_due(1)")
    ((run,),) = db.execute("SELECT jlgid FROM pgagent.pga_joblog WHERE jlgstatus = 'r'").fetchall()
    there = "SELECT FROM pg_stat_activity JOIN pgagent.pga_jobagent ON pid = jagpid"
    wait_for(lambda: not db.execute(there).rowcount, what="the end of the agent's backend")
    db.execute("SELECT pgagent_py.cancel_run(%s)", [run])
    assert db.execute(RUNS).fetchall() == [("orphan", "d")]
    assert db.execute("SELECT jslstatus, jsloutput FROM pgagent.pga_jobsteplog").fetchall() == [
        ("d", "The run was cancelled by postgres.")
    ]
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone() == (None,)


def test_cancel_of_a_run_of_the_daemon_is_refused(db: Db) -> None:
    """It looks like one to us: an agent that is alive and has no identity."""
    job = add_job(db, "daemon's", "SELECT 1")
    db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'here')")
    db.execute("UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid() WHERE jobid = %s", [job])
    ((run,),) = db.execute(
        "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) VALUES (%s, 'r') RETURNING jlgid", [job]
    ).fetchall()
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="daemon"):
        db.execute("SELECT pgagent_py.cancel_run(%s)", [run])


def test_options_survive_dump_and_restore(
    db: Db, database: str, bare_database: str, cluster: Cluster
) -> None:
    job = add_job(db, "job", "SELECT 1")
    alter_job(db, job, timeout="1 min", priority=3, group="g", max_failures=2, delete_on_success=True)
    alter_step(db, first_step(db, job), timeout="1 s", retries=4, retry_delay="7 s", retry_backoff=2)
    db.execute("SELECT pgagent_py.run_now(%s, from_step => %s)", [job, first_step(db, job)])
    db.execute("""SELECT pgagent_py.pause('Data Import'), pgagent_py.set_limit("group" => 'g', running => 2),
                         pgagent_py.set_limit(class => 'Data Import', running => 3)""")
    names = [str(psycopg.conninfo.conninfo_to_dict(info)["dbname"]) for info in (database, bare_database)]
    dump = cluster.run("pg_dump", names[0]).stdout
    cluster.run("psql", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", names[1], input=dump)
    with psycopg.connect(bare_database) as restored:
        for table in ("job_option", "step_option", "pause", "job_limit", "run_order"):
            query = f"SELECT t::text FROM pgagent_py.{table} t ORDER BY 1".encode()
            rows = db.execute(query).fetchall()
            assert rows
            assert restored.execute(query).fetchall() == rows


@pytest.mark.parametrize("interval", ["178000000 years", "2147483647 days"])
def test_intervals_of_no_use_do_not_disturb(db: Db, interval: str) -> None:
    """No verb takes them, but a restore or a superuser may bring them: no point in time lies so far away."""
    job = add_due_job(db, "job", "SELECT 1", "SELECT 1/0")
    alter_step(db, first_step(db, job) + 1, retries=1, retry_delay="0.1 s")
    alter_step(db, first_step(db, job), timeout="1 s")
    alter_job(
        db, job, timeout="1 s", max_lateness="1 s", late_after="1 s", overrun_after="1 s", keep_for="1 s"
    )
    for table, columns in (
        ("step_option", ["jsttimeout"]),
        ("job_option", ["jobtimeout", "jobmaxlateness", "joblateafter", "joboverrunafter", "jobkeepfor"]),
    ):
        changes = ", ".join(f"{column} = '{interval}'" for column in columns)
        db.execute(f"UPDATE pgagent_py.{table} SET {changes}")
    db.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'here'), pgagent_py.next_wake()")
    assert run_due(db) == ["job"] * 3
    assert db.execute("SELECT * FROM pgagent_py.problems").fetchall() == []
    db.execute("SELECT pgagent_py.upkeep(10)")
