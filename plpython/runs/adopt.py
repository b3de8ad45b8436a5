"""Adopting: an agent takes over runs that do not end with the agent that they had."""

from __future__ import annotations

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from .claimable import FOR_AGENT
from .rows import AgentRow

# $1 agent, $2 its pid, $3 its station, $4 what it knows, $5 how many. Rows that a session has locked are left for a later turn.
ADOPT = Statement(
    f"""
WITH candidate AS MATERIALIZED (
    SELECT k.jlgid, k.jobid, k.agent FROM pgagent_py.kept_run k JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[k.jobid])
     WHERE k.agent <> $1 AND {FOR_AGENT.format(station="$3", knows="$4")}
       AND EXISTS (SELECT FROM pgagent.pga_jobagent l WHERE l.jagpid = $2 FOR KEY SHARE SKIP LOCKED)
     ORDER BY k.jlgid LIMIT $5),
job AS MATERIALIZED (
    SELECT c.jlgid, j.jobid, j.joblastrun, j.jobagentid FROM candidate c
     CROSS JOIN LATERAL (SELECT * FROM pgagent.pga_job j WHERE j.jobid = ANY (ARRAY[c.jobid]) FOR NO KEY UPDATE SKIP LOCKED) j),
-- a run that another agent has adopted since is not this one's any more
run AS MATERIALIZED (
    SELECT p.jlgid, p.claimed, c.agent FROM candidate c
     CROSS JOIN LATERAL (
           SELECT * FROM pgagent_py.run p WHERE p.jlgid = ANY (ARRAY[c.jlgid]) AND p.agent = c.agent
              FOR NO KEY UPDATE SKIP LOCKED) p
     WHERE c.jlgid IN (SELECT job.jlgid FROM job)),
adopted AS (
    UPDATE pgagent_py.run p SET agent = $1 FROM run WHERE p.jlgid = ANY (ARRAY[run.jlgid]))
UPDATE pgagent.pga_job j SET jobagentid = $2
  FROM job JOIN run ON run.jlgid = job.jlgid
 WHERE j.jobid = ANY (ARRAY[job.jobid]) AND j.joblastrun = run.claimed
   AND j.jobagentid IN (SELECT a.jagpid FROM pgagent_py.agent a WHERE a.agent = run.agent)
RETURNING run.jlgid""",
    "uuid",
    "int4",
    "text",
    "text[]",
    "int4",
)


def adopt_runs(plpy: Plpy, me: AgentRow, places: int) -> bool:
    """Take over at most so many runs that this agent may execute; return whether there were any."""
    return (
        me["jagall"]
        and places > 0
        and bool(ADOPT(plpy, me["agent"], me["jagpid"], me["jagstation"], me["jagknows"], places))
    )


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
