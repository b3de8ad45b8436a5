"""Adopting: an agent takes over runs that do not end with the agent that they had."""

from __future__ import annotations

import time

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import THIS_BACKEND
from .claimable import FOR_AGENT
from .hand_out import steps_of_runs
from .rows import AgentRow, StepRow
from .wake import GRACE_SECONDS

# A run that waits for its next step; a step that goes on though its agent is gone, and has had the time to come back. $4 what
# the agent knows: the job may have another engine by now, or be gone.
WAITING = "NOT k.executing"
EXECUTING = f"""k.executing AND 'lasting ' || k.engine = ANY ($4)
       AND NOT EXISTS (SELECT FROM pgagent_py.living_agent v WHERE v.agent = k.agent)
       AND NOT EXISTS (
           SELECT FROM pgagent_py.agent a WHERE a.agent = k.agent
              AND (a.missing_since < clock_timestamp() - interval '{GRACE_SECONDS} s') IS NOT TRUE)"""

# $1 agent, $2 its pid, $3 its station, $4 what it knows, $5 how many. Rows that a session has locked are left for a later turn. A
# job that is gone, or that somebody has released, is not claimed: its step is only to be stopped.
ADOPT = {
    which: Statement(
        f"""
WITH candidate AS MATERIALIZED (
    SELECT k.jlgid, k.jobid, k.agent
      FROM pgagent_py.kept_run k LEFT JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[k.jobid])
     WHERE k.agent <> $1 AND {which} AND (j.jobid IS NULL OR {FOR_AGENT.format(station="$3", knows="$4")})
       AND EXISTS (SELECT FROM pgagent.pga_jobagent l WHERE l.jagpid = $2 FOR KEY SHARE SKIP LOCKED)
     ORDER BY k.jlgid LIMIT $5),
job AS MATERIALIZED (
    SELECT c.jlgid, j.jobid, j.jobagentid, j.joblastrun FROM candidate c
     CROSS JOIN LATERAL (
           SELECT j.* FROM pgagent.pga_job j WHERE j.jobid = ANY (ARRAY[c.jobid]) FOR NO KEY UPDATE SKIP LOCKED) j),
-- not one that another agent has adopted meanwhile
run AS MATERIALIZED (
    SELECT p.jlgid, p.jobid, p.claimed, c.agent FROM candidate c
     CROSS JOIN LATERAL (
           SELECT r.* FROM pgagent_py.run r WHERE r.jlgid = ANY (ARRAY[c.jlgid]) AND r.agent = c.agent
              FOR NO KEY UPDATE SKIP LOCKED) p
     WHERE c.jlgid IN (SELECT job.jlgid FROM job)
        OR NOT EXISTS (SELECT FROM pgagent.pga_job x WHERE x.jobid = ANY (ARRAY[c.jobid]))),
-- conditions of the locked row: with them on j, servers from 17 on may read all running jobs to find it
claimed AS (
    UPDATE pgagent.pga_job j SET jobagentid = $2 FROM job JOIN run USING (jlgid)
     WHERE j.jobid = ANY (ARRAY[job.jobid]) AND job.joblastrun = run.claimed
       AND job.jobagentid IN (SELECT a.jagpid FROM pgagent_py.agent a WHERE a.agent = run.agent))
UPDATE pgagent_py.run p SET agent = $1 FROM run WHERE p.jlgid = ANY (ARRAY[run.jlgid])
RETURNING p.jlgid""",
        "uuid",
        "int4",
        "text",
        "text[]",
        "int4",
    )
    for which in (WAITING, EXECUTING)
}


def adopt_runs(plpy: Plpy, me: AgentRow, places: int) -> bool:
    """Take over at most so many runs that wait and that this agent may execute; return whether there were any."""
    return me["jagall"] and places > 0 and bool(_adopt(plpy, me, WAITING, places))


LOOK_SECONDS, MOST_STEPS = 1.0, 500
_looked_at = 0.0


def adopt_steps(plpy: Plpy, me: AgentRow) -> list[StepRow]:
    """Take over steps that go on though their agent is gone, now and then; return them: they need no place here."""
    global _looked_at
    if (
        not me["lasting"]
        or not me["jagall"]
        or me["draining"]
        or time.monotonic() < _looked_at + LOOK_SECONDS
    ):
        return []
    _looked_at = time.monotonic()
    found = _adopt(plpy, me, EXECUTING, MOST_STEPS)
    return steps_of_runs(plpy, found) if found else []


def _adopt(plpy: Plpy, me: AgentRow, which: str, count: int) -> list[int]:
    rows = ADOPT[which](plpy, me["agent"], me["jagpid"], me["jagstation"], me["jagknows"], count)
    return [row["jlgid"] for row in rows]


NOTE_ENGINE_JOB = Statement(
    f"""
UPDATE pgagent_py.run SET enginejob = $2
 WHERE jlgid = ANY (ARRAY(
       SELECT r.jlgid FROM pgagent_py.agent a
        CROSS JOIN LATERAL (
              SELECT r.jlgid FROM pgagent_py.run r
               WHERE r.agent = ANY (ARRAY[a.agent]) AND r.jslid = $1 AND r.engine IS NOT NULL
                 FOR NO KEY UPDATE SKIP LOCKED) r
        WHERE {THIS_BACKEND} AND a.jagrole = to_regrole(quote_ident($3))))
RETURNING jlgid""",
    "int4",
    "text",
    "text",
)


def note_engine_job(plpy: Plpy, caller: str, jslid: int | None = None, job: str | None = None) -> bool:
    """Note what an engine calls a step of this backend's agent; return whether it is still that agent's."""
    return bool(NOTE_ENGINE_JOB(plpy, jslid, job, caller))


# The sweep: a launcher's draining ends with its life. Its runs that wait for another agent still need it.
FORGET_DRAINING = Statement("""
DELETE FROM pgagent_py.draining
 WHERE agent IN (SELECT d.agent FROM pgagent_py.draining d
                  WHERE NOT EXISTS (SELECT FROM pgagent_py.agent a WHERE a.agent = d.agent)
                    AND NOT EXISTS (SELECT FROM pgagent_py.run r WHERE r.agent = d.agent)
                    FOR UPDATE SKIP LOCKED)""")


def forget_draining(plpy: Plpy) -> None:
    """Forget the draining of launchers that are gone."""
    FORGET_DRAINING(plpy)
