"""Jobs of SQL Server Agent and of Oracle come over."""

import json
from typing import Any

import psycopg
import pytest

from tests.helpers import Db, rows, value

AGENT = {
    "jobs": [
        {
            "name": "Nightly", "description": "loads\n@todo", "enabled": 1, "category": "Data Collector", "notify_level_email": 2,
            "delete_level": 1, "operator": {"name": "dba", "email_address": "a@example.org;b@example.org"},
            "steps": [
                {"step_id": 1, "step_name": "load", "subsystem": "TSQL", "command": "EXEC dbo.load", "database_name": "dw",
                 "retry_attempts": 2, "retry_interval": 5, "on_success_action": 3, "on_fail_action": 2},
                {"step_id": 2, "step_name": "copy", "subsystem": "CmdExec", "command": "copy a b", "on_fail_action": 4},
            ],
            "schedules": [
                {"name": "last working day", "enabled": 1, "freq_type": 32, "freq_interval": 9, "freq_relative_interval": 16,
                 "freq_recurrence_factor": 1, "active_start_date": 20300101, "active_end_date": 99991231,
                 "active_start_time": 180000, "active_end_time": 235959},
                {"name": "first weekend day", "enabled": 1, "freq_type": 32, "freq_interval": 10, "freq_relative_interval": 1,
                 "freq_recurrence_factor": 1, "active_start_date": 20300101, "active_start_time": 0},
                {"name": "idle", "freq_type": 128},
                {"name": "past", "freq_type": 1, "active_start_date": 20010101, "active_start_time": 0},
            ],
        },
        {"name": "Other", "category": "[Uncategorized (Local)]", "steps": None, "schedules": None},
    ]
}  # fmt: skip
IMPORT = "SELECT job, name, notes FROM pgagent_py.import_sql_server_agent(%s, dry_run => %s)"


def take(db: Db, document: Any, dry_run: bool = False) -> list[tuple[Any, ...]]:
    return db.execute(IMPORT, [json.dumps(document), dry_run]).fetchall()


def test_jobs_of_sql_server_agent_come_over_disabled_with_notes(db: Db) -> None:
    db.execute("SELECT pgagent_py.set_default_timezone('Europe/Paris')")
    shown = take(db, AGENT, dry_run=True)
    assert rows(db, "SELECT FROM pgagent.pga_job") == []
    found = take(db, AGENT)
    assert [(name, notes) for _, name, notes in found] == [(name, notes) for _, name, notes in shown]
    notes = "\n".join(found[0][2])
    for words in (
        'step "01 load": TSQL, disabled', 'step "02 copy": CmdExec', "goes on with another step",
        'schedule "idle": not carried over',
        'schedule "past": at', "it was enabled",
    ):  # fmt: skip
        assert words in notes
    assert found[1][1:] == ("Other", [])
    assert rows(db, "SELECT jobname, jobenabled, jobclass FROM pgagent_py.visible_job ORDER BY jobid") == [
        ("Nightly", False, "Data Collector"),
        ("Other", False, "Routine Maintenance"),
    ]
    assert rows(
        db, "SELECT jstname, jstkind, jstenabled, jstonerror FROM pgagent.pga_jobstep ORDER BY 1"
    ) == [
        ("01 load", "s", False, "f"),
        ("02 copy", "b", False, "f"),
    ]
    assert rows(db, "SELECT retries, retry_delay::text FROM pgagent_py.step_options") == [(2, "00:05:00")]
    assert rows(db, "SELECT msgtarget, msgwhen FROM pgagent_py.message") == [
        ("a@example.org,b@example.org", "failure")
    ]
    assert value(db, "SELECT delete_on_success FROM pgagent_py.job_options")
    db.execute("UPDATE pgagent.pga_job SET jobenabled = true; SET timezone = 'Europe/Paris'")
    runs = "SELECT n::timestamp::text FROM pgagent_py.next_runs(%s, 4, '2030-05-02') n"
    assert [at for (at,) in rows(db, runs, found[0][0])] == [
        "2030-05-04 00:00:00",
        "2030-05-31 18:00:00",
        "2030-06-01 00:00:00",
        "2030-06-28 18:00:00",
    ]


ORACLE = {
    "jobs": [
        {
            "owner": "HR", "job_name": "PAYROLL", "job_class": "DEFAULT_JOB_CLASS", "comments": "pays", "job_type": "PLSQL_BLOCK",
            "job_action": "BEGIN pay; END;", "enabled": "TRUE", "repeat_interval": interval, "max_failures": 3,
            "start_date": "2030-01-01T00:00:00+01:00", "max_run_seconds": 90, "auto_drop": "TRUE",
            "notifications": [{"recipient": "a@example.org", "event": "JOB_FAILED"}, {"recipient": "a@b", "event": "JOB_BROKEN"}],
        }
        for interval in ("FREQ=DAILY", "FREQ=WEEKLY; BYDAY=MON,WED; BYHOUR=6,7; BYMINUTE=30",
                         "FREQ=MONTHLY; BYMONTHDAY=-1; BYHOUR=18",
                         "FREQ=YEARLY; BYMONTH=JAN,JUL; BYMONTHDAY=15", "FREQ=MINUTELY; INTERVAL=30", "SYSDATE + 1")
    ]
}  # fmt: skip


def test_jobs_of_oracle_come_over(db: Db) -> None:
    db.execute("SELECT pgagent_py.set_default_timezone('Europe/Paris'); SET timezone = 'Europe/Paris'")
    query = "SELECT job, name, notes FROM pgagent_py.import_dbms_scheduler(%s)"
    found = db.execute(query, [json.dumps(ORACLE)]).fetchall()
    assert [name for _, name, _ in found] == ["PAYROLL"] * 6
    for _, _, notes in found:
        assert "step: PLSQL_BLOCK, disabled: its code must be translated" in notes
        assert "e-mail on JOB_BROKEN is not carried over" in notes
    assert "schedule: not carried over: repeat_interval is an expression of PL/SQL" in found[5][2]
    assert rows(
        db, "SELECT DISTINCT timeout::text, max_failures, delete_on_success FROM pgagent_py.job_options"
    ) == [("00:01:30", 3, False)]
    db.execute("UPDATE pgagent.pga_job SET jobenabled = true")
    runs = "SELECT n::timestamp::text FROM pgagent_py.next_runs(%s, 2, '2030-01-28 06:00+01') n"
    nexts = [[at[5:16] for (at,) in rows(db, runs, job)] for job, _, _ in found]
    assert nexts == [
        ["01-29 00:00", "01-30 00:00"],
        ["01-28 06:30", "01-28 07:30"],
        ["01-31 18:00", "02-28 18:00"],
        ["07-15 00:00", "01-15 00:00"],
        ["01-28 06:30", "01-28 07:00"],
        [],
    ]


# Examples of its manual, with the first two times after New Year 2030.
CALENDARING = [
    ("FREQ=DAILY; BYDAY=FRI", "01-04 00:00", "01-11 00:00"), ("FREQ=WEEKLY; BYDAY=FRI", "01-04 00:00", "01-11 00:00"),
    ("FREQ=YEARLY; BYDAY=FRI", "01-04 00:00", "01-11 00:00"),
    ("FREQ=WEEKLY; INTERVAL=2; BYDAY=FRI", "01-04 00:00", "01-18 00:00"),
    ("FREQ=MONTHLY; BYMONTHDAY=-1", "01-31 00:00", "02-28 00:00"), ("FREQ=MONTHLY; BYMONTHDAY=-2", "01-30 00:00", "02-27 00:00"),
    ("FREQ=YEARLY; BYMONTH=MAR; BYMONTHDAY=10", "03-10 00:00", "03-10 00:00"),
    ("FREQ=YEARLY; BYDATE=0310", "03-10 00:00", "03-10 00:00"), ("FREQ=DAILY; INTERVAL=10", "01-11 00:00", "01-21 00:00"),
    ("FREQ=DAILY; BYHOUR=16,17,18", "01-01 16:00", "01-01 17:00"),
    ("FREQ=MONTHLY; INTERVAL=2; BYMONTHDAY=15", "01-15 00:00", "03-15 00:00"),
    ("FREQ=MONTHLY; BYDAY=2 WED", "01-09 00:00", "02-13 00:00"), ("FREQ=YEARLY; BYDAY=-1 FRI", "12-27 00:00", "12-26 00:00"),
    ("FREQ=MONTHLY; BYDAY=-1FRI", "01-25 00:00", "02-22 00:00"), ("FREQ=HOURLY; INTERVAL=4", "01-01 04:00", "01-01 08:00"),
    ("FREQ=HOURLY; BYMINUTE=30", "01-01 00:30", "01-01 01:30"),
    ("FREQ=MONTHLY; BYDAY=MON,TUE,WED,THU,FRI; BYSETPOS=-1", "01-31 00:00", "02-28 00:00"),
    ("FREQ=YEARLY; BYMONTH=1,4,7,10; BYMONTHDAY=1", "04-01 00:00", "07-01 00:00"),
    ("freq=daily;byhour=8,13,18;byminute=0;bysecond=0", "01-01 08:00", "01-01 13:00"),
    ("FREQ=SECONDLY; INTERVAL=30", "01-01 00:01", "01-01 00:01"), ("FREQ=HOURLY; INTERVAL=50", "01-03 02:00", "01-05 04:00"),
    ("FREQ=HOURLY; INTERVAL=48", "01-03 00:00", "01-05 00:00"), ("FREQ=MONTHLY; BYMONTHDAY=29", "01-29 00:00", "03-29 00:00"),
    ("FREQ=HOURLY; BYMONTHDAY=1,2,3", "01-01 01:00", "01-01 02:00"),
    ("FREQ=MONTHLY; INTERVAL=2; BYMONTHDAY=-1", "01-31 00:00", "03-31 00:00"),
    ("FREQ=MONTHLY; BYDAY=MON,TUE,WED,THU,FRI; EXCLUDE=Company_Holidays; BYSETPOS=-1", "01-30 00:00", "02-28 00:00"),
    ("FREQ=YEARLY;BYDAY=FRI;BYHOUR=12;INCLUDE=Company_Holidays", "01-04 12:00", "01-11 12:00"),
    ("FREQ=YEARLY;BYDAY=-1FRI;BYHOUR=12;INCLUDE=Company_Holidays", "01-31 12:00", "12-27 12:00"),
    ("FREQ=YEARLY; BYYEARDAY=276", "BYYEARDAY"), ("FREQ=WEEKLY;BYWEEKNO=2", "BYWEEKNO"), ("FREQ=DAILY;EXCLUDE=NONE", '"NONE"'),
]  # fmt: skip


def test_oracles_examples_fire_when_its_manual_says_or_are_named(db: Db) -> None:
    db.execute("SELECT pgagent_py.set_default_timezone('UTC'); SET timezone = 'UTC'")
    db.execute("SELECT pgagent_py.add_calendar('Company_Holidays', '{2030-01-31}')")
    jobs = [
        {"job_name": rule, "job_type": "PLSQL_BLOCK", "job_action": "x", "repeat_interval": rule,
         "start_date": "2030-01-01T00:00:00Z"}
        for rule, *_ in CALENDARING
    ]  # fmt: skip
    query = "SELECT job, notes FROM pgagent_py.import_dbms_scheduler(%s)"
    found = db.execute(query, [json.dumps({"jobs": jobs})]).fetchall()
    db.execute("UPDATE pgagent.pga_job SET jobenabled = true")
    runs = "SELECT n::timestamp::text FROM pgagent_py.next_runs(%s, 2, '2030-01-01 00:00:59Z') n"
    for (rule, *expected), (job, notes) in zip(CALENDARING, found, strict=True):
        if len(expected) == 1:
            assert any(expected[0] in note for note in notes if note.startswith("schedule")), rule
        else:
            assert [at[5:16] for (at,) in rows(db, runs, job)] == expected, rule


@pytest.mark.parametrize("document", [[], {}, {"jobs": {}}, {"jobs": [1]}, None])
def test_another_document_is_refused(db: Db, document: Any) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="jobs is not the list that is read"):
        take(db, document)
