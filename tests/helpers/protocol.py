"""The launcher's side of run_due, driven by hand."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg

from tests.helpers import Db


class Step(NamedTuple):
    """A step as run_due hands it out."""

    jobid: int
    jlgid: int
    jstid: int
    jslid: int
    jobname: str
    jstname: str
    jslstatus: str
    ahead: bool


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

    def run_due(self, capacity: int, *finished: Result, ahead: int = 0) -> list[Step]:
        """Run one turn."""
        columns = [list(column) for column in zip(*finished, strict=True)] or [[]] * 5
        query = """
            SELECT t.jobid, t.jlgid, t.jstid, t.jslid, t.jobname, t.jstname, t.jslstatus, t.ahead
              FROM pgagent_py.run_due(%s, ARRAY(
                   SELECT (jlgid, jslid, status, result, interval '1 s', output)::pgagent_py.step_result
                     FROM unnest(%s::int[], %s::int[], %s::text[], %s::int[], %s::text[])
                          u (jlgid, jslid, status, result, output)), ahead => %s) t"""
        return [Step(*row) for row in self.db.execute(query, [capacity, *columns, ahead])]

    def hand_back(self, *steps: Step) -> set[int]:
        """Hand back the runs of these steps; return those (jlgid) that are not this agent's any more."""
        query = "SELECT pgagent_py.hand_back(%s)"
        return {row[0] for row in self.db.execute(query, [[step.jlgid for step in steps]])}

    def names(self, capacity: int, *finished: Result) -> list[tuple[str, str]]:
        """Run one turn and return job and step names."""
        return [(step.jobname, step.jstname) for step in self.run_due(capacity, *finished)]

    def close(self) -> None:
        """End the session."""
        self.db.close()


def come_back(lost: Agent, database: str) -> Agent:
    """Let the agent lose its backend and come back with another."""
    lost.db.close()
    found = Agent.__new__(Agent)
    found.db = psycopg.connect(database, autocommit=True)
    found.pid, found.agent = found.db.info.backend_pid, lost.agent
    found.db.execute("SET lock_timeout = '60 s'")
    found.db.execute("SELECT pgagent_py.start_agent(%s, 'here.example', true)", [lost.agent])
    return found


def in_progress(agent: Agent) -> list[int]:
    """Return the steps (jslid) that the database says the agent has."""
    return [row[0] for row in agent.db.execute("SELECT s.jslid FROM pgagent_py.steps_in_progress() s")]


def done(step: Step, status: str = "s", result: int = 0, output: str = "") -> Result:
    """Return the result of a step."""
    return Result(step.jlgid, step.jslid, status, result, output)


def due_job(db: Db, name: str, steps: str = "a", minutes: float = 1, **columns: object) -> int:
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
