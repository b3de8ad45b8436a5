"""What a person does with jobs every day, with a real launcher."""

import json
import signal
import subprocess
from datetime import datetime

from tests.conftest import StartLauncher
from tests.console.conftest import Ctl
from tests.helpers import (
    SLEEPING,
    Db,
    add_job,
    alter_job,
    call,
    rows,
    value,
    wait_for_row,
)


def test_a_run_is_waited_for_with_its_output_and_its_result(
    ctl: Ctl, db: Db, launcher: StartLauncher
) -> None:
    launcher(ctl.conninfo)
    add_job(
        db,
        "good",
        "DO $$BEGIN RAISE NOTICE 'hello %', current_setting('pgagent_py.parameters')::json ->> 'day'; END$$",
    )
    add_job(db, "bad", "SELECT 1", "SELECT 1;\nSELECT 2/0", {"batch": "echo unseen"})
    shown = ctl("run", "good", "--wait", "--param", "day=monday")
    assert "hello monday" in shown
    assert ": success after " in shown
    assert "division by zero" in ctl("run", "bad", "--wait", status=1)
    done = ctl.json("run", "bad", "--wait", status=1)
    assert done["run_status"] == "failure"
    assert [step["step_status"] for step in done["steps"]] == ["success", "failure"]
    done = ctl.json("run", "bad", "--wait", "--from-step", "2", status=1)
    assert [step["jstname"] for step in done["steps"]] == ["2"]


def test_why_shows_the_failing_step_its_code_and_the_error(ctl: Ctl, db: Db) -> None:
    job = add_job(db, "bad", sql="SELECT 1;\nSELECT 2/0")
    other = add_job(db, "good", sql="SELECT 1")
    for jobid in (job, other):
        call(db, "run_now", job=jobid)
        rows(db, "SELECT pgagent_py.run_due()")
    for what in ((), ("bad",), (str(value(db, "SELECT min(jlgid) FROM pgagent.pga_joblog")),)):
        shown = ctl("why", *what)
        assert "bad, run" in shown
        assert "2  SELECT 2/0" in shown
        assert "division by zero" in shown
        assert "never succeeded" in shown
    assert ctl.json("why")["failing_step"]["jslresult"] == -1
    assert "no failed run" in ctl("why", "good", status=2)
    assert [run["jobname"] for run in ctl.json("runs")] == ["good", "bad"]
    assert [run["jobname"] for run in ctl.json("runs", "--failed", "--since", "1h")] == ["bad"]
    assert "division by zero" in ctl("log", "bad")


def test_a_wait_that_is_interrupted_leaves_the_run_going(ctl: Ctl, db: Db, launcher: StartLauncher) -> None:
    launcher(ctl.conninfo)
    add_job(db, "long", "SELECT pg_sleep(600)")
    command = [ctl.program, "-d", ctl.conninfo, "run", "long", "--wait"]
    process = subprocess.Popen(command, env=ctl.environment, stderr=subprocess.PIPE, text=True)
    wait_for_row(db, SLEEPING)
    (run,) = wait_for_row(db, "SELECT jlgid FROM pgagent.pga_joblog WHERE jlgstatus = 'r'")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in told
    assert f"pgagentctl cancel {run}" in told or "as soon as a launcher takes it" in told
    assert [row["jlgid"] for row in ctl.json("status")["running"]] == [run]
    assert f"run {run} is being cancelled" in ctl("cancel", "long")
    wait_for_row(db, "SELECT FROM pgagent.pga_joblog WHERE jlgstatus = 'd'")
    assert "no run in progress" in ctl("cancel", "long", status=2)
    ctl("cancel", str(run), status=2)


def test_jobs_are_disabled_enabled_paused_and_resumed(ctl: Ctl, db: Db) -> None:
    add_job(db, "j", cron="0 3 * * *", sql="SELECT 1")
    assert "is disabled" in ctl("disable", "j")
    told = ctl("run", "j", status=2)
    assert "is disabled" in told
    assert "HINT: Enable it first." in told
    ctl("add", "j", "--cron", "0 4 * * *", "--if-exists", "replace")
    assert ctl.json("job", "j")["jobenabled"] is False
    assert "next run" in ctl("enable", "j")
    assert ctl.json("pause")[0]["class"] is None
    assert [row["class"] for row in ctl.json("status")["paused"]] == [None]
    assert ctl.json("resume") == []
    ctl("pause", "no such class", status=2)


def test_next_runs_are_skipped_and_a_span_is_run_again(ctl: Ctl, db: Db) -> None:
    job = add_job(db, "j", cron="0 3 * * *", sql="SELECT 1", timezone="UTC")
    times = [at for (at,) in rows(db, "SELECT * FROM pgagent_py.next_runs(%s, 3)", job)]
    assert f"skips what is due {times[0]:%Y-%m-%d} 0" in ctl("skip", "j")
    (skipped,) = ctl.json("skip", "j")
    assert [datetime.fromisoformat(skipped[name]) for name in ("from", "until")] == times[:2]
    assert "skips nothing, next run" in ctl("unskip", "j")
    assert "--from or --until is missing" in ctl("backfill", "j", "--from", "2024-01-01", status=2)
    span = "--from", "2024-01-01", "--until", "2024-01-05"
    begun = ctl.json("backfill", "j", *span, "--param", "a=1", "--stop-on-failure")
    assert (begun["jobid"], begun["times"], begun["stop_on_failure"]) == (job, 4, True)
    assert "0 of 4 times are done" in ctl("backfill", "--cancel", str(begun["backfill"]))
    assert [row["status"] for row in ctl.json("backfill")] == ["stopped"]
    assert "has cancelled it" in ctl("backfill")
    ctl("backfill", "--cancel", "77", status=2)


def test_jobs_are_found_by_name_else_by_id(ctl: Ctl, db: Db) -> None:
    first = add_job(db, "j")
    assert ctl.json("job", str(first))["jobname"] == "j"
    named = add_job(db, str(first))
    assert ctl.json("job", str(first))["jobid"] == named
    add_job(db, "j")
    told = ctl("job", "j", status=2)
    assert f"HINT: Give an id instead of the name: {first}, " in told
    assert "Did you mean" in ctl("job", "J", status=2)
    assert "there is no job" in ctl("job", "99999999999", status=2)


def test_a_job_is_shown_with_all_that_belongs_to_it(ctl: Ctl, db: Db) -> None:
    job = add_job(db, "j", cron="0 3 * * mon-fri", sql="SELECT 1\nFROM x", description="what it does")
    alter_job(db, job, timeout="2 h", priority=5)
    other = add_job(db, "first")
    call(db, "add_dependency", job, other, when="finish")
    call(db, "add_step", job, "z", sql="SELECT 2", connstr="host=h dbname=d password=geheim")
    call(db, "add_message", job, "webhook", "https://hooks.example.org/geheim")
    shown = ctl("job", "j")
    for part in (
        "webhook to hooks.example.org, when: failure",
        "after: first, on finish",
        "what it does",
        "at 03:00 on Monday to Friday",
        "[0 3 * * 1-5]",
        "2  FROM x",
        "priority: 5",
        "next runs: 2",
    ):
        assert part in shown
    document = ctl.json("job", "j")
    assert document["jobid"] == job
    assert "geheim" not in shown + json.dumps(document)
    assert document["options"]["timeout"] == 7200
    assert len(document["next_runs"]) == 5


def test_what_runs_next_and_what_ran_is_seen_across_all_jobs(ctl: Ctl, db: Db) -> None:
    for name in ("a", "b"):
        call(db, "run_now", job=add_job(db, name, cron="0 */6 * * *", sql="SELECT 1"))
    rows(db, "SELECT pgagent_py.run_due()")
    found = ctl.json("upcoming", "--until", "tomorrow", "--count", "50")
    assert {run["jobname"] for run in found} == {"a", "b"}
    assert found == sorted(found, key=lambda run: (run["at"], run["jobname"]))
    drawn = ctl("timeline", "--since", "1h").splitlines()
    assert [line.split()[0] for line in drawn[1:3]] == ["a", "b"]
    assert all(line.endswith("=") for line in drawn[1:3])
    shown = ctl("stats")
    assert "slowest" in shown
    assert "a " in shown
    assert {row["jobname"] for row in ctl.json("stats")} == {"a", "b"}
    shown = ctl("status")
    assert "none: no job runs until a launcher is started" in shown
    assert len(ctl.json("status")["next"]) == 10


def test_watch_writes_a_line_for_each_event_into_a_pipe(ctl: Ctl, db: Db) -> None:
    db.execute("SELECT pgagent_py.set_notify_runs(true)")
    job = add_job(db, "j", sql="SELECT 1")
    command = [ctl.program, "-d", ctl.conninfo, "watch", "--json"]
    with subprocess.Popen(command, env=ctl.environment, stdout=subprocess.PIPE, text=True) as process:
        wait_for_row(
            db,
            "SELECT FROM pg_stat_activity WHERE application_name = 'pgagentctl' AND query LIKE '%%visible_run%%'",
        )
        call(db, "run_now", job=job)
        rows(db, "SELECT pgagent_py.run_due()")
        assert process.stdout
        event = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
    assert (event["jobname"], event["run_status"]) == ("j", "success")
    assert process.returncode == 130


def test_a_launcher_is_drained_and_takes_jobs_again(ctl: Ctl, db: Db, launcher: StartLauncher) -> None:
    launcher(ctl.conninfo)
    (id_, host) = wait_for_row(db, "SELECT launcher, host FROM pgagent_py.launchers")
    assert "takes nothing more" in ctl("drain", host)
    assert ctl.json("status")["launchers"][0]["draining"] is True
    assert ctl.json("undrain", str(id_)[:8])[0]["draining"] is False
    assert "there is no launcher" in ctl("drain", "nowhere", status=2)
