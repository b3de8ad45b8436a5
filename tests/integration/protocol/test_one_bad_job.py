"""What is wrong with one job stops no other: it is set aside, said in the view problems and in the log, and tried again."""

from tests.helpers import Db
from tests.helpers.protocol import Agent, done, due_job, status_of_run
from tests.helpers.transfer import export, import_


def refuse(db: Db, event: str, table: str, condition: str) -> None:
    """Let a superuser's trigger, as for an audit, fail for some rows."""
    db.execute(
        "CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE 'out of range'; END $$"
    )
    db.execute(
        f"CREATE TRIGGER refuse BEFORE {event} ON pgagent.{table} FOR EACH ROW WHEN ({condition})"
        " EXECUTE FUNCTION public.refuse()".encode()
    )


def test_a_job_that_can_not_be_claimed_is_set_aside(agent: Agent, db: Db) -> None:
    warnings: list[str] = []
    agent.db.add_notice_handler(lambda notice: warnings.append(str(notice.message_primary)))
    bad = due_job(db, "bad", minutes=9)
    for number in range(5):
        due_job(db, f"good {number}")
    refuse(db, "INSERT", "pga_joblog", f"NEW.jlgjobid = {bad}")
    started = [step for _ in range(3) for step in agent.run_due(10)]
    assert sorted(step.jobname for step in started) == [f"good {number}" for number in range(5)]
    assert agent.run_due(10, *map(done, started)) == []
    rows = db.execute("SELECT jobid, jobname, jscid, error FROM pgagent_py.problems").fetchall()
    assert [row[:3] for row in rows] == [(bad, "bad", None)]
    assert "out of range" in rows[0][3]
    assert [f"job {bad} is set aside" in warning for warning in warnings] == [True]
    wake = db.execute("SELECT pgagent_py.next_wake()").fetchone()
    assert wake == (None,)

    db.execute("DROP TRIGGER refuse ON pgagent.pga_joblog")
    db.execute("UPDATE pgagent_py.problem SET not_before = now()")
    assert [step.jobname for step in agent.run_due(10)] == ["bad"]
    assert db.execute("SELECT count(*) FROM pgagent_py.problems").fetchone() == (0,)


def test_a_result_that_can_not_be_booked_is_kept_and_the_others_are_booked(agent: Agent, db: Db) -> None:
    for name in ("bad", "good", "better"):
        due_job(db, name)
    steps = {step.jobname: step for step in agent.run_due(10)}
    bad = steps["bad"]
    refuse(db, "UPDATE", "pga_jobsteplog", f"NEW.jslid = {bad.jslid}")
    assert agent.run_due(10, *map(done, steps.values())) == []
    statuses = {name: status_of_run(db, step.jlgid) for name, step in steps.items()}
    assert statuses == {"bad": "r", "good": "s", "better": "s"}
    db.execute("DROP TRIGGER refuse ON pgagent.pga_jobsteplog")
    db.execute("UPDATE pgagent_py.waiting_result SET not_before = now()")
    assert agent.run_due(10) == []
    assert status_of_run(db, bad.jlgid) == "s"


def make_zone_unknown(db: Db, job: int) -> None:
    """As when a server's time zones have moved to a package that is not installed."""
    query = """
        UPDATE pgagent_py.schedule_option SET jsctimezone = 'Atlantis/Capital'
         WHERE jscid IN (SELECT jscid FROM pgagent.pga_schedule WHERE jscjobid = %s)"""
    db.execute(query, [job])


def add_scheduled_job(db: Db, name: str) -> int:
    row = db.execute(
        "SELECT pgagent_py.add_job(%s, cron => '0 3 * * *', timezone => 'Europe/Paris', sql => 'SELECT 1')",
        [name],
    ).fetchone()
    assert row
    return int(row[0])


def next_run(db: Db, job: int) -> object:
    row = db.execute("SELECT jobnextrun FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone()
    assert row
    return row[0]


def test_a_schedule_in_a_zone_that_is_gone_has_no_next_run_and_its_run_ends(agent: Agent, db: Db) -> None:
    bad, good = add_scheduled_job(db, "bad"), add_scheduled_job(db, "good")
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 s'")
    steps = agent.run_due(5)
    assert len(steps) == 2
    db.execute("ALTER TABLE pgagent_py.schedule_option DISABLE TRIGGER schedule_option_recompute")
    make_zone_unknown(db, bad)
    db.execute("ALTER TABLE pgagent_py.schedule_option ENABLE TRIGGER schedule_option_recompute")
    assert agent.run_due(5, *map(done, steps)) == []
    assert {status_of_run(db, step.jlgid) for step in steps} == {"s"}
    assert next_run(db, bad) is None
    assert next_run(db, good) is not None
    rows = db.execute("SELECT jobid, jscid IS NOT NULL, error FROM pgagent_py.problems").fetchall()
    assert [row[:2] for row in rows] == [(bad, True)]
    assert "Atlantis/Capital" in rows[0][2]


def test_a_schedule_in_a_zone_that_is_gone_can_be_repaired(db: Db) -> None:
    job = add_scheduled_job(db, "x")
    make_zone_unknown(db, job)
    assert next_run(db, job) is None
    assert db.execute("SELECT count(*) FROM pgagent_py.problems").fetchone() == (1,)
    db.execute(
        "SELECT pgagent_py.alter_schedule(jscid, timezone => 'Europe/Paris') FROM pgagent.pga_schedule"
    )
    assert next_run(db, job) is not None
    assert db.execute("SELECT count(*) FROM pgagent_py.problems").fetchone() == (0,)


def test_a_job_with_another_schedule_goes_on_by_it(db: Db) -> None:
    job = add_scheduled_job(db, "x")
    make_zone_unknown(db, job)
    db.execute("SELECT pgagent_py.add_schedule(%s, 'other', cron => '@hourly')", [job])
    assert next_run(db, job) is not None


def test_a_schedule_in_a_zone_that_is_gone_has_no_next_runs_to_show_either(db: Db) -> None:
    bad, good = add_scheduled_job(db, "bad"), add_scheduled_job(db, "good")
    make_zone_unknown(db, bad)
    warnings: list[str] = []
    db.add_notice_handler(lambda notice: warnings.append(str(notice.message_primary)))
    query = "SELECT pgagent_py.next_run(jscid) FROM pgagent.pga_schedule WHERE jscjobid = %s"
    assert db.execute(query, [bad]).fetchall() == [(None,)]
    assert "Atlantis/Capital" in warnings[0]
    runs = "SELECT count(*) FROM pgagent_py.next_runs(%s)"
    assert [db.execute(runs, [job]).fetchone() for job in (bad, good)] == [(0,), (10,)]


def test_a_zone_that_is_gone_leaves_the_session_in_its_own_time_zone(db: Db) -> None:
    job = add_scheduled_job(db, "x")
    with db.transaction():
        db.execute("SET TimeZone = 'Asia/Kathmandu'")
        make_zone_unknown(db, job)
        assert next_run(db, job) is None
        assert db.execute("SHOW TimeZone").fetchone() == ("Asia/Kathmandu",)


def test_all_schedules_in_a_default_zone_that_is_gone_come_back_with_another_default(db: Db) -> None:
    for name in "xyz":
        db.execute("SELECT pgagent_py.add_job(%s, cron => '0 3 * * *')", [name])
    db.execute("SELECT pgagent_py.add_calendar('c', '{2030-01-01}')")
    db.execute("SELECT pgagent_py.attach_calendar(min(jscid), 'c') FROM pgagent.pga_schedule")
    own = add_scheduled_job(db, "own zone")
    db.execute("UPDATE pgagent_py.setting SET value = 'Atlantis/Capital' WHERE name = 'timezone'")
    nexts = "SELECT jobname, jobnextrun IS NULL FROM pgagent.pga_job ORDER BY jobname"
    assert db.execute(nexts).fetchall() == [("own zone", False), ("x", True), ("y", True), ("z", True)]
    assert next_run(db, own) is not None
    db.execute("SELECT pgagent_py.set_default_timezone('Europe/Paris')")
    assert db.execute(nexts).fetchall() == [("own zone", False), ("x", False), ("y", False), ("z", False)]
    assert db.execute("SELECT count(*) FROM pgagent_py.problems").fetchone() == (0,)


def test_a_window_in_a_zone_that_is_gone_says_so_until_it_is_repaired(agent: Agent, db: Db) -> None:
    for name in ("held", "free"):
        due_job(db, name, minutes=5)
    db.execute(
        "SELECT pgagent_py.add_window('w', '* * * * *', duration => '1 h', timezone => 'Europe/Paris')"
    )
    db.execute(
        "SELECT pgagent_py.alter_job(jobid, \"window\" => 'w') FROM pgagent.pga_job WHERE jobname = 'held'"
    )
    document = export(db)
    db.execute("UPDATE pgagent_py.job_window SET wintimezone = 'Atlantis/Capital'")
    assert [step.jobname for step in agent.run_due(5)] == ["free"]
    ((jobid, error),) = db.execute("SELECT jobid, error FROM pgagent_py.problems").fetchall()
    assert jobid is None
    assert error == 'nobody can say when window "w" opens: time zone "Atlantis/Capital" not recognized'
    import_(db, document)
    assert db.execute("SELECT count(*) FROM pgagent_py.problems").fetchone() == (0,)
    assert [step.jobname for step in agent.run_due(5)] == ["held"]
