"""@ lines in the comments of jobs, steps and schedules: written as pgAdmin writes them, and by the functions."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import psycopg.sql
import pytest

from tests.helpers import Db, add_job, alter_job, call, rows, run_due, run_now, value
from tests.helpers.transfer import export, import_

Invalid = psycopg.errors.InvalidParameterValue
JOB = """a job that
@timeout 30 min
  @max_lateness 1 h
@priority 7
@group etl
@max_failures 3
@delete_on_success
@keep_runs 5
@keep_for 2 days
@parameters {"a": [1.50, "@b"]}
@email dba@example.org, me@example.org on finish
@webhook https://example.org/x?a=@b
@after first of all on success on failure
and text with user@example.org"""
STEP = "@timeout 45 s\r\n@retries 3\r\n@retry_delay 5 s\r\n@retry_backoff 1.5\r\n@atomic on\r\n"
SCHEDULE = "@every 15 s\n@timezone Europe/Paris\n@calendar holidays, strikes\n@only_calendar quarter ends"
JOB_OPTIONS = """
    SELECT timeout, max_lateness, priority, "group", max_failures, delete_on_success, keep_runs, keep_for, parameters::text
      FROM pgagent_py.job_options WHERE name = %s"""
STEP_OPTIONS = "SELECT timeout, retries, retry_delay, retry_backoff, atomic FROM pgagent_py.step_options"
SCHEDULE_OPTIONS = "SELECT every, timezone, at, calendars, only_calendars FROM pgagent_py.schedule_options"
MESSAGES = "SELECT msgkind, msgtarget, msgwhen FROM pgagent_py.message ORDER BY msgid"
DEPENDENCIES = (
    'SELECT jobname, jobafter, "when", waits_for FROM pgagent_py.dependencies ORDER BY jobname, 3, 4'
)
PGADMIN = """
BEGIN;
DO $pgadmin$
DECLARE
    jid integer;
    scid integer;
BEGIN
    INSERT INTO pgagent.pga_job (jobjclid, jobname, jobdesc, jobhostagent, jobenabled)
    VALUES (1::integer, 'new'::text, {job}::text, ''::text, true) RETURNING jobid INTO jid;
    INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstenabled, jstkind, jstconnstr, jstdbname, jstonerror, jstcode, jstdesc)
    VALUES (jid, 's'::text, true, 's'::character(1), ''::text, current_database(), 'f'::character(1), 'SELECT 1'::text,
            {step}::text);
    INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscdesc, jscenabled, jscstart)
    VALUES (jid, 'x'::text, {schedule}::text, true, now()) RETURNING jscid INTO scid;
END
$pgadmin$;"""
JUST_INSERTED = "xmin::text = (txid_current() % (2^32)::bigint)::text"


@pytest.fixture
def db(db: Db) -> Db:
    for name in ("holidays", "strikes", "quarter ends"):
        call(db, "add_calendar", name, days=["2030-01-01"])
    return db


def describe(db: Db, job: int, comment: str) -> None:
    """Change a job's comment as pgAdmin does it."""
    db.execute("UPDATE pgagent.pga_job SET jobdesc = %s WHERE jobid = %s", [comment, job])


def unread(db: Db, statement: str, *parameters: Any) -> None:
    """Execute what writes comments as before 1.1, and as a restore does."""
    db.execute("SET row_security = off; SET check_function_bodies = off")
    db.execute(statement.encode(), parameters)
    db.execute("RESET row_security; RESET check_function_bodies")


def timeout(db: Db, name: str = "x") -> str | None:
    query = "SELECT timeout::text FROM pgagent_py.job_options WHERE name = %s"
    found = rows(db, query, name)
    return found[0][0] if found else None


def check_everything(db: Db) -> None:
    assert [str(v) for v in rows(db, JOB_OPTIONS, "new")[0]] == [
        "0:30:00", "1:00:00", "7", "etl", "3", "True", "5", "2 days, 0:00:00", '{"a": [1.50, "@b"]}',
    ]  # fmt: skip
    assert rows(db, MESSAGES) == [
        ("email", "dba@example.org, me@example.org", "finish"),
        ("webhook", "https://example.org/x?a=@b", "failure"),
    ]
    assert rows(db, DEPENDENCIES) == [("new", 1, "failure", None)]
    assert [str(v) for v in rows(db, STEP_OPTIONS)[0]] == ["0:00:45", "3", "0:00:05", "1.5", "True"]
    (found,) = rows(db, SCHEDULE_OPTIONS)
    assert (str(found[0]), *found[1:]) == (
        "0:00:15",
        "Europe/Paris",
        None,
        ["holidays", "strikes"],
        ["quarter ends"],
    )


def test_pgadmin_finds_its_new_job_and_schedule_and_each_line_has_set_its_option(db: Db) -> None:
    """By xmin: none of its rows was written again in a subtransaction."""
    add_job(db, "first of all on success")
    literals = {
        name: psycopg.sql.Literal(text)
        for name, text in (("job", JOB), ("step", STEP), ("schedule", SCHEDULE))
    }
    db.execute(psycopg.sql.SQL(PGADMIN).format(**literals))
    found = [rows(db, f"SELECT {key} FROM pgagent.{table} WHERE {JUST_INSERTED}")
             for table, key in (("pga_job", "jobname"), ("pga_schedule", "jscname"))]  # fmt: skip
    db.execute("END")
    assert found == [[("new",)], [("x",)]]
    check_everything(db)
    soon = "SELECT jobnextrun <= now() + interval '15 s' FROM pgagent.pga_job WHERE jobname = 'new'"
    db.execute("SELECT pgagent_py.detach_calendar(1, 'quarter ends')")
    assert value(db, soon)
    assert rows(db, "SELECT jobdesc, jstdesc, jscdesc FROM pgagent.pga_job, pgagent.pga_jobstep, pgagent.pga_schedule"
                    " WHERE jobname = 'new'") == [(JOB, STEP, SCHEDULE)]  # fmt: skip


def test_rules_of_days_and_labels_are_lines_too(db: Db) -> None:
    """They change the sets of pgAgent's own row as well."""
    literals = {name: psycopg.sql.Literal(text) for name, text in (
        ("job", "@labels gpu, big"), ("step", "@keep_rows 7"), ("schedule", "@workdays 1, -1\n@recurs 2 months"))}  # fmt: skip
    db.execute(psycopg.sql.SQL(PGADMIN).format(**literals))
    found = rows(db, f"SELECT jscname FROM pgagent.pga_schedule WHERE {JUST_INSERTED}")
    found += rows(db, f"SELECT jobname FROM pgagent.pga_job WHERE {JUST_INSERTED}")
    db.execute("END")
    assert found == [("x",), ("new",)]
    sets = "SELECT jscmonthdays, jscworkdays, jscrecurs FROM pgagent.pga_schedule JOIN pgagent_py.schedule_option USING (jscid)"
    direct = rows(db, sets)
    assert direct[0][1:] == ([-1, 1], "2 months")
    assert rows(db, "SELECT labels FROM pgagent_py.job_options") == [(["gpu", "big"],)]
    assert rows(db, "SELECT keep_rows FROM pgagent_py.step_options") == [(7,)]
    call(db, "add_schedule", 1, "x", description="@workdays 1, -1\n@recurs 2 months")
    assert rows(db, sets + " WHERE jscid = 2") == direct
    db.execute("UPDATE pgagent.pga_schedule SET jscdesc = ''")
    assert rows(db, sets) == [([False] * 32, None, None)] * 2
    db.execute("UPDATE pgagent.pga_job SET jobdesc = ''")
    assert rows(db, "SELECT labels FROM pgagent_py.job_options") == [(None,)]


def test_the_functions_set_the_same(db: Db) -> None:
    add_job(db, "first of all on success")
    job = call(db, "add_job", "new", description=JOB)
    call(db, "add_step", job, "s", sql="SELECT 1", description=STEP)
    call(db, "add_schedule", job, "x", minutes=[], description=SCHEDULE)
    check_everything(db)
    # ... and take all back when the lines are gone
    call(db, "alter_job", job, description="nothing")
    call(db, "alter_step", 1, description="")
    call(db, "alter_schedule", 1, description="")
    assert rows(db, JOB_OPTIONS, "new") == [(None, None, 0, None, None, False, None, None, None)]
    assert (rows(db, MESSAGES), rows(db, DEPENDENCIES)) == ([], [])
    assert [str(v) for v in rows(db, STEP_OPTIONS)[0]] == ["None", "0", "0:00:01", "1.0", "False"]
    assert rows(db, SCHEDULE_OPTIONS) == [(None, None, None, [], [])]
    assert rows(db, "SELECT * FROM pgagent_py.comment_line") == []


def test_only_lines_that_come_change_or_go_act(db: Db) -> None:
    job = add_job(db, "x", description="@timeout 5 min\n@priority 2")
    alter_job(db, job, timeout="1 h")
    describe(db, job, "other words\n@priority 3\n@timeout   5 min")
    assert timeout(db) == "01:00:00"
    assert value(db, "SELECT priority FROM pgagent_py.job_options") == 3
    describe(db, job, "@timeout 6 min")
    assert (timeout(db), value(db, "SELECT priority FROM pgagent_py.job_options")) == ("00:06:00", 0)
    call(db, "add_message", job, "email", "a@example.org")
    describe(db, job, "@email a@example.org\n@email b@example.org\n@timeout 6 min")
    describe(db, job, "@email a@example.org\n@timeout 6 min")
    assert sorted(rows(db, MESSAGES)) == [("email", "a@example.org", "failure")] * 2
    alter_job(db, job, timeout="0")
    describe(db, job, "")
    assert rows(db, MESSAGES) == [("email", "a@example.org", "failure")]


def test_comments_from_before_are_read_when_they_are_edited(db: Db) -> None:
    job = add_job(db, "x")
    unread(
        db, "UPDATE pgagent.pga_job SET jobdesc = %s WHERE jobid = %s", "@timeout 5 min\n@todo: ask Bob", job
    )
    assert timeout(db) is None
    alter_job(db, job, name="x", enabled=True)
    db.execute("UPDATE pgagent.pga_job SET jobdesc = jobdesc")
    assert timeout(db) is None
    with pytest.raises(Invalid) as caught:
        describe(db, job, "@timeout 5 min\n@todo: ask Bob\nmore")
    assert (
        caught.value.diag.message_primary == 'the comment has the line "@todo:", which is no option of a job'
    )
    hint = caught.value.diag.message_hint or ""
    for name in (
        "after",
        "delete_on_success",
        "email",
        "group",
        "keep_for",
        "parameters",
        "timeout",
        "webhook",
    ):
        assert f"@{name}" in hint
    for name in ("owner", "run_as", "failures", "retries", "name"):
        assert f"@{name}" not in hint
    describe(db, job, "@timeout 5 min\nmore")
    assert timeout(db) == "00:05:00"


def test_text_may_hold_the_sign_elsewhere(db: Db) -> None:
    job = add_job(db, "x", description="ask me@example.org, or @bob\n@ 5 pm\n@5pm\n@@\n")
    assert rows(db, "SELECT FROM pgagent_py.comment_line WHERE jobid = %s", job) == []


def test_a_time_without_a_zone_is_that_of_the_schedules_wall_clock(db: Db) -> None:
    job = add_job(db, "x")
    db.execute("SET timezone = 'Asia/Tokyo'")
    for comment, at in (
        ("@at 2040-07-01 12:00\n@timezone America/New_York", "2040-07-01 16:00+00"),
        ("@at 2040-07-01 12:00+00\n@timezone America/New_York", "2040-07-01 12:00+00"),
    ):
        (schedule,) = [call(db, "add_schedule", job, "s", description=comment)]
        assert value(db, "SELECT at = %s FROM pgagent_py.schedule_options WHERE jscid = %s", at, schedule)
    assert value(db, "SHOW timezone") == "Asia/Tokyo"


def test_a_job_that_is_not_there_yet_is_waited_for(db: Db) -> None:
    waiting = add_job(db, "waiting", "SELECT 1", description="@after later\n@after sooner on finish")
    assert rows(db, DEPENDENCIES) == [
        ("waiting", None, "finish", "sooner"),
        ("waiting", None, "success", "later"),
    ]
    sooner = add_job(db, "sooner", "SELECT 1")
    assert rows(db, DEPENDENCIES)[0] == ("waiting", sooner, "finish", None)
    run_now(db, sooner)
    assert [run_due(db), run_due(db)] == [["sooner"], []]  # the other one is not there: it does not start
    later = add_job(db, "l", "SELECT 1")
    db.execute("UPDATE pgagent.pga_job SET jobname = 'later' WHERE jobid = %s", [later])
    assert ("waiting", later, "success", None) in rows(db, DEPENDENCIES)
    run_now(db, later)
    assert [run_due(db), run_due(db)] == [["later"], ["waiting"]]
    call(db, "drop_job", later)
    assert ("waiting", None, "success", "later") in rows(db, DEPENDENCIES)
    add_job(db, "later", description="@after waiting on failure")  # closes a circle, which launchers drop
    describe(db, waiting, "")
    assert [name for name, *_ in rows(db, DEPENDENCIES)] == ["later"]


def test_a_name_that_several_jobs_have_is_refused(db: Db) -> None:
    add_job(db, "twice")
    add_job(db, "twice")
    job = add_job(db, "x")
    with pytest.raises(Invalid, match='several jobs have the name "twice"'):
        describe(db, job, "@after twice")


@pytest.fixture
def alice(db: Db) -> Iterator[Db]:
    """Return a connection as a role that has jobs, and may not have webhooks."""
    db.execute("CREATE ROLE lines_alice; GRANT pgagent_py_user TO lines_alice; CREATE ROLE lines_editor")
    db.execute("GRANT USAGE ON SCHEMA pgagent TO lines_editor")
    db.execute("GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO lines_editor")
    db.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA pgagent TO lines_editor")
    db.execute("SET ROLE lines_alice")
    yield db
    db.execute("RESET ROLE")
    db.execute("DROP OWNED BY lines_alice, lines_editor; DROP ROLE lines_alice, lines_editor")


def test_each_line_needs_the_right_of_its_function(alice: Db) -> None:
    alice.execute("RESET ROLE")
    add_job(alice, "admin's")
    add_job(alice, "follower", description="@after alice's")
    alice.execute("SET ROLE lines_alice")
    job = add_job(alice, "mine", description="@timeout 5 min\n@group hers\n@after admin's\n@after next")
    assert timeout(alice, "mine") == "00:05:00"
    add_job(alice, "next")
    add_job(alice, "alice's")
    # Others' jobs do not exist for her, and hers set off none of others
    assert rows(alice, DEPENDENCIES) == [
        ("mine", None, "success", "admin's"),
        ("mine", job + 1, "success", None),
    ]
    for comment in ("@webhook https://example.org", "@timeout 1 min\n@webhook https://example.org"):
        for function, arguments in (("alter_job", (job,)), ("add_job", ("other",))):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="webhook"):
                call(alice, function, *arguments, description=comment)
    assert timeout(alice, "mine") == "00:05:00"
    alice.execute("RESET ROLE")
    assert ("follower", None, "success", "alice's") in rows(alice, DEPENDENCIES)
    assert rows(alice, "SELECT jobname FROM pgagent.pga_job ORDER BY jobid") == [
        (name,) for name in ("admin's", "follower", "mine", "next", "alice's")
    ]
    # A role that edits pgagent's tables may, with no grant of ours; one that may write comments only may not
    alice.execute("SET ROLE lines_editor")
    describe(alice, job, "@webhook https://example.org\n@timeout 7 min")
    alice.execute("RESET ROLE")
    assert rows(alice, MESSAGES) == [("webhook", "https://example.org", "failure")]
    alice.execute("GRANT pgagent_py_monitor TO lines_alice; SET ROLE lines_alice")
    describe_all = (
        "SELECT jobdesc FROM pgagent_py.visible_job WHERE jobname IN ('follower', 'mine') ORDER BY 1"
    )
    assert rows(alice, describe_all)[1] == ("@webhook https://example.org\n@timeout 7 min",)
    alice.execute("RESET ROLE")
    describe(alice, 2, "@webhook https://example.org/secret\n@priority 2")
    alice.execute("SET ROLE lines_alice")
    assert rows(alice, describe_all)[0] == ("@webhook ***\n@priority 2",)
    alice.execute("RESET ROLE")
    alice.execute("REVOKE INSERT ON pgagent.pga_job FROM lines_editor")
    alice.execute("SET ROLE lines_editor")
    describe(alice, job + 1, "words")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        describe(alice, job + 1, "@timeout 5 min")


def test_an_export_carries_comments_and_options_without_doubling(db: Db) -> None:
    add_job(db, "first of all on success")
    job = call(db, "add_job", "new", description=JOB + "\n@after still to come")
    call(db, "add_step", job, "s", sql="SELECT 1", description=STEP)
    call(db, "add_schedule", job, "x", minutes=[], description=SCHEDULE)
    alter_job(db, job, timeout="3 h", priority=0)
    unread(
        db,
        "INSERT INTO pgagent.pga_job (jobjclid, jobname, jobdesc) VALUES (1, 'old', %s)",
        "@todo x\n@calendar",
    )
    document = export(db)
    lines = rows(db, "SELECT lintext, linafter, jobafter FROM pgagent_py.comment_line ORDER BY 1")
    db.execute("DELETE FROM pgagent.pga_job")
    assert {action for name, (action, _) in import_(db, document).items() if name in document["jobs"]} == {
        "add"
    }
    assert export(db) == document
    found = rows(db, "SELECT lintext, linafter, jobafter FROM pgagent_py.comment_line ORDER BY 1")
    assert [line[:2] for line in found] == [line[:2] for line in lines]
    assert [line[2] is None for line in found] == [line[2] is None for line in lines]
    assert {action for action, _ in import_(db, document).values()} == {"same"}
    changed = json.loads(json.dumps(document))
    changed["jobs"]["new"]["description"] += "\nmore"
    import_(db, changed)
    assert export(db) == changed
    ((new,),) = rows(db, "SELECT jobid FROM pgagent.pga_job WHERE jobname = 'new'")
    describe(db, new, "@email x@example.org")
    assert rows(db, MESSAGES) == [("email", "x@example.org", "failure")]
