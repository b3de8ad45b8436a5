"""Adding and dropping dependencies between jobs. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.bounds import check_count
from ..ground.checks import check_job
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import ENDS
from ..runs.dependencies import FIND_CIRCLE

# Two sessions that add at the same time can close a circle of which neither sees the other's half. No lock keeps them apart: one
# that stays in its transaction would hold up all others. A launcher looks again at what is committed (depchecked).
ADD = Statement(
    """
    INSERT INTO pgagent_py.job_dependency (jobid, jobafter, depwhen) VALUES ($1, $2, $3)
        ON CONFLICT (jobid, jobafter) DO UPDATE SET depwhen = excluded.depwhen""",
    "int4",
    "int4",
    "text",
)
# A condition that was met before the dependency was changed does not count.
FORGET_MET = Statement(
    "DELETE FROM pgagent_py.dependency_met m WHERE m.jobid = $1 AND m.jobafter = $2", "int4", "int4"
)


def add_dependency(
    plpy: Plpy, caller: str, job: int | None = None, after: int | None = None, when: str | None = None
) -> None:
    """Let *job* start when the job *after* has succeeded, failed or finished; with others, when all of them have."""
    check_job(plpy, job)
    check_job(plpy, after, "after")
    if when not in ENDS:
        raise invalid("when", f'when "{when}" is unknown', f"Use {', '.join(ENDS)}.")
    if FIND_CIRCLE(plpy, job, after):
        hint = "Dependencies must not go round in a circle."
        raise invalid("after", f"after {after}: that job waits for job {job} itself", hint)
    ADD(plpy, job, after, when)
    check_count(plpy, job, dependencies=None)
    FORGET_MET(plpy, job, after)


DROP = Statement(
    "DELETE FROM pgagent_py.job_dependency d WHERE d.jobid = $1 AND d.jobafter = $2 RETURNING d.jobid",
    "int4",
    "int4",
)


def drop_dependency(plpy: Plpy, caller: str, job: int | None = None, after: int | None = None) -> None:
    """Let *job* not wait for the job *after* any more."""
    check_job(plpy, job)
    check_job(plpy, after, "after")
    if not DROP(plpy, job, after):
        raise PgAgentError(
            f"job {job} does not wait for job {after}",
            hint="Look at pgagent_py.dependencies.",
            sqlstate="42704",
        )
    FORGET_MET(plpy, job, after)
