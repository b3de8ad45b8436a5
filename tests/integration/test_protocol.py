"""The launcher's side of run_due, driven by hand: what is handed out, booked, repeated, locked or gone meanwhile."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest

from tests.helpers import Db, wait_for


class Step(NamedTuple):
    """A step as run_due hands it out."""

    jobid: int
    jlgid: int
    jstid: int
    jslid: int
    jobname: str
    jstname: str
    jslstatus: str


class Result(NamedTuple):
    """A step_result."""

    jlgid: int
    jslid: int
    jslstatus: str = "s"
    jslresult: int = 0
    jsloutput: str = ""


class Agent:
    """A backend that is driven as a launcher drives its control connection."""

    def __init__(self, conninfo: str, station: str = "here.example", knows: Sequence[str] = ()) -> None:
        self.db = psycopg.connect(conninfo, autocommit=True)
        self.pid = self.db.info.backend_pid
        self.agent = uuid4()
        self.db.execute("SET lock_timeout = '60 s'")  # no turn may wait for a lock
        start = "SELECT pgagent_py.start_agent(%s, %s, knows => %s)"
        self.db.execute(start, [self.agent, station, list(knows)])

    def run_due(self, capacity: int, *finished: Result) -> list[Step]:
        """Run one turn."""
        columns = [list(column) for column in zip(*finished, strict=True)] or [[]] * 5
        query = """
            SELECT t.jobid, t.jlgid, t.jstid, t.jslid, t.jobname, t.jstname, t.jslstatus
              FROM pgagent_py.run_due(%s, ARRAY(
                   SELECT (jlgid, jslid, status, result, interval '1 s', output)::pgagent_py.step_result
                     FROM unnest(%s::int[], %s::int[], %s::text[], %s::int[], %s::text[])
                          u (jlgid, jslid, status, result, output))) t"""
        return [Step(*row) for row in self.db.execute(query, [capacity, *columns])]

    def names(self, capacity: int, *finished: Result) -> list[tuple[str, str]]:
        """Run one turn and return job and step names."""
        return [(step.jobname, step.jstname) for step in self.run_due(capacity, *finished)]

    def close(self) -> None:
        """End the session."""
        self.db.close()


@pytest.fixture
def agent(database: str) -> Iterator[Agent]:
    """Return an agent on the host here.example."""
    agent = Agent(database)
    yield agent
    agent.close()


def done(step: Step, status: str = "s", result: int = 0, output: str = "") -> Result:
    """Return the result of a step."""
    return Result(step.jlgid, step.jslid, status, result, output)


def add_due_job(db: Db, name: str, steps: str = "a", minutes: float = 1, **columns: object) -> int:
    """Add a job with a step for each letter of `steps` that has been due for some minutes."""
    ((job,),) = db.execute("SELECT pgagent_py.add_job(%s)", [name]).fetchall()
    for letter in steps:
        db.execute("SELECT pgagent_py.add_step(%s, %s, sql => 'SELECT 1')", [job, letter])
    db.execute(
        "UPDATE pgagent.pga_job SET jobnextrun = now() - %s * interval '1 min' WHERE jobid = %s",
        [minutes, job],
    )
    for column, value in columns.items():
        db.execute(f"UPDATE pgagent.pga_job SET {column} = %s WHERE jobid = %s".encode(), [value, job])
    return int(job)


def status_of_run(db: Db, jlgid: int) -> str | None:
    """Return a run's status, None when there is no such run."""
    row = db.execute("SELECT jlgstatus FROM pgagent.pga_joblog WHERE jlgid = %s", [jlgid]).fetchone()
    return None if row is None else str(row[0])


def step_log(db: Db, jslid: int) -> tuple[Any, ...]:
    """Return status, result and output of a step's log entry."""
    query = "SELECT jslstatus, jslresult, jsloutput FROM pgagent.pga_jobsteplog WHERE jslid = %s"
    ((*values,),) = db.execute(query, [jslid]).fetchall()
    return tuple(values)


def test_claim_is_pgagents(agent: Agent, db: Db) -> None:
    job = add_due_job(db, "x")
    (step,) = agent.run_due(1)
    assert step.jslstatus == "r"
    row = db.execute(
        "SELECT jobagentid, joblastrun >= now() - interval '1 min', jagstation FROM pgagent.pga_job"
        " JOIN pgagent.pga_jobagent ON jagpid = jobagentid WHERE jobid = %s",
        [job],
    ).fetchone()
    assert row == (agent.pid, True, "here.example")
    query = """
        SELECT jlgstatus, jslstatus, jslresult, jslduration
          FROM pgagent.pga_joblog JOIN pgagent.pga_jobsteplog ON jsljlgid = jlgid"""
    assert db.execute(query).fetchall() == [("r", "r", None, None)]

    assert agent.run_due(1, done(step, "s", 3, "INSERT 0 3")) == []
    row = db.execute("SELECT jobagentid, jobnextrun FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone()
    assert row == (None, None)
    assert step_log(db, step.jslid) == ("s", 3, "INSERT 0 3")
    assert db.execute("SELECT jlgstatus, jlgduration > '0' FROM pgagent.pga_joblog").fetchall() == [
        ("s", True)
    ]
    assert (
        db.execute("SELECT jslduration FROM pgagent.pga_jobsteplog").fetchone()
        == db.execute("SELECT interval '1 s'").fetchone()
    )


def test_hands_out_at_most_n_longest_due_first(agent: Agent, db: Db) -> None:
    for minutes in (3, 1, 5, 2, 4):
        add_due_job(db, f"due for {minutes}", minutes=minutes)
    assert agent.names(2) == [("due for 5", "a"), ("due for 4", "a")]
    assert agent.names(2) == [("due for 3", "a"), ("due for 2", "a")]
    assert agent.names(100) == [("due for 1", "a")]
    assert agent.names(100) == []


def test_jobs_in_progress_come_before_due_ones(agent: Agent, db: Db) -> None:
    add_due_job(db, "begun", "ab", minutes=1)
    (first,) = agent.run_due(1)
    add_due_job(db, "older", minutes=10)
    assert agent.names(1, done(first)) == [("begun", "b")]
    assert agent.names(1) == [("older", "a")]


def test_steps_run_one_after_another_by_name_then_id(agent: Agent, db: Db) -> None:
    job = add_due_job(db, "x", "ba")
    db.execute("SELECT pgagent_py.add_step(%s, 'a', sql => 'SELECT 2')", [job])
    db.execute("SELECT pgagent_py.add_step(%s, 'aa', sql => 'SELECT 2', enabled => false)", [job])
    db.execute("SELECT pgagent_py.add_step(%s, '10', sql => 'SELECT 2')", [job])
    order = []
    steps = agent.run_due(10)
    while steps:
        (step,) = steps
        order.append(step)
        steps = agent.run_due(10, done(step))
    assert [step.jstname for step in order] == ["10", "a", "a", "b"]
    assert order[1].jstid < order[2].jstid
    assert status_of_run(db, order[0].jlgid) == "s"


@pytest.mark.parametrize(
    ("on_error", "status", "goes_on", "job"),
    [("fail", "f", False, "f"), ("success", "s", True, "s"), ("ignore", "i", True, "s")],
)
def test_on_error(agent: Agent, db: Db, on_error: str, status: str, goes_on: bool, job: str) -> None:
    jobid = add_due_job(db, "x", "")
    db.execute("SELECT pgagent_py.add_step(%s, 'a', sql => 'x', on_error => %s)", [jobid, on_error])
    db.execute("SELECT pgagent_py.add_step(%s, 'b', sql => 'x')", [jobid])
    (step,) = agent.run_due(1)
    after = agent.run_due(1, done(step, "f", -1, "ERROR:  no"))
    assert step_log(db, step.jslid) == (status, -1, "ERROR:  no")
    assert [s.jstname for s in after] == (["b"] if goes_on else [])
    agent.run_due(1, *map(done, after))
    assert status_of_run(db, step.jlgid) == job
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)


def test_aborted_step_ends_the_run_whatever_on_error_says(agent: Agent, db: Db) -> None:
    jobid = add_due_job(db, "x", "")
    for name in "ab":
        db.execute("SELECT pgagent_py.add_step(%s, %s, sql => 'x', on_error => 'ignore')", [jobid, name])
    (step,) = agent.run_due(1)
    assert agent.run_due(1, done(step, "d", -1, "stopped")) == []
    assert step_log(db, step.jslid) == ("d", -1, "stopped")
    assert status_of_run(db, step.jlgid) == "d"


def test_jobs_for_another_host_are_left(agent: Agent, database: str, db: Db) -> None:
    add_due_job(db, "for there", jobhostagent="there.example")
    add_due_job(db, "for here", jobhostagent="here.example")
    add_due_job(db, "for anyone")
    assert sorted(agent.names(10)) == [("for anyone", "a"), ("for here", "a")]
    there = Agent(database, "there.example")
    assert there.names(10) == [("for there", "a")]
    there.close()


def test_disabled_jobs_are_left(agent: Agent, db: Db) -> None:
    add_due_job(db, "off", jobenabled=False)
    assert agent.run_due(10) == []


def test_no_run_twice_over_two_agents(agent: Agent, database: str, db: Db) -> None:
    other = Agent(database)
    for number in range(20):
        add_due_job(db, f"{number}")
    with agent.db.transaction():  # its claims are not committed yet: the other one skips them
        mine = agent.run_due(5)
        theirs = other.run_due(100)
    assert len(mine) == 5
    assert len(theirs) == 15
    assert {step.jobid for step in mine}.isdisjoint(step.jobid for step in theirs)
    other.close()


def test_results_repeated_after_a_lost_answer_change_nothing(agent: Agent, db: Db) -> None:
    add_due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    (second,) = agent.run_due(1, done(step, "s", 1, "first"))
    # The same result again: the run has gone on already. Another result for it: what was booked stays.
    assert agent.run_due(0, done(step, "s", 1, "first")) == []
    assert agent.run_due(0, done(step, "f", -1, "other words")) == []
    assert step_log(db, step.jslid) == ("s", 1, "first")
    assert status_of_run(db, step.jlgid) == "r"
    assert step_log(db, second.jslid) == ("r", None, None)
    agent.run_due(0, done(second))
    agent.run_due(0, done(second, "f"))
    assert status_of_run(db, step.jlgid) == "s"
    assert db.execute("SELECT count(*) FROM pgagent.pga_jobsteplog").fetchone() == (2,)


def test_result_of_another_agents_run_is_dropped(agent: Agent, database: str, db: Db) -> None:
    other = Agent(database)
    job = add_due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    for status in ("s", "f", "d", "r"):
        assert other.run_due(1, done(step, status, output="forged")) == []
    assert step_log(db, step.jslid) == ("r", None, None)
    assert status_of_run(db, step.jlgid) == "r"
    claim = db.execute("SELECT jobagentid FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone()
    assert claim == (agent.pid,)
    assert [s.jstname for s in agent.run_due(1, done(step))] == ["b"]
    other.close()


def test_result_books_the_steps_of_its_own_run_only(agent: Agent, db: Db) -> None:
    """A result that names one run and a step log entry of another belongs to neither."""
    add_due_job(db, "x", "ab", minutes=2)
    add_due_job(db, "y", "ab")
    x, y = agent.run_due(2)
    assert agent.run_due(2, Result(x.jlgid, y.jslid, "s", 0, "mixed up")) == []
    assert step_log(db, x.jslid) == step_log(db, y.jslid) == ("r", None, None)
    assert [s.jstname for s in agent.run_due(2, done(x), done(y))] == ["b", "b"]


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ((None, 1, "s"), "finished[2] has no jlgid"),
        ((1, None, "s"), "finished[2] has no jslid"),
        ((1, 1, None), "finished[2] has no jslstatus"),
        ((1, 1, "i"), 'finished[2] has jslstatus "i"'),
        ((1, 1, "done"), 'finished[2] has jslstatus "done"'),
        (None, "finished[2] has no jlgid"),
    ],
)
def test_what_is_no_result_is_refused_and_nothing_is_booked(
    agent: Agent, db: Db, result: tuple[Any, ...] | None, problem: str
) -> None:
    add_due_job(db, "x")
    (step,) = agent.run_due(1)
    wrong = "(%s::int, %s::int, %s::text, 0, NULL::interval, '')" if result else "NULL"
    query = f"""
        SELECT * FROM pgagent_py.run_due(1, ARRAY[
            (%s::int, %s::int, 's', 0, NULL::interval, ''), {wrong}]::pgagent_py.step_result[])"""
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        agent.db.execute(query.encode(), [step.jlgid, step.jslid, *(result or ())])
    assert caught.value.diag.message_primary == problem
    assert caught.value.diag.message_hint
    assert step_log(db, step.jslid) == ("r", None, None)
    assert status_of_run(db, step.jlgid) == "r"


def test_result_of_an_answer_that_was_rolled_back_can_be_sent_again(agent: Agent, db: Db) -> None:
    add_due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    with agent.db.transaction(force_rollback=True):
        assert len(agent.run_due(1, done(step))) == 1
    assert step_log(db, step.jslid)[0] == "r"
    assert [s.jstname for s in agent.run_due(1, done(step))] == ["b"]


def test_output_so_far_shows_while_the_step_runs(agent: Agent, db: Db) -> None:
    add_due_job(db, "x")
    (step,) = agent.run_due(1)
    agent.run_due(0, done(step, "r", output="half"))
    assert step_log(db, step.jslid)[::2] == ("r", "half")
    assert status_of_run(db, step.jlgid) == "r"
    assert agent.run_due(5) == []
    agent.run_due(0, done(step, "s", output="all"))
    assert step_log(db, step.jslid)[::2] == ("s", "all")


def test_run_ends_without_a_free_place(agent: Agent, db: Db) -> None:
    """A launcher that is told to stop has no place any more; what ends well then is a success."""
    add_due_job(db, "x")
    add_due_job(db, "y", "ab")
    steps = agent.run_due(2)
    assert agent.run_due(0, *map(done, steps)) == []
    agent.db.execute("SELECT pgagent_py.stop_agent()")
    runs = {step.jobname: status_of_run(db, step.jlgid) for step in steps}
    assert runs == {"x": "s", "y": "d"}


def test_many_results_and_steps_in_one_turn(agent: Agent, db: Db) -> None:
    for number in range(50):
        add_due_job(db, f"{number:02}", "ab", minutes=100 - number)
    first = agent.run_due(64)
    assert [step.jobname for step in first] == [f"{number:02}" for number in range(50)]
    second = agent.run_due(64, *map(done, first))
    assert {step.jstname for step in second} == {"b"}
    assert len(second) == 50
    assert agent.run_due(64, *map(done, second)) == []
    assert db.execute("SELECT jlgstatus, count(*) FROM pgagent.pga_joblog GROUP BY 1").fetchall() == [
        ("s", 50)
    ]


def test_next_step_waits_for_a_free_place(agent: Agent, db: Db) -> None:
    """Capacity 0 books the result and keeps the run: its next step is handed out when there is room again."""
    add_due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    assert agent.run_due(0, done(step)) == []
    assert db.execute("SELECT jlgid FROM pgagent_py.waiting_run").fetchall() == [(step.jlgid,)]
    (second,) = wait_for(lambda: agent.run_due(1), what="the second step")
    assert (second.jlgid, second.jstname) == (step.jlgid, "b")
    agent.run_due(1, done(second))
    assert status_of_run(db, step.jlgid) == "s"
    assert db.execute("SELECT count(*) FROM pgagent_py.waiting_run").fetchone() == (0,)


def test_result_of_a_locked_job_is_kept_and_booked_later(agent: Agent, db: Db) -> None:
    job = add_due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    with db.transaction():
        db.execute("SELECT FROM pgagent.pga_job WHERE jobid = %s FOR UPDATE", [job])
        assert agent.run_due(1, done(step, "s", 7, "kept")) == []
        assert step_log(db, step.jslid)[0] == "r"
    (second,) = wait_for(lambda: agent.run_due(1), what="the second step")
    assert step_log(db, step.jslid) == ("s", 7, "kept")
    assert second.jstname == "b"
    agent.run_due(1, done(second))
    assert status_of_run(db, step.jlgid) == "s"


def test_step_that_is_being_deleted_waits_for_the_end_of_that(agent: Agent, db: Db) -> None:
    add_due_job(db, "x", "abc")
    (step,) = agent.run_due(1)
    with db.transaction():
        db.execute("DELETE FROM pgagent.pga_jobstep WHERE jstname = 'b'")
        assert agent.run_due(1, done(step)) == []
    (third,) = wait_for(lambda: agent.run_due(1), what="the third step")
    assert third.jstname == "c"


def test_first_step_that_is_being_deleted_leaves_the_job_for_later(agent: Agent, db: Db) -> None:
    add_due_job(db, "x", "ab")
    with db.transaction():
        db.execute("DELETE FROM pgagent.pga_jobstep WHERE jstname = 'a'")
        assert agent.run_due(1) == []
    assert agent.names(1) == [("x", "b")]


def test_job_dropped_while_it_runs(agent: Agent, db: Db) -> None:
    job = add_due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    db.execute("SELECT pgagent_py.drop_job(%s)", [job])
    assert agent.run_due(1, done(step)) == []
    assert status_of_run(db, step.jlgid) is None
    add_due_job(db, "y")
    assert agent.names(1) == [("y", "a")]


def test_step_dropped_while_it_runs(agent: Agent, db: Db) -> None:
    """pgAgent's tables drop its log entry with it; the job goes on."""
    add_due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    db.execute("DELETE FROM pgagent.pga_jobstep WHERE jstname = 'a'")
    (second,) = agent.run_due(1, done(step))
    assert second.jstname == "b"
    agent.run_due(1, done(second))
    assert status_of_run(db, step.jlgid) == "s"
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)


def test_failed_step_dropped_while_it_ran_fails_the_job(agent: Agent, db: Db) -> None:
    add_due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    db.execute("DELETE FROM pgagent.pga_jobstep WHERE jstname = 'a'")
    assert agent.run_due(1, done(step, "f", -1)) == []
    assert status_of_run(db, step.jlgid) == "f"


def test_steps_added_renamed_and_disabled_while_the_job_runs(agent: Agent, db: Db) -> None:
    job = add_due_job(db, "x", "bcd")
    (step,) = agent.run_due(1)
    db.execute(
        "UPDATE pgagent.pga_jobstep SET jstname = 'z' WHERE jstname = 'b'"
    )  # the one that runs: not again
    db.execute("UPDATE pgagent.pga_jobstep SET jstenabled = false WHERE jstname = 'c'")
    db.execute("SELECT pgagent_py.add_step(%s, 'a', sql => 'SELECT 1')", [job])
    order = []
    steps = agent.run_due(1, done(step))
    while steps:
        order.append(steps[0].jstname)
        steps = agent.run_due(1, done(steps[0]))
    assert order == ["a", "d"]
    assert status_of_run(db, step.jlgid) == "s"


def test_job_disabled_while_it_runs_ends_its_run_and_has_no_next_one(agent: Agent, db: Db) -> None:
    job = add_due_job(db, "x", "ab")
    db.execute("SELECT pgagent_py.add_schedule(%s, 'x', cron => '0 3 * * *')", [job])
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    (step,) = agent.run_due(1)
    db.execute("UPDATE pgagent.pga_job SET jobenabled = false WHERE jobid = %s", [job])
    (second,) = agent.run_due(1, done(step))
    agent.run_due(1, done(second))
    assert status_of_run(db, step.jlgid) == "s"
    assert db.execute("SELECT jobnextrun, jobagentid FROM pgagent.pga_job").fetchone() == (None, None)


def test_job_without_steps_is_done_at_once(agent: Agent, db: Db) -> None:
    add_due_job(db, "empty", "")
    assert agent.run_due(5) == []
    assert db.execute("SELECT jlgstatus FROM pgagent.pga_joblog").fetchall() == [("i",)]
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)


def test_stopping_agent_closes_what_it_has_in_progress(agent: Agent, db: Db) -> None:
    add_due_job(db, "x")
    (step,) = agent.run_due(1)
    agent.db.execute("SELECT pgagent_py.stop_agent()")
    assert step_log(db, step.jslid)[0] == "d"
    assert status_of_run(db, step.jlgid) == "d"
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)
    assert db.execute("SELECT count(*) FROM pgagent.pga_jobagent").fetchone() == (0,)


def test_new_agent_closes_the_runs_of_dead_daemons(database: str, db: Db) -> None:
    """What an agent without identity, such as the C++ daemon, has left behind is closed at the first turn."""
    job = add_due_job(db, "x")
    with psycopg.connect(database) as daemon:
        pid = daemon.info.backend_pid
        daemon.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (%s, 'gone')", [pid])
        daemon.execute(
            "UPDATE pgagent.pga_job SET jobagentid = %s, joblastrun = now() WHERE jobid = %s", [pid, job]
        )
        daemon.execute("INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) VALUES (%s, 'r')", [job])
    wait_for(
        lambda: (
            db.execute("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
            == (True,)
        )
    )
    agent = Agent(database)
    wait_for(
        lambda: agent.run_due(1) or db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)
    )
    assert db.execute("SELECT jlgstatus FROM pgagent.pga_joblog ORDER BY jlgid LIMIT 1").fetchone() == ("d",)
    assert db.execute("SELECT count(*) FROM pgagent.pga_jobagent WHERE jagpid = %s", [pid]).fetchone() == (0,)
    agent.close()


def test_daemon_that_claims_from_an_old_list_gets_nothing(agent: Agent, db: Db) -> None:
    """The C++ daemon reads the due jobs, then claims each: one that has been run in between is refused to it."""
    job = add_due_job(db, "x")
    agent.run_due(1, *map(done, agent.run_due(1)))
    db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'daemon')")
    claim = """
        UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid(), joblastrun = now()
         WHERE jobagentid IS NULL AND jobid = %s"""
    assert db.execute(claim, [job]).rowcount == 0
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert db.execute(claim, [job]).rowcount == 1


def test_resume_after_a_lost_connection(agent: Agent, database: str, db: Db) -> None:
    """The same identity on another backend takes its jobs along, and may book their results there."""
    add_due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    with psycopg.connect(database, autocommit=True) as again:
        agent.db.close()
        again.execute("SELECT pgagent_py.start_agent(%s, 'here.example')", [agent.agent])
        rows = again.execute("SELECT jslid FROM pgagent_py.steps_in_progress()").fetchall()
        assert rows == [(step.jslid,)]
        back = again.info.backend_pid
        assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (back,)
        assert db.execute("SELECT jagpid FROM pgagent.pga_jobagent").fetchall() == [(back,)]
        handed_out = again.execute(
            "SELECT jstname FROM pgagent_py.run_due(1, ARRAY[ROW(%s, %s, 's', 0, NULL, '')::pgagent_py.step_result])",
            [step.jlgid, step.jslid],
        ).fetchall()
        assert handed_out == [("b",)]


def test_steps_in_progress_of_a_stranger_are_none_of_its_business(agent: Agent, db: Db) -> None:
    add_due_job(db, "x")
    agent.run_due(1)
    assert db.execute("SELECT * FROM pgagent_py.steps_in_progress()").fetchall() == []
    assert db.execute("SELECT pgagent_py.next_wake()").fetchone() == (None,)


def test_next_wake(agent: Agent, db: Db) -> None:
    """Seconds until the next job of this host is due."""
    wake = "SELECT pgagent_py.next_wake()"
    assert agent.db.execute(wake).fetchone() == (None,)
    job = add_due_job(db, "later")
    set_next = "UPDATE pgagent.pga_job SET jobnextrun = now() + %s * interval '1 s' WHERE jobid = %s"
    db.execute(set_next, [1000, job])
    elsewhere = add_due_job(db, "elsewhere", jobhostagent="there.example")
    db.execute(set_next, [500, elsewhere])
    due = "SELECT extract(epoch FROM jobnextrun - clock_timestamp())::float8 FROM pgagent.pga_job WHERE jobid = %s"
    before, seconds, after = (
        agent.db.execute(query.encode(), values).fetchall()[0][0]
        for query, values in ((due, [job]), (wake, None), (due, [job]))
    )
    assert after <= seconds <= before
    db.execute(set_next, [-5, job])
    ((seconds,),) = agent.db.execute(wake).fetchall()
    assert seconds < 0


@pytest.fixture
def needing(db: psycopg.Connection[Any]) -> None:
    """Let steps with the name x need their agent to know x."""
    db.execute(
        "CREATE OR REPLACE VIEW pgagent_py.step_need AS"
        " SELECT s.jstjobid AS jobid, s.jstid, 'x' AS need FROM pgagent.pga_jobstep s WHERE s.jstname = 'x'"
    )


@pytest.fixture
def knowing(database: str) -> Iterator[Agent]:
    """Return an agent that knows x."""
    agent = Agent(database, knows=["w", "x"])
    yield agent
    agent.close()


@pytest.mark.usefixtures("needing")
@pytest.mark.parametrize("limit", [None, 5])
def test_a_job_that_needs_something_is_left_to_an_agent_that_knows_it(
    agent: Agent, knowing: Agent, db: psycopg.Connection[Any], limit: int | None
) -> None:
    """Whatever chooses among the due jobs, and whichever step of the job needs it."""
    db.execute("SELECT pgagent_py.set_limit(class => 'Routine Maintenance', running => %s)", [limit])
    add_due_job(db, "first", "x", minutes=4)
    add_due_job(db, "later", "ax", minutes=3)
    add_due_job(db, "nothing", "a", minutes=2)
    assert agent.names(9) == [("nothing", "a")]
    assert agent.names(9) == []
    steps = knowing.run_due(9)
    assert [(step.jobname, step.jstname) for step in steps] == [("first", "x"), ("later", "a")]
    assert knowing.names(9, done(steps[1])) == [("later", "x")]


@pytest.mark.usefixtures("needing")
def test_a_session_leaves_a_job_that_needs_something(db: psycopg.Connection[Any]) -> None:
    add_due_job(db, "x", "x")
    assert db.execute("SELECT * FROM pgagent_py.run_due()").fetchall() == []


@pytest.mark.usefixtures("needing")
@pytest.mark.parametrize("limit", [None, 5])
def test_an_agent_does_not_wake_for_a_job_that_it_can_not_claim(
    agent: Agent, knowing: Agent, db: psycopg.Connection[Any], limit: int | None
) -> None:
    db.execute("SELECT pgagent_py.set_limit(class => 'Routine Maintenance', running => %s)", [limit])
    add_due_job(db, "x", "x", minutes=1000)
    ((seconds,),) = knowing.db.execute("SELECT pgagent_py.next_wake()").fetchall()
    assert seconds <= -60_000
    ((seconds,),) = agent.db.execute("SELECT pgagent_py.next_wake()").fetchall()
    assert seconds > 0  # the other agent may go missing


@pytest.mark.usefixtures("needing")
def test_a_run_ends_when_its_next_step_has_come_to_need_what_its_agent_does_not_know(
    agent: Agent, db: psycopg.Connection[Any]
) -> None:
    job = add_due_job(db, "job", "abc")
    (step,) = agent.run_due(1)
    db.execute("UPDATE pgagent.pga_jobstep SET jstname = 'x' WHERE jstname = 'c'")
    (second,) = agent.run_due(1, done(step))
    assert agent.run_due(1, done(second, output="b's own")) == []
    assert status_of_run(db, step.jlgid) == "f"
    assert step_log(db, step.jslid) == ("s", 0, "")
    note = "The run was ended: its next step needs x, which its launcher does not know."
    assert step_log(db, second.jslid) == ("s", 0, f"b's own\n{note}")
    claimed = db.execute("SELECT jobagentid FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone()
    assert claimed == (None,)


@pytest.mark.usefixtures("needing")
def test_what_an_agent_knows_comes_back_with_it(
    knowing: Agent, database: str, db: psycopg.Connection[Any]
) -> None:
    add_due_job(db, "job", "ax")
    (step,) = knowing.run_due(1)
    # Another agent gets the pid: the row of the first moves.
    knowing.db.execute("SELECT pgagent_py.start_agent(%s, 'here.example')", [uuid4()])
    moved = db.execute("SELECT jagknows FROM pgagent_py.agent WHERE agent = %s", [knowing.agent])
    assert moved.fetchall() == [(["w", "x"],)]
    with psycopg.connect(database, autocommit=True) as again:
        again.execute("SELECT pgagent_py.start_agent(%s, 'here.example', true)", [knowing.agent])
        handed_out = again.execute(
            "SELECT jstname FROM pgagent_py.run_due(1, ARRAY[ROW(%s, %s, 's', 0, NULL, '')::pgagent_py.step_result])",
            [step.jlgid, step.jslid],
        )
        assert handed_out.fetchall() == [("x",)]
