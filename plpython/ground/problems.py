"""Problems: what of one job or schedule makes the server fail is said, and the others go on.

A row of the table problem is about a job that is set aside (jscid 0), or about a schedule that has no next run.
"""

from __future__ import annotations

from collections.abc import Sequence

from .errors import sqlstate
from .plan import Statement
from .plpy import Plpy

# Classes of SQLSTATE that are not those of one job's data: a cancel, a deadlock or another transaction's doing, the server's end,
# its shortages.
PASSING = ("57", "40", "53", "55", "58", "08")


def is_passing(plpy: Plpy, error: Exception) -> bool:
    """Return whether *error* has other causes than the data that a statement has read."""
    return isinstance(error, plpy.SPIError) and sqlstate(error).startswith(PASSING)


# $1 job, $2 schedule, $3 error. The pause doubles from a minute to an hour.
NOTE_PROBLEM = Statement(
    """
INSERT INTO pgagent_py.problem AS p (jobid, jscid, error)
SELECT coalesce($1, (SELECT s.jscjobid FROM pgagent.pga_schedule s WHERE s.jscid = $2)), $2, $3
    ON CONFLICT (jobid, jscid) DO UPDATE
   SET error = excluded.error, pause = least(p.pause * 2, interval '1 hour'), not_before = clock_timestamp() + p.pause
RETURNING p.jobid, p.pause = interval '1 minute' AS is_new""",
    "int4",
    "int4",
    "text",
)


def note_problem(plpy: Plpy, jobid: int | None, jscid: int, error: str) -> None:
    """Note what is wrong with a job (*jscid* 0) or a schedule (*jobid* None); the server's log tells it the first time."""
    (row,) = NOTE_PROBLEM(plpy, jobid, jscid, error)
    if row["is_new"]:
        jobid = row["jobid"]
        what = f"schedule {jscid} of job {jobid} has no next run" if jscid else f"job {jobid} is set aside"
        plpy.warning(f"pgagent_py: {what}, others go on: {error}")


FORGET_PROBLEMS = Statement(
    "DELETE FROM pgagent_py.problem p WHERE p.jobid = ANY ($1) AND p.jscid = $2", "int4[]", "int4"
)


def forget_problems(plpy: Plpy, jobids: Sequence[int], jscid: int) -> None:
    """Forget the problems of these jobs (*jscid* 0) or of a schedule."""
    FORGET_PROBLEMS(plpy, jobids, jscid)
