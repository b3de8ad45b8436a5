"""Handing back: runs that were claimed ahead and have not begun are as if they had never been claimed."""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import is_passing
from ..ground.vocabulary import THIS_BACKEND
from .wake import wake

# $1 jlgids, $2 the role that asks.
HAND_BACK = Statement(
    f"""
-- at their first step, and nobody has asked anything of them; what a session has locked is not waited for
WITH run AS MATERIALIZED (
    SELECT r.jlgid, r.jobid, r.jslid, r.joblastrun
      FROM pgagent_py.agent a
      JOIN pgagent_py.run r ON r.agent = ANY (ARRAY[a.agent])
      JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[r.jobid])
     WHERE {THIS_BACKEND} AND a.jagrole = to_regrole(quote_ident($2)) AND r.jlgid = ANY ($1)
       AND r.handed = r.started AND r.try = 1 AND r.done IS NULL AND NOT r.booked AND r.engine IS NULL AND r.stopped_by IS NULL
       AND j.jobagentid = a.jagpid AND j.joblastrun = r.claimed
       AND NOT EXISTS (SELECT FROM pgagent_py.run_option o WHERE o.jlgid = ANY (ARRAY[r.jlgid]))
       AND NOT EXISTS (SELECT FROM pgagent_py.waiting_result w WHERE w.jslid = ANY (ARRAY[r.jslid]))
       FOR NO KEY UPDATE OF j, r SKIP LOCKED),
logged AS MATERIALIZED (
    SELECT l.jlgid FROM pgagent.pga_joblog l WHERE l.jlgid = ANY (ARRAY(SELECT run.jlgid FROM run)) FOR UPDATE SKIP LOCKED),
step_logged AS MATERIALIZED (
    SELECT l.jslid FROM pgagent.pga_jobsteplog l WHERE l.jslid = ANY (ARRAY(SELECT run.jslid FROM run)) FOR UPDATE SKIP LOCKED),
back AS MATERIALIZED (
    SELECT run.* FROM run
     WHERE run.jlgid IN (SELECT logged.jlgid FROM logged) AND run.jslid IN (SELECT step_logged.jslid FROM step_logged)),
forgotten AS (DELETE FROM pgagent_py.run r USING back WHERE r.jlgid = ANY (ARRAY[back.jlgid])),
released AS (
    UPDATE pgagent.pga_job j SET jobagentid = NULL, joblastrun = back.joblastrun
      FROM back WHERE j.jobid = ANY (ARRAY[back.jobid])),
-- the log of the step, and what has set the run off, go with it
erased AS (DELETE FROM pgagent.pga_joblog l USING back WHERE l.jlgid = ANY (ARRAY[back.jlgid]))
SELECT back.jlgid, back.jobid FROM back""",
    "int4[]",
    "text",
)


# $1 jlgids, $2 jobids: what triggers have kept. IS NOT NULL would lead to the index of all running jobs.
LEFT = Statement(
    """
SELECT FROM pgagent.pga_joblog l WHERE l.jlgid = ANY ($1)
 UNION ALL
SELECT FROM pgagent.pga_job j WHERE j.jobid = ANY ($2) AND (j.jobagentid IS NULL) IS FALSE""",
    "int4[]",
    "int4[]",
)


class KeptError(Exception):
    """Something of a run is there still, so that nothing of this must be."""


def hand_back(plpy: Plpy, caller: str, runs: Sequence[int]) -> list[int]:
    """Undo the claims of these runs of this backend's agent; return those that it has no more.

    None, if a trigger of a superuser's keeps a log from being deleted, or a job from being released.
    """
    try:
        with plpy.subtransaction():
            rows = HAND_BACK(plpy, runs, caller)
            back = [row["jlgid"] for row in rows]
            if LEFT(plpy, back, [row["jobid"] for row in rows]):
                raise KeptError
    except Exception as error:
        if is_passing(plpy, error):
            raise
        return []
    if back:
        wake(plpy)
    return back
