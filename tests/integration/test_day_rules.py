"""Days that five sets can't say: as arguments, as rows, in the views, in documents."""

import hashlib
from datetime import date
from typing import Any

import pytest
from psycopg.errors import Diagnostic, InvalidParameterValue
from psycopg.types.json import Jsonb

from tests.helpers import Db, add_job, value

JANUARY = "2026-12-31 23:59Z"


def add(db: Db, arguments: str, job: int | None = None) -> int:
    query = f"SELECT pgagent_py.add_schedule(%s, 's', timezone => 'UTC', start => '2020-01-01Z', {arguments})"
    schedule: int = value(db, query, job or add_job(db, "job"))
    return schedule


def days(db: Db, schedule: int, count: int = 4) -> list[str]:
    """Return the month and day of the next runs in 2027."""
    query = """
        SELECT to_char(r AT TIME ZONE 'UTC', 'MM-DD') FROM pgagent.pga_schedule, pgagent_py.next_runs(jscjobid, %s, %s) r
         WHERE jscid = %s"""
    return [row[0] for row in db.execute(query, [count, JANUARY, schedule])]


def sets(db: Db, schedule: int) -> tuple[Any, ...] | None:
    query = "SELECT jscweekdays, jscmonthdays FROM pgagent_py.visible_schedule WHERE jscid = %s"
    return db.execute(query, [schedule]).fetchone()


EXAMPLES = [
        ("cron => '0 18 * * *', workdays => '{-1}'", "01-29 02-26 03-31 04-30", []),
        ("cron => '0 9 * * *', workdays => '{2}'", "01-04 02-02 03-02 04-02", [*range(2, 32)]),
        ("cron => '0 9 * * fri', nth => '{2,-1}'", "01-08 01-29 02-12 02-26", [*range(8, 15), *range(22, 32)]),
        ("cron => '0 9 * * fri', nth => '{5}'", "01-29 04-30 07-30 10-29", [29, 30, 31]),
        ("minutes => '{0}', hours => '{9}', monthdays => '{-3}'", "01-29 02-26 03-29 04-28", [26, 27, 28, 29]),
        ("minutes => '{0}', hours => '{9}', monthdays => '{-1}'", "01-31 02-28 03-31 04-30", [32]),
        ("cron => '0 9 15 * *', roll => 'nearest'", "01-15 02-15 03-15 04-15", [15]),
        ("cron => '0 9 1 * *', roll => 'forward'", "01-01 02-01 03-01 04-01", [1]),
        ("cron => '0 9 31 * *', roll => 'in_month'", "01-29 03-31 05-31 07-30", [31]),
        ("cron => '0 9 * * mon', nth => '{1}', roll => 'forward'", "01-04 02-01 03-01 04-05", [*range(1, 8)]),
        ("cron => '0 9 * * *', roll => 'skip'", "01-01 01-04 01-05 01-06", []),
        ("cron => '0 9 * * mon', recurs => '2 weeks'", "01-04 01-18 02-01 02-15", []),
        ("cron => '0 9 1 * *', recurs => '1 Year'", "01-01 01-01 01-01 01-01", [1]),
]  # fmt: skip


def test_the_days_are_these_and_pgagents_set_holds_them(db: Db) -> None:
    for arguments, expected, monthdays in EXAMPLES:
        schedule = add(db, arguments)
        assert days(db, schedule) == expected.split(), arguments
        shown = sets(db, schedule)
        assert shown is not None
        assert shown[1] == monthdays, arguments


def test_calendars_say_what_a_working_day_is(db: Db) -> None:
    schedule = add(db, "cron => '0 9 * * mon', nth => '{1}', roll => 'forward'")
    db.execute("SELECT pgagent_py.add_calendar('bank', '{2027-01-04}')")
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'bank')", [schedule])
    assert days(db, schedule, 2) == ["01-05", "02-01"]
    db.execute("SELECT pgagent_py.alter_calendar('bank', weekend => '{1,2}')")
    assert days(db, schedule, 2) == ["01-06", "02-03"]
    db.execute("SELECT pgagent_py.alter_calendar('bank', add_days => '{2027-01-06}', weekend => '{}')")
    assert days(db, schedule, 2) == ["01-05", "02-01"]
    today = value(db, "SELECT current_date")
    db.execute("SELECT pgagent_py.add_calendar('short', ARRAY[%s::date + 10], weekend => '{5,6}')", [today])
    shown = db.execute("SELECT name, weekend, warning IS NOT NULL FROM pgagent_py.calendars ORDER BY 1")
    assert shown.fetchall()[1] == ("short", [5, 6], True)
    past = "SELECT warning FROM pgagent_py.calendars WHERE name = 'old'"
    db.execute("SELECT pgagent_py.add_calendar('old', '{2001-01-01}')")
    assert "past" in value(db, past)


def test_a_changed_weekend_gives_the_next_runs_again(db: Db) -> None:
    schedule = add(db, "cron => '0 9 * 1 *', workdays => '{1}'")
    db.execute("SELECT pgagent_py.add_calendar('week', weekend => '{0,1,2,3,4,5}')")
    db.execute("SELECT pgagent_py.attach_calendar(%s, 'week')", [schedule])
    next_run = "SELECT to_char(jobnextrun AT TIME ZONE 'UTC', 'D') FROM pgagent.pga_job"
    assert value(db, next_run) == "7"
    db.execute("SELECT pgagent_py.alter_calendar('week', weekend => '{0,1,2,3,4,6}')")
    assert value(db, next_run) == "6"


def test_what_is_altered_takes_the_place_of_what_was_there(db: Db) -> None:
    schedule = add(db, "cron => '0 9 * * fri', nth => '{2}'")

    def alter(arguments: str) -> None:
        db.execute(f"SELECT pgagent_py.alter_schedule({schedule}, {arguments})".encode())

    alter("nth => '{-1}', recurs => '2 months', start => '2027-01-20Z'")
    assert days(db, schedule, 3) == ["01-29", "03-26", "05-28"]
    assert sets(db, schedule) == ([5], list(range(22, 32)))
    alter("nth => '{}', recurs => ''")
    assert sets(db, schedule) == ([5], [])
    alter("cron => '0 9 * * *', workdays => '{1}'")
    shown = "SELECT monthdays, nth, workdays, roll, recurs FROM pgagent_py.schedule_options"
    assert db.execute(shown).fetchone() == (None, None, [1], None, None)
    alter("cron => '0 9 15 * *'")
    assert db.execute(shown).fetchone() == (None, None, None, None, None)
    alter("monthdays => '{-2}', roll => 'backward'")
    assert db.execute(shown).fetchone() == ([-2], None, None, "backward", None)
    assert days(db, schedule, 3) == ["01-29", "02-26", "03-30"]
    assert value(db, "SELECT jobnextrun FROM pgagent.pga_job") is not None


def test_an_ordinary_schedule_has_no_row_of_options(db: Db) -> None:
    schedule = add(db, "cron => '0 9 * * fri', enabled => true")
    db.execute("SELECT pgagent_py.alter_schedule(%s, cron => '0 9 L * *')", [schedule])
    # alter_schedule takes every and at away, which makes one
    assert value(db, "SELECT count(*) FROM pgagent_py.schedule_option WHERE jscdays IS NOT NULL") == 0
    add_job(db, "other", cron="0 9 * * fri")
    assert value(db, "SELECT count(*) FROM pgagent_py.schedule_option") == 1


REFUSED = [
    ("nth => '{2}'", "nth"),
    ("weekdays => '{5}', nth => '{0}'", "nth"),
    ("weekdays => '{5}', nth => '{6}'", "nth"),
    ("weekdays => '{5}', nth => ARRAY[NULL]::int[]", "nth"),
    ("workdays => '{24}'", "workdays"),
    ("workdays => '{1}', monthdays => '{1}'", "workdays"),
    ("workdays => '{1}', weekdays => '{1}', nth => '{1}'", "workdays"),
    ("workdays => '{1}', roll => 'skip'", "workdays"),
    ("monthdays => '{0}'", "monthdays"),
    ("monthdays => '{-32}'", "monthdays"),
    ("roll => 'up'", "roll"),
    ("recurs => '2 fortnights'", "recurs"),
    ("recurs => '0 days'", "recurs"),
    ("recurs => '99999 days'", "recurs"),
    ("recurs => '2 weeks 1 day'", "recurs"),
    ("at => '2099-01-01', recurs => '2 weeks'", "recurs"),
    ("cron => '@reboot', roll => 'skip'", "roll"),
]


def test_what_does_not_go_is_refused_by_name(db: Db) -> None:
    job = add_job(db, "job")
    for arguments, named in REFUSED:
        with pytest.raises(InvalidParameterValue, match=named) as refused:
            add(db, arguments, job)
        assert refused.value.diag.message_hint
    assert value(db, "SELECT count(*) FROM pgagent.pga_schedule") == 0


def test_notices_name_what_is_meant(db: Db) -> None:
    said: list[str] = []

    def note(notice: Diagnostic) -> None:
        text = str(notice.message_primary)
        if "workdays" in text or "recurs" in text:
            said.append(text)

    db.add_notice_handler(note)
    add(db, "monthdays => '{32}', weekdays => '{1,2,3,4,5}'")
    add(db, "every => '14 days', hours => '{9}'")
    assert ["workdays" in said[0], "recurs" in said[1]] == [True, True]
    add(db, "every => '6 days', monthdays => '{32}'")
    assert len(said) == 2


def test_a_document_carries_them(db: Db) -> None:
    job = add_job(db, "job")
    for arguments in (
        "cron => '0 9 * * fri', nth => '{2}', roll => 'backward', recurs => '2 months'",
        "monthdays => '{15,-3}'",
        "workdays => '{-1}'",
    ):
        add(db, arguments, job)
    db.execute("SELECT pgagent_py.add_calendar('bank', '{2027-01-04}', weekend => '{5}')")
    document = value(db, "SELECT pgagent_py.export_jobs()")
    before = value(db, "SELECT json_agg(r) FROM pgagent_py.next_runs(%s, 200, %s) r", job, date(2027, 1, 1))
    db.execute("DELETE FROM pgagent.pga_job")
    db.execute("SELECT pgagent_py.drop_calendar('bank')")
    db.execute("SELECT pgagent_py.import_jobs(%s)", [Jsonb(document)])
    assert value(db, "SELECT pgagent_py.export_jobs()") == document
    (again,) = db.execute("SELECT jobid FROM pgagent.pga_job").fetchone() or (None,)
    after = value(db, "SELECT json_agg(r) FROM pgagent_py.next_runs(%s, 200, %s) r", again, date(2027, 1, 1))
    assert after == before
    # As a person writes it: the set that pgAgent has is found.
    for schedule in document["jobs"]["job"]["schedules"]:
        if schedule.pop("days", None):
            schedule["monthdays"] = [15, -3]
    db.execute("SELECT pgagent_py.import_jobs(%s)", [Jsonb(document)])
    shown = "SELECT jscmonthdays FROM pgagent_py.visible_schedule ORDER BY jscid"
    assert value(db, f"SELECT count(*) FROM ({shown}) t WHERE jscmonthdays = '{{15,26,27,28,29}}'") == 1
    wrong: dict[str, Any]
    for wrong in (
        {"weekdays": [1], "nth": [9]},
        {"nth": [1]},
        {"workdays": [1], "monthdays": [3]},
        {"workdays": [1], "weekdays": [1], "nth": [1]},
        {"workdays": [1], "roll": "skip"},
        {"at": "2099-01-01T00:00:00Z", "roll": "skip"},
        {"at": "2099-01-01T00:00:00Z", "spread": "5 min"},
        {"reboot": True, "recurs": "2 weeks"},
    ):
        document["jobs"]["job"]["schedules"] = [{"name": "s", **wrong}]
        with pytest.raises(InvalidParameterValue, match=rf"schedules\[0\].*{list(wrong)[-1]}"):
            db.execute("SELECT pgagent_py.import_jobs(%s)", [Jsonb(document)])


def delay(job: str, schedule: str, spread: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{job}\0{schedule}".encode()).digest(), "big") % spread


def test_a_spread_schedule_fires_later_by_what_the_names_say(db: Db) -> None:
    job = add_job(db, "one")
    schedule = add(db, "cron => '0 9 * * *', spread => '15 min'", job)
    query = """
        SELECT mod(extract(epoch FROM r)::int, 86400) - 32400 FROM pgagent_py.next_runs(%s, 5, '2027-01-01Z') r"""
    db.execute("SELECT pgagent_py.alter_schedule(%s, \"end\" => '2027-01-02 09:00Z')", [schedule])
    assert [row[0] for row in db.execute(query, [job])] == [delay("one", "s", 900)] * 2
    due = "SELECT mod(extract(epoch FROM jobnextrun)::int8, 86400) - 32400 FROM pgagent.pga_job"
    db.execute("SELECT pgagent_py.alter_schedule(%s, name => 't')", [schedule])
    assert value(db, due) == delay("one", "t", 900)
    db.execute("UPDATE pgagent.pga_job SET jobname = 'two'")
    assert value(db, due) == delay("two", "t", 900)
    at = f"SELECT pgagent_py.next_run(%s, '2027-01-01 09:00Z'::timestamptz + '{delay('two', 't', 900)} s')::text"
    assert value(db, at, schedule).startswith("2027-01-02")
    assert value(db, "SELECT spread::text FROM pgagent_py.schedule_options") == "00:15:00"
    db.execute("SELECT pgagent_py.alter_schedule(%s, spread => '0')", [schedule])
    assert value(db, due) == 0
    for arguments in ("at => '2099-01-01', spread => '1 s'", "spread => '1.5 s'", "spread => '1 month'"):
        with pytest.raises(InvalidParameterValue, match="spread"):
            add(db, arguments, job)
    db.execute("SELECT pgagent_py.alter_schedule(%s, spread => '1 s')", [schedule])
    for way in ("at => '2099-01-01'", "cron => '@reboot'"):
        with pytest.raises(InvalidParameterValue, match="spread"):
            db.execute(f"SELECT pgagent_py.alter_schedule(%s, {way})".encode(), [schedule])
    db.execute("SELECT pgagent_py.alter_schedule(%s, spread => '0', cron => '@reboot')", [schedule])
    db.execute("SELECT pgagent_py.alter_schedule(%s, spread => '0')", [schedule])


def test_cron_letters_and_h_become_schedules(db: Db) -> None:
    job = add_job(db, "hashed")
    schedule = add(db, "cron => 'H H * * *'", job)
    key = int.from_bytes(hashlib.sha256(b"hashed\0s").digest(), "big")
    shown = db.execute("SELECT jscminutes, jschours FROM pgagent_py.visible_schedule").fetchone()
    assert shown == ([key % 60], [key % 24])
    with pytest.raises(InvalidParameterValue, match="2 schedules"):
        db.execute("SELECT pgagent_py.alter_schedule(%s, cron => '0 9 1,LW * *')", [schedule])
    db.execute("SELECT pgagent_py.alter_schedule(%s, cron => '0 9 15W * *')", [schedule])
    options = "SELECT roll, workdays FROM pgagent_py.schedule_options WHERE jscid = %s"
    assert db.execute(options, [schedule]).fetchone() == ("nearest", None)
    db.execute("SELECT pgagent_py.alter_schedule(%s, cron => '0 9 LW * *')", [schedule])
    assert db.execute(options, [schedule]).fetchone() == (None, [-1])
    either = add_job(db, "either", cron="0 9 1,LW * 5#2")
    assert value(db, "SELECT count(*) FROM pgagent.pga_schedule WHERE jscjobid = %s", either) == 3


def test_lines_of_days_hold_beside_a_line_with_cron(db: Db) -> None:
    job = add_job(db, "job")
    schedule = value(
        db,
        "INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscdesc) VALUES (%s, 's', %s) RETURNING jscid",
        job,
        "@nth 1\n@roll forward\n@cron 0 9 * * mon",
    )
    shown = "SELECT nth, workdays, roll FROM pgagent_py.schedule_options"
    write = "UPDATE pgagent.pga_schedule SET jscdesc = %s"
    assert db.execute(shown).fetchone() == ([1], None, "forward")
    for text, expected in (
        ("@nth 1\n@roll forward\n@cron 0 9 * * fri", ([1], None, "forward")),
        ("@roll skip\n@cron 0 9 * * fri", (None, None, "skip")),
        ("@roll skip\n@cron 0 9 * * fri#2", ([2], None, "skip")),
        ("@workdays -1\n@cron 0 9 * * *", (None, [-1], None)),
        ("@roll backward\n@rrule FREQ=MONTHLY;BYDAY=3TU", ([3], None, "backward")),
    ):
        db.execute(write, [text])
        assert db.execute(shown).fetchone() == expected, text
    for text, named in (
        ("@nth 1\n@cron 0 9 * * fri#2", "both cron and nth"),
        ("@roll skip\n@cron 0 9 15W * *", "both cron and roll"),
        ("@nth 1\n@rrule FREQ=DAILY", "both rrule and nth"),
    ):
        with pytest.raises(InvalidParameterValue, match=named):
            db.execute(write, [text])
    with pytest.raises(InvalidParameterValue, match="both cron and workdays"):
        db.execute(
            "SELECT pgagent_py.alter_schedule(%s, cron => '0 9 LW * *', workdays => '{1}')", [schedule]
        )


def test_a_recurrence_rule_becomes_schedules(db: Db) -> None:
    job = add_job(db, "job")
    db.execute("SELECT pgagent_py.add_calendar('bank', '{2027-01-29}')")
    rrule = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=18;EXCLUDE=bank;UNTIL=20270301T180000Z"
    schedule = add(db, f"rrule => '{rrule}'", job)
    assert days(db, schedule, 9) == ["01-28", "02-26"]
    shown = "SELECT calendars, workdays FROM pgagent_py.schedule_options"
    assert db.execute(shown).fetchone() == (["bank"], [-1])
    db.execute(
        "SELECT pgagent_py.alter_schedule(%s, rrule => 'FREQ=WEEKLY;INTERVAL=2', start => '2027-01-05 07:30Z')",
        [schedule],
    )
    assert db.execute(
        "SELECT jscweekdays, jschours, jscminutes FROM pgagent_py.visible_schedule"
    ).fetchone() == ([2], [7], [30])
    assert db.execute("SELECT workdays, recurs FROM pgagent_py.schedule_options").fetchone() == (
        None,
        "2 weeks",
    )
    other = add_job(db, "other")
    ids = db.execute(
        "SELECT pgagent_py.add_schedule(%s, 'r', rrule => 'FREQ=MINUTELY;INTERVAL=90')", [other]
    ).fetchall()
    assert len(ids) == 2
    db.execute("SELECT pgagent_py.add_calendar('extra', '{2027-02-10,2027-02-11}')")
    both = "FREQ=MONTHLY;BYMONTHDAY=10,15;BYHOUR=6;INCLUDE=extra;EXCLUDE=bank"
    third = add_job(db, "third")
    db.execute("SELECT pgagent_py.add_schedule(%s, 'r', rrule => %s)", [third, both])
    found = db.execute(
        "SELECT to_char(n, 'MM-DD HH24') FROM pgagent_py.next_runs(%s, 3, '2027-02-01') n", [third]
    )
    assert found.fetchall() == [("02-10 06",), ("02-11 06",), ("02-15 06",)]
    for arguments, named in (
        ("rrule => 'FREQ=YEARLY;BYWEEKNO=2'", "BYWEEKNO"),
        ("rrule => 'FREQ=DAILY;COUNT=2'", "COUNT"),
        ("rrule => 'FREQ=DAILY', nth => '{1}'", "both rrule and nth"),
        ("rrule => 'FREQ=DAILY', cron => '@daily'", "both cron and rrule"),
        ("rrule => 'FREQ=DAILY;UNTIL=20190101'", "end"),
        ("rrule => 'FREQ=DAILY;EXCLUDE=none'", "calendar"),
    ):
        with pytest.raises(InvalidParameterValue, match=named):
            add(db, arguments, other)
    with pytest.raises(InvalidParameterValue, match="rrule takes 2"):
        db.execute("SELECT pgagent_py.alter_schedule(%s, rrule => 'FREQ=MINUTELY;INTERVAL=90')", [schedule])
