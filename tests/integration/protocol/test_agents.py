"""Agents that stop, come back, or are gone."""

import psycopg

from tests.helpers import Db, wait_for
from tests.helpers.protocol import Agent, come_back, done, due_job, in_progress, status_of_run, step_log


def test_stopping_agent_closes_what_it_has_in_progress(agent: Agent, db: Db) -> None:
    due_job(db, "x")
    (step,) = agent.run_due(1)
    agent.db.execute("SELECT pgagent_py.stop_agent()")
    assert step_log(db, step.jslid)[0] == "d"
    assert status_of_run(db, step.jlgid) == "d"
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)
    assert db.execute("SELECT count(*) FROM pgagent.pga_jobagent").fetchone() == (0,)


def test_new_agent_closes_the_runs_of_dead_daemons(database: str, db: Db) -> None:
    """What an agent without identity, such as the C++ daemon, has left behind is closed at the first turn."""
    job = due_job(db, "x")
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
    job = due_job(db, "x")
    agent.run_due(1, *map(done, agent.run_due(1)))
    db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'daemon')")
    claim = """
        UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid(), joblastrun = now()
         WHERE jobagentid IS NULL AND jobid = %s"""
    assert db.execute(claim, [job]).rowcount == 0
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert db.execute(claim, [job]).rowcount == 1


def test_an_agent_that_comes_back_takes_its_jobs_along(agent: Agent, database: str, db: Db) -> None:
    """The same identity on another backend takes its jobs along, and may book their results there."""
    due_job(db, "x", "ab")
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
    due_job(db, "x")
    agent.run_due(1)
    assert db.execute("SELECT * FROM pgagent_py.steps_in_progress()").fetchall() == []
    assert db.execute("SELECT pgagent_py.next_wake()").fetchone() == (None,)


def test_an_agent_executes_nothing_of_a_run_that_the_daemon_has_closed_meanwhile(
    agent: Agent, database: str, db: Db
) -> None:
    """The daemon gives no grace time: when it starts, it closes the runs of all who have no backend at that moment."""
    due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    db.execute("UPDATE pgagent.pga_jobsteplog SET jslstatus = 'd'")
    db.execute("UPDATE pgagent.pga_joblog SET jlgstatus = 'd'")
    db.execute("UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL")
    back = come_back(agent, database)
    assert in_progress(back) == []
    assert back.run_due(1, done(step)) == []
    assert db.execute("SELECT count(*) FROM pgagent_py.run").fetchone() == (0,)
    assert (step_log(db, step.jslid)[0], status_of_run(db, step.jlgid)) == ("d", "d")
    back.close()
