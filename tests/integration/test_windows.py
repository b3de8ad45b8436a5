"""Windows: what they hold back, what starts at their opening, and what ends with them. Without a launcher."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.helpers import Db, add_job, alter_job, rows, value
from tests.helpers.protocol import Agent, Step, done, due_job
from tests.helpers.transfer import export, import_

NOTES = "SELECT h.jsloutput FROM pgagent_py.run_history h WHERE h.jobid = %s AND h.run_status = 'no steps'"
DUES = "SELECT h.due FROM pgagent_py.run_history h WHERE h.jobid = %s ORDER BY h.jlgid"
RUN = "SELECT h.run_status, h.jsloutput FROM pgagent_py.run_history h WHERE h.jobid = %s ORDER BY h.jlgid DESC, h.jslid DESC"


def add_window(
    db: Db, name: str, begins: timedelta, lasts: timedelta = timedelta(hours=1), **more: Any
) -> None:
    """Add a window that opens once a day, for the first time so long after now; its zone is some seconds off."""
    at = value(db, "SELECT clock_timestamp() + %s", begins)
    zone, wall = f"XXX-00:00:{at.second and 60 - at.second:02}", at.astimezone(tz=None)
    wall = value(db, "SELECT (date_trunc('second', %s::timestamptz) AT TIME ZONE %s)", at, zone)
    more = {"minutes": [wall.minute], "hours": [wall.hour], "timezone": zone} | more
    names = ", ".join(f"{key} => %s" for key in more)
    db.execute(
        f"SELECT pgagent_py.add_window(%s, duration => %s, {names})".encode(), [name, lasts, *more.values()]
    )


def move(db: Db, name: str, by: timedelta) -> None:
    """Let a window open so much later, or earlier, than it does."""
    document = export(db)["windows"][name]
    wall = datetime(2027, 1, 15, document["hours"][0], document["minutes"][0]) + by
    moved = document | {"hours": [wall.hour], "minutes": [wall.minute]}
    import_(db, {"windows": {name: moved}})


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINUTE = timedelta(minutes=1)


def missed_job(db: Db, name: str, steps: str = "a") -> int:
    """Add a job that has been due for more than a minute. A time just set would be an order to run it now."""
    return due_job(db, name, steps, minutes=5)


def names(steps: list[Step]) -> list[str]:
    """Return the names of the jobs of steps."""
    return [step.jobname for step in steps]


def test_a_job_waits_for_its_window_and_run_now_does_not(agent: Agent, db: Db) -> None:
    add_window(db, "later", 2 * HOUR)
    held, free = missed_job(db, "held"), missed_job(db, "free")
    alter_job(db, held, window="later")
    (due,) = rows(db, "SELECT jobnextrun FROM pgagent.pga_job WHERE jobid = %s", held)
    (step,) = agent.run_due(9)
    assert step.jobid == free
    agent.run_due(0, done(step))
    opens = value(db, 'SELECT w.next FROM pgagent_py.windows w WHERE NOT w."open" AND w.until IS NULL')
    assert HOUR < opens - value(db, "SELECT now()") <= 2 * HOUR
    assert value(db, "SELECT window_opens FROM pgagent_py.job_status WHERE jobid = %s", held) == opens
    move(db, "later", -2 * HOUR)
    (step,) = agent.run_due(9)
    agent.run_due(0, done(step))
    assert rows(db, DUES, held) == [due]
    move(db, "later", 3 * HOUR)
    db.execute("SELECT pgagent_py.run_now(%s)", [held])
    (step,) = agent.run_due(9)
    agent.run_due(0, done(step))
    db.execute("SELECT pgagent_py.pause()")
    db.execute("SELECT pgagent_py.run_now(%s)", [held])
    assert agent.run_due(9) == []


def test_which_windows_let_a_job_start(agent: Agent, db: Db) -> None:
    for name, begins, closed in (
        ("now", -MINUTE, False),
        ("later", 2 * HOUR, False),
        ("blackout", -MINUTE, True),
        ("later blackout", 2 * HOUR, True),
    ):
        add_window(db, name, begins, closed=closed)
    jobs = {
        "now": True,
        "later": False,
        "later, now": True,
        "now, later blackout": True,
        "blackout, now": False,
        "blackout": False,
        "later blackout": True,
        "": True,
    }
    for windows in jobs:
        job = missed_job(db, windows or "none")
        alter_job(db, job, window=windows)
    db.execute("SELECT pgagent_py.set_limit('Data Export', \"window\" => 'later')")
    db.execute("SELECT pgagent_py.set_limit('Data Import', \"window\" => 'now')")
    for windows in ("", "now"):
        for of_class in ("Data Export", "Data Import"):
            job = missed_job(db, f"{of_class} {windows}")
            alter_job(db, job, window=windows, **{"class": of_class})
    expected = [windows or "none" for windows, starts in jobs.items() if starts]
    found = names(agent.run_due(99))
    assert sorted(found) == sorted([*expected, "Data Import ", "Data Import now"])
    opens = rows(db, "SELECT jobname FROM pgagent_py.job_status WHERE window_opens IS NOT NULL ORDER BY 1")
    held = [windows for windows, starts in jobs.items() if not starts]
    assert opens == [(name,) for name in sorted([*held, "Data Export ", "Data Export now"])]


def test_lateness_counts_from_the_opening(agent: Agent, db: Db) -> None:
    add_window(db, "now", -10 * MINUTE)
    for name, minutes, lateness in (
        ("due outside", 300.0, "30 min"),
        ("due outside, too late", 300.0, "30 s"),
        ("due inside", 5.0, "6 min"),
        ("due inside, too late", 5.0, "4 min"),
        ("due long since", 1600.0, "20 h"),
    ):
        job = due_job(db, name, minutes=minutes)
        alter_job(db, job, window="now", max_lateness=lateness)
    assert sorted(names(agent.run_due(9))) == ["due inside", "due outside"]
    skipped = "SELECT jobname FROM pgagent_py.run_history WHERE run_status = 'no steps' ORDER BY 1"
    assert rows(db, skipped) == [("due inside, too late",), ("due long since",), ("due outside, too late",)]


LATE = "SELECT qmsdata -> 'job' ->> 'name' FROM pgagent_py.queued_message ORDER BY 1"


def test_late_after_counts_from_the_opening(agent: Agent, db: Db) -> None:
    db.execute("SELECT pgagent_py.add_message(NULL, 'email', 'a@b.example', 'late'), pgagent_py.pause()")
    add_window(db, "now", -10 * MINUTE)
    add_window(db, "later", 2 * HOUR)
    for name, minutes, window, late in (
        ("due outside", 300.0, "now", "30 min"),
        ("due outside, late", 300.0, "now", "9 min"),
        ("due inside", 5.0, "now", "6 min"),
        ("due inside, late", 5.0, "now", "4 min"),
        ("not open yet", 300.0, "later", "1 min"),
    ):
        alter_job(db, due_job(db, name, minutes=minutes), window=window, late_after=late)
    assert agent.run_due(9) == []
    assert rows(db, LATE) == [("due inside, late",), ("due outside, late",)]


def test_a_backfill_waits_for_the_window(agent: Agent, db: Db) -> None:
    add_window(db, "later", 2 * HOUR)
    job = value(db, "SELECT pgagent_py.add_job('job', '0 3 * * *', 'SELECT 1', timezone => 'UTC')")
    alter_job(db, job, window="later")
    db.execute("SELECT pgagent_py.backfill(%s, \"from\" => '2024-01-01Z', until => '2024-01-03Z')", [job])
    assert agent.run_due(9) == []
    move(db, "later", -2 * HOUR)
    (step,) = agent.run_due(9)
    move(db, "later", 2 * HOUR)
    assert agent.run_due(9, done(step)) == []
    assert rows(db, "SELECT status, done FROM pgagent_py.backfills") == [("in progress", 1)]
    move(db, "later", -2 * HOUR)
    (step,) = agent.run_due(9)
    agent.run_due(9, done(step))
    assert rows(db, "SELECT status, done FROM pgagent_py.backfills") == [("finished", 2)]


def test_catch_up_decides_what_becomes_of_what_fell_due_outside(agent: Agent, db: Db) -> None:
    add_window(db, "now", -MINUTE)
    found = {}
    for catch_up in ("once", "skip", "all"):
        job = value(db, "SELECT pgagent_py.add_job(%s, '0 * * * *', 'SELECT 1', timezone => 'UTC')", catch_up)
        db.execute("UPDATE pgagent.pga_schedule SET jscstart = '2000-01-01Z' WHERE jscjobid = %s", [job])
        alter_job(db, job, window="now", catch_up=catch_up)
        first = "date_trunc('hour', now()) - interval '3 h'"
        db.execute(f"UPDATE pgagent.pga_job SET jobnextrun = {first} WHERE jobid = %s".encode(), [job])
        found[catch_up] = job
    dues: dict[str, list[Any]] = {name: [] for name in found}
    steps = agent.run_due(9)
    while steps:
        for step in steps:
            dues[step.jobname] += [value(db, f"{DUES} DESC LIMIT 1", step.jobid)]
        steps = agent.run_due(9, *map(done, steps))
    earliest = value(db, "SELECT date_trunc('hour', now()) - interval '3 h'")
    assert dues["once"] == [earliest]
    assert dues["skip"] == []
    assert dues["all"] == [earliest + hours * HOUR for hours in range(4)]
    (note,) = rows(db, NOTES, found["skip"])
    assert "they were 4" in note[0]


def test_what_comes_is_shown_at_the_opening(db: Db) -> None:
    db.execute("SELECT pgagent_py.add_window('nights', '0 22 * * *', duration => '2 h', timezone => 'UTC')")
    job = value(db, "SELECT pgagent_py.add_job('job', '30 12,13,22 * * *', 'SELECT 1', timezone => 'UTC')")
    alter_job(db, job, window="nights")
    upcoming = "SELECT u.at FROM pgagent_py.upcoming_runs('2040-01-04 00:00Z', '2040-01-01 13:00Z') u"
    nights = [datetime.fromisoformat(f"2040-01-0{day}T22:00+00:00") for day in (1, 2, 3)]
    expected = [(at,) for night in nights for at in (night, night + HOUR / 2)]
    assert rows(db, upcoming) == expected
    shown = rows(db, "SELECT * FROM pgagent_py.next_runs(%s, 3, '2040-01-01 12:00Z')", job)
    assert [at.hour for (at,) in shown] == [12, 13, 22]
    alter_job(db, job, catch_up="skip")
    assert rows(db, upcoming) == [(night + HOUR / 2,) for night in nights]


def test_what_is_due_and_waits_comes_at_the_opening(db: Db) -> None:
    add_window(db, "later", 2 * HOUR)
    job = missed_job(db, "job")
    alter_job(db, job, window="later")
    upcoming = "SELECT u.at, u.jobname FROM pgagent_py.upcoming_runs() u"
    assert rows(db, upcoming) == rows(db, "SELECT next, 'job' FROM pgagent_py.windows")
    alter_job(db, job, catch_up="skip")
    assert rows(db, upcoming) == []


def test_a_window_that_never_opens_is_seen(db: Db) -> None:
    db.execute("SELECT pgagent_py.add_window('never', '0 0 30 2 *', duration => '1 h')")
    job = add_job(db, "job", "SELECT 1")
    alter_job(db, job, window="never")
    assert rows(db, "SELECT window_opens::text FROM pgagent_py.job_status") == [("infinity",)]
    assert rows(db, 'SELECT "open", until, next FROM pgagent_py.windows') == [(False, None, None)]


def test_the_next_wake_is_an_opening_or_a_closing(agent: Agent, db: Db) -> None:
    add_window(db, "later", 10 * MINUTE, HOUR)
    job = missed_job(db, "job")
    alter_job(db, job, window="later")
    assert agent.run_due(9) == []
    assert 8 * 60 < value(agent.db, "SELECT pgagent_py.next_wake()") <= 10 * 60
    move(db, "later", -60 * MINUTE)
    (step,) = agent.run_due(9)
    assert 8 * 60 < value(agent.db, "SELECT pgagent_py.next_wake()") <= 10 * 60
    agent.run_due(0, done(step))


@pytest.mark.parametrize("of_class", [False, True])
def test_a_run_ends_with_its_window(agent: Agent, db: Db, of_class: bool) -> None:
    add_window(db, "now", -MINUTE)
    stopped, finishing = missed_job(db, "stopped", "abc"), missed_job(db, "finishing")
    waiting = missed_job(db, "waiting", "ab")
    ordered = missed_job(db, "ordered")
    if of_class:
        db.execute("UPDATE pgagent.pga_job SET jobjclid = 3")
        db.execute("SELECT pgagent_py.set_limit('Data Export', \"window\" => 'now')")
    for job in (stopped, finishing, waiting, ordered):
        end = "finish" if job == finishing else "stop"
        alter_job(db, job, at_window_end=end, **({} if of_class else {"window": "now"}))
    move(db, "now", 3 * HOUR)
    db.execute("SELECT pgagent_py.run_now(%s)", [ordered])
    (by_hand,) = agent.run_due(9)
    move(db, "now", -3 * HOUR)
    db.execute(
        "SELECT pgagent_py.alter_step(jstid, retries => 2, retry_delay => '1 h') FROM pgagent.pga_jobstep"
    )
    steps = {step.jobname: step for step in agent.run_due(9)}
    assert steps.keys() == {"stopped", "finishing", "waiting"}
    assert agent.run_due(9, done(steps["waiting"], "f", 1)) == []
    # Three hours pass. The ordered run began before the window.
    move(db, "now", -3 * HOUR)
    earlier = "WHEN %s THEN interval '200 min' ELSE interval '180 min' END"
    db.execute(f"UPDATE pgagent_py.run SET claimed = claimed - CASE jobid {earlier}".encode(), [ordered])
    db.execute(
        f"UPDATE pgagent.pga_job SET joblastrun = joblastrun - CASE jobid {earlier}".encode(), [ordered]
    )
    assert agent.run_due(9) == []
    cancelled = dict(rows(agent.db, "SELECT c.jlgid, c.note FROM pgagent_py.cancelled_runs() c"))
    offer = "SELECT pgagent_py.run_now({}, from_step => {});"
    note = "The run was stopped at the end of its window: now. The rest of it: "
    step = steps["stopped"]
    assert cancelled == {step.jlgid: note + offer.format(stopped, step.jstid)}
    # That of the run that waited for its next try
    status, output = rows(db, RUN, waiting)[0]
    assert status == "aborted"
    assert output.endswith(note + offer.format(waiting, steps["waiting"].jstid))
    # A step that ends all the same is the last one.
    assert agent.run_due(9, done(step)) == []
    status, output = rows(db, RUN, stopped)[0]
    following = value(
        db, "SELECT jstid FROM pgagent.pga_jobstep WHERE jstjobid = %s AND jstname = 'b'", stopped
    )
    assert (status, output) == ("aborted", note + offer.format(stopped, following))
    agent.run_due(0, done(steps["finishing"]), done(by_hand))
    for job in (finishing, ordered):
        assert rows(db, RUN, job)[0][0] == "success"


def test_the_daemon_gets_no_job_with_a_window(db: Db) -> None:
    add_window(db, "now", -MINUTE)
    alter_job(db, missed_job(db, "with"), window="now")
    missed_job(db, "without")
    db.execute("SELECT pgagent_py.set_limit('Data Export', \"window\" => 'now')")
    db.execute("UPDATE pgagent.pga_job SET jobjclid = 3 WHERE jobid = %s", [missed_job(db, "in a class")])
    db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'daemon')")
    claim = """
        UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid(), joblastrun = now() WHERE jobnextrun <= now()
        RETURNING jobname"""
    assert rows(db, claim) == [("without",)]
