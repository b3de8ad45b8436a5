"""Which steps run_due hands out, to whom, and in which order."""

from tests.helpers import Db, wait_for
from tests.helpers.protocol import Agent, done, due_job, status_of_run, step_log


def test_a_claim_is_made_and_released_as_pgagent_does(agent: Agent, db: Db) -> None:
    job = due_job(db, "x")
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
        due_job(db, f"due for {minutes}", minutes=minutes)
    assert agent.names(2) == [("due for 5", "a"), ("due for 4", "a")]
    assert agent.names(2) == [("due for 3", "a"), ("due for 2", "a")]
    assert agent.names(100) == [("due for 1", "a")]
    assert agent.names(100) == []


def test_jobs_in_progress_come_before_due_ones(agent: Agent, db: Db) -> None:
    due_job(db, "begun", "ab", minutes=1)
    (first,) = agent.run_due(1)
    due_job(db, "older", minutes=10)
    assert agent.names(1, done(first)) == [("begun", "b")]
    assert agent.names(1) == [("older", "a")]


def test_steps_run_one_after_another_by_name_then_id(agent: Agent, db: Db) -> None:
    job = due_job(db, "x", "ba")
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


def test_jobs_for_another_host_are_left(agent: Agent, database: str, db: Db) -> None:
    due_job(db, "for there", jobhostagent="there.example")
    due_job(db, "for here", jobhostagent="here.example")
    due_job(db, "for anyone")
    assert sorted(agent.names(10)) == [("for anyone", "a"), ("for here", "a")]
    there = Agent(database, "there.example")
    assert there.names(10) == [("for there", "a")]
    there.close()


def test_disabled_jobs_are_left(agent: Agent, db: Db) -> None:
    due_job(db, "off", jobenabled=False)
    assert agent.run_due(10) == []


def test_no_run_twice_over_two_agents(agent: Agent, database: str, db: Db) -> None:
    other = Agent(database)
    for number in range(20):
        due_job(db, f"{number}")
    with agent.db.transaction():  # its claims are not committed yet: the other one skips them
        mine = agent.run_due(5)
        theirs = other.run_due(100)
    assert len(mine) == 5
    assert len(theirs) == 15
    assert {step.jobid for step in mine}.isdisjoint(step.jobid for step in theirs)
    other.close()


def test_one_turn_books_and_hands_out_fifty_steps(agent: Agent, db: Db) -> None:
    for number in range(50):
        due_job(db, f"{number:02}", "ab", minutes=100 - number)
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
    due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    assert agent.run_due(0, done(step)) == []
    assert db.execute("SELECT jlgid FROM pgagent_py.run WHERE jslid IS NULL").fetchall() == [(step.jlgid,)]
    (second,) = wait_for(lambda: agent.run_due(1), what="the second step")
    assert (second.jlgid, second.jstname) == (step.jlgid, "b")
    agent.run_due(1, done(second))
    assert status_of_run(db, step.jlgid) == "s"
    assert db.execute("SELECT count(*) FROM pgagent_py.run").fetchone() == (0,)


def test_job_without_steps_is_done_at_once(agent: Agent, db: Db) -> None:
    due_job(db, "empty", "")
    assert agent.run_due(5) == []
    assert db.execute("SELECT jlgstatus FROM pgagent.pga_joblog").fetchall() == [("i",)]
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)


def test_next_wake_is_when_the_next_job_of_this_host_is_due(agent: Agent, db: Db) -> None:
    """Seconds until the next job of this host is due."""
    wake = "SELECT pgagent_py.next_wake()"
    assert agent.db.execute(wake).fetchone() == (None,)
    job = due_job(db, "later")
    set_next = "UPDATE pgagent.pga_job SET jobnextrun = now() + %s * interval '1 s' WHERE jobid = %s"
    db.execute(set_next, [1000, job])
    elsewhere = due_job(db, "elsewhere", jobhostagent="there.example")
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
