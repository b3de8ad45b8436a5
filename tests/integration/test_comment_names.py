"""Every option of the functions can be set by an @ line: none is forgotten, each is tried."""

import re
from pathlib import Path

import psycopg
import pytest

from tests.helpers import Db, call, rows, value

PAGE = Path(__file__).resolve().parents[2] / "docs" / "options.md"
NAMES = re.compile(r"Of a \w+: (.*)\.$", re.MULTILINE)

# Arguments that are no lines: what pgAgent's tables have columns for, so that pgAdmin's dialogs show it, and the job or step
# that is meant. Owner and run_as change who may edit. A job's cron makes schedules, which may have lines of their own.
COLUMNS = {"job", "step", "schedule", "name", "description", "enabled"}
NO_LINES = {
    "job": {*COLUMNS, "cron", "sql", "batch", "database", "timezone", "class", "host", "if_exists", "owner", "run_as"},
    "step": {*COLUMNS, "sql", "batch", "database", "connstr", "on_error"},
    "schedule": {*COLUMNS, "minutes", "hours", "weekdays", "monthdays", "months", "start", "end"},
}  # fmt: skip
# Lines that call another function
OTHER_FUNCTIONS = {
    "job": {"after", "email", "webhook", "chat"},
    "step": set(),
    "schedule": {"calendar", "only_calendar"},
}

# Line, what the view of options shows then
EXAMPLES = {
    "job": {
        "timeout": ("30 min", "00:30:00"),
        "max_lateness": ("1 h", "01:00:00"),
        "priority": ("7", "7"),
        "group": ("etl", "etl"),
        "max_failures": ("3", "3"),
        "delete_on_success": ("", "true"),
        "keep_runs": ("5", "5"),
        "keep_for": ("2 days", "2 days"),
        "parameters": ('{"a": "@b"}', '{"a": "@b"}'),
        "labels": ("gpu, dc=paris", "{gpu,dc=paris}"),
        "late_after": ("10 min", "00:10:00"),
        "overrun_after": ("2 h", "02:00:00"),
        "catch_up": ("all", "all"),
        "catch_up_limit": ("24", "24"),
        "window": ("nights", "nights"),
        "at_window_end": ("stop", "stop"),
    },
    "step": {
        "atomic": ("", "true"),
        "timeout": ("45 s", "00:00:45"),
        "retries": ("3", "3"),
        "retry_delay": ("5 s", "00:00:05"),
        "retry_backoff": ("1.5", "1.5"),
        "separately": ("on", "true"),
        "keep_rows": ("500", "500"),
        "engine": ("slurm", "slurm"),
        "engine_options": ('{"mem": "8G"}', '{"mem": "8G"}'),
    },
    "schedule": {
        "timezone": ("Europe/Paris", "Europe/Paris"),
        "every": ("15 s", "00:00:15"),
        "at": ("2040-01-01 09:00+00", "2040-01-01 09:00:00+00"),
        "nth": ("2, -1", "{-1,2}"),
        "workdays": ("-1", "{-1}"),
        "roll": ("forward", "forward"),
        "recurs": ("2 weeks", "2 weeks"),
        "spread": ("15 min", "00:15:00"),
    },
}
DEFAULTS = {
    "priority": "0", "delete_on_success": "false", "catch_up": "once",
    "at_window_end": "finish", "atomic": "false", "separately": "false", "retries": "0",
    "retry_delay": "00:00:01", "retry_backoff": "1",
}  # fmt: skip
# What a line needs beside it to mean anything
BESIDE = {"engine_options": "@engine slurm\n", "catch_up_limit": "@catch_up all\n"}
TABLES = {
    "job": ("pga_job", "jobdesc", "jobid"),
    "step": ("pga_jobstep", "jstdesc", "jstid"),
    "schedule": ("pga_schedule", "jscdesc", "jscid"),
}


def describe(db: Db, noun: str, comment: str, number: int = 1) -> None:
    """Change a comment as pgAdmin does it."""
    table, column, key = TABLES[noun]
    db.execute(
        f"UPDATE pgagent.{table} SET {column} = %s WHERE {key} = %s".encode(), [f"text\n{comment}", number]
    )


def shown(db: Db, noun: str, name: str, number: int) -> str | None:
    """Return an option as its view shows it; None without a row."""
    key = TABLES[noun][2]
    found = rows(db, f'SELECT to_jsonb(o) ->> %s, "{name}"::text FROM pgagent_py.{noun}_options o WHERE {key} = %s',
                 name, number)  # fmt: skip
    return found[0][1] if found else None


@pytest.fixture
def db(db: Db) -> Db:
    """Return a connection to a database with a job that has each kind of step, a schedule, a calendar and an engine."""
    job = call(db, "add_job", "x", sql="SELECT 1")
    call(db, "add_step", job, "batch", batch="true")
    call(db, "add_schedule", job, "s", weekdays=[1], minutes=[0], hours=[9], start="2026-01-05 00:00+00")
    call(db, "add_calendar", "holidays", days=["2030-01-01"])
    call(db, "add_window", "nights", "0 22 * * *", duration="8 h")
    call(db, "set_engine", "slurm", allowed_options=["mem", "exclusive"])
    db.execute("SET timezone = 'UTC'")
    return db


def names_of_lines(db: Db, noun: str) -> set[str]:
    """Return the names that the message about an unknown one has."""
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        describe(db, noun, "@unknown")
    found = NAMES.search(caught.value.diag.message_hint or "")
    assert found
    return {name.removeprefix("@") for name in found[1].split(", ")}


def arguments(db: Db, noun: str) -> set[str]:
    """Return the arguments of the functions that add and alter such a thing."""
    query = """
        SELECT DISTINCT a.name FROM pg_proc p CROSS JOIN LATERAL unnest(p.proargnames[:p.pronargs]) a (name)
         WHERE p.pronamespace = 'pgagent_py'::regnamespace AND p.proname = ANY (%s)"""
    return {name for (name,) in rows(db, query, [f"add_{noun}", f"alter_{noun}"])}


@pytest.mark.parametrize("noun", TABLES)
def test_every_argument_is_a_line_unless_a_dialog_has_it(db: Db, noun: str) -> None:
    names = names_of_lines(db, noun)
    assert names == arguments(db, noun) - NO_LINES[noun] | OTHER_FUNCTIONS[noun]
    assert names - OTHER_FUNCTIONS[noun] - {"cron", "rrule"} == EXAMPLES[noun].keys()
    section = (
        PAGE.read_text().split(f"### In the comment of a {noun}\n")[1].split("\n\n- ")[0].split("\n### ")[0]
    )
    assert set(re.findall(r"\| `@(\w+)", section)) == names


@pytest.mark.parametrize("noun", TABLES)
def test_each_line_sets_its_option_and_takes_it_back(db: Db, noun: str) -> None:
    for name, (text, expected) in EXAMPLES[noun].items():
        number = 2 if name.startswith("engine") else 1
        for comment in (f"@{name} {text}", f"@{name.upper()}\t {text} "):
            describe(db, noun, BESIDE.get(name, "") + comment, number)
            assert shown(db, noun, name, number) == expected, comment
            describe(db, noun, "", number)
            assert shown(db, noun, name, number) == DEFAULTS.get(name), comment


def test_an_engine_comes_with_its_options(db: Db) -> None:
    options = "SELECT engine, engine_options FROM pgagent_py.step_options WHERE jstid = 2"
    describe(db, "step", "@engine slurm --mem=8G --exclusive", 2)
    assert rows(db, options) == [("slurm", {"mem": "8G", "exclusive": True})]
    describe(db, "step", "@engine slurm --mem='1 G'", 2)
    assert rows(db, options) == [("slurm", {"mem": "1 G"})]
    describe(db, "step", "@engine local", 2)
    assert rows(db, options) == [(None, None)]
    for comment, words in (
        ("@engine slurm --uid=0", 'slurm has no option "uid" here'),
        ("@engine nomad", 'engine "nomad" is not enabled'),
        ("@engine slurm mem", 'engine has the word "mem"'),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
            describe(db, "step", comment, 2)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="engine is given for an sql step"):
        describe(db, "step", "@engine slurm", 1)


def test_lines_that_call_other_functions(db: Db) -> None:
    call(db, "add_job", "first")
    messages = "SELECT msgkind, msgtarget, msgwhen FROM pgagent_py.message ORDER BY msgid"
    describe(
        db, "job", "@email a@example.org on recovered\n@chat slack://a/b/c on late\n@after first on finish"
    )
    assert rows(db, messages) == [("email", "a@example.org", "recovered"), ("chat", "slack://a/b/c", "late")]
    assert rows(db, 'SELECT jobafter, "when" FROM pgagent_py.dependencies') == [(2, "finish")]
    describe(db, "job", "@webhook https://example.org/x on overrun")
    assert rows(db, messages) == [("webhook", "https://example.org/x", "overrun")]
    assert rows(db, "SELECT FROM pgagent_py.dependencies") == []
    calendars = "SELECT calendars, only_calendars FROM pgagent_py.schedule_options"
    for comment, found in (
        ("@calendar holidays", (["holidays"], [])),
        ("@only_calendar holidays", ([], ["holidays"])),
    ):
        describe(db, "schedule", comment)
        assert (rows(db, calendars) or [([], [])]) in ([found], [([], [])])
        assert rows(db, "SELECT calonly FROM pgagent_py.schedule_calendar") == [(found[0] == [],)]


def test_cron_and_rrule_write_the_sets_which_stay(db: Db) -> None:
    next_ = "SELECT pgagent_py.next_run(1, '2030-06-01 00:00+00')::text"  # a Saturday
    describe(db, "schedule", "@cron 30 8 * * mon-fri")
    assert value(db, next_) == "2030-06-03 08:30:00+00"
    describe(db, "schedule", "@rrule FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=7;BYMINUTE=0;EXCLUDE=holidays")
    assert value(db, next_) == "2030-06-28 07:00:00+00"
    assert rows(db, "SELECT calname FROM pgagent_py.schedule_calendar") == [("holidays",)]
    describe(db, "schedule", "")
    assert value(db, next_) == "2030-06-28 07:00:00+00"
    describe(db, "schedule", "@every 1 h")
    describe(db, "schedule", "@cron @daily")
    assert value(db, next_) == "2030-06-02 00:00:00+00"
    for comment, words in (
        ("@cron 0 3 13 * fri", "cron takes 2 schedules"),
        ("@cron", "cron"),
        ("@cron @daily\n@every 1 h", "both cron and every are given"),
        ("@rrule FREQ=NOW", "rrule"),
        ("@rrule FREQ=DAILY\n@recurs 2 days", "both rrule and recurs are given"),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
            describe(db, "schedule", comment)
    assert value(db, next_) == "2030-06-02 00:00:00+00"
