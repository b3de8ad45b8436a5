"""Adding and dropping dependencies between jobs. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from typing import Any

from ..ground.checks import check_job
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run
from ..ground.vocabulary import ENDS

FIND_CYCLE = """
WITH RECURSIVE before (jobid) AS (
    SELECT $2
     UNION
    SELECT d.jobafter FROM pgagent_py.job_dependency d JOIN before b ON b.jobid = d.jobid)
SELECT FROM before b WHERE b.jobid = $1"""


def add_dependency(
    plpy: Any, caller: str, job: int | None = None, after: int | None = None, when: str | None = None
) -> None:
    """Let *job* start when the job *after* has succeeded, failed or finished; with others, when all of them have."""
    check_job(plpy, job)
    check_job(plpy, after, "after")
    if when not in ENDS:
        raise invalid("when", f'when "{when}" is unknown', f"Use {', '.join(ENDS)}.")
    # Two sessions that add at the same time could close a circle of which neither sees the other's half.
    # Not in a mode that would keep a launcher from deleting a job.
    plpy.execute("LOCK TABLE pgagent_py.job_dependency IN SHARE UPDATE EXCLUSIVE MODE")
    if run(plpy, FIND_CYCLE, ["int4", "int4"], [job, after]):
        raise invalid(
            "after",
            f"after {after}: that job waits for job {job} itself",
            "Dependencies must not go round in a circle.",
        )
    upsert = """
        INSERT INTO pgagent_py.job_dependency (jobid, jobafter, depwhen) VALUES ($1, $2, $3)
            ON CONFLICT (jobid, jobafter) DO UPDATE SET depwhen = excluded.depwhen"""
    run(plpy, upsert, ["int4", "int4", "text"], [job, after, when])
    _forget(plpy, job, after)


def drop_dependency(plpy: Any, caller: str, job: int | None = None, after: int | None = None) -> None:
    """Let *job* not wait for the job *after* any more."""
    check_job(plpy, job)
    check_job(plpy, after, "after")
    drop = "DELETE FROM pgagent_py.job_dependency d WHERE d.jobid = $1 AND d.jobafter = $2 RETURNING d.jobid"
    if not run(plpy, drop, ["int4", "int4"], [job, after]):
        raise PgAgentError(
            f"job {job} does not wait for job {after}",
            hint="Look at pgagent_py.dependencies.",
            sqlstate="42704",
        )
    _forget(plpy, job, after)


def _forget(plpy: Any, job: int | None, after: int | None) -> None:
    """What was met under another condition does not count."""
    forget = "DELETE FROM pgagent_py.dependency_met m WHERE m.jobid = $1 AND m.jobafter = $2"
    run(plpy, forget, ["int4", "int4"], [job, after])
