"""What pgAgent's users do today, with the real launcher: from CREATE EXTENSION to the log."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import psutil
import pytest

from tests.conftest import StartLauncher
from tests.helpers import PATIENCE, Cluster, Db, add_job, wait_for, wait_for_row

PASSWORD = "correct horse battery staple"
STEPS = """
    SELECT s.jstname, l.jslstatus, l.jslresult, l.jsloutput FROM pgagent.pga_jobsteplog l
      JOIN pgagent.pga_jobstep s ON s.jstid = l.jsljstid
      JOIN pgagent.pga_joblog r ON r.jlgid = l.jsljlgid
      JOIN pgagent.pga_job j ON j.jobid = r.jlgjobid
     WHERE j.jobname = %s ORDER BY l.jslid"""
# What pgAdmin's job dialog sends: one DO block; every minute from 15:56 to 15:59.
INSERTED = """
DO $$
DECLARE
    jid integer;
    scid integer;
BEGIN
    INSERT INTO pgagent.pga_job (jobjclid, jobname, jobdesc, jobhostagent, jobenabled)
    VALUES (2, 'inserted', 'A comment', '', true) RETURNING jobid INTO jid;
    INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstenabled, jstkind, jstconnstr, jstdbname, jstonerror, jstcode, jstdesc)
    VALUES (jid, 'note', true, 's', '', current_database(), 'f', 'INSERT INTO effects (note) VALUES (''inserted'')', '');
    INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscdesc, jscenabled, jscstart,
                                      jscminutes, jschours, jscweekdays, jscmonthdays, jscmonths)
    VALUES (jid, 'afternoon', '', true, now() - interval '1 day',
            array_fill(false, ARRAY[56]) || array_fill(true, ARRAY[4]),
            array_fill(false, ARRAY[15]) || ARRAY[true] || array_fill(false, ARRAY[8]),
            array_fill(false, ARRAY[7]), array_fill(false, ARRAY[32]), array_fill(true, ARRAY[12]))
    RETURNING jscid INTO scid;
END
$$"""


@pytest.fixture
def effects(db: Db) -> Db:
    """Return a connection to a database with a table for steps to leave their mark in."""
    db.execute("CREATE TABLE effects (id serial, note text, at timestamptz DEFAULT clock_timestamp())")
    return db


def notes(db: Db) -> list[str]:
    """Return what steps have noted, in order."""
    return [note for (note,) in db.execute("SELECT note FROM effects ORDER BY id")]


def status_at_end(db: Db, name: str, runs: int = 1, timeout: float = PATIENCE) -> str:
    """Return how the latest run of a job has ended, once it has ended so many runs."""
    query = """
        SELECT (array_agg(r.jlgstatus ORDER BY r.jlgid DESC))[1]
          FROM pgagent.pga_joblog r JOIN pgagent.pga_job j ON j.jobid = r.jlgjobid
         WHERE j.jobname = %s AND r.jlgstatus <> 'r' HAVING count(*) >= %s"""
    (status,) = wait_for_row(db, query, name, runs, timeout=timeout)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_job WHERE jobname = %s AND jobagentid IS NULL", name)
    return str(status)


def press_run_now(db: Db, name: str) -> None:
    """Do what pgAdmin's Run now does."""
    db.execute("UPDATE pgagent.pga_job SET jobnextrun=now()::timestamptz WHERE jobname = %s", [name])


def zone_where_it_is(time: str, seconds_before: float) -> str:
    """Return a time zone in whose wall clock it will be `time` (HH:MM) in so many seconds."""
    now = datetime.now(UTC)
    wanted = datetime.combine(now.date(), datetime.strptime(time, "%H:%M").time(), UTC)
    east = round((wanted - timedelta(seconds=seconds_before) - now).total_seconds())
    east = (east + 43200) % 86400 - 43200
    hours, rest = divmod(abs(east), 3600)
    return f"<there>{'-' if east >= 0 else '+'}{hours:02}:{rest // 60:02}:{rest % 60:02}"


def test_from_create_extension_to_the_log(
    own_cluster: Cluster, launcher: StartLauncher, tmp_path: Path
) -> None:
    """A fresh database, a role with rights on schema pgagent only, its password in ~/.pgpass, pgAgent's command line."""
    with own_cluster.connect() as db:
        db.execute("CREATE EXTENSION pgagent_py CASCADE")
        tables = db.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'pgagent'").fetchone()
        assert tables == (8,)
        db.execute(f"CREATE ROLE pgagent_user LOGIN PASSWORD '{PASSWORD}'")
        db.execute("GRANT USAGE ON SCHEMA pgagent TO pgagent_user")
        db.execute("GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO pgagent_user")
        db.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA pgagent TO pgagent_user")
        pgpass = tmp_path / ".pgpass"
        pgpass.write_text(f"127.0.0.1:{own_cluster.port}:*:pgagent_user:{PASSWORD}\n")
        pgpass.chmod(0o600)
        words = ["hostaddr=127.0.0.1", "dbname=postgres", "user=pgagent_user"]
        environment = {"HOME": str(tmp_path), "PGPORT": str(own_cluster.port)}
        process = launcher("-l", "2", *words, env=environment)
        wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent")
        assert db.execute("SELECT jagstation FROM pgagent.pga_jobagent").fetchone() == (socket.gethostname(),)

        job = add_job(db, "whoami", cron="0 3 * * *")
        db.execute(
            "SELECT pgagent_py.add_step(%s, '1', sql => 'CREATE TEMP TABLE x AS SELECT current_user')", [job]
        )
        db.execute("SELECT pgagent_py.add_step(%s, '2', batch => 'echo $PGAGENT_JOB_NAME')", [job])
        press_run_now(db, "whoami")
        assert status_at_end(db, "whoami") == "s", db.execute(STEPS, ["whoami"]).fetchall()
        assert db.execute(STEPS, ["whoami"]).fetchall()[1] == ("2", "s", 0, "whoami\n")
        next_run = db.execute("SELECT jobnextrun > now() FROM pgagent.pga_job").fetchone()
        assert next_run == (True,)

        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        assert all(PASSWORD not in word for member in family for word in member.cmdline())
        assert process.terminate() == 0
        assert PASSWORD not in process.log_text()
        assert db.execute("SELECT count(*) FROM pgagent.pga_jobagent").fetchone() == (0,)


def test_job_of_one_do_block_gets_its_next_run_and_runs(
    database: str, effects: Db, launcher: StartLauncher
) -> None:
    """Its schedule is that of the wall clock: here of a place where it is 15:56 in a few seconds."""
    effects.execute("SELECT pgagent_py.set_default_timezone('UTC')")
    effects.execute(INSERTED)
    query = (
        "SELECT to_char(jobnextrun AT TIME ZONE 'UTC', 'HH24:MI:SS'), jobnextrun > now() FROM pgagent.pga_job"
    )
    ((time, later),) = effects.execute(query).fetchall()
    assert later
    assert time in {f"15:{minute}:00" for minute in (56, 57, 58, 59)}

    launcher(database)
    wait_for_row(effects, "SELECT 1 FROM pgagent.pga_jobagent")
    zone = zone_where_it_is("15:56", 4)
    effects.execute("SELECT pgagent_py.set_default_timezone(%s)", [zone])
    # If it was 15:56 before that was done, it will be 15:57 in a minute
    assert status_at_end(effects, "inserted", timeout=60 + PATIENCE) == "s"
    assert set(notes(effects)) == {"inserted"}
    next_minute = """
        SELECT jobnextrun AT TIME ZONE %(zone)s = date_trunc('minute', joblastrun AT TIME ZONE %(zone)s) + '1 min'
          FROM pgagent.pga_job"""
    assert effects.execute(next_minute, {"zone": zone}).fetchone() == (True,)


def test_every_kind_of_step_runs_in_order_and_is_logged(
    cluster: Cluster, database: str, effects: Db, launcher: StartLauncher
) -> None:
    """SQL here, in another database and by a libpq string; batch with four kinds of first line; names decide the order."""
    with cluster.connect() as db:
        db.execute("CREATE DATABASE other_one")
    try:
        job = add_job(
            effects,
            "kinds",
            description="All there are",
            **{"class": "Data Import"},
            host=socket.gethostname(),
        )
        here = "INSERT INTO effects (note) VALUES ('1'); INSERT INTO effects (note) VALUES ('2'), ('3')"
        remote = cluster.conninfo("other_one", application_name="remote step")
        steps: list[tuple[str, str, str, dict[str, object]]] = [
            ("10 local", "sql", here, {}),
            ("11 other database", "sql", "CREATE TABLE made_there AS SELECT 1 AS x", {"database": "other_one"}),
            ("12 remote", "sql", "INSERT INTO made_there SELECT 2", {"connstr": remote}),
            ("13 top level", "sql", "VACUUM effects", {}),
            ("14 commits", "sql", "DO $$ BEGIN INSERT INTO effects (note) VALUES ('4'); COMMIT; ROLLBACK; END $$", {}),
            ("15 index", "sql", "CREATE INDEX CONCURRENTLY ON effects (note)", {}),
            ("20 sh", "batch", "#!/bin/sh\necho sh; echo error >&2", {}),
            ("21 bash", "batch", "#!/bin/bash\necho bash {1..3}", {}),
            ("22 python", "batch", "#!/usr/bin/python3\nimport sys\nprint(sys.version_info[0])", {}),
            ("23 none", "batch", "echo none $PGAGENT_STEP_NAME", {}),
            ("3 disabled", "sql", "SELECT 1/0", {"enabled": False}),
            ("4 ignore", "batch", "exit 7", {"on_error": "ignore"}),
            ("5 success", "sql", "SELECT 1/0", {"on_error": "success"}),
            ("6 fail", "batch", "echo last words; exit 9", {"on_error": "fail"}),
            ("7 not reached", "sql", "INSERT INTO effects (note) VALUES ('never')", {}),
        ]  # fmt: skip
        for name, kind, code, options in reversed(steps):
            given = "".join(f", {option} => %s" for option in options)
            query = f"SELECT pgagent_py.add_step(%s, %s, {kind} => %s{given})"
            effects.execute(query.encode(), [job, name, code, *options.values()])
        launcher(database)
        press_run_now(effects, "kinds")
        assert status_at_end(effects, "kinds") == "f"
        log = effects.execute(STEPS, ["kinds"]).fetchall()
        found = {name: (status, result) for name, status, result, _ in log}
        output = {name: text for name, _, _, text in log}
        assert list(found) == [name for name, *_ in steps if name not in ("3 disabled", "7 not reached")]
        assert found.pop("4 ignore") == ("i", 7)
        assert found.pop("5 success") == ("s", -1)
        assert found.pop("6 fail") == ("f", 9)
        assert {name for name, (status, _) in found.items() if status != "s"} == set(), log
        assert notes(effects) == ["1", "2", "3", "4"]
        assert "INSERT 0 2" in output["10 local"]
        assert {"sh", "error"} <= set(output["20 sh"].splitlines())
        assert output["21 bash"] == "bash 1 2 3\n"
        assert output["22 python"] == "3\n"
        assert output["23 none"] == "none 23 none\n"
        assert "division by zero" in output["5 success"]
        assert output["6 fail"] == "last words\n"
        with cluster.connect("other_one") as db:
            assert db.execute("SELECT x FROM made_there ORDER BY x").fetchall() == [(1,), (2,)]
        effects.execute("UPDATE pgagent.pga_job SET jobenabled = false")
    finally:
        with cluster.connect() as db:
            db.execute("DROP DATABASE other_one WITH (FORCE)")


def test_disabled_jobs_and_those_for_another_host_do_not_run(
    database: str, effects: Db, launcher: StartLauncher
) -> None:
    code = "INSERT INTO effects (note) VALUES ('{}')"
    add_job(effects, "off", sql=code.format("off"), enabled=False)
    add_job(effects, "elsewhere", sql=code.format("elsewhere"), host="no-such-host.invalid")
    add_job(effects, "here", sql=code.format("here"), host=socket.gethostname())
    effects.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 min'")
    launcher(database)
    assert status_at_end(effects, "here") == "s"
    # What comes later is done; what was due all the time still is not
    add_job(effects, "anywhere", sql=code.format("anywhere"))
    press_run_now(effects, "anywhere")
    assert status_at_end(effects, "anywhere") == "s"
    assert notes(effects) == ["here", "anywhere"]
    effects.execute("UPDATE pgagent.pga_job SET jobenabled = true, jobnextrun = now() WHERE jobname = 'off'")
    assert status_at_end(effects, "off") == "s"


def test_jobs_run_in_parallel_and_steps_of_one_in_order(
    database: str, effects: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """Each of two jobs waits for the other to have begun: one after the other, they would not end."""
    meet = """
        touch {me}
        for i in $(seq 600); do [ -e {other} ] && exit 0; sleep 0.1; done
        exit 1"""
    here, there = tmp_path / "here", tmp_path / "there"
    for name, me, other in (("one", here, there), ("two", there, here)):
        job = add_job(effects, name)
        effects.execute(
            "SELECT pgagent_py.add_step(%s, '1 meet', batch => %s)", [job, meet.format(me=me, other=other)]
        )
        for step in ("9", "10", "b", "a", "B"):
            code = f"INSERT INTO effects (note) VALUES ('{name} {step}')"
            effects.execute("SELECT pgagent_py.add_step(%s, %s, sql => %s)", [job, step, code])
    launcher(database)
    effects.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
    assert status_at_end(effects, "one") == "s"
    assert status_at_end(effects, "two") == "s"
    in_order = [
        step for (step,) in effects.execute("SELECT s FROM unnest('{9,10,b,a,B}'::text[]) s ORDER BY s")
    ]
    for name in ("one", "two"):
        assert [note for note in notes(effects) if note.startswith(name)] == [
            f"{name} {step}" for step in in_order
        ]


def test_schedules_due_at_the_same_minute_make_one_run(
    database: str, effects: Db, launcher: StartLauncher
) -> None:
    """Four schedules are due at the same minute; one is over, one has not begun, one has an exception: one run."""
    job = add_job(effects, "scheduled", sql="INSERT INTO effects (note) VALUES ('ran')", enabled=False)
    add = """
        SELECT pgagent_py.add_schedule(%s, %s, cron => '0 12 * * *',
                                       start => now() + %s::interval, "end" => now() + %s::interval)"""
    for name, start, end in (
        ("now", "-1 day", "1 day"),
        ("over", "-2 days", "-1 day"),
        ("to come", "1 day", "2 days"),
        ("excepted", "-1 day", "1 day"),
    ):
        effects.execute(add, [job, name, start, end])
    launcher(database)
    wait_for_row(effects, "SELECT 1 FROM pgagent.pga_jobagent")
    zone = zone_where_it_is("12:00", 8)  # ample for the next three statements
    effects.execute(
        "SELECT pgagent_py.add_exception(jscid, (now() AT TIME ZONE %s)::date, '12:00')"
        " FROM pgagent.pga_schedule WHERE jscname = 'excepted'",
        [zone],
    )
    effects.execute("SELECT pgagent_py.set_default_timezone(%s)", [zone])
    effects.execute("UPDATE pgagent.pga_job SET jobenabled = true")
    assert status_at_end(effects, "scheduled") == "s"
    row = effects.execute(
        "SELECT jobnextrun - date_trunc('second', joblastrun) > '23 h' FROM pgagent.pga_job"
    ).fetchone()
    assert row == (True,)
    assert notes(effects) == ["ran"]


def test_missed_run_is_made_up_for_once(database: str, effects: Db, launcher: StartLauncher) -> None:
    """Due since yesterday, every minute, with no launcher: one run when one starts, then by the schedule."""
    add_job(effects, "missed", cron="0 */2 * * *", sql="INSERT INTO effects (note) VALUES ('made up')")
    expected = effects.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchone()
    effects.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 day'")
    launcher(database)
    assert status_at_end(effects, "missed") == "s"
    assert effects.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchone() == expected
    # Something later has run: nothing of the missed day comes after it
    add_job(effects, "later", sql="INSERT INTO effects (note) VALUES ('later')")
    press_run_now(effects, "later")
    assert status_at_end(effects, "later") == "s"
    assert notes(effects) == ["made up", "later"]


def test_run_now_wakes_a_sleeping_launcher(database: str, effects: Db, launcher: StartLauncher) -> None:
    """It does not poll for this: ten runs take less than five of the sleeps that it has where nothing wakes it."""
    add_job(effects, "told", cron="0 3 1 1 *", sql="INSERT INTO effects (note) VALUES ('told')")
    before = effects.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchone()
    process = launcher("-f", "-t", "10", "-r", "30", "-l", "1", database)
    wait_for_row(effects, "SELECT 1 FROM pgagent.pga_jobagent")
    press_run_now(effects, "told")
    assert status_at_end(effects, "told", 1) == "s"
    begin = monotonic()
    effects.execute("ALTER TABLE pgagent.pga_job DISABLE TRIGGER pgagent_py_notify_due")
    press_run_now(effects, "told")
    assert status_at_end(effects, "told", 2) == "s"
    sleep = monotonic() - begin
    effects.execute("ALTER TABLE pgagent.pga_job ENABLE TRIGGER pgagent_py_notify_due")
    begin = monotonic()
    for runs in range(3, 13):
        press_run_now(effects, "told")
        assert status_at_end(effects, "told", runs) == "s"
    assert monotonic() - begin < 5 * sleep
    assert notes(effects) == ["told"] * 12
    assert effects.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchone() == before
    assert process.terminate() == 0


def test_step_that_ends_well_while_the_launcher_stops_is_a_success(
    database: str, effects: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    add_job(effects, "last", batch=f"touch {begun}\nwhile [ ! -e {go} ]; do sleep 0.05; done\necho done")
    process = launcher("--grace", "60", database)
    press_run_now(effects, "last")
    wait_for(begun.exists, what="the step to begin")
    process.process.terminate()
    process.wait_until_signalled()
    go.touch()
    assert process.wait() == 0
    assert status_at_end(effects, "last") == "s"
    assert effects.execute(STEPS, ["last"]).fetchall() == [("last", "s", 0, "done\n")]
