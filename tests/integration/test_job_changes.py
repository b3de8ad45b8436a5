"""The view job_changes: who has changed what of the jobs, from what to what."""

import json
from typing import Any

import psycopg

from tests.helpers import (
    Db,
    add_dependency,
    add_yearly_job,
    alter_job,
    alter_step,
    call,
    first_step,
    rows,
    value,
)
from tests.helpers.protocol import Agent, done

Change = tuple[Any, ...]


def changes(
    db: Db, where: str = "true", columns: str = "object, action, column_name, old_value, new_value"
) -> list[Change]:
    """Return what was changed, in order."""
    query = f"SELECT {columns} FROM pgagent_py.job_changes WHERE {where}"
    return rows(db, query)[::-1]


def news(db: Db, *statements: str) -> list[Change]:
    """Execute statements; return what they have changed."""
    db.execute("DELETE FROM pgagent_py.job_change")
    for statement in statements:
        db.execute(statement.encode())
    return changes(db)


def test_a_row_for_each_changed_column_and_one_for_what_is_added_or_dropped(db: Db) -> None:
    job = add_yearly_job(db, "nightly", "SELECT 1")
    (added, step, schedule) = changes(
        db, columns="object, action, column_name, object_id, object_name, jobid, jobname"
    )
    assert added == ("job", "insert", None, job, "nightly", job, "nightly")
    assert (step[0], step[4]) == ("step", "1") or (schedule[0], schedule[4]) == ("step", "1")
    stepid = first_step(db, job)
    code = "SELECT 'a very long code'" + " " * 100_000
    changed = news(
        db,
        f"UPDATE pgagent.pga_job SET jobname = 'n', jobenabled = false, jobdesc = jobdesc WHERE jobid = {job}",
        f"UPDATE pgagent.pga_job SET jobjclid = 3 WHERE jobid = {job}",
        f"UPDATE pgagent.pga_jobstep SET jstcode = $${code}$$, jstonerror = 'i' WHERE jstid = {stepid}",
        f"UPDATE pgagent.pga_schedule SET jschours[4] = true WHERE jscjobid = {job}",
    )
    assert changed == [
        ("job", "update", "jobname", "nightly", "n"),
        ("job", "update", "jobenabled", "true", "false"),
        ("job", "update", "jobjclid", "Routine Maintenance", "Data Export"),
        ("step", "update", "jstcode", "SELECT 1", code),
        ("step", "update", "jstonerror", "fail", "ignore"),
        ("schedule", "update", "jschours", "{0}", "{0,3}"),
    ]
    assert news(db, f"SELECT pgagent_py.alter_job({job}, name => 'n', enabled => false)") == []


def test_every_kind_of_object_and_option_is_noted(db: Db) -> None:
    job, other = add_yearly_job(db, "a", "SELECT 1"), add_yearly_job(db, "b")
    step, schedule = first_step(db, job), value(db, "SELECT min(jscid) FROM pgagent.pga_schedule")
    assert news(
        db,
        f"SELECT pgagent_py.alter_job({job}, timeout => '1 h', priority => 2)",
        f"SELECT pgagent_py.alter_job({job}, timeout => '2 h')",
        f"SELECT pgagent_py.alter_step({step}, retries => 3)",
        f"SELECT pgagent_py.alter_schedule({schedule}, timezone => 'Asia/Tokyo')",
    ) == [
        ("option", "update", "jobtimeout", None, "01:00:00"),
        ("option", "update", "jobpriority", "0", "2"),
        ("option", "update", "jobtimeout", "01:00:00", "02:00:00"),
        ("option", "update", "jstretries", "0", "3"),
        ("option", "update", "jsctimezone", None, "Asia/Tokyo"),
    ]
    changed = news(
        db,
        f"SELECT pgagent_py.add_exception({schedule}, '2040-01-01', '12:00')",
        "SELECT pgagent_py.add_exception(max(jscid), '2040-01-01', '12:00') FROM pgagent.pga_schedule",
        f"SELECT pgagent_py.add_message({job}, 'email', 'a@b.example')",
        f"SELECT pgagent_py.add_dependency({other}, {job})",
        "SELECT pgagent_py.add_calendar('holidays', '{2040-01-01}')",
        "SELECT pgagent_py.alter_calendar('holidays', '{2041-01-01}', '{2040-01-01}', 'x')",
        f"SELECT pgagent_py.attach_calendar({schedule}, 'holidays')",
        "SELECT pgagent_py.set_limit('Data Export', running => 1), pgagent_py.set_limit('Data Export', running => 2)",
        "SELECT pgagent_py.set_bound('jobs', 7), pgagent_py.set_bound('jobs', 8)",
        "SELECT pgagent_py.grant_group('g', 'pg_monitor'), pgagent_py.grant_group('g', 'pg_monitor')",
        "SELECT pgagent_py.grant_group('g', 'pg_monitor', false)",
        "SELECT pgagent_py.set_engine('ssh', '{host}'), pgagent_py.set_engine('ssh', '{host,user}')",
        "SELECT pgagent_py.pause('Data Export')",
        "SELECT pgagent_py.set_default_timezone('Asia/Tokyo')",
        "SELECT pgagent_py.set_retention(keep_runs => 5), pgagent_py.set_retention(keep_runs => 6)",
        "SELECT pgagent_py.resume('Data Export'), pgagent_py.set_bound('jobs', NULL)",
        f"SELECT pgagent_py.detach_calendar({schedule}, 'holidays')",
    )
    told = [
        (kind, action, column, None if column is None else (old, new))
        for kind, action, column, old, new in changed
    ]
    assert told == [
        ("exception", "insert", None, None),
        ("exception", "insert", None, None),
        ("message", "insert", None, None),
        ("dependency", "insert", None, None),
        ("calendar", "insert", None, None),
        ("calendar", "update", "calday", (None, "{2040-01-01}")),
        ("calendar", "update", "caldesc", ("", "x")),
        ("calendar", "update", "calday", ("{2040-01-01}", None)),
        ("calendar", "update", "calday", (None, "{2041-01-01}")),
        ("calendar", "insert", None, None),
        ("limit", "insert", None, None),
        ("limit", "update", "running", ("1", "2")),
        ("bound", "insert", None, None),
        ("bound", "update", "bndvalue", ("7", "8")),
        ("limit", "insert", None, None),
        ("limit", "delete", None, None),
        ("engine", "insert", None, None),
        ("engine", "update", "engoptions", ("{host}", "{host,user}")),
        ("pause", "insert", None, None),
        ("setting", "update", "value", (value(db, "SHOW timezone"), "Asia/Tokyo")),
        ("setting", "insert", None, None),
        ("setting", "update", "value", ("5", "6")),
        ("pause", "delete", None, None),
        ("bound", "delete", None, None),
        ("calendar", "delete", None, None),
    ]
    assert {jobid for (jobid,) in changes(db, "object IN ('exception', 'message')", "jobid")} == {job, other}


def test_every_table_of_definitions_is_watched(db: Db) -> None:
    """A new table or column of a definition is a line in macros/changes.j2, or says here why not."""
    kept = {"pgagent.pga_jobagent", "pgagent.pga_jobclass", "pgagent.pga_joblog", "pgagent.pga_jobsteplog"}
    names = (
        "adding agent alerted alive applied_job code_version comment_line cron_schedule dependency_met draining"
        " installation job_change job_due job_origin job_owed kept_right launcher_report problem"
        " queued_message refusal run run_option run_order run_origin sent_email step_rows waiting_result"
    )
    kept |= {f"pgagent_py.{name}" for name in names.split()}
    unwatched = """
        SELECT c.oid::regclass::text FROM pg_class c
         WHERE c.relkind = 'r' AND c.relnamespace IN ('pgagent'::regnamespace, 'pgagent_py'::regnamespace)
           AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname LIKE '%log_insert')"""
    assert {name for (name,) in rows(db, unwatched)} == kept
    columns = """
        SELECT DISTINCT a.attname FROM pg_trigger t JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum > 0
         WHERE t.tgname LIKE '%log_update' AND NOT a.attnum = ANY (t.tgattr) ORDER BY 1"""
    keys = {
        "bflid",
        "bndname",
        "calname",
        "engname",
        "jclid",
        "jexid",
        "jobafter",
        "jobid",
        "jscid",
        "jstid",
        "msgid",
        "msgjobid",
        "name",
        "winname",
    }
    found_out = {
        "jobinstallation",
        "jobowner",
        "jobownerid",
        "jobrunas",
        "msgeditor",
        "jobchanged",
        "jobcreated",
        "paused_since",
        "winrules",
    }
    of_runs = {"depchecked", "jobagentid", "jobdone", "jobfailures", "joblastrun", "jobnextrun", "jscnextrun"}
    progress = "bflat bflclaimed bfldone bflended bflfailed bflleft bflpast bflrun bflschedules bfltimes skpat skprules skpused"
    of_runs |= set(progress.split())
    assert {name for (name,) in rows(db, columns)} - keys == found_out | of_runs


def test_secrets_are_masked(db: Db) -> None:
    job = add_yearly_job(
        db, "a", {"sql": "SELECT 1", "connstr": "host=h password='s3 \\' cret' sslpassword = s3cret dbname=d"}
    )
    step = first_step(db, job)
    alter_job(db, job, parameters='{"token": "s3cret"}')
    for connstr in (
        "postgresql://u:s3cr@et@h/d?sslpassword=s3cret&x=1",
        "user=x password=s3cret\\ s3cret",
        "password='s3cret",
    ):
        alter_step(db, step, connstr=connstr)
    alter_job(
        db, job, description='a comment\n@webhook https://h.example/s3cret\n@parameters {"token": "s3cret"}'
    )
    call(db, "add_message", job, "webhook", "https://x:s3cret@h.example/s3cret")
    call(db, "add_message", job, "email", "a@b.example", text="s3cret for editors")
    assert "s3cret" not in str(rows(db, "SELECT c::text FROM pgagent_py.job_change c WHERE NOT chgprivate"))
    shown = str(changes(db))
    assert "s3" not in shown
    assert "host=h password=*** sslpassword = *** dbname=d" in shown
    assert "postgresql://u:***@h/d?sslpassword=***&x=1" in shown


def test_it_names_the_role_that_asked(db: Db) -> None:
    db.execute("CREATE ROLE changer IN ROLE pgagent_py_user")
    me = value(db, "SELECT session_user::text")
    try:
        db.execute("SET ROLE changer")
        job = add_yearly_job(db, "hers")
        db.execute("RESET ROLE")
        by = f"changer (session {me})"
        assert {who for (who,) in changes(db, f"jobid = {job}", "changed_by")} == {by}
        # Neither a definer's function nor ours stands in front of it.
        db.execute(
            "CREATE FUNCTION public.rename(id integer) RETURNS void LANGUAGE sql SECURITY DEFINER AS"
            " $$UPDATE pgagent.pga_job SET jobname = 'x' WHERE jobid = id$$"
        )
        db.execute(
            "GRANT EXECUTE ON FUNCTION public.rename TO changer; ALTER FUNCTION public.rename OWNER TO CURRENT_USER"
        )
        db.execute("SET ROLE changer")
        db.execute("SELECT public.rename(%s)", [job])
        db.execute("RESET ROLE")
        assert changes(db, "column_name = 'jobname'", "changed_by, new_value") == [(by, "x")]
        db.execute("UPDATE pgagent.pga_job SET jobname = 'y'")
        assert changes(db, "new_value = 'y'", "changed_by") == [(me,)]
    finally:
        db.execute("DROP OWNED BY changer; DROP ROLE changer")


def test_what_goes_with_a_job_is_kept(db: Db) -> None:
    job = add_yearly_job(db, "gone", "SELECT 'kept'")
    alter_job(db, job, timeout="1 h")
    add_dependency(db, job, add_yearly_job(db, "other"))
    db.execute("DELETE FROM pgagent_py.job_change")
    call(db, "drop_job", job)
    told = changes(db, columns="object, action, jobname")
    assert sorted(told) == [
        (kind, "delete", "gone") for kind in ("dependency", "job", "option", "schedule", "step")
    ]
    (step,) = changes(db, "object = 'step'", "old_value")
    assert json.loads(step[0])["jstcode"] == "SELECT 'kept'"
    add_yearly_job(db, "cut off", "SELECT 1")
    db.execute("DELETE FROM pgagent_py.job_change; TRUNCATE pgagent.pga_job CASCADE")
    assert [kind for (kind,) in changes(db, "action = 'delete'", "object")].count("job") == 2


def explain(db: Db) -> list[str]:
    """Have the server tell the plans of all statements, with the triggers that they call; return where they arrive."""
    told: list[str] = []
    db.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    db.execute("LOAD 'auto_explain'")
    for name in ("log_analyze", "log_nested_statements", "log_triggers"):
        db.execute(f"SET auto_explain.{name} = on".encode())
    db.execute("SET auto_explain.log_level = notice; SET auto_explain.log_min_duration = 0")
    return told


def test_claims_bookings_and_releases_call_no_trigger_of_it(db: Db) -> None:
    plans = explain(db)
    job = add_yearly_job(db, "a", "SELECT 1", "SELECT 2")
    assert any("pgagent_py_log_insert" in plan for plan in plans)
    call(db, "run_now", job)
    agent = Agent(db.info.dsn)
    plans = explain(agent.db)
    steps = agent.run_due(1)
    for _ in range(2):
        steps = agent.run_due(1, done(steps[0]))
    agent.close()
    assert value(db, "SELECT jobagentid IS NULL FROM pgagent.pga_job WHERE jobid = %s", job)
    told = "\n".join(plans)
    assert "Update on pga_job" in told
    assert "pgagent_py_run_ended" in told
    assert "log_insert" not in told
    assert "log_update" not in told


def test_failures_in_a_row_and_a_job_that_does_not_change_are_no_news(db: Db) -> None:
    job = add_yearly_job(db, "a", "SELECT 1/0")
    alter_job(db, job, max_failures=2)
    run = [f"SELECT pgagent_py.run_now({job})", "SELECT * FROM pgagent_py.run_due()"]
    assert news(db, *run) == []
    assert news(db, *run) == [("job", "update", "jobenabled", "true", "false")]


def test_a_restore_and_an_update_write_nothing(db: Db) -> None:
    """pg_dump's scripts and those of extensions set check_function_bodies: docs/history.md."""
    restored = [
        "SET check_function_bodies = off",
        "INSERT INTO pgagent.pga_job (jobjclid, jobname) VALUES (1, 'x')",
    ]
    restored += ["INSERT INTO pgagent_py.setting VALUES ('timezone', 'Asia/Tokyo')"]
    assert news(db, *restored) == []
    # ... but no role gets round it by the setting.
    assert news(db, "UPDATE pgagent.pga_job SET jobdesc = 'x'") == [("job", "update", "jobdesc", "", "x")]
    assert [row[:2] for row in news(db, "SELECT pgagent_py.add_job('y')")] == [("job", "insert")]


def test_they_are_kept_as_long_as_it_was_said(db: Db) -> None:
    add_yearly_job(db, "a")
    db.execute(
        "INSERT INTO pgagent_py.job_change (chgat, chgobject, chgaction)"
        " SELECT now() - interval '1 day' * n, 'job', 'update' FROM generate_series(1, 700) n"
    )
    assert call(db, "purge_history") == 0
    call(db, "set_retention", keep_changes="200 days")
    assert [call(db, "purge_history"), call(db, "upkeep"), call(db, "purge_history")] == [300, 201, 0]
    call(db, "set_retention", keep_changes="0")
    db.execute("UPDATE pgagent_py.job_change SET chgat = chgat - interval '99 years'")
    assert call(db, "purge_history") == 0


def test_a_saved_row_stays_pgadmins_own(db: Db) -> None:
    """pgAdmin finds the row that it has just inserted by the transaction id, so no trigger may run a subtransaction."""
    with psycopg.connect(db.info.dsn) as pgadmin:
        pgadmin.execute("INSERT INTO pgagent.pga_job (jobjclid, jobname) VALUES (1, 'x')")
        mine = (
            "SELECT count(*) FROM pgagent.pga_job WHERE xmin::text = (txid_current() % (2^32)::bigint)::text"
        )
        assert value(pgadmin, mine) == 1
        assert (
            value(
                pgadmin,
                "SELECT count(*) FROM pgagent_py.job_change c WHERE c.xmin::text = txid_current()::text",
            )
            == 1
        )
