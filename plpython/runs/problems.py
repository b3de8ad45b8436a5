"""A turn that fails on one job books and claims the others: the job is set aside, and tried again later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import is_passing
from ..ground.vocabulary import SLEEPING

T = TypeVar("T")
R = TypeVar("R")

# In claims, on a row j of pga_job.
NO_PROBLEM = """NOT EXISTS (
           SELECT FROM pgagent_py.problem q
            WHERE q.jobid = ANY (ARRAY[j.jobid]) AND q.jscid = 0 AND q.not_before > clock_timestamp())"""


def each_apart(
    plpy: Plpy,
    rows: Sequence[T],
    act: Callable[[Sequence[T]], Sequence[R]],
    set_aside: Callable[[T, str], None],
    apart: bool = True,
) -> list[R]:
    """Return act(rows). If that fails, act on the halves, and so on: a row that fails by itself goes to *set_aside*.

    Without *apart* it fails as a whole, and the turn is done again with it: run_due() sees to that. So a turn needs no
    subtransaction of PL/Python's as long as nothing fails. Up to PostgreSQL 17, each of these leaves 64 bytes behind.
    """
    if not rows:
        return []
    if not apart:
        return list(act(rows))
    try:
        with plpy.subtransaction():
            return list(act(rows))
    except Exception as error:  # text that is not of the database's encoding is no error of the server's
        if is_passing(plpy, error):
            raise
        if len(rows) == 1:
            set_aside(rows[0], str(error))
            return []
    middle = len(rows) // 2
    done = each_apart(plpy, rows[:middle], act, set_aside)
    return done + each_apart(plpy, rows[middle:], act, set_aside)


# Problems of jobs and schedules that are gone go, too.
RETRY_SCHEDULES = Statement(f"""
WITH gone AS (
    DELETE FROM pgagent_py.problem WHERE (jobid, jscid) IN (
           SELECT p.jobid, p.jscid FROM pgagent_py.problem p
            WHERE NOT EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobid = ANY (ARRAY[p.jobid]))
               OR p.jscid <> 0 AND NOT EXISTS (SELECT FROM pgagent.pga_schedule s WHERE s.jscid = ANY (ARRAY[p.jscid]))
              FOR UPDATE SKIP LOCKED))
UPDATE pgagent.pga_job SET jobnextrun = NULL
 WHERE jobid = ANY (ARRAY(SELECT j.jobid FROM pgagent.pga_job j
                  WHERE j.jobid = ANY (ARRAY(SELECT p.jobid FROM pgagent_py.problem p
                                              WHERE p.jscid <> 0 AND p.not_before <= clock_timestamp()))
                    AND {SLEEPING}
                    FOR NO KEY UPDATE SKIP LOCKED))""")


def retry_schedules(plpy: Plpy) -> None:
    """Look again for the next runs of schedules that had a problem, when their pause is over."""
    RETRY_SCHEDULES(plpy)
