"""Job definitions as JSON."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.helpers import Cluster, Db
from tests.helpers.transfer import export, import_

# Config tables that are not part of a job's definition, or are only in part
NOT_DEFINITIONS = {
    "setting": "of the database", "job_limit": "of classes and groups", "bound": "of roles",
    "group_grant": "of roles", "job_change": "of history", "pause": "of the moment", "skip": "of the moment",
    "backfill": "of the moment",
    "run_order": "of the moment", "job_origin": "of the moment", "run_origin": "history",
    "job_due": "history", "run_option": "of runs", "dependency_met": "of the moment",
    "comment_line": "of comments, which are carried", "step_rows": "of runs", "engine": "of the database",
    "applied_job": "of where a definition came from", "cron_schedule": "found again by their looks",
}  # fmt: skip
# Columns of the option tables that the database finds out by itself: ids of this server, and what runs have left
NOT_CARRIED = {
    "jobid",
    "jstid",
    "jscid",
    "jobfailures",
    "jobdone",
    "jobownerid",
    "jobrunasid",
    "jobinstallation",
}
CARRIED_TABLES = {"job_dependency", "message", "calendar", "calendar_day", "schedule_calendar", "exception"}
CARRIED_TABLES |= {"job_window"}
OPTION_TABLES = {"job_option": "jobid", "step_option": "jstid", "schedule_option": "jscid"}
EXAMPLES = {
    "interval": "1:23:45",
    "integer": "7",
    "text": "GMT",
    "name": "postgres",
    "boolean": "true",
    "timestamp with time zone": "2030-01-01 00:00:00+00",
    "double precision": "2.5",
    "text[]": "{gpu}",
    "jsonb": '{"a": [1, "b"]}',
} | {"integer[]": "{1,2}", "jscroll": "skip", "jobcatchup": "skip", "jscrecurs": "2 weeks"}
EXAMPLES |= {"jobwindow": "nights", "jobatwindowend": "stop"}
EXAMPLES |= {"jstatomic": "false"}  # it does not go with jstseparately
EVERYTHING = """
SELECT pgagent_py.add_window('nights', '0 22 * * *', duration => '8 h');
SELECT pgagent_py.add_calendar('holidays', '{2030-01-01,2030-12-25}', 'closed');
SELECT pgagent_py.add_job('plain', sql => 'SELECT 1');
SELECT pgagent_py.add_job('nightly', cron => '0 3 13 * fri', sql => 'SELECT ''a'', E''\\n''', timezone => 'Europe/Paris',
                          description => 'It''s "quoted"', class => 'Miscellaneous', host => 'db1', enabled => false);
SELECT pgagent_py.add_step(2, '2 batch', batch => E'#!/bin/sh\\necho "\\\\"', on_error => 'ignore', description => 'a step');
SELECT pgagent_py.add_step(2, '3 remote', sql => 'SELECT 2', connstr => 'host=db2 dbname=x', enabled => false);
SELECT pgagent_py.add_step(2, '4 elsewhere', sql => 'SELECT 3', database => 'postgres', on_error => 'success');
SELECT pgagent_py.add_schedule(2, 'sets', minutes => '{0,59}', hours => '{0,23}', weekdays => '{0,6}', monthdays => '{1,32}',
                               months => '{1,12}', start => '2029-01-01 00:00:01+00', "end" => '2031-01-01 00:00:00+00');
SELECT pgagent_py.add_exception(3, on_date => '2030-05-01');
SELECT pgagent_py.add_exception(3, at_time => '23:59');
SELECT pgagent_py.add_exception(1, '2031-05-01', '10:00'), pgagent_py.add_exception(3, '2031-05-01', '10:00');
SELECT pgagent_py.attach_calendar(3, 'holidays', true);
SELECT pgagent_py.add_message(2, 'email', 'me@example.org', 'finish', '{{ run }}', 'subject');
SELECT pgagent_py.add_message(2, 'webhook', 'https://example.org/hook');
SELECT pgagent_py.add_job('nightly', sql => 'SELECT ''the second of this name''');
SELECT pgagent_py.add_dependency(3, 1, 'success');
SELECT pgagent_py.add_dependency(3, 2, 'failure');
"""


def fill(db: Db) -> None:
    for statement in EVERYTHING.strip().split(";\n"):
        db.execute(statement.encode())


@pytest.fixture
def other(cluster: Cluster) -> Iterator[Db]:
    """Return a connection to a second database with the extension."""
    with cluster.connect() as server:
        server.execute("CREATE DATABASE import_other TEMPLATE pgagent_py_template")
    try:
        with cluster.connect("import_other") as connection:
            yield connection
    finally:
        with cluster.connect() as server:
            server.execute("DROP DATABASE import_other WITH (FORCE)")


def test_everything_round_trips_to_another_database(db: Db, other: Db) -> None:
    fill(db)
    document = export(db)
    assert set(document["jobs"]) == {"plain", "nightly", "nightly (2)"}
    assert {action for action, _ in import_(other, document).values()} == {"add"}
    assert export(other) == document
    # What is in the tables, too, ids and times of creation apart
    for query in (
        "SELECT jobname, jobdesc, jobhostagent, jobenabled, jobjclid FROM pgagent.pga_job ORDER BY jobname, jobid",
        "SELECT jstname, jstdesc, jstenabled, jstkind, jstcode, jstconnstr, nullif(jstdbname, current_database()), jstonerror"
        " FROM pgagent.pga_jobstep ORDER BY jstname, jstid",
        "SELECT jscname, jscdesc, jscenabled, jscstart, jscend, jscminutes, jschours, jscweekdays, jscmonthdays, jscmonths"
        " FROM pgagent.pga_schedule ORDER BY jscname, jscid",
        "SELECT jexdate, jextime FROM pgagent_py.every_exception ORDER BY 1, 2",
        "SELECT jsctimezone FROM pgagent_py.schedule_option ORDER BY 1",
        "SELECT msgkind, msgtarget, msgwhen, msgsubject, msgtext FROM pgagent_py.message ORDER BY 1",
        "TABLE pgagent_py.calendar_day ORDER BY 1, 2",
        "SELECT calname, calonly FROM pgagent_py.schedule_calendar",
    ):
        rows = db.execute(query.encode()).fetchall()
        assert rows
        assert other.execute(query.encode()).fetchall() == rows
    assert {action for action, _ in import_(other, document).values()} == {"same"}


def test_every_option_column_is_carried(db: Db, other: Db) -> None:
    """Also those that are added to the tables after this was written."""
    fill(db)
    for table, key in OPTION_TABLES.items():
        columns = db.execute(
            "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = ('pgagent_py.' || %s)::regclass AND attnum > 0 AND NOT attisdropped",
            [table],
        ).fetchall()
        names = [name for name, _ in columns if name not in NOT_CARRIED]
        for name, type_ in columns:
            if name in NOT_CARRIED:
                continue
            example = EXAMPLES.get(name) or EXAMPLES[type_]
            entity, target = {
                "job_option": ("pga_job", "jobid = 1"),
                "step_option": ("pga_jobstep", "jstjobid = 1"),
                "schedule_option": ("pga_schedule", "jscjobid = 2"),
            }[table]
            ids = [
                row[0]
                for row in db.execute(f"SELECT {key} FROM pgagent.{entity} WHERE {target} ORDER BY 1 LIMIT 1")
            ]
            if name in ("jobowner", "jobrunas"):
                argument = {"jobowner": "owner", "jobrunas": "run_as"}[name]
                owner = "" if name == "jobowner" else "owner => 'postgres', "
                db.execute(f"SELECT pgagent_py.alter_job(1, {owner}{argument} => 'postgres')".encode())
                continue
            db.execute(
                f"INSERT INTO pgagent_py.{table} ({key}, {name}) VALUES (%s, %s)"
                f" ON CONFLICT ({key}) DO UPDATE SET {name} = excluded.{name}".encode(),
                [ids[0], example],
            )
        query = f"SELECT {', '.join(names)} FROM pgagent_py.{table} ORDER BY {key} LIMIT 1"
        set_ = db.execute(query.encode()).fetchall()
        assert None not in set_[0], f"the test sets no {names[set_[0].index(None)]}"
        import_(other, export(db))
        assert other.execute(query.encode()).fetchall() == set_
    assert export(other) == export(db)


def test_every_table_is_carried_or_has_a_reason_not_to_be(db: Db) -> None:
    tables = db.execute(
        "SELECT c.relname::text FROM pg_extension e, unnest(e.extconfig) t (oid) JOIN pg_class c ON c.oid = t.oid"
        " WHERE e.extname = 'pgagent_py' AND c.relkind = 'r'"
    ).fetchall()
    assert {name for (name,) in tables} <= CARRIED_TABLES | OPTION_TABLES.keys() | NOT_DEFINITIONS.keys()


def test_what_has_its_default_is_left_out(db: Db) -> None:
    db.execute("SELECT pgagent_py.add_job('a', cron => '30 3 * * 1', sql => 'SELECT 1')")
    job = export(db)["jobs"]["a"]
    job["schedules"][0].pop("start")
    assert job == {
        "name": "a",
        "class": "Routine Maintenance",
        "steps": [{"name": "a", "sql": "SELECT 1"}],
        "schedules": [{"name": "a", "minutes": [30], "hours": [3], "weekdays": [1]}],
    }


def test_dry_run_shows_what_would_change_and_changes_nothing(db: Db) -> None:
    fill(db)
    before = export(db)
    document = json.loads(json.dumps(before))
    job = document["jobs"]["nightly"]
    assert [step["name"] for step in job["steps"]] == ["2 batch", "3 remote", "4 elsewhere", "nightly"]
    job["steps"][3]["sql"] = "SELECT 'b'"
    del job["steps"][0]
    job["timeout"] = "00:05:00"
    job["enabled"] = True
    document["jobs"]["new"] = {"name": "new", "steps": [{"name": "one", "sql": "SELECT 1"}]}
    document["calendars"]["holidays"]["days"].append("2030-12-26")
    shown = import_(db, document, dry_run=True)
    assert {name: action for name, (action, _) in shown.items()} == {
        "holidays": "change",
        "nights": "same",
        "plain": "same",
        "nightly": "change",
        "nightly (2)": "same",
        "new": "add",
    }
    changes = shown["nightly"][1]
    assert changes["timeout"] == {"from": None, "to": "00:05:00"}
    assert changes["enabled"] == {"from": False, "to": None}
    assert changes['steps["nightly"].sql']["to"] == "SELECT 'b'"
    assert changes['steps["2 batch"]']["to"] is None
    assert len(changes) == 4
    assert export(db) == before
    assert import_(db, document) == shown
    after = export(db)
    document["jobs"]["nightly"].pop("enabled")  # which is its default
    document["jobs"]["new"]["class"] = "Routine Maintenance"
    assert after == document


def test_dependencies_are_carried_by_label(db: Db) -> None:
    fill(db)
    document = export(db)
    assert document["jobs"]["nightly (2)"]["after"] == {"plain": "success", "nightly": "failure"}
    # Turned round, which is no circle
    document["jobs"]["nightly (2)"].pop("after")
    document["jobs"]["plain"]["after"] = {"nightly (2)": "finish"}
    import_(db, document)
    assert db.execute("SELECT jobid, jobafter, depwhen FROM pgagent_py.job_dependency").fetchall() == [
        (1, 3, "finish")
    ]
    document["jobs"]["nightly (2)"]["after"] = {"plain": "success"}
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="waits for"):
        import_(db, document)
    document["jobs"]["nightly (2)"]["after"] = {"planned": "success"}
    with pytest.raises(psycopg.errors.InvalidParameterValue, match='there is no job "planned"'):
        import_(db, document)


def test_rows_that_stay_keep_their_ids_and_history(db: Db) -> None:
    db.execute("SELECT pgagent_py.add_job('a', cron => '0 3 * * *', sql => 'SELECT 1')")
    db.execute("SELECT pgagent_py.run_now(1)")
    db.execute("SELECT FROM pgagent_py.run_due()")
    document = export(db)
    document["jobs"]["a"]["steps"][0]["sql"] = "SELECT 2"
    document["jobs"]["a"]["schedules"][0]["hours"] = [4]
    import_(db, document)
    rows = db.execute(
        "SELECT jobid, jstid, jscid, jstcode, jobnextrun = (SELECT min(n) FROM pgagent_py.next_runs(1, 1) n), jslstatus"
        " FROM pgagent.pga_job, pgagent.pga_jobstep, pgagent.pga_schedule, pgagent.pga_jobsteplog"
    ).fetchall()
    assert rows == [(1, 1, 1, "SELECT 2", True, "s")]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "the document"),
        ({"job": {}}, "the document"),
        ({"jobs": {"a": {}}}, 'jobs."a": name is missing'),
        ({"jobs": {"a": {"name": "a", "nmae": "b"}}}, 'jobs."a": "nmae" is unknown'),
        ({"jobs": {"a": {"name": "a", "class": "none"}}}, 'class "none" does not exist'),
        ({"jobs": {"a": {"name": "a", "steps": {}}}}, "steps: must be a list"),
        (
            {"jobs": {"a": {"name": "a", "steps": [{"name": "s"}]}}},
            r"steps\[0\]: a step has either sql or batch",
        ),
        (
            {"jobs": {"a": {"name": "a", "steps": [{"name": "s", "sql": "", "timeout": "soon"}]}}},
            r"steps\[0\].*interval",
        ),
        (
            {"jobs": {"a": {"name": "a", "steps": [{"name": "s", "sql": "", "on_error": "stop"}]}}},
            "on_error: must be fail",
        ),
        (
            {"jobs": {"a": {"name": "a", "schedules": [{"name": "s", "hours": [24]}]}}},
            "hours: must be a list of numbers",
        ),
        ({"jobs": {"a": {"name": "a", "jobid": 3}}}, '"jobid" is unknown'),
        ({"jobs": {"a": {"name": "b"}}}, 'jobs."a": its key must be its name'),
        ({"jobs": {"a": {"name": "a", "owner": "nobody_here"}}}, "nobody_here"),
        ({"jobs": {"a": {"name": "a", "owner": "nobody_here"}}}, '^jobs: jobs."a": owner: role "nobody_here"'),
        ({"jobs": {"a": {"name": "a", "run_as": "postgres"}}}, '^jobs: jobs."a": run_as is given'),
        ({"jobs": {"a": {"name": "a", "after": {"a": "success"}}}}, '^jobs: jobs."a".after."a": after'),
        ({"jobs": {"a": {"name": "a", "after": {"b": "now"}}, "b": {"name": "b"}}}, '^jobs: jobs."a".after."b": when'),
        (
            {"jobs": {"a": {"name": "a", "messages": [{"kind": "email", "target": "me", "when": "failure"}]}}},
            r'^jobs: jobs."a".messages\[0\]: target is not an e-mail address',
        ),
        *(
            ({"jobs": {"a": {"name": "a", "schedules": [{"name": "s", option: given}]}}},
             rf'^jobs: jobs."a".schedules\[0\]: .*{words}')
            for option, given, words in (
                ("timezone", "Mars", 'time zone "Mars" is not known'), ("every", "0", "every can't be 0"),
                ("every", "1 month", "every can't be 1 month"), ("every", "0.5 s", "every can't be 0.5 s"),
                ("every", "-5 s", "every can't be -5 s"), ("at", "infinity", "at can't be infinity"),
                ("at", "noon", "timestamp"),
            )
        ),
        ({"calendars": {"c": {"days": ["tomorrow, maybe"]}}}, 'calendars."c".*date'),
    ],
)  # fmt: skip
def test_mistakes_are_named_and_nothing_is_changed(db: Db, document: Any, words: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
        import_(db, document)
    assert export(db) == {"jobs": {}, "calendars": {}}


def test_null_is_the_default_as_what_is_left_out(db: Db) -> None:
    document = {"jobs": {"a": {"name": "a", "description": None, "enabled": None, "host": None, "priority": None,
                               "steps": [{"name": "s", "sql": "SELECT 1", "batch": None, "on_error": None}],
                               "schedules": [{"name": "x", "start": None, "enabled": None}],
                               "messages": [{"kind": "email", "target": "me@example.org"}]}}}  # fmt: skip
    assert [import_(db, document)["a"][0] for _ in range(2)] == ["add", "same"]


def test_strangers_may_neither_export_nor_import(db: Db) -> None:
    db.execute("CREATE ROLE import_stranger")
    try:
        db.execute("SET ROLE import_stranger")
        for call in (
            "export_jobs()",
            "import_jobs('{}')",
            "import_pg_cron()",
            "import_crontab('@daily true')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(f"SELECT pgagent_py.{call}".encode())
    finally:
        db.execute("RESET ROLE")
        db.execute("DROP ROLE import_stranger")


NUMBERS = '{"a": 100000000000000000.5, "b": 12345678901234567890, "c": [1.50, -0.1, 1e400], "d": 0.30000000000000004}'


def test_numbers_stay_as_they_are_whatever_the_session_is_set_to(db: Db, other: Db) -> None:
    db.execute("SELECT pgagent_py.add_job('x', sql => 'SELECT 1')")
    db.execute(
        "SELECT pgagent_py.alter_job(1, parameters => %s, timeout => '-1 day +50:00'::interval)", [NUMBERS]
    )
    db.execute("SELECT pgagent_py.alter_step(1, retry_backoff => 0.1::float8 + 1.2, retry_delay => '1 h')")
    text = "SELECT pgagent_py.export_jobs()::text"
    (document,) = db.execute(text).fetchone() or ("",)
    for connection in (db, other):
        connection.execute("SET intervalstyle = 'sql_standard'; SET extra_float_digits = -5")
    assert db.execute(text).fetchone() == (document,)
    other.execute("SELECT * FROM pgagent_py.import_jobs(%s::jsonb)", [document])
    assert other.execute(text).fetchone() == (document,)
    query = "SELECT jobparameters = %s::jsonb, jobtimeout = '26 h' FROM pgagent_py.job_option"
    assert other.execute(query, [NUMBERS]).fetchone() == (True, True)
    backoff = "SELECT jstretrybackoff = 0.1::float8 + 1.2 FROM pgagent_py.step_option"
    assert other.execute(backoff).fetchone() == (True,)
