"""Many or huge things of one owner's cost the others nothing: a turn does a bounded part of them, each in linear time."""

import re

import psutil
import pytest
from psycopg.types.json import Jsonb

from tests.helpers import Db, call, rows, value
from tests.helpers.protocol import Agent, done
from tests.helpers.roles import refusal


class Effort:
    """Processor time of a session's backend, in seconds: it does not depend on what else the machine does."""

    def __init__(self, db: Db) -> None:
        self._backend = psutil.Process(db.info.backend_pid)
        self._before = self._now()

    def _now(self) -> float:
        times = self._backend.cpu_times()
        return float(times.user + times.system)

    def spent(self) -> float:
        """Return what was spent since the last call."""
        before, self._before = self._before, self._now()
        return self._before - before


def turns_until(agent: Agent, name: str) -> int:
    """Return how many turns with one place it takes until the job of this name is started."""
    for number in range(1, 30):
        if name in [step.jobname for step in agent.run_due(1)]:
            return number
    raise AssertionError(f"{name} was not started")


def late_jobs(alice: Db, admin: Db, number: int) -> None:
    """Give alice jobs that are too late."""
    alice.execute(
        """SELECT pgagent_py.alter_job(pgagent_py.add_job('late', sql => 'SELECT 1', cron => '0 4 * * *'), max_lateness => '1 h')
             FROM generate_series(1, %s)""",
        [number],
    )
    admin.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '2 h'")


def test_late_jobs_are_skipped_a_hundred_at_a_time_and_hold_up_no_other_job(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    late_jobs(alice, admin, 350)
    call(bob, "run_now", call(bob, "add_job", "bob's", sql="SELECT 1"))
    agent = Agent(address)
    left = "SELECT count(*) FROM pgagent.pga_job WHERE jobnextrun < now() AND jobname = 'late'"
    assert turns_until(agent, "bob's") == 1
    assert value(admin, left) == 250
    for expected in (150, 50, 0):
        assert agent.run_due(1) == []
        assert value(admin, left) == expected
    assert value(admin, "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 'i'") == 350
    agent.close()


def test_a_late_job_that_makes_the_server_fail_is_set_aside_and_the_other_late_ones_are_skipped(
    address: str, admin: Db, alice: Db
) -> None:
    late_jobs(alice, admin, 3)
    admin.execute(
        """CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
             IF NEW.jobid = (SELECT min(j.jobid) FROM pgagent.pga_job j) THEN RAISE EXCEPTION 'boom'; END IF; RETURN NEW; END$$"""
    )
    bad = value(admin, "SELECT min(jobid) FROM pgagent.pga_job")
    admin.execute(
        "CREATE TRIGGER a_fail BEFORE UPDATE ON pgagent.pga_job FOR EACH ROW EXECUTE FUNCTION public.fail()"
    )
    agent = Agent(address)
    assert agent.run_due(1) == []
    assert rows(admin, "SELECT jobid FROM pgagent_py.problems") == [(bad,)]
    assert value(admin, "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 'i'") == 2
    agent.close()
    admin.execute("DROP FUNCTION public.fail() CASCADE")


def add_steps(admin: Db, job: int, number: int) -> None:
    admin.execute(
        """INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstkind, jstcode, jstdbname)
           SELECT %s, to_char(g, 'FM000000'), 's', 'SELECT 1', current_database() FROM generate_series(1, %s) g""",
        [job, number],
    )


def effort_of_the_last_step(address: str, admin: Db, job: int) -> float:
    """Return what the turn costs that starts a job's last step."""
    call(admin, "run_now", job)
    agent = Agent(address)
    (first,) = agent.run_due(1)
    admin.execute(
        """UPDATE pgagent_py.run SET done = ARRAY(SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstjobid = %s
                                                   ORDER BY s.jstname, s.jstid
                                                   LIMIT (SELECT count(*) - 1 FROM pgagent.pga_jobstep))""",
        [job],
    )
    effort = Effort(agent.db)
    (last,) = agent.run_due(1, done(first))
    spent = effort.spent()
    assert last.jstname == value(admin, "SELECT max(jstname) FROM pgagent.pga_jobstep")
    agent.run_due(0, done(last))
    agent.close()
    return spent


def test_the_steps_of_a_run_are_looked_through_in_linear_time(address: str, admin: Db, alice: Db) -> None:
    job = call(alice, "add_job", "long")
    add_steps(admin, job, 6_000)
    effort_of_the_last_step(address, admin, job)
    few = effort_of_the_last_step(address, admin, job)
    add_steps(admin, job, 24_000)
    many = effort_of_the_last_step(address, admin, job)
    assert many < 12 * few + 0.1  # five times the steps: if each was compared with each, 25 times


def test_dependents_start_a_hundred_at_a_time_in_turns_that_serve_others_too(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    first = call(alice, "add_job", "first", sql="SELECT 1")
    alice.execute(
        "SELECT pgagent_py.add_dependency(pgagent_py.add_job('then'), %s) FROM generate_series(1, 250)",
        [first],
    )
    call(alice, "run_now", first)
    agent = Agent(address)
    (step,) = agent.run_due(1)
    call(bob, "run_now", call(bob, "add_job", "bob's", sql="SELECT 1"))
    waiting = "SELECT count(*) FROM pgagent_py.dependency_met"
    agent.run_due(0, done(step))
    assert value(admin, waiting) in (150, 250)
    assert turns_until(agent, "bob's") <= 4
    for _ in range(3):
        agent.run_due(1)
    assert value(admin, waiting) == 0
    agent.close()


def test_a_condition_that_is_met_again_and_again_is_noted_once(address: str, admin: Db, alice: Db) -> None:
    first, other = (call(alice, "add_job", name, sql="SELECT 1") for name in ("first", "other"))
    last = call(alice, "add_job", "last", sql="SELECT 1")
    for after in (first, other):
        call(alice, "add_dependency", last, after)
    agent = Agent(address)
    for _ in range(5):
        call(alice, "run_now", first)
        (step,) = agent.run_due(1)
        agent.run_due(0, done(step))
    notes = rows(admin, "SELECT jobafter, jlgid FROM pgagent_py.dependency_met")
    assert notes == [(first, step.jlgid)]
    agent.close()


@pytest.mark.parametrize("length", [1_000, 3_000_000])
def test_logs_messages_and_launchers_are_told_the_beginning_of_a_huge_name(
    address: str, admin: Db, length: int
) -> None:
    # The functions refuse such names, but pgAgent's tables may hold them
    job, then = call(admin, "add_job", "job", sql="SELECT 1"), call(admin, "add_job", "then", sql="SELECT 1")
    admin.execute("UPDATE pgagent.pga_job SET jobname = repeat('n', %s) WHERE jobid = %s", [length, job])
    admin.execute(
        "UPDATE pgagent.pga_jobstep SET jstname = repeat('s', %s) WHERE jstjobid = %s", [length, job]
    )
    call(admin, "add_dependency", then, job)
    call(admin, "run_now", job)
    agent = Agent(address)
    (step,) = agent.run_due(1)
    assert (len(step.jobname), len(step.jstname)) == (1000, 1000)
    agent.run_due(0, done(step))
    agent.run_due(1)
    told = "SELECT length(jlgparameters -> 'triggered_by' -> 0 ->> 'name') FROM pgagent_py.run_option"
    assert value(admin, told) == 1000
    agent.close()


# What alice has of each in the test, and a call that adds one
ADD = {
    "jobs": (2, "add_job('more')"),
    "steps": (1, "add_step({job}, 'more', sql => 'SELECT 1')"),
    "schedules": (1, "add_schedule({job}, 'more', cron => '@daily')"),
    "schedules_of_a_job": (1, "add_schedule({job}, 'more', cron => '@daily')"),
    "exceptions": (0, "add_exception({schedule}, on_date => '2040-01-01')"),
    "dependencies": (0, "add_dependency({job}, {other})"),
    "messages": (0, "add_message({job}, 'email', 'alice@example.org')"),
}


@pytest.mark.parametrize("name", ADD)
def test_a_role_may_have_as_many_as_its_bound_says(admin: Db, alice: Db, bob: Db, name: str) -> None:
    count, add = ADD[name]
    ids = {
        "job": call(alice, "add_job", "a", cron="@daily", sql="SELECT 1"),
        "other": call(alice, "add_job", "b"),
    }
    ids["schedule"] = value(alice, "SELECT jscid FROM pgagent_py.visible_schedule")
    statement = f"SELECT pgagent_py.{add.format(**ids)}"
    call(admin, "set_bound", name, count)
    code, message, hint = refusal(alice, statement)
    assert (code, message) == (
        "54000",
        f"role alice may not have more than {count} {name.replace('_', ' ')}",
    )
    assert hint == f"An administrator can raise it with set_bound('{name}', ...)."
    call(admin, "set_bound", name, count + 1, "alice")
    alice.execute(statement.encode())
    bounds = "SELECT role, value FROM pgagent_py.bounds WHERE name = %s ORDER BY 1"
    assert rows(alice, bounds, name) == [("alice", count + 1), (None, count)]
    assert rows(bob, bounds, name) == []
    bob.execute("SELECT pgagent_py.add_job('bob''s')" if count else "SELECT")
    for role in ("alice", None):
        call(admin, "set_bound", name, None, role)
    assert value(admin, "SELECT count(*) FROM pgagent_py.bounds WHERE role IS NOT NULL") == 0


def test_a_job_that_is_given_away_counts_for_the_role_that_gets_it(admin: Db, alice: Db) -> None:
    admin.execute("CREATE ROLE team; GRANT team TO alice")
    job = call(alice, "add_job", "a", sql="SELECT 1")
    call(admin, "set_bound", "steps", 0, "team")
    assert refusal(alice, f"SELECT pgagent_py.alter_job({job}, owner => 'team')")[:2] == (
        "54000",
        "role team may not have more than 0 steps",
    )
    call(admin, "set_bound", "steps", None, "team")
    call(alice, "alter_job", job, owner="team")
    admin.execute("DELETE FROM pgagent.pga_job; DROP ROLE team")


LARGE = "repeat('x', 3000000)"


@pytest.mark.parametrize(
    ("argument", "statement"),
    [
        ("name", f"SELECT pgagent_py.add_job({LARGE})"),
        ("sql", f"SELECT pgagent_py.add_job('a', sql => {LARGE})"),
        ("description", f"SELECT pgagent_py.add_job('a', description => {LARGE})"),
        ("host", f"SELECT pgagent_py.add_job('a', host => {LARGE})"),
        ("group", f'SELECT pgagent_py.alter_job({{job}}, "group" => {LARGE})'),
        (
            "parameters",
            f"SELECT pgagent_py.alter_job({{job}}, parameters => jsonb_build_object('a', {LARGE}))",
        ),
        ("parameters", f"SELECT pgagent_py.run_now({{job}}, parameters => jsonb_build_object('a', {LARGE}))"),
        ("subject", f"SELECT pgagent_py.add_message({{job}}, 'email', 'a@example.org', subject => {LARGE})"),
        ("crontab", f"SELECT pgagent_py.import_crontab({LARGE})"),
        ("cron", "SELECT pgagent_py.add_job('a', cron => repeat('1,', 3000000) || '1 * * * *')"),
        ("minutes", "SELECT pgagent_py.add_schedule({job}, 'a', minutes => array_fill(1, '{3000000}'))"),
    ],
)
def test_huge_texts_and_lists_are_refused(admin: Db, alice: Db, argument: str, statement: str) -> None:
    job = call(alice, "add_job", "a")
    before = rows(admin, "SELECT t::text FROM pgagent.pga_job t")
    code, message, _ = refusal(alice, statement.replace("{job}", str(job)))
    assert code == "54000"
    assert re.fullmatch(rf"{argument} has \d+ bytes, and role alice may give \d+", message or "")
    assert rows(admin, "SELECT t::text FROM pgagent.pga_job t") == before


def test_the_bytes_that_a_role_may_give_can_be_set(admin: Db, alice: Db) -> None:
    call(admin, "set_bound", "names", 10)
    assert refusal(alice, "SELECT pgagent_py.add_job('aaaaaaaaaa\u00e9')")[0] == "54000"
    call(admin, "set_bound", "names", 12, "alice")
    call(alice, "add_job", "aaaaaaaaaa\u00e9")
    for role in ("alice", None):
        call(admin, "set_bound", "names", None, role)


def test_a_long_list_is_refused_from_an_administrator_as_well(admin: Db) -> None:
    call(admin, "set_bound", "names", 100_000_000, "postgres")
    job = call(admin, "add_job", "a")
    statements = {
        "cron has 6000009 characters": "SELECT pgagent_py.add_job('a', cron => repeat('1,', 3000000) || '1 * * * *')",
        "minutes has 3000000 numbers": f"SELECT pgagent_py.add_schedule({job}, 'a', minutes => array_fill(1, '{{3000000}}'))",
    }
    for message, statement in statements.items():
        assert refusal(admin, statement)[:2] == ("22023", message)
    call(admin, "set_bound", "names", None, "postgres")


BAD_PARAMETERS = {
    "parameters has a number of more than 1000 digits": "{" + f'"a": {"7" * 5000}' + "}",
    "parameters has too many levels of lists and objects": '{"a": ' + 2000 * "[" + 2000 * "]" + "}",
}


@pytest.mark.parametrize(("message", "parameters"), BAD_PARAMETERS.items())
def test_parameters_that_programs_can_not_read_are_refused_and_survived(
    address: str, admin: Db, alice: Db, message: str, parameters: str
) -> None:
    job = call(alice, "add_job", "a", sql="SELECT 1")
    for statement in ("alter_job(%s, parameters => %s)", "run_now(%s, parameters => %s)"):
        refused = refusal(alice, f"SELECT pgagent_py.{statement}", [job, parameters])
        assert refused[:2] == ("22023", message)
    # They may be there already
    admin.execute("UPDATE pgagent_py.job_option SET jobparameters = %s WHERE jobid = %s", [parameters, job])
    call(alice, "run_now", job)
    agent = Agent(address)
    (step,) = agent.run_due(1)
    agent.run_due(0, done(step))
    agent.close()
    assert value(admin, "SELECT jlgstatus FROM pgagent.pga_joblog") == "s"
    document = call(admin, "export_jobs")
    assert "parameters" not in document["jobs"]["a"]
    call(admin, "import_jobs", Jsonb(document))
    bad = f'{{"jobs": {{"b": {{"name": "b", "parameters": {parameters}}}}}}}'
    assert refusal(admin, "SELECT pgagent_py.import_jobs(%s)", [bad])[0] == "22023"


TOO_LONG = "170000000 years"


def test_intervals_that_lead_out_of_the_calendar_are_refused_and_survived(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    job = call(alice, "add_job", "a", sql="SELECT 1")
    for argument in ("keep_for", "timeout", "max_lateness"):
        assert refusal(alice, f"SELECT pgagent_py.alter_job({job}, {argument} => '{TOO_LONG}')")[0] == "22023"
        bad = {"jobs": {"b": {"name": "b", argument: TOO_LONG}}}
        assert refusal(admin, "SELECT pgagent_py.import_jobs(%s)", [Jsonb(bad)])[0] == "22023"
    every = f"SELECT pgagent_py.add_schedule({job}, 's', every => '2000000000 days')"
    assert refusal(alice, every)[:2] == ("22023", "every can't be 2000000000 days")
    assert refusal(admin, f"SELECT pgagent_py.set_retention(keep_for => '{TOO_LONG}')")[0] == "22023"
    # They may be there already
    admin.execute(
        "UPDATE pgagent_py.job_option SET jobkeepfor = %s, jobtimeout = %s, jobmaxlateness = %s",
        3 * [TOO_LONG],
    )
    call(alice, "run_now", job)
    call(bob, "run_now", call(bob, "add_job", "bob's", sql="SELECT 1"))
    agent = Agent(address)
    steps = [step for _ in range(2) for step in agent.run_due(2)]
    assert sorted(step.jobname for step in steps) == ["a", "bob's"]
    agent.run_due(0, *map(done, steps))
    assert value(admin, "SELECT pgagent_py.purge_history()") == 0
    call(admin, "export_jobs")
    # So may times
    admin.execute("UPDATE pgagent.pga_joblog SET jlgstart = 'infinity'")
    assert {late for (late,) in rows(admin, "SELECT lateness FROM pgagent_py.run_history")} == {None}
    assert rows(admin, "SELECT jobid FROM pgagent_py.run_statistics()") is not None
    add = "INSERT INTO pgagent.pga_job (jobjclid, jobname, jobnextrun) VALUES (1, 'x', %s)"
    for time in ("infinity", "-infinity"):
        admin.execute(add, [time])
        assert rows(agent.db, "SELECT pgagent_py.next_wake(), pgagent_py.wanted_in()")
    agent.close()
